//! Where the parts of a section of keys end. All offsets are in bytes.

use crate::codec::lines::{BLANKS, behind_blanks, is_continued, line_end};

/// What begins a comment.
pub(super) const COMMENTS: &[char] = &['#', ';'];

/// `[name] ; comment`.
pub(super) struct Header {
    /// Where the closing bracket stands.
    pub(super) bracket: usize,
    /// The line feed behind it.
    pub(super) end: usize,
}

/// The header whose opening bracket stands at `at`. `None` if its line has no closing one with nothing but a comment
/// behind it.
pub(super) fn header(text: &str, at: usize) -> Option<Header> {
    let end = line_end(text, at);
    let mut brackets = text[at..end].match_indices(']').map(|(offset, _)| at + offset);
    let bracket = brackets.find(|bracket| {
        let rest = text[bracket + 1..end].trim_start_matches(BLANKS);
        rest.is_empty() || rest.starts_with(COMMENTS)
    })?;
    Some(Header { bracket, end })
}

/// `key = value`, or a bare key.
pub(super) struct Entry {
    /// Where the key ends, and the separator begins.
    pub(super) key_end: usize,
    /// Where the value begins and ends; `None` of a bare key.
    pub(super) value: Option<(usize, usize)>,
    /// The line feed behind all of it.
    pub(super) end: usize,
}

/// Reads the entry that begins at `at`, `depth` characters into its line. `None` if the line is none.
pub(super) fn entry(text: &str, at: usize, depth: usize) -> Option<Entry> {
    let end = line_end(text, at);
    let line = &text[at..end];
    let Some(delimiter) = delimiter(line) else {
        let key = line.trim_end_matches(BLANKS);
        return is_bare(key).then_some(Entry { key_end: at + key.len(), value: None, end });
    };
    let key = line[..delimiter].trim_end_matches(BLANKS);
    if key.is_empty() {
        return None;
    }
    let start = behind_blanks(text, at + delimiter + 1);
    let value = value(text, start, depth);
    Some(Entry { key_end: at + key.len(), value: Some(value), end: line_end(text, value.1) })
}

/// Where the key ends: at the first `=`, or a `:` with a blank behind it; else at the first `:`. Backslashes escape.
pub(super) fn delimiter(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    let is_escaped = |at: usize| at > 0 && bytes[at - 1] == b'\\';
    let ends_word = |at: usize| bytes.get(at + 1).is_none_or(|next| matches!(next, b' ' | b'\t' | b'\r'));
    let marks = || (0..bytes.len()).filter(|at| matches!(bytes[*at], b'=' | b':') && !is_escaped(*at));
    marks().find(|at| bytes[*at] == b'=' || ends_word(*at)).or_else(|| marks().next())
}

/// A word, or a directive like `!includedir /etc/my.cnf.d`.
fn is_bare(key: &str) -> bool {
    let is_word = |character: char| character.is_ascii_alphanumeric() || "_-./@*+".contains(character);
    key.starts_with('!') || key.chars().all(is_word)
}

/// Where the value begins and ends whose first line goes on at `start`.
fn value(text: &str, start: usize, depth: usize) -> (usize, usize) {
    let first = &text[start..line_end(text, start)];
    let (mut begin, mut end) = (start, start + first.trim_end_matches(BLANKS).len());
    let is_empty = end <= start;
    let mut line_start = start + first.len() + 1;
    let mut continued = is_continued(first);
    while line_start < text.len() {
        let line = &text[line_start..line_end(text, line_start)];
        let content = line.trim_start_matches(BLANKS);
        let content_start = line_start + line.len() - content.len();
        if content.is_empty() {
            continued = false;
        } else if !content.starts_with(COMMENTS) {
            if !continued && indentation(line) <= depth {
                break;
            }
            if is_empty && end <= start {
                begin = content_start;
            }
            end = line_start + line.trim_end_matches(BLANKS).len();
            continued = is_continued(line);
        }
        line_start += line.len() + 1;
    }
    (begin, end.max(begin))
}

/// How many blanks a line begins with.
pub(super) fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(BLANKS).len()
}
