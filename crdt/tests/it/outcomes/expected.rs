//! What a merge of edits that don't touch each other must give: all of their hunks, laid over the text they began from.
//!
//! It is found by lines alone, and so says nothing about keys: a measure from outside.

use similar::{Algorithm, DiffOp, capture_diff_slices};

/// Lines of the base that an edit replaces by others; an insertion replaces none.
struct Hunk<'a> {
    from: usize,
    to: usize,
    by: Vec<&'a str>,
}

/// The text that has all edits of `base`; `None` where two of them touch the same or neighbouring lines.
pub(super) fn together(base: &str, edited: &[&str]) -> Option<String> {
    let lines: Vec<&str> = base.split_inclusive('\n').collect();
    let mut hunks: Vec<Hunk<'_>> = Vec::new();
    for text in edited {
        let found = hunks_of(&lines, text);
        // A line that stayed lies between any two edits.
        let apart = |one: &Hunk<'_>, other: &Hunk<'_>| one.to < other.from || other.to < one.from;
        if found.iter().any(|hunk| hunks.iter().any(|other| !apart(hunk, other))) {
            return None;
        }
        hunks.extend(found);
    }
    hunks.sort_by_key(|hunk| hunk.from);
    let mut text = String::new();
    let mut at = 0;
    for hunk in hunks {
        text.extend(lines[at..hunk.from].iter().copied().chain(hunk.by));
        at = hunk.to;
    }
    text.extend(lines[at..].iter().copied());
    Some(text)
}

fn hunks_of<'a>(lines: &[&str], text: &'a str) -> Vec<Hunk<'a>> {
    let new: Vec<&str> = text.split_inclusive('\n').collect();
    let changes = capture_diff_slices(Algorithm::Myers, lines, &new).into_iter();
    let changes = changes.filter(|change| !matches!(change, DiffOp::Equal { .. }));
    let hunk = |change: DiffOp| {
        let (old, by) = (change.old_range(), &new[change.new_range()]);
        Hunk { from: old.start, to: old.end, by: by.to_vec() }
    };
    changes.map(hunk).collect()
}

/// What differs between two texts, for people.
pub(super) fn changes(from: &str, to: &str) -> String {
    let lines: Vec<&str> = from.split_inclusive('\n').collect();
    let mut text = String::new();
    for hunk in hunks_of(&lines, to) {
        text.push_str(&format!("@ line {}\n", hunk.from + 1));
        lines[hunk.from..hunk.to].iter().for_each(|line| text.push_str(&format!("-{line}")));
        hunk.by.iter().for_each(|line| text.push_str(&format!("+{line}")));
    }
    text
}

#[test]
fn hunks_that_are_apart_are_laid_over_each_other() {
    let base = "1\n2\n3\n4\n5\n";
    assert_eq!(together(base, &["one\n2\n3\n4\n5\n", "1\n2\n3\n4\n5\n6\n"]).unwrap(), "one\n2\n3\n4\n5\n6\n");
    assert_eq!(together(base, &["2\n3\n4\n5\n", "1\n2\n5\n"]).unwrap(), "2\n5\n");
    assert_eq!(together(base, &["one\n2\n3\n4\n5\n", "1\ntwo\n3\n4\n5\n"]), None, "neighbours");
    assert_eq!(together(base, &["1\nx\n2\n3\n4\n5\n", "1\ny\n2\n3\n4\n5\n"]), None);
}
