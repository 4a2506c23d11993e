//! New keys in the style of what stands around them.

use super::{BARE, DEFAULT_INDENT, EXPLICIT, SEPARATOR, is_document, is_value, literal};
use crate::codec::NoPlace;
use crate::limits::{DEPTH, PATH_BYTES};
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, Node, Shape};
use crate::value::Value;

/// Puts a new value at `path`, with the containers that it needs.
pub(super) fn insert(root: &mut Node, path: &Path, literal: &str) -> Result<(), NoPlace> {
    if path.0.iter().any(|segment| matches!(segment, Segment::Trivia(_))) {
        return Err(no_place("a comment is no place for a value".into()));
    }
    if path.0.len() > DEPTH || path.encode().len() > PATH_BYTES {
        return Err(no_place("the key is nested deeper, or its path is longer, than a file may have".into()));
    }
    if literal::scalar(literal).is_none() {
        return Err(no_place(format!("`{literal}` isn't a value on its own")));
    }
    let style = Style::of(root);
    descend(root, path, 0, literal, &style)
}

/// How much a file indents.
struct Style {
    table: String,
    /// The items of a list below their key; often nothing.
    list: String,
}

impl Style {
    fn of(root: &Node) -> Self {
        let table = indent(root, Shape::Table);
        let list = indent(root, Shape::List).map(String::from);
        let table = table.or(list.as_deref().filter(|list| !list.is_empty())).unwrap_or(DEFAULT_INDENT).to_owned();
        Self { list: list.unwrap_or_else(|| table.clone()), table }
    }
}

/// The indentation of the first container of a shape below a key.
fn indent(node: &Node, shape: Shape) -> Option<&str> {
    let is_below_key = matches!(node.path.last(), Some(Segment::Key(_))) && !node.children.is_empty();
    let own = (is_below_key && node.content == Content::Container(shape)).then_some(node.decor.indent.as_str());
    own.or_else(|| node.children.iter().find_map(|child| indent(child, shape)))
}

/// Finds the first step of `path` from `depth` on that is missing below `node`, and puts the rest there. Nothing is
/// changed before all is known to have a place.
fn descend(node: &mut Node, path: &Path, depth: usize, literal: &str, style: &Style) -> Result<(), NoPlace> {
    check_step(node, path.0.get(depth))?;
    match node.children.iter_mut().find(|child| child.path.0[..] == path.0[..=depth]) {
        Some(child) => descend(child, path, depth + 1, literal, style),
        None => {
            open(node, &path.0[depth], style);
            append(node, path, depth, literal, style);
            Ok(())
        }
    }
}

/// Whether `node` can have the step below it. A null can become a table or a list, as can one with nothing in it.
fn check_step(node: &Node, step: Option<&Segment>) -> Result<(), NoPlace> {
    let name = if node.path.is_root() { "the file".into() } else { literal::label(node.path.last()) };
    let why = match (&node.content, step) {
        (Content::Container(Shape::Table), Some(Segment::Key(_)))
        | (Content::Container(Shape::List), Some(Segment::Item(_))) => return Ok(()),
        (Content::Container(_) | Content::Scalar(_), Some(_)) if is_empty(node) => return Ok(()),
        (_, None) => "there is a value at this place".into(),
        (Content::Container(Shape::Table), _) => format!("{name} is a table, which has keys and no items"),
        (Content::Container(Shape::List), _) if node.children.iter().any(is_document) => {
            "the file has several documents: say which, by [0] for the first".into()
        }
        (Content::Container(Shape::List), _) => format!("{name} is a list, which has items and no keys"),
        _ => format!("{name} holds a value, so nothing can stand below it"),
    };
    Err(no_place(why))
}

fn is_empty(node: &Node) -> bool {
    match &node.content {
        Content::Scalar(text) => match literal::scalar(text) {
            Some(Value::Null) => true,
            Some(Value::Table(entries)) => entries.is_empty() && text == "{}",
            Some(Value::List(items)) => items.is_empty() && text == "[]",
            _ => false,
        },
        // The table of a file without a value may become a list.
        Content::Container(_) => !node.children.iter().any(is_value),
        Content::Trivia(_) | Content::Bytes(_) => false,
    }
}

