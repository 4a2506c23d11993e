//! How merges of real files come out, format by format: the table of docs/MERGING.md.
//!
//! Two or three people make one edit each of the same file, on replicas that then exchange them in any order. Where the edits
//! don't touch each other by their lines, the merge must be all of them, byte for byte (*exact*), or say that it isn't
//! (*flagged*); it is *wrong* if it is neither. They count as *apart* if they aren't of one key either. What must hold of
//! every merge is checked on the way: see [`crate::histories`].

mod bytes;
mod expected;
mod pieces;
mod removals;
mod table;

use murmurate_crdt::codec;
use murmurate_crdt::document::Document;
use murmurate_crdt::id::DocumentId;
use murmurate_crdt::state::State;
use murmurate_crdt::tree::Format;
use proptest::prelude::*;

use crate::corpus::corpus;
use crate::histories::{EDITS, Edit, Ledger};
use crate::replica::Replica;

use self::expected::changes;

/// The folders of the corpus.
const FOLDERS: [&str; 7] = ["toml", "json", "yaml", "env", "ini", "blocks", "text"];
/// Larger files say nothing that smaller ones don't, and take longer.
const FILE_BYTES: usize = 1_700;

/// How a merge came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The edits don't touch each other, and all are there, byte for byte.
    Exact,
    /// They don't touch each other, but the merge lists a conflict.
    Flagged,
    /// They don't touch each other, and all is there but for spaces or blank lines: two edited the spacing around one key.
    Spacing,
    /// They don't touch each other, something else came out, and nobody is told.
    Wrong,
    /// An independent parser doesn't read in the file what the document means.
    Invalid,
    /// They touch each other, and the merge lists a conflict.
    TouchingFlagged,
    /// They touch each other, and could be merged.
    TouchingMerged,
}

/// One edit by each of some people, of one file.
#[derive(Debug, Clone)]
struct Meeting {
    file: usize,
    edits: Vec<(Edit, usize)>,
    /// Replicas that only look on.
    others: usize,
    /// In which order changes arrive.
    order: u64,
}

fn meetings(people: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Meeting> {
    let edit = (proptest::sample::select(&EDITS[..]), any::<u16>().prop_map(usize::from));
    let edits = proptest::collection::vec(edit, people);
    (any::<u16>(), edits, 0usize..=1, 1..u64::MAX).prop_map(|(file, edits, others, order)| Meeting {
        file: file.into(),
        edits,
        others,
        order,
    })
}

/// Carries out a meeting, checks what must hold, and tells how it came out; `None` if not everybody had something to edit.
fn outcome(folder: &str, files: &[(String, Vec<u8>)], meeting: &Meeting) -> Option<Outcome> {
    let (name, base) = &files[meeting.file % files.len()];
    let name = format!("f/{name}");
    let count = meeting.edits.len() + meeting.others;
    let mut all: Vec<Replica> = (0..count).map(|number| Replica::new(u8::try_from(number).unwrap(), &name)).collect();
    let mut ledger = Ledger::new(base);
    all[0].save(base).unwrap();
    let first = all[0].written.clone();
    for replica in &mut all[1..] {
        replica.receive(&first);
        replica.sync_file();
    }
    let before = all[0].document.state().clone();
    let mut edited = Vec::new();
    for (replica, edit) in all.iter_mut().zip(&meeting.edits) {
        let written = replica.written.len();
        ledger.save(replica, &[*edit]);
        if replica.written.len() == written {
            return None;
        }
        edited.push(String::from_utf8(replica.base.file()?.bytes.clone()).ok()?);
    }
    let states: Vec<&State> = all.iter().take(edited.len()).map(|replica| replica.document.state()).collect();
    let is_within = removals::one_touches_what_another_removes(&before, &states);
    let base = std::str::from_utf8(base).ok()?;
    let texts: Vec<&str> = edited.iter().map(String::as_str).collect();
    let format = saved_format(&name, base)?;
    let expected = expected::together(base, &texts).filter(|text| !is_within && is_valid(&name, text));
    // A file that becomes one of another format is replaced as a whole.
    let replaces = || texts.iter().any(|text| saved_format(&name, text) != Some(format));
    let are_of_one_key = || expected::two_edit_one(&pieces::pieces(format, base), base, &texts);
    let is_one_key = expected.is_some() && (replaces() || are_of_one_key());
    if let Some(why) = ledger.exchange(&mut all, meeting.order) {
        println!("{folder}: {meeting:?}: {why}");
        return Some(Outcome::Invalid);
    }
    let is_flagged = !all[0].conflicts().is_empty();
    let moves = meeting.edits.iter().any(|(edit, _)| matches!(edit, Edit::Move | Edit::Reorder | Edit::MoveLines));
    let outcome = match expected {
        Some(_) if is_flagged && !is_one_key => {
            println!("{folder}: {name}: {meeting:?}: flagged, though the edits are apart");
            texts.iter().for_each(|text| println!("an edit\n{}", changes(base, text)));
            println!("{:#?}\nmerged\n{}", all[0].conflicts(), changes(base, &all[0].text()));
            Outcome::Flagged
        }
        None | Some(_) if is_flagged => Outcome::TouchingFlagged,
        Some(expected) if is_as_expected(&all[0].text(), &expected, moves) => match is_one_key {
            true => Outcome::TouchingMerged,
            false => Outcome::Exact,
        },
        Some(expected) if without_spacing(&expected) == without_spacing(&all[0].text()) => Outcome::Spacing,
        Some(expected) => {
            println!("{folder}: {meeting:?}: instead of what was expected\n{}", changes(&expected, &all[0].text()));
            texts.iter().for_each(|text| println!("an edit\n{}", changes(base, text)));
            Outcome::Wrong
        }
        None => Outcome::TouchingMerged,
    };
    Some(outcome)
}

fn without_spacing(text: &str) -> String {
    text.split_whitespace().collect()
}

/// A move is no set of lines that come and go: what was edited goes along with what was moved. Then all lines must be there,
/// wherever they are.
fn is_as_expected(text: &str, expected: &str, moves: bool) -> bool {
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(|line| line.trim_end_matches(',').to_owned()).collect();
        lines.sort_unstable();
        lines
    };
    text == expected || (moves && sorted(text) == sorted(expected))
}

/// Whether a text is a file that one person could have saved. Two edits that are apart may each add the same key.
fn is_valid(name: &str, text: &str) -> bool {
    let format = codec::detect(name, text.as_bytes());
    codec::parse(format, text.as_bytes()).is_ok() && saved_format(name, text) == Some(format)
}

/// The format in which a document keeps a text.
fn saved_format(name: &str, text: &str) -> Option<Format> {
    let mut replica = Replica::new(0, name);
    replica.document = Document::new(DocumentId::new(name).ok()?);
    replica.save(text.as_bytes()).ok()?;
    Some(replica.base.file()?.format())
}

fn check(folder: &str, meeting: &Meeting) {
    let files = small(folder);
    if let Some(outcome) = outcome(folder, &files, meeting) {
        assert!(!matches!(outcome, Outcome::Wrong | Outcome::Invalid), "{outcome:?}");
    }
}

fn small(folder: &str) -> Vec<(String, Vec<u8>)> {
    corpus(folder).into_iter().filter(|(_, bytes)| bytes.len() <= FILE_BYTES).collect()
}

proptest! {
    #![proptest_config(crate::testing::cases(48))]

    #[test]
    fn edits_that_are_apart_are_all_there_or_flagged(folder in proptest::sample::select(&FOLDERS[..]), meeting in meetings(2..=3)) {
        check(folder, &meeting);
    }
}
