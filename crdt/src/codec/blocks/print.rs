//! The text of a tree. Semicolons, braces and line ends are in the spacing; where that is of another kind of content,
//! written at the same time, they are put in.

use super::{CLOSE, END, OPEN, SEPARATOR};
use crate::codec::lines::BARE;
use crate::codec::lines::print::{spacing, trivia};
use crate::tree::{Content, Decor, Node};

/// Writes all fragments.
pub(super) fn print(root: &Node) -> String {
    let mut text = String::new();
    children(&mut text, root);
    spacing(&mut text, &root.decor.close, &root.decor.indent);
    text
}

fn children(text: &mut String, container: &Node) {
    container.children.iter().for_each(|child| node(text, child, &container.decor.indent));
}

fn node(text: &mut String, node: &Node, indent: &str) {
    match &node.content {
        Content::Trivia(lines) => trivia(text, lines),
        Content::Scalar(value) => directive(text, node, value, indent),
        Content::Container(_) => block(text, node, indent),
        Content::Bytes(_) => {}
    }
}

fn directive(text: &mut String, node: &Node, value: &str, indent: &str) {
    let decor = &node.decor;
    let (separator, trail) = if is_block(decor) { (SEPARATOR, END) } else { (&*decor.separator, &*decor.trail) };
    spacing(text, &decor.lead, indent);
    text.push_str(&node.label);
    if value != BARE {
        text.push_str(separator);
        text.push_str(value);
    }
    text.push_str(trail);
}

fn block(text: &mut String, node: &Node, indent: &str) {
    let decor = &node.decor;
    let (separator, close) = if is_block(decor) { (&*decor.separator, &*decor.close) } else { (OPEN, CLOSE) };
    spacing(text, &decor.lead, indent);
    text.push_str(&node.label);
    text.push_str(separator);
    children(text, node);
    spacing(text, close, indent);
}

/// Whether spacing is a block's: all that stands behind a directive is its trail, which is never empty.
fn is_block(decor: &Decor) -> bool {
    decor.trail.is_empty()
}
