//! From fragments to text.
//!
//! Trees that come from merges hold fragments side by side that never stood so in a file. Indentation is derived, and so
//! are the line ends, brackets of empty containers, and what keeps a comment out of the block scalar before it.

use super::{BARE, DEFAULT_INDENT, EXPLICIT, gap, is_document, is_value, literal};
use crate::tree::{Content, INDENT, Node, Shape};

/// Writes a whole file.
pub(super) fn file(root: &Node) -> String {
    let mut printer = Printer::default();
    if root.children.iter().any(is_document) {
        printer.stream(root);
    } else {
        printer.text.push_str(&root.decor.lead);
        printer.document_value(root);
    }
    printer.text
}

#[derive(Default)]
struct Printer {
    text: String,
    /// The block scalar that the last line belongs to.
    block_scalar: Option<BlockScalar>,
}

/// What must not come right behind a block scalar.
#[derive(Debug, Clone, Copy)]
struct BlockScalar {
    /// The column of its text: comments from there on would belong to it.
    column: usize,
    /// Blank lines would belong to it.
    keeps_blank_lines: bool,
}

impl Printer {
    fn stream(&mut self, root: &Node) {
        let mut is_closed = true;
        for document in &root.children {
            if let Content::Trivia(text) = &document.content {
                self.lines(text, 0);
                continue;
            }
            self.document(document, is_closed);
            is_closed = document.decor.close.lines().any(|line| line.starts_with(BARE));
        }
        self.lines(&root.decor.close, 0);
    }

    /// A document; `is_closed`: it needs nothing to be told from what is before it.
    fn document(&mut self, document: &Node, is_closed: bool) {
        self.lines(&document.decor.lead, 0);
        if document.label == EXPLICIT || !is_closed {
            let separator = &document.decor.separator;
            let separator = if separator.starts_with([' ', '\t', '\r', '\n']) { separator } else { "\n" };
            self.line_start();
            self.text.push_str(EXPLICIT);
            self.text.push_str(separator);
            self.block_scalar = None;
        }
        self.document_value(document);
    }

    fn document_value(&mut self, node: &Node) {
        match &node.content {
            Content::Container(shape) if node.children.iter().any(is_value) => {
                self.line_start();
                self.children(node, *shape, spaces(&node.decor.indent).unwrap_or_default());
            }
            Content::Container(shape) => {
                if !node.path.is_root() || *shape == Shape::List {
                    self.text.push_str(brackets(*shape));
                    self.line_end(&node.decor.trail);
                }
                self.children(node, *shape, 0);
            }
            Content::Scalar(text) => {
                if !text.is_empty() || !node.decor.trail.is_empty() {
                    self.scalar(text, &node.decor.trail, 0);
                }
            }
            Content::Trivia(_) | Content::Bytes(_) => {}
        }
        self.lines(&node.decor.close, 0);
    }

