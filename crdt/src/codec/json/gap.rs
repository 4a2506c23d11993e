//! What may stand between the tokens of JSONC: spaces, line ends and comments.

/// What a piece of a gap is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Spaces and line ends.
    Space,
    /// `// …`, without its line end.
    LineComment,
    /// `/* … */`.
    BlockComment,
}

/// A part of a gap that is of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// What it is.
    pub(super) kind: Kind,
    /// Where it begins in the gap, in bytes.
    pub(super) start: usize,
    /// What is written.
    pub(super) text: &'a str,
}

/// A gap in pieces, which together are the whole gap.
pub(super) fn pieces(gap: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = &gap[start..];
        let (kind, length) = first_piece(rest)?;
        let piece = Piece { kind, start, text: &rest[..length] };
        start += length;
        Some(piece)
    })
}

fn first_piece(rest: &str) -> Option<(Kind, usize)> {
    if rest.is_empty() {
        return None;
    }
    if rest.starts_with("//") {
        return Some((Kind::LineComment, rest.find(['\n', '\r']).unwrap_or(rest.len())));
    }
    if let Some(inside) = rest.strip_prefix("/*") {
        return Some((Kind::BlockComment, inside.find("*/").map_or(rest.len(), |end| end + 4)));
    }
    let comment = rest.bytes().zip(rest.bytes().skip(1)).position(|(a, b)| a == b'/' && (b == b'/' || b == b'*'));
    Some((Kind::Space, comment.unwrap_or(rest.len())))
}

/// Where the first line end is, not counting those inside of comments.
pub(super) fn line_end(gap: &str) -> Option<usize> {
    spaces(gap).find_map(|piece| Some(piece.start + piece.text.find('\n')?))
}

/// Where the last comment ends; 0 if there is none.
pub(super) fn comments_end(gap: &str) -> usize {
    let comments = pieces(gap).filter(|piece| piece.kind != Kind::Space);
    comments.last().map_or(0, |piece| piece.start + piece.text.len())
}

/// Whether there is a comment.
pub(super) fn has_comment(gap: &str) -> bool {
    pieces(gap).any(|piece| piece.kind != Kind::Space)
}

/// Whether it ends within a line comment, so that only a line end may follow.
pub(super) fn is_open(gap: &str) -> bool {
    pieces(gap).last().is_some_and(|piece| piece.kind == Kind::LineComment)
}

/// Whether a colon stands in it outside of comments, as in what separates a key from its value.
pub(super) fn has_colon(separator: &str) -> bool {
    spaces(separator).any(|piece| piece.text.contains(':'))
}

/// Where the gap is to be cut so that each comment block that a blank line follows stands alone: before the last line end
/// of those blank lines.
pub(super) fn cuts_behind_detached_comments(gap: &str) -> Vec<usize> {
    let mut cuts = Vec::new();
    let mut comment = false;
    for piece in pieces(gap) {
        if piece.kind != Kind::Space {
            comment = true;
        } else if comment && let Some(newline) = end_of_blank_lines(piece.text) {
            cuts.push(piece.start + newline);
            comment = false;
        }
    }
    cuts
}

/// The last line end, if there are at least two.
fn end_of_blank_lines(space: &str) -> Option<usize> {
    let last = space.rfind('\n')?;
    space[..last].contains('\n').then_some(last)
}

fn spaces(gap: &str) -> impl Iterator<Item = Piece<'_>> {
    pieces(gap).filter(|piece| piece.kind == Kind::Space)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_cut_at_the_right_places() {
        let check = |gap: &str, first_line_end: Option<usize>, last_comment_end: usize, cuts: &[usize]| {
            assert_eq!(line_end(gap), first_line_end, "{gap:?}");
            assert_eq!(comments_end(gap), last_comment_end, "{gap:?}");
            assert_eq!(cuts_behind_detached_comments(gap), cuts, "{gap:?}");
            assert_eq!(pieces(gap).map(|piece| piece.text).collect::<String>(), gap);
        };
        check("", None, 0, &[]);
        check("  \n  ", Some(2), 0, &[]);
        check(" // a\n", Some(5), 5, &[]);
        check(" // a", None, 5, &[]);
        check("// a\r", None, 4, &[]);
        check("/* a\n\n */ ", None, 9, &[]);
        check("/* // */", None, 8, &[]);
        check("// /*\n", Some(5), 5, &[]);
        check("\n // a\n\n // b\n \n\n // c\n ", Some(0), 22, &[7, 16]);
        check("\n\n// a\n", Some(0), 6, &[]);
    }

    #[test]
    fn a_line_comment_is_open_until_its_line_ends() {
        ["//", " // a", "/* */ // b", "\n// /* "].iter().for_each(|gap| assert!(is_open(gap), "{gap:?}"));
        ["", " ", "// a\n", "// a\r", "/* // */", "// a\n /* b */"]
            .iter()
            .for_each(|gap| assert!(!is_open(gap), "{gap:?}"));
    }

    #[test]
    fn a_colon_in_a_comment_separates_nothing() {
        assert!(has_colon(" /* a */ : "));
        assert!(!has_colon(" /* : */ // :"));
    }
}
