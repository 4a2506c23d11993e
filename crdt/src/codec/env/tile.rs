//! From text to fragments, assignment by assignment.

use super::SEPARATOR;
use super::scan::{self, Assignment, Fault};
use crate::codec::ParseError;
use crate::codec::lines::BARE;
use crate::codec::lines::tile::{Piece, Tiler};
use crate::tree::{Content, Node};

/// What begins a comment.
const COMMENTS: &[char] = &['#'];

/// Cuts a text.
pub(super) fn tile(text: &str) -> Result<Node, ParseError> {
    Tiler::tile(text, COMMENTS, |tiler, lead| {
        let found = scan::assignment(text, tiler.at).map_err(|fault| match fault {
            Fault::Unclosed(at) => tiler.syntax(at, "this quote isn't closed"),
            Fault::Odd(why) => tiler.untileable(why),
        })?;
        assignment(tiler, &found, lead)
    })
}

fn assignment(tiler: &mut Tiler<'_>, found: &Assignment, lead: &str) -> Result<(), ParseError> {
    let text = tiler.text;
    let (separator, value, value_end) = match found.value {
        Some((start, end)) => (&text[found.name_end..start], &text[start..end], end),
        None => (SEPARATOR, BARE, found.name_end),
    };
    let piece = Piece {
        key: text[found.name..found.name_end].into(),
        label: &text[tiler.at..found.name_end],
        lead,
        separator,
        trail: &text[value_end..found.end],
    };
    tiler.entry(piece, value)?;
    tiler.at = (found.end + 1).min(text.len());
    Ok(())
}

/// Whether a text whose name says little is one of variables: some have values, and no line is anything else.
pub(in crate::codec) fn fits(text: &str) -> bool {
    let Ok(root) = tile(text) else { return false };
    let values: Vec<&Content> = root.children.iter().map(|node| &node.content).collect();
    let is_bare = |content: &&Content| matches!(content, Content::Scalar(value) if value == BARE);
    values.iter().any(|content| matches!(content, Content::Scalar(_))) && !values.iter().any(is_bare)
}