/// Makes a container of a node that holds nothing, for the step below it.
fn open(node: &mut Node, step: &Segment, style: &Style) {
    if !is_empty(node) {
        return;
    }
    let shape = shape_for(step);
    node.content = Content::Container(shape);
    if node.path.is_root() || is_document(node) {
        let comment = std::mem::take(&mut node.decor.trail);
        if !comment.trim().is_empty() {
            let before = if node.path.is_root() || node.label == BARE {
                &mut node.decor.lead
            } else {
                &mut node.decor.separator
            };
            before.push_str(comment.trim_start());
            before.push('\n');
        }
    } else {
        node.decor.indent = if shape == Shape::List { style.list.clone() } else { style.table.clone() };
        let separator = node.decor.separator.find(':').map_or(":", |colon| &node.decor.separator[..=colon]);
        node.decor.separator = separator.into();
    }
}

fn shape_for(step: &Segment) -> Shape {
    if matches!(step, Segment::Item(_)) { Shape::List } else { Shape::Table }
}

/// Puts the value behind the last child of `node`, within new containers for the steps of its path that are missing.
/// `depth` is the length of `node`'s path.
fn append(node: &mut Node, path: &Path, depth: usize, literal: &str, style: &Style) {
    let here = Path(path.0[..=depth].to_vec());
    let is_item = matches!(here.last(), Some(Segment::Item(_)));
    let in_stream = node.children.iter().any(is_document);
    let mut child = Node::new(here, "", Content::Scalar(literal.into()), Decor::default());
    child.decor.lead = lead_of_next(node);
    child.decor.separator = separator_of_next(node);
    if !is_item {
        child.label = literal::label(child.path.last());
    }
    if in_stream {
        // A comment at the end of the document before it stays there.
        let last = node.children.iter().rev().find(|child| is_value(child)).and_then(|last| last.children.last());
        child.decor.lead = if last.is_some_and(|last| last.path.is_trivia()) { "\n".into() } else { String::new() };
        child.label = EXPLICIT.into();
        child.decor.separator = " ".into();
    }
    if let Some(next) = path.0.get(depth + 1) {
        let shape = shape_for(next);
        child.content = Content::Container(shape);
        child.decor.separator = match (in_stream, is_item) {
            (true, _) => "\n".into(),
            (false, true) => child.decor.separator,
            (false, false) => ":".into(),
        };
        if !is_item {
            child.decor.indent = if shape == Shape::List { style.list.clone() } else { style.table.clone() };
        }
        append(&mut child, path, depth + 1, literal, style);
    }
    let last = node.children.iter().rposition(is_value);
    node.children.insert(last.map_or(node.children.len(), |last| last + 1), child);
}

/// A blank line, if one stands before each child but the first, or to be apart from a comment.
fn lead_of_next(node: &Node) -> String {
    let mut leads = node.children.iter().filter(|child| is_value(child)).skip(1).map(|child| &child.decor.lead);
    let is_apart = leads.clone().next().is_some() && leads.all(|lead| lead.starts_with('\n'));
    let is_behind_comment = !node.children.is_empty() && !node.children.iter().any(is_value);
    if is_apart || is_behind_comment { "\n".into() } else { String::new() }
}

fn separator_of_next(node: &Node) -> String {
    let is_plain = |separator: &&str| matches!(*separator, ": " | " : " | ":  " | ":   ");
    let last = node.children.iter().rev().find(|child| is_value(child)).map(|child| child.decor.separator.as_str());
    let separator = last
        .filter(is_plain)
        .filter(|separator| node.content == Content::Container(Shape::List) || separator.ends_with(": "));
    separator.unwrap_or(SEPARATOR).into()
}

fn no_place(why: String) -> NoPlace {
    NoPlace { why }
}
