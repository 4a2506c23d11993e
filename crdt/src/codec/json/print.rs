//! From fragments to text.
//!
//! Trees that come from merges hold fragments side by side that never stood so in a file. Commas and brackets are derived,
//! and nothing is written behind a line comment on its line, so any such tree prints as JSONC as long as its fragments
//! are whole.

use super::{gap, literal};
use crate::tree::{Content, INDENT, Node, Shape};

/// Writes a whole file.
pub(super) fn file(root: &Node) -> String {
    let mut printer = Printer::default();
    printer.gap(&root.decor.lead, "");
    printer.value(root, "");
    printer.gap(&root.decor.trail, "");
    printer.text.push('\n');
    printer.text
}

#[derive(Default)]
struct Printer {
    text: String,
    /// The text ends within a line comment.
    open: bool,
}

impl Printer {
    /// Writes spaces and comments, with `indent` for [`INDENT`].
    fn gap(&mut self, gap: &str, indent: &str) {
        if gap.is_empty() {
            return;
        }
        if !gap.starts_with(['\n', '\r']) {
            self.close_comment();
        }
        self.text.push_str(&gap.replace(INDENT, indent));
        self.open = gap::is_open(gap);
    }

    /// Writes a bracket, a comma, a key or a scalar.
    fn token(&mut self, token: &str) {
        self.close_comment();
        self.text.push_str(token);
    }

    fn close_comment(&mut self) {
        if std::mem::take(&mut self.open) {
            self.text.push('\n');
        }
    }

    /// Writes a value; `outer` is the indentation of the container it stands in.
    fn value(&mut self, node: &Node, outer: &str) {
        match &node.content {
            Content::Scalar(text) => self.token(text),
            Content::Container(shape) => self.container(node, *shape, outer),
            Content::Trivia(_) | Content::Bytes(_) => {}
        }
    }

    fn container(&mut self, node: &Node, shape: Shape, outer: &str) {
        let (open, close) = match shape {
            Shape::Table => ("{", "}"),
            Shape::List => ("[", "]"),
        };
        self.token(open);
        let last = node.children.iter().rposition(is_value);
        for (index, child) in node.children.iter().enumerate() {
            if let Content::Trivia(text) = &child.content {
                self.gap(text, &node.decor.indent);
                continue;
            }
            let comma = Some(index) != last || node.decor.trailing_comma;
            self.child(child, shape, comma, &node.decor.indent);
        }
        self.gap(&node.decor.close, outer);
        self.token(close);
    }

    fn child(&mut self, child: &Node, shape: Shape, comma: bool, indent: &str) {
        if !is_value(child) {
            return;
        }
        self.gap(&child.decor.lead, indent);
        if shape == Shape::Table {
            self.key(child);
        }
        self.value(child, indent);
        self.gap(&child.decor.trail, indent);
        if comma {
            self.token(",");
        }
        self.gap(&child.decor.after_comma, indent);
    }

    fn key(&mut self, child: &Node) {
        if child.label.is_empty() {
            self.token(&literal::label(child.path.last()));
        } else {
            self.token(&child.label);
        }
        if gap::has_colon(&child.decor.separator) {
            // The colon makes this more than a gap, but no line comment can be open behind the value that follows.
            self.text.push_str(&child.decor.separator);
        } else {
            self.token(literal::SEPARATOR);
        }
    }
}

fn is_value(node: &Node) -> bool {
    matches!(node.content, Content::Scalar(_) | Content::Container(_))
}
