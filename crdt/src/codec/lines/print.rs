//! The text of a tree of entries and `[headers]`.

use super::BARE;
use crate::tree::{Content, INDENT, Node};

/// Writes all fragments. Entries come before sections whatever their position, or an entry behind one would join it.
pub(in crate::codec) fn print(root: &Node) -> String {
    let mut text = String::new();
    children(&mut text, root);
    spacing(&mut text, &root.decor.close, &root.decor.indent);
    text
}

fn children(text: &mut String, container: &Node) {
    let is_section = |child: &&Node| matches!(child.content, Content::Container(_));
    let (sections, entries): (Vec<&Node>, Vec<&Node>) = container.children.iter().partition(is_section);
    for child in entries.into_iter().chain(sections) {
        node(text, child, &container.decor.indent);
    }
}

fn node(text: &mut String, node: &Node, indent: &str) {
    let decor = &node.decor;
    match &node.content {
        Content::Trivia(lines) => trivia(text, lines),
        Content::Scalar(value) if value == BARE => line(text, node, indent, [&node.label, "", "", &decor.trail]),
        Content::Scalar(value) => line(text, node, indent, [&node.label, &decor.separator, value, &decor.trail]),
        Content::Container(_) => {
            line(text, node, indent, ["[", &node.label, "]", &decor.trail]);
            children(text, node);
        }
        Content::Bytes(_) => {}
    }
}

fn line(text: &mut String, node: &Node, indent: &str, parts: [&str; 4]) {
    spacing(text, &node.decor.lead, indent);
    parts.into_iter().for_each(|part| text.push_str(part));
    text.push('\n');
}

/// A trivia block brings its own line ends; the last one is made sure of, or the next key would join a comment.
pub(in crate::codec) fn trivia(text: &mut String, lines: &str) {
    text.push_str(lines);
    if !lines.is_empty() && !lines.ends_with('\n') {
        text.push('\n');
    }
}

/// Spacing with the indentation put in.
pub(in crate::codec) fn spacing(text: &mut String, spacing: &str, indent: &str) {
    text.push_str(&spacing.replace(INDENT, indent));
}
