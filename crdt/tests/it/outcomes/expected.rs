//! What a merge of edits that don't touch each other must give: all of their hunks, laid over the text they began from.
//!
//! It is found by lines alone, and so says nothing about keys: a measure from outside.

use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::pieces::Piece;

/// Lines of the base that an edit replaces by others; an insertion replaces none.
struct Hunk<'a> {
    from: usize,
    to: usize,
    by: Vec<&'a str>,
    /// Where else it could stand and do the same: an inserted blank line beside another one has no place of its own.
    slack: (usize, usize),
}

impl Hunk<'_> {
    /// Whether a line that neither touches lies between the two, wherever they stand.
    fn is_apart(&self, other: &Self) -> bool {
        let (first, last) = (self.slack, other.slack);
        first.1 < last.0 || last.1 < first.0
    }

    /// Whether it changes a line of a piece, or puts one between its lines, or takes away all that stands in it.
    fn is_in(&self, piece: &Piece) -> bool {
        let joins_at = |at: usize| self.from == at && self.by.iter().all(|line| is_comment(line));
        let changes = |lines: &Range<usize>| match self.from == self.to {
            true if joins_at(lines.start) || (piece.is_comment && joins_at(lines.end)) => true,
            true => lines.start < self.from && self.from < lines.end,
            false => self.from < lines.end && lines.start < self.to,
        };
        let empties = |lines: &Range<usize>| self.from <= lines.start && lines.end <= self.to && self.by.is_empty();
        piece.own.iter().any(changes) || piece.body.as_ref().is_some_and(empties)
    }
}

/// Whether a line has no key of its own, and so belongs to what stands next to it.
fn is_comment(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || ["#", ";", "//", "/*", "*"].iter().any(|mark| line.starts_with(mark))
}

/// Whether two of the edits of `base` are of one of these pieces.
pub(super) fn two_edit_one(pieces: &[Piece], base: &str, edited: &[&str]) -> bool {
    let lines: Vec<&str> = base.split_inclusive('\n').collect();
    let edits: Vec<_> = edited.iter().map(|text| hunks_of(&lines, text)).collect();
    let is_of = |edit: &Vec<Hunk<'_>>, piece| edit.iter().any(|hunk| hunk.is_in(piece));
    pieces.iter().any(|piece| edits.iter().filter(|edit| is_of(edit, piece)).count() > 1)
}

/// The text that has all edits of `base`; `None` where two of them touch the same or neighbouring lines.
pub(super) fn together(base: &str, edited: &[&str]) -> Option<String> {
    let lines: Vec<&str> = base.split_inclusive('\n').collect();
    let mut hunks: Vec<Hunk<'_>> = Vec::new();
    for text in edited {
        let found = hunks_of(&lines, text);
        if found.iter().any(|hunk| hunks.iter().any(|other| !hunk.is_apart(other))) {
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
        let slack = slack(lines, old.start, old.end, by);
        Hunk { from: old.start, to: old.end, by: by.to_vec(), slack }
    };
    changes.map(hunk).collect()
}

/// The lines that a hunk may touch: one that only inserts, or only removes, does the same further up where the line above it is
/// its last one, and further down where the line below it is its first.
fn slack(lines: &[&str], from: usize, to: usize, by: &[&str]) -> (usize, usize) {
    let block = match (to - from, by.len()) {
        (0, _) => by,
        (_, 0) => &lines[from..to],
        _ => return (from, to),
    };
    let cyclic = |steps: usize| block[steps % block.len()];
    let up = (1..=from).take_while(|steps| lines[from - steps] == cyclic(block.len() - 1 - (steps - 1) % block.len()));
    let down = (0..lines.len() - to).take_while(|steps| lines[to + steps] == cyclic(*steps));
    (from - up.count(), to + down.count())
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
    assert_eq!(together("1\n\n2\n", &["1\n\n\n2\n", "1\n\ntwo\n"]), None, "the blank line may be the second");
    assert_eq!(together(base, &["1\nx\n2\n3\n4\n5\n", "1\ny\n2\n3\n4\n5\n"]), None);
}
