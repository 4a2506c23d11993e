//! From text to fragments, line by line.

use super::scan::{self, COMMENTS, Entry};
use super::{SEPARATOR, joined, subsection};
use crate::codec::ParseError;
use crate::codec::lines::tile::{Piece, Tiler};
use crate::codec::lines::{BARE, BLANKS};
use crate::tree::{Content, Node};

const NO_LINE: &str = "a line is neither a section, nor `key = value`, nor a comment";
const BEHIND_SECTION: &str = "something stands behind the name of a section";

/// Cuts a text.
pub(super) fn tile(text: &str) -> Result<Node, ParseError> {
    Tiler::tile(text, COMMENTS, |tiler, lead| {
        if text[tiler.at..].starts_with('[') { section(tiler, lead) } else { entry(tiler, lead) }
    })
}

fn section(tiler: &mut Tiler<'_>, lead: &str) -> Result<(), ParseError> {
    let (text, at) = (tiler.text, tiler.at);
    let Some(header) = scan::header(text, at) else {
        let line = text[at..].lines().next().unwrap_or_default();
        return Err(if line.contains(']') {
            tiler.untileable(BEHIND_SECTION)
        } else {
            tiler.syntax(at, "expected `]` behind the name of the section")
        });
    };
    tiler.close("", "");
    let label = &text[at + 1..header.bracket];
    let trail = &text[header.bracket + 1..header.end];
    tiler.open(Piece { key: section_name(label), label, lead, separator: "", trail })?;
    tiler.at = (header.end + 1).min(text.len());
    Ok(())
}

/// The name of a section, with one blank before the quotes of one of git's subsections.
pub(super) fn section_name(label: &str) -> String {
    let name = label.trim_matches(BLANKS);
    let Some((section, quoted)) = name.split_once('"') else { return name.into() };
    let normal = format!("{} \"{quoted}", section.trim_end_matches(BLANKS));
    let parts = subsection(&normal);
    parts.map_or_else(|| name.into(), |(section, subsection)| joined(&section, &subsection))
}

fn entry(tiler: &mut Tiler<'_>, lead: &str) -> Result<(), ParseError> {
    let (text, at) = (tiler.text, tiler.at);
    let depth = at - text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let Entry { key_end, value, end } = scan::entry(text, at, depth).ok_or_else(|| tiler.untileable(NO_LINE))?;
    let (separator, value, value_end) = match value {
        Some((start, value_end)) => (&text[key_end..start], &text[start..value_end], value_end),
        None => (SEPARATOR, BARE, key_end),
    };
    let label = &text[at..key_end];
    tiler.entry(Piece { key: label.into(), label, lead, separator, trail: &text[value_end..end] }, value)?;
    tiler.at = (end + 1).min(text.len());
    Ok(())
}

/// Whether a text whose name says nothing is INI: it has a key with a value, and no line that other formats of lines have.
pub(in crate::codec) fn fits(text: &str) -> bool {
    let Ok(root) = tile(text) else { return false };
    let (mut keys, mut odd) = (0, false);
    root.walk(&mut |node| {
        if let Content::Scalar(value) = &node.content {
            keys += 1;
            odd |= !is_usual(node, value);
        }
    });
    keys > 0 && !odd
}

/// A key of words, with blanks only where blanks stand around the `=`; outside of sections its value ends no block.
fn is_usual(node: &Node, value: &str) -> bool {
    let label = &node.label;
    if label.starts_with('!') {
        return true;
    }
    let is_key = |character: char| character.is_alphanumeric() || "_-.@/[]:*+".contains(character);
    let begins = label.starts_with(|first: char| first.is_alphanumeric() || matches!(first, '_' | '/'));
    let is_apart = !label.contains(BLANKS) || node.decor.separator.starts_with(BLANKS);
    let in_section = node.path.0.len() > 2;
    let has_value = value != BARE && node.decor.separator.contains('=') && !value.ends_with(['{', '}', ';']);
    let is_words = label.split(BLANKS).all(|word| word.chars().all(is_key));
    begins && is_words && is_apart && (in_section || has_value)
}
