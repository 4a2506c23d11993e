//! From text to fragments, in one pass over the text and one over the tree for what is relative to indentation.

use super::gap;
use super::lex::{Lexer, unescape};
use crate::codec::{ParseError, SyntaxError};
use crate::limits;
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, INDENT, Node, Shape};
use std::collections::BTreeSet;

/// Cuts a whole file. `text` ends with a newline, which the printer derives.
pub(super) fn file(text: &str) -> Result<Node, ParseError> {
    let mut tiler = Tiler::new(text.strip_suffix('\n').unwrap_or(text));
    let lead = tiler.lexer.gap()?;
    let mut root = tiler.value(Path::ROOT, 1)?;
    let trail = tiler.lexer.gap()?;
    tiler.end()?;
    root.decor.lead = lead.into();
    root.decor.trail = trail.into();
    make_relative(&mut root, "");
    Ok(root)
}

/// Cuts one value that stands at `path`, in a container with the indentation `outer`.
pub(super) fn value(text: &str, path: &Path, outer: &str) -> Result<Node, ParseError> {
    let mut tiler = Tiler::new(text);
    let mut node = tiler.value(path.clone(), path.0.len() + 1)?;
    tiler.end()?;
    make_relative(&mut node, outer);
    Ok(node)
}

/// The first reason for which a text that is valid so far has no tree.
struct Untileable {
    at: usize,
    why: &'static str,
}

struct Tiler<'a> {
    lexer: Lexer<'a>,
    nodes: usize,
    /// Once this is set, the rest is only checked for syntax: a syntax error counts for more, because the file is then
    /// held and not taken for text.
    untileable: Option<Untileable>,
}

impl<'a> Tiler<'a> {
    fn new(text: &'a str) -> Self {
        Self { lexer: Lexer::new(text), nodes: 0, untileable: None }
    }

    fn end(self) -> Result<(), ParseError> {
        if self.lexer.peek().is_some() {
            return Err(self.lexer.error("expected the end of the file: a JSON file is one value").into());
        }
        match self.untileable {
            Some(Untileable { at, why }) => Err(self.no_tree(at, why)),
            None => Ok(()),
        }
    }

    fn no_tree(&self, at: usize, why: &'static str) -> ParseError {
        ParseError::Untileable { line: SyntaxError::at(self.lexer.text, at, "").line, why }
    }

    /// Notes that the file has no tree because of what stands at `at`.
    fn refuse(&mut self, at: usize, why: &'static str) {
        self.untileable.get_or_insert(Untileable { at, why });
    }

    /// A value with all below it; `depth` counts the containers it stands in, and itself if it is one.
    fn value(&mut self, path: Path, depth: usize) -> Result<Node, ParseError> {
        let (shape, close) = match self.lexer.peek() {
            Some(b'{') => (Shape::Table, b'}'),
            Some(b'[') => (Shape::List, b']'),
            _ => return Ok(self.scalar(path)?),
        };
        if depth > limits::DEPTH {
            return Err(self.no_tree(self.lexer.at, "its tables are nested more than 64 deep"));
        }
        self.lexer.at += 1;
        let mut node = Node::new(path, "", Content::Container(shape), Decor::default());
        self.children(&mut node, shape, close, depth)?;
        Ok(node)
    }

    fn scalar(&mut self, path: Path) -> Result<Node, SyntaxError> {
        let start = self.lexer.at;
        let text = match self.lexer.peek() {
            Some(b'"') => self.lexer.string()?,
            Some(b'-' | b'0'..=b'9') => self.lexer.number()?,
            _ => self.lexer.word()?,
        };
        if text.len() > limits::VALUE_BYTES {
            self.refuse(start, "the value is longer than 1 MiB");
        } else if text.contains("\\u") && unescape(text).is_none() {
            self.refuse(start, "the string escapes half of a surrogate pair");
        }
        Ok(Node::new(path, "", Content::Scalar(text.into()), Decor::default()))
    }

    fn children(&mut self, container: &mut Node, shape: Shape, close: u8, depth: usize) -> Result<(), ParseError> {
        let mut siblings = Siblings::default();
        let mut gap = self.lexer.gap()?;
        while !self.lexer.take(close) {
            let lead = self.without_trivia(container, &mut siblings, gap);
            let mut child = self.child(&container.path, shape, &mut siblings, depth)?;
            child.decor.lead = lead.into();
            gap = self.behind(&mut child, container, close)?;
            self.keep(container, child);
        }
        let close = self.without_trivia(container, &mut siblings, gap);
        container.decor.close = close.into();
        Ok(())
    }

