//! Blank lines and comments between two entries.

use super::BLANKS;
use super::line_end;

/// A gap, cut into what belongs to nothing and what belongs to the entry behind it.
pub(super) struct Gap<'t> {
    /// Comment blocks that belong to nothing, each with the blank lines before it.
    pub(super) blocks: Vec<&'t str>,
    /// What remains, with the indentation of the line that follows.
    pub(super) lead: &'t str,
    /// Where it ends: at the first character of the next entry, or at the end of the text.
    pub(super) end: usize,
}

/// Reads the gap that begins at `at`. Comments begin with one of `comments` at the start of a line.
pub(super) fn read<'t>(text: &'t str, at: usize, comments: &[char]) -> Gap<'t> {
    let mut blocks = Vec::new();
    let (mut start, mut line, mut in_comment) = (at, at, false);
    loop {
        let end = text.len() - text[line..].trim_start_matches(BLANKS).len();
        let rest = &text[end..];
        let is_comment = rest.starts_with(comments);
        let is_blank = rest.is_empty() || rest.starts_with('\n');
        if is_blank && in_comment {
            blocks.push(&text[start..line]);
            start = line;
        }
        in_comment = is_comment;
        if rest.is_empty() || !(is_blank || is_comment) {
            return Gap { blocks, lead: &text[start..end], end };
        }
        line = (line_end(text, end) + 1).min(text.len());
    }
}
