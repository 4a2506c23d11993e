//! From nginx's text to fragments, statement by statement.

use std::ops::Range;

use super::scan::{self, COMMENTS, Token, Unclosed};
use crate::codec::ParseError;
use crate::codec::lines::tile::{Piece, Tiler};
use crate::codec::lines::{BARE, behind_blanks, line_end};
use crate::limits::DEPTH;
use crate::tree::Node;

const LUA: &str = "a block holds Lua";

/// Cuts a text.
pub(super) fn tile(text: &str) -> Result<Node, ParseError> {
    let mut tiler = Tiler::new(text, COMMENTS)?;
    loop {
        let lead = tiler.gap()?;
        if tiler.is_at_end() {
            if tiler.depth() > 0 {
                return Err(tiler.syntax(text.len(), "the text ends within a block; expected `}`"));
            }
            return Ok(tiler.finish(lead));
        }
        if text[tiler.at..].starts_with('}') {
            close(&mut tiler, lead)?;
        } else {
            statement(&mut tiler, lead)?;
        }
    }
}

fn close(tiler: &mut Tiler<'_>, lead: &str) -> Result<(), ParseError> {
    let (text, at) = (tiler.text, tiler.at);
    let end = behind_line(text, at + 1);
    if !tiler.close(lead, &text[at..end]) {
        return Err(tiler.syntax(at, "this `}` closes no block"));
    }
    tiler.at = end;
    Ok(())
}

/// A directive up to its semicolon, or a block's header up to its opening brace.
fn statement(tiler: &mut Tiler<'_>, lead: &str) -> Result<(), ParseError> {
    let (text, start) = (tiler.text, tiler.at);
    let mut words: Vec<Range<usize>> = Vec::new();
    let mut at = start;
    let mark = loop {
        let unclosed = |Unclosed(at)| tiler.syntax(at, "this quote isn't closed");
        let (token, span) = scan::nginx(text, at).map_err(unclosed)?;
        at = span.end;
        match token {
            Token::Word(word) => words.push(word),
            Token::Mark(mark) => break mark,
        }
    };
    let (Some(first), Some(last)) = (words.first(), words.last()) else {
        return Err(tiler.syntax(start, "expected a directive"));
    };
    let end = behind_line(text, at);
    match mark {
        Some(b';') => {
            let value = words.get(1).map_or(BARE, |second| &text[second.start..last.end]);
            let separator = words.get(1).map_or(super::SEPARATOR, |second| &text[first.end..second.start]);
            let label = &text[first.clone()];
            let trail = &text[last.end..end];
            tiler.entry(Piece { key: label.into(), label, lead, separator, trail }, value)?;
        }
        Some(b'{') => {
            if text[first.clone()].ends_with("_by_lua_block") {
                return Err(tiler.untileable(LUA));
            }
            if tiler.depth() == DEPTH / 2 {
                return Err(tiler.untileable("blocks nest deeper than a file may"));
            }
            let names: Vec<&str> = words.iter().map(|word| &text[word.clone()]).collect();
            let label = &text[first.start..last.end];
            let separator = &text[last.end..end];
            tiler.open(Piece { key: names.join(" "), label, lead, separator, trail: "" })?;
        }
        _ => return Err(tiler.syntax(start, "this directive has no end; expected `;`")),
    }
    tiler.at = end;
    Ok(())
}

/// Behind the line end, if nothing but a comment stands before it; else where the next statement's spacing begins.
fn behind_line(text: &str, at: usize) -> usize {
    let rest = text.len() - text[behind_blanks(text, at)..].trim_start_matches('\r').len();
    if text[rest..].starts_with(COMMENTS) || text[rest..].starts_with('\n') {
        (line_end(text, rest) + 1).min(text.len())
    } else {
        at
    }
}
