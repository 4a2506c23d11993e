//! Where the parts of a line of variables end. All offsets are in bytes.

use crate::codec::lines::{BLANKS, behind_blanks, line_end};

/// One `KEY=value` or bare `KEY`.
pub(super) struct Assignment {
    /// Where the name begins: behind `export`.
    pub(super) name: usize,
    /// Where the name ends, and the separator begins.
    pub(super) name_end: usize,
    /// Where the value begins and ends; `None` of a bare name.
    pub(super) value: Option<(usize, usize)>,
    /// The line feed behind all of it.
    pub(super) end: usize,
}

/// Why what stands somewhere is no assignment.
pub(super) enum Fault {
    /// A quote that opens there and isn't closed.
    Unclosed(usize),
    /// Something else than a format of variables.
    Odd(&'static str),
}

const NO_LINE: &str = "a line is neither KEY=value nor a comment";
const BEHIND_QUOTE: &str = "a value goes on behind its closing quote";

/// Reads the assignment that begins at `at`, which is no blank.
pub(super) fn assignment(text: &str, at: usize) -> Result<Assignment, Fault> {
    let name = behind_export(text, at);
    let name_end = name_end(text, name);
    if name_end == name {
        return Err(Fault::Odd(NO_LINE));
    }
    let equals = behind_blanks(text, name_end);
    if text[equals..].starts_with('=') {
        let start = behind_blanks(text, equals + 1);
        let (start, value_end) = value(text, equals + 1, start)?;
        let end = line_end(text, value_end);
        return Ok(Assignment { name, name_end, value: Some((start, value_end)), end });
    }
    let end = line_end(text, name_end);
    if !is_trail(&text[name_end..end]) {
        return Err(Fault::Odd(NO_LINE));
    }
    Ok(Assignment { name, name_end, value: None, end })
}

/// Where the name behind `export` begins, if there is one.
fn behind_export(text: &str, at: usize) -> usize {
    let Some(rest) = text[at..].strip_prefix("export") else { return at };
    let name = behind_blanks(text, text.len() - rest.len());
    if name > text.len() - rest.len() && name_end(text, name) > name { name } else { at }
}

/// The end of the name that begins at `at`. Beside what shells allow, names in the wild have dots and hyphens.
pub(super) fn name_end(text: &str, at: usize) -> usize {
    let is_name = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-');
    text.len() - text[at..].trim_start_matches(is_name).len()
}

/// Where the value begins and ends whose first character that isn't blank is at `start`.
fn value(text: &str, equals_end: usize, start: usize) -> Result<(usize, usize), Fault> {
    let quote = match text.as_bytes().get(start) {
        Some(quote @ (b'"' | b'\'')) => *quote,
        Some(b'#') if start > equals_end => return Ok((equals_end, equals_end)),
        _ => return Ok((start, unquoted_end(text, start))),
    };
    let end = quoted_end(text, start, quote).ok_or(Fault::Unclosed(start))?;
    if is_trail(&text[end..line_end(text, end)]) { Ok((start, end)) } else { Err(Fault::Odd(BEHIND_QUOTE)) }
}

/// Behind the quote that closes the one at `start`.
pub(super) fn quoted_end(text: &str, start: usize, quote: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 2,
            _ if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// Before a comment, or the blanks at the end of the line.
pub(super) fn unquoted_end(text: &str, start: usize) -> usize {
    let line = &text[start..line_end(text, start)];
    let comment = line.match_indices('#').find(|(at, _)| line[..*at].ends_with(BLANKS));
    let value = comment.map_or(line, |(at, _)| &line[..at]);
    start + value.trim_end_matches(BLANKS).len()
}

/// Nothing but blanks, and a comment behind one of them.
fn is_trail(trail: &str) -> bool {
    let rest = trail.trim_start_matches(BLANKS);
    rest.is_empty() || (rest.starts_with('#') && rest.len() < trail.len())
}
