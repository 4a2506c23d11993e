//! New keys in the style of what stands around them.

use super::{gap, literal, tile};
use crate::codec::NoPlace;
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, INDENT, Node, Shape};

/// One step of indentation in a file that has none to copy.
pub(super) const DEFAULT_UNIT: &str = "  ";
/// What begins a line of its own.
pub(super) const LINE_LEAD: &str = "\n\0";

/// Puts a new value at `path`, with the containers that it needs.
pub(super) fn insert(root: &mut Node, path: &Path, literal: &str) -> Result<(), NoPlace> {
    if path.0.iter().any(|segment| matches!(segment, Segment::Trivia(_))) {
        return Err(NoPlace { why: "a comment is no place for a value".into() });
    }
    let value = tile::value(literal, path, "").map_err(|error| NoPlace { why: format!("the value: {error}") })?;
    let unit = unit(root, "").unwrap_or(DEFAULT_UNIT).to_owned();
    let around = Style { unit, indent: String::new(), lines: true, separator: literal::SEPARATOR.into() };
    descend(root, path, 0, value, &around)
}

/// How the container around a place is written.
#[derive(Clone)]
struct Style {
    /// One step of indentation.
    unit: String,
    /// The indentation of its children.
    indent: String,
    /// Its children begin lines.
    lines: bool,
    /// Between its keys and values.
    separator: String,
}

/// Finds the first step of `path` from `depth` on that is missing below `node`, and puts the rest there. Nothing is
/// changed before all is known to have a place.
fn descend(node: &mut Node, path: &Path, depth: usize, value: Node, around: &Style) -> Result<(), NoPlace> {
    check_step(node, path.0.get(depth))?;
    let style = style_of(node, around);
    match node.children.iter_mut().find(|child| child.path.0[..] == path.0[..=depth]) {
        Some(child) => descend(child, path, depth + 1, value, &style),
        None => {
            append(node, value, depth, around);
            Ok(())
        }
    }
}

/// Whether `node` can have the step below it.
fn check_step(node: &Node, step: Option<&Segment>) -> Result<(), NoPlace> {
    let name = literal::label(node.path.last());
    let why = match (&node.content, step) {
        (Content::Container(Shape::Table), Some(Segment::Key(_)))
        | (Content::Container(Shape::List), Some(Segment::Item(_))) => return Ok(()),
        (_, None) => "there is a value at this place".into(),
        (Content::Container(Shape::Table), _) => format!("{name} is a table, which has keys and no items"),
        (Content::Container(Shape::List), _) => format!("{name} is a list, which has items and no keys"),
        _ => format!("{name} holds a value, so nothing can stand below it"),
    };
    Err(NoPlace { why })
}

/// Puts `value` behind the last child of `node`, within new containers for the steps of its path that are missing.
/// `depth` is the length of `node`'s path.
fn append(node: &mut Node, value: Node, depth: usize, around: &Style) {
    let lead = lead_of_next(node, around);
    let style = style_of(node, around);
    let path = Path(value.path.0[..=depth].to_vec());
    let mut child = match value.path.0.get(depth + 1) {
        None => value,
        Some(next) => {
            let shape = if matches!(next, Segment::Item(_)) { Shape::List } else { Shape::Table };
            let mut container = Node::new(path, "", Content::Container(shape), Decor::default());
            append(&mut container, value, depth + 1, &style);
            container
        }
    };
    if node.content == Content::Container(Shape::Table) {
        child.label = literal::label(child.path.last());
        child.decor.separator = style.separator;
    }
    child.decor.lead = lead;
    let behind = last_value(node).map_or(node.children.len(), |last| last + 1);
    node.children.insert(behind, child);
}

/// The style of `node`'s children, present or next.
fn style_of(node: &Node, around: &Style) -> Style {
    let mut style = around.clone();
    style.lines = begins_lines(node, around);
    if !node.decor.indent.is_empty() {
        style.indent.clone_from(&node.decor.indent);
    }
    if let Some(last) = last_value(node) {
        let separator = &node.children[last].decor.separator;
        if gap::has_colon(separator) && !gap::has_comment(separator) && !separator.contains('\n') {
            style.separator.clone_from(separator);
        }
    }
    style
}

/// Whether the next child of `node` begins a line. An empty container in lines is opened over several lines, unless it has
/// a comment on its one line.
fn begins_lines(node: &Node, around: &Style) -> bool {
    match last_value(node) {
        Some(last) => node.children[last].decor.lead.contains('\n'),
        None => node.decor.close.contains('\n') || (around.lines && !gap::has_comment(&node.decor.close)),
    }
}

/// The lead of the next child of `node`, which is made ready for it.
fn lead_of_next(node: &mut Node, around: &Style) -> String {
    if let Some(last) = last_value(node) {
        let alone = !node.children[..last].iter().any(is_value);
        let compact = style_of(node, around).separator == ":";
        return lead_behind(&node.children[last].decor.lead, alone, compact);
    }
    if begins_lines(node, around) {
        return lead_on_new_line(node, around);
    }
    let close = &node.decor.close;
    close[..close.len() - close.trim_start_matches(' ').len()].into()
}

/// The lead of a child behind one with the lead `last`, which may be the only one.
fn lead_behind(last: &str, alone: bool, compact: bool) -> String {
    match last.rfind('\n') {
        Some(newline) if is_blank(&last[newline + 1..]) => last[newline..].into(),
        Some(_) => LINE_LEAD.into(),
        None if !alone && is_blank(last) => last.into(),
        None if compact => String::new(),
        None => " ".into(),
    }
}

/// The lead of the first child of an empty container over several lines. Comments in the container come to stand above
/// the child.
fn lead_on_new_line(node: &mut Node, around: &Style) -> String {
    let indent = format!("{}{}", around.indent, around.unit);
    let close = std::mem::take(&mut node.decor.close);
    let (comments, rest) = close.split_at(gap::comments_end(&close));
    node.decor.close = rest.rfind('\n').map_or(LINE_LEAD, |newline| &rest[newline..]).into();
    let comments = comments.replace(INDENT, &around.indent);
    let lead = tile::relative(&format!("{comments}\n{indent}"), &indent);
    node.decor.indent = indent;
    lead
}

/// One step of the file's indentation: that of the first container which is deeper than what it stands in.
fn unit<'a>(node: &'a Node, outer: &str) -> Option<&'a str> {
    let own = node.decor.indent.strip_prefix(outer).filter(|unit| !unit.is_empty());
    own.or_else(|| node.children.iter().find_map(|child| unit(child, &node.decor.indent)))
}

fn last_value(node: &Node) -> Option<usize> {
    node.children.iter().rposition(is_value)
}

fn is_value(node: &Node) -> bool {
    !matches!(node.content, Content::Trivia(_))
}

fn is_blank(text: &str) -> bool {
    text.chars().all(|character| matches!(character, ' ' | '\t' | INDENT))
}
