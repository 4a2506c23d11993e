//! The lines of a text that are one piece: a key or an item with its value and the comments right above it, or a comment
//! block. Two people who edit one piece edit one key, however many lines lie between: a block scalar, a value in brackets
//! and the comments of a key are one value each.

use std::ops::Range;

use murmurate_crdt::codec;
use murmurate_crdt::tree::{Content, Decor, Format, INDENT, Node, Tree};

/// Stand around a part of the text, and in no file of the corpus.
const MARKS: [char; 2] = ['\u{1}', '\u{2}'];

/// One key, item or comment block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The lines of its parts: of a table those of its header, and comments at its end.
    pub(super) own: Vec<Range<usize>>,
    /// The lines of all that stands in it. Without them it is another value: an empty one.
    pub(super) body: Option<Range<usize>>,
    /// It is a comment block: comments and blank lines put right behind it are part of it.
    pub(super) is_comment: bool,
}

/// The pieces of a text, each before what stands in it.
pub(super) fn pieces(format: Format, text: &str) -> Vec<Piece> {
    let Ok(mut tree) = codec::parse(format, text.as_bytes()) else { return Vec::new() };
    let (mut below, mut is_comment) = (Vec::new(), Vec::new());
    tree.root.walk(&mut |node| {
        below.push(count(node) - 1);
        is_comment.push(matches!(node.content, Content::Trivia(_)));
    });
    let own: Vec<Vec<Range<usize>>> = (0..below.len()).map(|index| own_lines(&mut tree, index, text)).collect();
    let body = |index: usize| {
        let lines = || own[index + 1..=index + below[index]].iter().flatten();
        Some(lines().map(|lines| lines.start).min()?..lines().map(|lines| lines.end).max()?)
    };
    let piece = |(index, own): (usize, &Vec<Range<usize>>)| {
        let body = body(index).filter(|_| index > 0);
        Piece { own: own.clone(), body, is_comment: is_comment[index] }
    };
    own.iter().enumerate().map(piece).collect()
}

fn count(node: &Node) -> usize {
    1 + node.children.iter().map(count).sum::<usize>()
}

fn own_lines(tree: &mut Tree, index: usize, text: &str) -> Vec<Range<usize>> {
    let parts = parts(nth(&mut tree.root, &mut index.clone()).expect("as many as were counted")).len();
    let spans = (0..parts).filter_map(|part| span(tree, index, part, text)).map(|span| lines(text, span));
    let mut lines: Vec<Range<usize>> = spans.collect();
    lines.sort_by_key(|range| range.start);
    lines.dedup_by(|next, before| {
        let joins = next.start <= before.end;
        before.end = if joins { before.end.max(next.end) } else { before.end };
        joins
    });
    lines
}

/// Where a part of a node stands, spaces and line ends around it left out; `None` if it is nothing else.
fn span(tree: &mut Tree, index: usize, part: usize, text: &str) -> Option<Range<usize>> {
    let place = parts(nth(&mut tree.root, &mut index.clone())?).remove(part);
    let former = place.clone();
    let trimmed = former.trim_matches(|character: char| character.is_whitespace() || character == INDENT);
    if trimmed.is_empty() {
        return None;
    }
    *place = former.replacen(trimmed, &format!("{}{trimmed}{}", MARKS[0], MARKS[1]), 1);
    let marked = String::from_utf8(codec::print(tree)).ok();
    *parts(nth(&mut tree.root, &mut index.clone())?).remove(part) = former;
    let marked = marked.filter(|marked| marked.replace(MARKS, "") == text)?;
    Some(marked.find(MARKS[0])?..marked.find(MARKS[1])? - MARKS[0].len_utf8())
}

fn lines(text: &str, span: Range<usize>) -> Range<usize> {
    let line = |at: usize| text[..at].matches('\n').count();
    line(span.start)..line(span.end) + 1
}

/// The texts of a node itself.
fn parts(node: &mut Node) -> Vec<&mut String> {
    let Decor { lead, separator, trail, after_comma, close, .. } = &mut node.decor;
    let content = match &mut node.content {
        Content::Scalar(text) | Content::Trivia(text) => Some(text),
        _ => None,
    };
    [lead, &mut node.label, separator, trail, after_comma, close].into_iter().chain(content).collect()
}

fn nth<'a>(node: &'a mut Node, index: &mut usize) -> Option<&'a mut Node> {
    if *index == 0 {
        return Some(node);
    }
    *index -= 1;
    node.children.iter_mut().find_map(|child| nth(child, index))
}

#[test]
fn a_key_is_one_piece_with_its_comments_and_the_lines_of_its_value() {
    let text = "# a\n# b\nk: |\n  x\n\n  y\nt:\n  # c\n  - 1\n  - [2,\n    3] # d\n";
    let one = |own: Range<usize>, body| Piece { own: vec![own], body, is_comment: false };
    let expected = [one(0..6, None), one(6..7, Some(7..11)), one(7..9, None), one(9..11, None)];
    assert_eq!(pieces(Format::Yaml, text)[1..], expected);
    let found = pieces(Format::Json, "{\n  // a\n  // b\n  \"k\": {\n    \"l\": 1\n    // end\n  }\n}\n");
    assert_eq!(found[1..], [Piece { own: vec![1..4, 5..6], ..one(0..0, Some(4..5)) }, one(4..5, None)]);
    let found = pieces(Format::Toml, "k = 1\n\n# a\n# b\n\n[t]\nl = \"\"\"\n\n\n\"\"\"\n");
    assert_eq!(
        found[1..],
        [one(0..1, None), Piece { is_comment: true, ..one(2..4, None) }, one(5..6, Some(6..10)), one(6..10, None)]
    );
}
