//! What the whole codec promises: real files, examples, random texts and trees.

use super::*;
use crate::codec::meaning::meaning;

mod corpus;
mod examples;
mod random;

fn parse(text: &str) -> Node {
    Yaml.parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn nodes(root: &Node) -> Vec<&Node> {
    let mut nodes = Vec::new();
    root.walk(&mut |node| nodes.push(node));
    nodes
}

#[track_caller]
fn check_tiles(text: &str) -> Node {
    let root = parse(text);
    assert_eq!(Yaml.print(&root), text);
    assert_eq!(meaning(&Yaml, &root), Yaml.read(text).ok(), "{text}");
    root
}

fn scalar_count(root: &Node) -> usize {
    nodes(root).iter().filter(|node| matches!(node.content, Content::Scalar(_))).count()
}

fn replace_scalar(node: &mut Node, index: &mut usize, literal: &str) -> Option<(Path, String)> {
    if let Content::Scalar(text) = &mut node.content {
        if *index == 0 {
            return Some((node.path.clone(), std::mem::replace(text, literal.into())));
        }
        *index -= 1;
    }
    node.children.iter_mut().find_map(|child| replace_scalar(child, index, literal))
}

/// Nothing that a random text has.
const NOWHERE: &str = "\"a value that is nowhere else\"";

/// Puts another text into the `index`-th scalar: exactly its bytes change, and only its value.
#[track_caller]
fn check_replaced(root: &Node, text: &str, index: usize) {
    let mut changed = root.clone();
    let (path, old) = replace_scalar(&mut changed, &mut index.clone(), NOWHERE).expect("a scalar");
    let printed = Yaml.print(&changed);
    let (before, behind) = printed.split_once(NOWHERE).expect("the value is there");
    // Where nothing stood, a blank comes before what does now.
    let before = if old.is_empty() && !text.starts_with(before) { before.trim_end_matches(' ') } else { before };
    let rest = text.strip_prefix(before).and_then(|rest| rest.strip_suffix(behind));
    let without_indent = |text: &str| text.replace([INDENT, ' '], "");
    let replaced = rest.unwrap_or_else(|| panic!("{path}: more than {old:?} changed in\n{text}\n{printed}"));
    assert_eq!(without_indent(replaced), without_indent(&old), "{path} in\n{text}\n{printed}");
    let read = Yaml.read(&printed).unwrap_or_else(|error| panic!("{error}\n{printed}"));
    assert_eq!(Some(read), meaning(&Yaml, &changed), "{printed}");
}
