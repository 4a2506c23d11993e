//! The codec's promises, on examples, on random JSONC and on real files.

mod corpus;
mod examples;
mod random;

use super::Json;
use crate::codec::{Codec, parse, print};
use crate::path::{Path, Segment};
use crate::tree::{Content, Format, Node, Shape, Tree};
use crate::value::Value;

fn tree(text: &str) -> Tree {
    parse(Format::Json, text.as_bytes()).unwrap_or_else(|error| panic!("{error} in {text:?}"))
}

fn printed(tree: &Tree) -> String {
    String::from_utf8(print(tree)).unwrap()
}

fn path(text: &str) -> Path {
    Path::decode(text).unwrap()
}

fn at<'a>(node: &'a mut Node, path: &Path) -> &'a mut Node {
    if node.path == *path {
        return node;
    }
    let child = node.children.iter_mut().find(|child| path.starts_with(&child.path) && !child.path.is_root());
    at(child.unwrap_or_else(|| panic!("no {path}")), path)
}

/// What a tree says, by the meaning of its scalars.
fn meaning(node: &Node) -> Value {
    let values = node.children.iter().filter(|child| !matches!(child.content, Content::Trivia(_)));
    match &node.content {
        Content::Scalar(text) => Json.scalar(text).unwrap_or_else(|| panic!("{text:?}")),
        Content::Container(Shape::List) => Value::List(values.map(meaning).collect()),
        Content::Container(Shape::Table) => Value::Table(values.map(|child| (key(child), meaning(child))).collect()),
        other => panic!("{other:?}"),
    }
}

fn key(node: &Node) -> String {
    match node.path.last() {
        _ if !node.label.is_empty() => serde_json::from_str(&node.label).unwrap(),
        Some(Segment::Key(name) | Segment::Item(name)) => name.clone(),
        other => panic!("{other:?}"),
    }
}