    /// Cuts the gap before a child or the closing bracket into free-standing comments and what belongs to the child or
    /// the bracket, which is returned.
    fn without_trivia(&mut self, container: &mut Node, siblings: &mut Siblings, gap: &'a str) -> &'a str {
        let opening = if container.children.is_empty() { gap::line_end(gap).unwrap_or(0) } else { 0 };
        let opening = if gap::has_comment(&gap[..opening]) { opening } else { 0 };
        let detached = gap::cuts_behind_detached_comments(&gap[opening..]);
        let mut start = 0;
        for end in std::iter::once(opening).chain(detached.iter().map(|cut| opening + cut)) {
            if end > start {
                self.trivia(container, siblings, &gap[start..end]);
                start = end;
            }
        }
        &gap[start..]
    }

    fn trivia(&mut self, container: &mut Node, siblings: &mut Siblings, text: &str) {
        let path = self.path(&container.path, Segment::Trivia(siblings.trivia.to_string()));
        siblings.trivia += 1;
        self.keep(container, Node::new(path, "", Content::Trivia(text.into()), Decor::default()));
    }

    fn child(
        &mut self,
        container: &Path,
        shape: Shape,
        siblings: &mut Siblings,
        depth: usize,
    ) -> Result<Node, ParseError> {
        match shape {
            Shape::Table => self.entry(container, siblings, depth),
            Shape::List => {
                let path = self.path(container, Segment::Item(siblings.items.to_string()));
                siblings.items += 1;
                self.value(path, depth + 1)
            }
        }
    }

    fn entry(&mut self, container: &Path, siblings: &mut Siblings, depth: usize) -> Result<Node, ParseError> {
        let start = self.lexer.at;
        match self.lexer.peek() {
            Some(b'"') => {}
            Some(_) => return Err(self.lexer.error("expected a key in double quotes").into()),
            None => return Err(self.lexer.error("expected a key or }, but the text ends here").into()),
        }
        let label = self.lexer.string()?;
        let path = self.key_path(container, label, start, siblings);
        let separator_start = self.lexer.at;
        self.lexer.gap()?;
        if !self.lexer.take(b':') {
            return Err(self.lexer.error("expected a colon behind the key").into());
        }
        self.lexer.gap()?;
        let separator = &self.lexer.text[separator_start..self.lexer.at];
        let mut node = self.value(path, depth + 1)?;
        node.label = label.into();
        node.decor.separator = separator.into();
        Ok(node)
    }

    fn key_path(&mut self, container: &Path, label: &str, start: usize, siblings: &mut Siblings) -> Path {
        if label.len() > limits::PATH_BYTES {
            self.refuse(start, "the key's path is longer than 1,024 bytes");
            return Path::ROOT;
        }
        let Some(key) = unescape(label) else {
            self.refuse(start, "the key escapes half of a surrogate pair");
            return Path::ROOT;
        };
        if self.untileable.is_none() && !siblings.keys.insert(key.clone()) {
            self.refuse(start, "the same key stands twice in one table");
        }
        self.path(container, Segment::Key(key))
    }

    /// A path within the limit. A file that has no tree needs no paths.
    fn path(&mut self, container: &Path, segment: Segment) -> Path {
        if self.untileable.is_some() {
            return Path::ROOT;
        }
        let path = container.child(segment);
        if path.encode().len() > limits::PATH_BYTES {
            self.refuse(self.lexer.at, "the key's path is longer than 1,024 bytes");
        }
        path
    }

    /// Takes what stands behind a child's value, and gives the gap before the next child or the closing bracket.
    fn behind(&mut self, child: &mut Node, container: &mut Node, close: u8) -> Result<&'a str, ParseError> {
        let gap = self.lexer.gap()?;
        container.decor.trailing_comma = self.lexer.take(b',');
        if container.decor.trailing_comma {
            child.decor.trail = gap.into();
            let gap = self.lexer.gap()?;
            let end = gap::line_end(gap).unwrap_or(0);
            child.decor.after_comma = gap[..end].into();
            return Ok(&gap[end..]);
        }
        if self.lexer.peek() != Some(close) {
            return Err(self.lexer.error(format!("expected a comma or {}", char::from(close))).into());
        }
        // What stands on the line of a last child belongs behind its comma, so that it stays put when one comes.
        if let Some(end) = gap::line_end(gap) {
            child.decor.after_comma = gap[..end].into();
            return Ok(&gap[end..]);
        }
        let end = gap::comments_end(gap);
        child.decor.trail = gap[..end].into();
        Ok(&gap[end..])
    }

    fn keep(&mut self, container: &mut Node, child: Node) {
        self.nodes += 1;
        if self.nodes > limits::KEYS_PER_FILE {
            self.refuse(self.lexer.at, "there are more than 10,000 keys");
        }
        if self.untileable.is_none() {
            container.children.push(child);
        }
    }
}

/// What a container's children must not repeat, or count.
#[derive(Default)]
struct Siblings {
    keys: BTreeSet<String>,
    items: usize,
    trivia: usize,
}

/// Finds each container's indentation and writes [`INDENT`] for it. `outer` is the indentation of the container that the
/// node stands in. Says whether the node has a line end outside of its values.
fn make_relative(node: &mut Node, outer: &str) -> bool {
    let close = relative(&node.decor.close, outer);
    let mut has_lines = close.contains('\n');
    node.decor.close = close;
    let indent = child_indent(node).unwrap_or(outer).to_owned();
    for child in &mut node.children {
        child.decor.lead = relative(&child.decor.lead, &indent);
        has_lines |= child.decor.lead.contains('\n');
        has_lines |= make_relative(child, &indent);
    }
    if has_lines {
        node.decor.indent = indent;
    }
    has_lines
}

/// The indentation of the first child that begins a line.
fn child_indent(node: &Node) -> Option<&str> {
    let mut leads = node.children.iter().filter(|child| !child.path.is_trivia()).map(|child| &child.decor.lead);
    let line = leads.find_map(|lead| Some(&lead[lead.rfind('\n')? + 1..]))?;
    let blank = line.bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    Some(&line[..blank])
}

/// Writes [`INDENT`] for `indent` at the start of each line that isn't blank. Something follows the last line.
pub(super) fn relative(text: &str, indent: &str) -> String {
    let mut lines = text.split('\n');
    let mut out = lines.next().unwrap_or_default().to_owned();
    let mut lines = lines.peekable();
    while let Some(line) = lines.next() {
        out.push('\n');
        match line.strip_prefix(indent) {
            Some(rest) if lines.peek().is_none() || !rest.trim_ascii().is_empty() => {
                out.push(INDENT);
                out.push_str(rest);
            }
            _ => out.push_str(line),
        }
    }
    out
}
