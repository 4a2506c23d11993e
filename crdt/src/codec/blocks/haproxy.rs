//! From HAProxy's text to fragments, line by line.

use std::ops::Range;

use super::scan::{self, COMMENTS, Unclosed};
use crate::codec::ParseError;
use crate::codec::lines::tile::{Piece, Tiler};
use crate::codec::lines::{BARE, line_end};
use crate::tree::Node;

const BEFORE_SECTION: &str = "a line stands before the first section";

/// Cuts a text.
pub(super) fn tile(text: &str) -> Result<Node, ParseError> {
    Tiler::tile(text, COMMENTS, |tiler, lead| {
        let mut words: Vec<Range<usize>> = Vec::new();
        let mut at = tiler.at;
        let unclosed = |Unclosed(at)| tiler.syntax(at, "this quote isn't closed on its line");
        while let Some(word) = scan::haproxy(text, at).map_err(unclosed)? {
            at = word.end;
            words.push(word);
        }
        line(tiler, lead, &words)
    })
}

fn line(tiler: &mut Tiler<'_>, lead: &str, words: &[Range<usize>]) -> Result<(), ParseError> {
    let text = tiler.text;
    let (Some(first), Some(last)) = (words.first().filter(|first| first.start == tiler.at), words.last()) else {
        return Err(tiler.untileable("a line begins with an escaped line end"));
    };
    let end = (line_end(text, last.end) + 1).min(text.len());
    let trail = &text[last.end..end];
    let label = &text[first.clone()];
    if scan::is_section(label) {
        tiler.close("", "");
        let names: Vec<&str> = words.iter().map(|word| &text[word.clone()]).collect();
        let label = &text[first.start..last.end];
        tiler.open(Piece { key: names.join(" "), label, lead, separator: trail, trail: "" })?;
    } else if tiler.depth() == 0 {
        return Err(tiler.untileable(BEFORE_SECTION));
    } else {
        let value = words.get(1).map_or(BARE, |second| &text[second.start..last.end]);
        let separator = words.get(1).map_or(super::SEPARATOR, |second| &text[first.end..second.start]);
        tiler.entry(Piece { key: label.into(), label, lead, separator, trail }, value)?;
    }
    tiler.at = end;
    Ok(())
}
