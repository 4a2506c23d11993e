//! What the formats of lines share (.env, INI, blocks): a key may stand several times, each time an occurrence.
//!
//! ```text
//!  text ──▶ gap ──▶ entry, header or block ──▶ gap ──▶ …
//!            │           └─ the format's own `scan` says where its key and its value end
//!            ├─ comment blocks with a blank line behind them: trivia of the innermost open section
//!            └─ the rest: lead of what follows
//! ```
//!
//! The path of an entry is that of its container, its key, and its occurrence: `.Service@#1.Environment@#1`. A key that
//! stands once means its value, one that stands several times the list of them (MERGE rule 5).

mod gap;
pub(super) mod insert;
pub(super) mod print;
#[cfg(test)]
pub(super) mod testing;
pub(super) mod tile;

use std::collections::BTreeMap;

use crate::codec::meaning::meaning;
use crate::codec::{Codec, ParseError};
use crate::path::Segment;
use crate::tree::{Content, Decor, Node};
use crate::value::Value;

/// The content of a key without a value (`skip-networking`), which isn't an empty one. No text holds NUL.
pub(super) const BARE: &str = "\0";
/// Blanks within a line. Files that mix their line ends keep carriage returns before some of them.
pub(super) const BLANKS: [char; 3] = [' ', '\t', '\r'];

/// What was read so far: the occurrences of each key, in their order.
pub(super) type Occurrences = BTreeMap<String, Vec<Value>>;

/// The meaning of a table whose keys may stand several times.
pub(super) fn table(occurrences: Occurrences) -> Value {
    Value::Table(occurrences.into_iter().map(|(key, values)| (key, one_or_all(values))).collect())
}

/// A key that stands once means its value.
pub(super) fn one_or_all(mut values: Vec<Value>) -> Value {
    match values.pop() {
        Some(only) if values.is_empty() => only,
        last => Value::List(values.into_iter().chain(last).collect()),
    }
}

/// The line feed at or behind `at`, or the end of the text.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |length| at + length)
}

/// Where the blanks and tabs that begin at `at` end.
pub(super) fn behind_blanks(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start_matches([' ', '\t']).len()
}

/// Whether a line goes on in the next one: an odd number of backslashes at its end.
pub(super) fn is_continued(line: &str) -> bool {
    let line = line.strip_suffix('\r').unwrap_or(line);
    (line.len() - line.trim_end_matches('\\').len()) % 2 == 1
}

/// The text of a key: that of the last one, since keys of these formats can't be joined.
pub(super) fn label(keys: &[Segment]) -> String {
    let last = keys.iter().rev().find_map(|segment| match segment {
        Segment::Key(key) => Some(key.clone()),
        Segment::Item(_) | Segment::Trivia(_) => None,
    });
    last.unwrap_or_default()
}

/// The spacing of a value whose own was never written; headers have none of their own.
pub(super) fn decor(separator: &str, content: &Content) -> Decor {
    match content {
        Content::Scalar(_) => Decor { separator: separator.into(), ..Decor::default() },
        Content::Container(_) | Content::Trivia(_) | Content::Bytes(_) => Decor::default(),
    }
}

/// The tree of a text, if the second reader finds in the text what the tree means.
pub(super) fn certain(codec: &dyn Codec, text: &str, root: Node) -> Result<Node, ParseError> {
    let is_certain = codec.read(text).is_ok_and(|read| meaning(codec, &root) == Some(read));
    if is_certain { Ok(root) } else { Err(ParseError::Untileable { line: 1, why: UNCERTAIN }) }
}

const UNCERTAIN: &str = "its keys can't be told apart with certainty";
