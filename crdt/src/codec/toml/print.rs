//! The text of a tree. The final newline of each line, brackets and indentation are derived.

use crate::path::Segment;
use crate::tree::{Content, INDENT, Node};

/// Writes all fragments. Entries come before tables whatever their position, or an entry behind a table would join it.
pub(super) fn print(root: &Node) -> String {
    let mut text = String::new();
    print_children(&mut text, root);
    print_spacing(&mut text, &root.decor.close, &root.decor.indent);
    text
}

fn print_children(text: &mut String, container: &Node) {
    let (tables, entries): (Vec<&Node>, Vec<&Node>) = container.children.iter().partition(|child| is_table(child));
    for child in entries.into_iter().chain(tables) {
        print_node(text, child, &container.decor.indent);
    }
}

/// Whether a node is printed as a header with what stands inside it.
pub(super) fn is_table(node: &Node) -> bool {
    matches!(node.content, Content::Container(_))
}

fn print_node(text: &mut String, node: &Node, indent: &str) {
    match &node.content {
        Content::Trivia(lines) => print_trivia(text, lines),
        Content::Scalar(value) => print_line(text, node, indent, ["", &node.decor.separator, value]),
        Content::Container(_) => {
            let (open, close) = if is_item(node) { ("[[", "]]") } else { ("[", "]") };
            print_line(text, node, indent, [open, close, ""]);
            print_children(text, node);
        }
        Content::Bytes(_) => {}
    }
}

fn is_item(node: &Node) -> bool {
    matches!(node.path.last(), Some(Segment::Item(_)))
}

fn print_line(text: &mut String, node: &Node, indent: &str, [before, between, behind]: [&str; 3]) {
    print_spacing(text, &node.decor.lead, indent);
    for part in [before, &node.label, between, behind, &node.decor.trail, "\n"] {
        text.push_str(part);
    }
}

/// A trivia block brings its own line ends; the last one is made sure of, or the next key would join a comment.
fn print_trivia(text: &mut String, lines: &str) {
    text.push_str(lines);
    if !lines.is_empty() && !lines.ends_with('\n') {
        text.push('\n');
    }
}

fn print_spacing(text: &mut String, spacing: &str, indent: &str) {
    text.push_str(&spacing.replace(INDENT, indent));
}
