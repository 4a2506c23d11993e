//! What may stand between two entries: blank lines and comment lines.

use crate::tree::INDENT;

/// A comment block with the blank lines before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block<'t> {
    pub(super) text: &'t str,
    /// The column of its first comment.
    pub(super) column: usize,
    /// A blank line, or a line further in, stands behind it.
    pub(super) is_detached: bool,
}

/// A gap of whole lines, cut into comment blocks and the blank lines at the end. A block ends at a blank line, and where
/// comments go from beyond the column `next` to within it: the former belong to what ends here.
pub(super) fn blocks(gap: &str, next: usize) -> (Vec<Block<'_>>, &str) {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let (mut start, mut at) = (0, 0);
    // The column of the first comment of the block that is open, and of the latest.
    let mut open: Option<(usize, usize)> = None;
    for line in gap.split_inclusive('\n') {
        let column = comment_column(line);
        let goes_out = matches!((open, column), (Some((_, latest)), Some(column)) if latest > next && column <= next);
        if let Some((first, _)) = open
            && (column.is_none() || goes_out)
        {
            blocks.push(Block { text: &gap[start..at], column: first, is_detached: column.is_none() });
            (start, open) = (at, None);
        }
        if let Some(column) = column {
            open = Some((open.map_or(column, |(first, _)| first), column));
        }
        at += line.len();
    }
    if let Some((column, _)) = open {
        blocks.push(Block { text: &gap[start..], column, is_detached: false });
        start = gap.len();
    }
    (blocks, &gap[start..])
}

fn comment_column(line: &str) -> Option<usize> {
    let comment = line.trim_start_matches([' ', '\t']);
    comment.starts_with('#').then_some(line.len() - comment.len())
}

/// Whether a line has nothing but blanks.
pub(super) fn is_blank(line: &str) -> bool {
    line.bytes().all(|byte| byte.is_ascii_whitespace())
}

/// Whether the rest of a line is blanks, and a comment with a blank before it. `is_first`: nothing must be before it.
pub(super) fn is_trail(trail: &str, is_first: bool) -> bool {
    let comment = trail.trim_start_matches([' ', '\t']);
    is_blank(comment) || (comment.starts_with('#') && (is_first || comment.len() < trail.len()))
}

/// Writes [`INDENT`] for `indent` at the start of each line of comments.
pub(super) fn relative(lines: &str, indent: &str) -> String {
    let mut marked = String::with_capacity(lines.len());
    for line in lines.split_inclusive('\n') {
        match line.strip_prefix(indent) {
            Some(rest) if !is_blank(rest) => {
                marked.push(INDENT);
                marked.push_str(rest);
            }
            _ => marked.push_str(line),
        }
    }
    marked
}

/// Writes [`INDENT`] for `indent` at the start of the further lines of a scalar. `None` if a line stands further out.
///
/// Blank lines that are shorter keep no mark: they have nothing to be moved.
pub(super) fn relative_value(text: &str, indent: &str) -> Option<String> {
    let mut lines = text.split('\n');
    let mut marked = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        marked.push('\n');
        match line.strip_prefix(indent) {
            Some(rest) if !line.is_empty() => {
                marked.push(INDENT);
                marked.push_str(rest);
            }
            _ if is_blank(line) || line.trim_ascii_start().starts_with('#') => marked.push_str(line),
            _ => return None,
        }
    }
    Some(marked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_cut_at_blank_lines_and_where_they_go_out() {
        let cut = |gap, next| {
            let (found, rest) = blocks(gap, next);
            let whole: String = found.iter().map(|block| block.text).chain([rest]).collect();
            assert_eq!(whole, gap);
            found.iter().map(|block| (block.text, block.column, block.is_detached)).collect::<Vec<_>>()
        };
        assert_eq!(cut("", 0), []);
        assert_eq!(cut("\n \n", 0), []);
        assert_eq!(cut("# a\n", 0), [("# a\n", 0, false)]);
        assert_eq!(cut("\n# a\n# b\n\n# c\n", 0), [("\n# a\n# b\n", 0, true), ("\n# c\n", 0, false)]);
        assert_eq!(cut("  # a\n# b\n", 0), [("  # a\n", 2, false), ("# b\n", 0, false)]);
        assert_eq!(cut("# a\n  # b\n", 0), [("# a\n  # b\n", 0, false)]);
        assert_eq!(cut("    # a\n  # b\n", 2), [("    # a\n", 4, false), ("  # b\n", 2, false)]);
    }

    #[test]
    fn trails_are_blank_or_a_comment_apart() {
        for (trail, is_first, expected) in [
            ("", false, true),
            (" \t", false, true),
            (" # a", false, true),
            ("# a", false, false),
            ("# a", true, true),
            (" a", true, false),
        ] {
            assert_eq!(is_trail(trail, is_first), expected, "{trail:?}");
        }
    }

    #[test]
    fn further_lines_are_marked() {
        assert_eq!(relative_value("|\n    a\n\n      b\n ", "  ").as_deref(), Some("|\n\0  a\n\n\0    b\n "));
        assert_eq!(relative_value("[\n]", "").as_deref(), Some("[\n\0]"));
        assert_eq!(relative_value("[\n]", "  "), None);
        assert_eq!(relative("  # a\n\n # b\n", "  "), "\0# a\n\n # b\n");
    }
}