    /// Whatever is missing to be at the start of a line.
    fn line_start(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    fn line_end(&mut self, trail: &str) {
        self.text.push_str(trail);
        self.text.push('\n');
    }

    /// The children of a container, in this column. The first one stands where the text is if that isn't a line's start.
    fn children(&mut self, container: &Node, shape: Shape, column: usize) {
        for child in &container.children {
            match &child.content {
                Content::Trivia(text) => self.lines(text, column),
                Content::Scalar(_) | Content::Container(_) => self.child(child, shape, column),
                Content::Bytes(_) => {}
            }
        }
    }

    fn child(&mut self, child: &Node, shape: Shape, column: usize) {
        if self.text.is_empty() || self.text.ends_with('\n') {
            self.lines(&child.decor.lead, column);
            self.text.extend(std::iter::repeat_n(' ', column));
        }
        self.block_scalar = None;
        let separator = child.decor.separator.find(':').map_or(":", |_| child.decor.separator.as_str());
        let separator = match shape {
            Shape::List => {
                self.text.push('-');
                &separator[separator.find(':').map_or(0, |colon| colon + 1)..]
            }
            Shape::Table if child.label.is_empty() => {
                self.text.push_str(&literal::label(child.path.last()));
                separator
            }
            Shape::Table => {
                self.text.push_str(&child.label);
                separator
            }
        };
        match &child.content {
            Content::Container(inner) if child.children.iter().any(is_value) => {
                self.block(child, shape, *inner, separator, column);
            }
            Content::Container(inner) => {
                self.separator(separator, column, true);
                self.text.push_str(brackets(*inner));
                self.line_end(&child.decor.trail);
                self.children(child, *inner, column + DEFAULT_INDENT.len());
            }
            Content::Scalar(text) => {
                self.separator(separator, column, !text.is_empty() && !text.starts_with('\n'));
                self.scalar(text, &child.decor.trail, column);
            }
            Content::Trivia(_) | Content::Bytes(_) => {}
        }
    }

    /// What stands between a key, or a dash, and its value, with a blank at the end if there is a value.
    fn separator(&mut self, separator: &str, column: usize, has_value: bool) {
        self.further_lines(separator, column);
        if has_value && !self.text.ends_with([' ', '\t', '\n']) {
            self.text.push(' ');
        }
    }

    /// A container with children: on the line of its dash, or on the lines below its key.
    fn block(&mut self, node: &Node, outer: Shape, shape: Shape, separator: &str, column: usize) {
        let first_line = separator.split('\n').next().unwrap_or_default();
        let blanks = spaces(separator).filter(|blanks| outer == Shape::List && *blanks > 0);
        let first = node.children.first().filter(|first| is_value(first) && first.decor.lead.is_empty());
        if let (Some(blanks), Some(_), true) = (blanks, first, gap::is_blank(&node.decor.trail)) {
            self.text.push_str(separator);
            return self.children(node, shape, column + 1 + blanks);
        }
        self.text.push_str(first_line.trim_end_matches([' ', '\t', '\r']));
        self.line_end(&node.decor.trail);
        let least = usize::from(outer == Shape::List || shape == Shape::Table);
        let indent = spaces(&node.decor.indent).filter(|indent| *indent >= least);
        let indent = indent.unwrap_or_else(|| blanks.map_or(DEFAULT_INDENT.len(), |blanks| blanks + 1));
        self.children(node, shape, column + indent);
    }

    fn scalar(&mut self, text: &str, trail: &str, column: usize) {
        let header = block_header(text);
        if header.is_some() && gap::is_blank(trail) {
            self.further_lines(text, column);
            self.text.push('\n');
        } else if header.is_some() {
            // Behind the last line, blanks and comments would be text.
            let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
            self.text.push_str(first.trim_end_matches('\r'));
            self.line_end(trail.trim_end_matches('\r'));
            self.further_lines(rest, column);
            self.text.push('\n');
        } else {
            self.further_lines(text, column);
            self.line_end(trail);
        }
        self.block_scalar = header.map(|header| BlockScalar {
            column: column + content_column(text),
            keeps_blank_lines: header.contains('+'),
        });
    }

    /// Text with its further lines moved to where they are.
    fn further_lines(&mut self, text: &str, column: usize) {
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                self.text.push('\n');
            }
            match line.strip_prefix(INDENT) {
                Some(rest) => {
                    self.text.extend(std::iter::repeat_n(' ', column));
                    self.text.push_str(rest);
                }
                // A blank line that would be longer than the indentation would be text in a block scalar.
                None if index > 0 && gap::is_blank(line) && line.len() > column => {
                    self.text.push_str(line.get(line.len() - column..).unwrap_or_default());
                }
                None => self.text.push_str(line),
            }
        }
    }

    /// Blank lines and comments, where a column stands for [`INDENT`].
    fn lines(&mut self, lines: &str, column: usize) {
        for line in lines.split_inclusive('\n') {
            self.line_start();
            let (indent, rest) = line.strip_prefix(INDENT).map_or((0, line), |rest| (column, rest));
            let comment = rest.trim_start_matches([' ', '\t']);
            let Some(scalar) = self.block_scalar else {
                self.text.extend(std::iter::repeat_n(' ', indent));
                self.text.push_str(rest);
                continue;
            };
            if !gap::is_blank(rest) {
                let written = indent + rest.len() - comment.len();
                let comment_column = if written >= scalar.column { column.min(scalar.column - 1) } else { written };
                self.text.extend(std::iter::repeat_n(' ', comment_column));
                self.text.push_str(comment);
                self.block_scalar = None;
            } else if !scalar.keeps_blank_lines {
                self.text.push_str(if indent + rest.trim_end_matches(['\r', '\n']).len() > scalar.column {
                    "\n"
                } else {
                    rest
                });
            }
        }
        self.line_start();
    }
}

fn brackets(shape: Shape) -> &'static str {
    match shape {
        Shape::Table => "{}",
        Shape::List => "[]",
    }
}

/// How many spaces a text is, if it is nothing else.
fn spaces(text: &str) -> Option<usize> {
    text.bytes().all(|byte| byte == b' ').then_some(text.len())
}

/// The indicators of a block scalar.
fn block_header(text: &str) -> Option<&str> {
    let line = text.lines().next().unwrap_or_default();
    let header = line.split([' ', '\t']).find(|word| !word.starts_with(['&', '!']))?;
    header.starts_with(['|', '>']).then_some(header)
}

/// The column of a block scalar's text within what it stands in; at least 1.
fn content_column(text: &str) -> usize {
    let lines = text.split('\n').skip(1).filter(|line| !gap::is_blank(line.trim_start_matches(INDENT)));
    let columns =
        lines.map(|line| line.trim_start_matches(INDENT)).map(|line| line.len() - line.trim_start_matches(' ').len());
    columns.min().unwrap_or(1).max(1)
}
