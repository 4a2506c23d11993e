//! Where words end. All offsets are in bytes.

use std::ops::Range;

use crate::codec::lines::line_end;

/// HAProxy's sections.
const SECTIONS: &[&str] = &[
    "acme",
    "backend",
    "cache",
    "crt-store",
    "defaults",
    "fcgi-app",
    "frontend",
    "global",
    "http-errors",
    "listen",
    "log-forward",
    "log-profile",
    "mailers",
    "peers",
    "program",
    "resolvers",
    "ring",
    "traces",
    "userlist",
];

/// What begins a comment.
pub(super) const COMMENTS: &[char] = &['#'];

/// Whether a text is HAProxy's: the first line that isn't blank or a comment begins a section, and opens no block.
pub(super) fn is_haproxy(text: &str) -> bool {
    let mut lines = text.split('\n').map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(COMMENTS)).unwrap_or_default();
    is_section(first.split_whitespace().next().unwrap_or_default()) && !first.contains(['{', ';'])
}

/// Whether a word begins one of HAProxy's sections.
pub(super) fn is_section(word: &str) -> bool {
    SECTIONS.contains(&word)
}

/// A quote that isn't closed, by where it opens.
pub(super) struct Unclosed(pub(super) usize);

/// What stands somewhere in nginx's text.
pub(super) enum Token {
    Word(Range<usize>),
    /// A semicolon, a brace, or the end of the text.
    Mark(Option<u8>),
}

/// The next token at or behind `at`, and where it begins and ends.
pub(super) fn nginx(text: &str, at: usize) -> Result<(Token, Range<usize>), Unclosed> {
    let start = behind_gap(text, at);
    match text.as_bytes().get(start) {
        None => Ok((Token::Mark(None), start..start)),
        Some(mark @ (b';' | b'{' | b'}')) => Ok((Token::Mark(Some(*mark)), start..start + 1)),
        Some(first) => {
            let quoted = match first {
                b'"' | b'\'' => quoted_end(text, start, *first).ok_or(Unclosed(start))?,
                _ => start,
            };
            let word = start..bare_end(text, quoted);
            Ok((Token::Word(word.clone()), word))
        }
    }
}

/// Behind white space and comments.
fn behind_gap(text: &str, mut at: usize) -> usize {
    loop {
        at = text.len() - text[at..].trim_start_matches([' ', '\t', '\r', '\n']).len();
        if !text[at..].starts_with(COMMENTS) {
            return at;
        }
        at = line_end(text, at);
    }
}

fn quoted_end(text: &str, start: usize, quote: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            _ if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// A word without quotes ends at white space, a semicolon or an opening brace; `${` opens the name of a variable.
fn bare_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b';' | b'{' => break,
            b'\\' => at += 2,
            b'$' if bytes.get(at + 1) == Some(&b'{') => at += 2,
            _ => at += 1,
        }
    }
    text.ceil_char_boundary(at.min(text.len()))
}

/// The next word of HAProxy's at or behind `at` on its line; `None` where the line or its comment begins.
pub(super) fn haproxy(text: &str, at: usize) -> Result<Option<Range<usize>>, Unclosed> {
    let start = behind_haproxy_blanks(text, at);
    let bytes = text.as_bytes();
    let (mut end, mut quote) = (start, None);
    while let Some(&byte) = bytes.get(end) {
        match (quote, byte) {
            (Some((_, open)), b'\n') => return Err(Unclosed(open)),
            (None, b'\\') if joined_line(&text[end..]).is_some() => break,
            (Some((b'"', _)) | None, b'\\') => end += 1,
            (Some((open, _)), _) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some((byte, end)),
            (None, b' ' | b'\t' | b'\r' | b'\n' | b'#') => break,
            (None, _) => {}
        }
        end += 1;
    }
    if let Some((_, open)) = quote {
        return Err(Unclosed(open));
    }
    let end = text.ceil_char_boundary(end.min(text.len()));
    Ok((end > start).then_some(start..end))
}

/// Behind blanks, and line ends behind a backslash.
fn behind_haproxy_blanks(text: &str, mut at: usize) -> usize {
    loop {
        at = text.len() - text[at..].trim_start_matches([' ', '\t', '\r']).len();
        match joined_line(&text[at..]) {
            Some(rest) => at = text.len() - rest.len(),
            None => return at,
        }
    }
}

/// What stands behind a line end behind a backslash. The end of a file is one, too.
fn joined_line(text: &str) -> Option<&str> {
    if matches!(text, "\\" | "\\\r") {
        return Some("");
    }
    text.strip_prefix("\\\n").or_else(|| text.strip_prefix("\\\r\n"))
}

/// Whether a text is the whole value of one directive of nginx's or HAProxy's, from its first word to its last.
pub(super) fn is_value(text: &str) -> bool {
    is_nginx_value(text) || is_haproxy_value(text)
}

fn is_nginx_value(text: &str) -> bool {
    let mut at = 0;
    while at < text.len() {
        match nginx(text, at) {
            Ok((Token::Word(_), span)) if at > 0 || span.start == 0 => at = span.end,
            _ => return false,
        }
    }
    at > 0
}

fn is_haproxy_value(text: &str) -> bool {
    let mut at = 0;
    while at < text.len() {
        match haproxy(text, at) {
            Ok(Some(word)) if at > 0 || word.start == 0 => at = word.end,
            _ => return false,
        }
    }
    at > 0
}
