//! From a text and its syntax to fragments, line by line.
//!
//! ```text
//!  gap ──▶ entry or item ──▶ gap ──▶ …
//!   │         ├─ a value on its own: child of the innermost open container, up to the line end
//!   │         └─ a block: a container, opened; it closes when something further out comes
//!   ├─ comment blocks: trivia of the container whose column they have
//!   └─ the rest: lead of the entry or item
//! ```

use granit_parser::ScalarStyle;

use super::syntax::{Document, Kind, SyntaxNode, TOO_DEEP};
use super::{BARE, DEFAULT_INDENT, EXPLICIT, gap};
use crate::codec::{ParseError, line_of};
use crate::limits::{DEPTH, KEYS_PER_FILE, PATH_BYTES, VALUE_BYTES};
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, Node, Shape};

const TOO_MANY: &str = "there are more keys and comments than a file may have";
const TOO_LONG: &str = "a key's path is longer than a file may have";
const TOO_LARGE: &str = "a value is longer than 1 MiB";
const ODD: &str = "a block isn't written in a plain form";
const OUTSIDE: &str = "a line of a value stands further out than its key";

/// Cuts a text. `text` is empty or ends with a line feed.
pub(super) fn tile(text: &str, documents: &[Document]) -> Result<Node, ParseError> {
    let tiler = Tiler { text, at: 0, open: Vec::new(), nodes: 0 };
    match documents {
        [] => tiler.only_document(None),
        [document] => tiler.only_document(Some(document)),
        documents => tiler.stream(documents),
    }
}

struct Tiler<'t> {
    text: &'t str,
    /// All before it is cut; a line begins there.
    at: usize,
    /// The containers around `at`, each inside the one before.
    open: Vec<Open>,
    nodes: usize,
}

/// A container whose children are being read.
struct Open {
    node: Node,
    /// The column of its children.
    column: usize,
    trivia: usize,
}

/// A key or an item on its way into the tree.
struct Head {
    node: Node,
    /// Behind the colon or the dash.
    after: usize,
    is_item: bool,
}

impl<'t> Tiler<'t> {
    fn only_document(mut self, document: Option<&Document>) -> Result<Node, ParseError> {
        let mut root = Node::new(Path::ROOT, "", Content::Container(Shape::Table), Decor::default());
        let marker = document.filter(|document| document.is_explicit).map(|_| self.marker()).transpose()?;
        let start = marker.map_or(0, |marker| marker + EXPLICIT.len());
        let node = document.map(|document| &document.node).filter(|node| !node.is_absent());
        if let Some(node) = node.filter(|node| !is_container(node)) {
            let value = self.content_start(start);
            root.decor.lead = self.text[..value].into();
            (root.content, root.decor.trail) = self.leaf(node, value, 0)?;
            // Without brackets it would be what a file without a value is.
            if root.content == Content::Container(Shape::Table) {
                root.content = Content::Scalar("{}".into());
            }
        } else {
            self.at = marker.map_or(0, |_| self.next_line(start));
            root.decor.lead = self.text[..self.at].into();
            root = self.document(root, node)?;
        }
        root.decor.close.push_str(&self.text[self.at..]);
        Ok(root)
    }

    fn stream(mut self, documents: &[Document]) -> Result<Node, ParseError> {
        let mut root = Node::new(Path::ROOT, "", Content::Container(Shape::List), Decor::default());
        for (index, document) in documents.iter().enumerate() {
            let path = Path::ROOT.child(Segment::Item(index.to_string()));
            self.admit(&path)?;
            let mut node = self.document_in_stream(path, document)?;
            let end = if index + 1 == documents.len() { self.text.len() } else { self.document_end() };
            node.decor.close.push_str(&self.text[self.at..end]);
            self.at = end;
            root.children.push(node);
        }
        Ok(root)
    }

    fn document_in_stream(&mut self, path: Path, document: &Document) -> Result<Node, ParseError> {
        let mut node = Node::new(path, BARE, Content::Scalar(String::new()), Decor::default());
        let lead_start = self.at;
        let mut start = self.at;
        node.decor.separator = "\n".into();
        if document.is_explicit {
            let marker = self.marker()?;
            start = marker + EXPLICIT.len();
            self.at = self.next_line(start);
            node.label = EXPLICIT.into();
            node.decor.lead = self.text[lead_start..marker].into();
            node.decor.separator = self.text[start..self.at].into();
        }
        if document.node.is_absent() {
            return Ok(node);
        }
        if is_container(&document.node) {
            return self.document(node, Some(&document.node));
        }
        let value = self.content_start(start);
        let before = self.text[start..value].to_owned();
        if document.is_explicit {
            node.decor.separator = before;
        } else {
            node.decor.lead = before;
        }
        (node.content, node.decor.trail) = self.leaf(&document.node, value, 0)?;
        Ok(node)
    }

    /// Cuts a document whose value is a block, or which has none, and the comments behind it.
    fn document(&mut self, node: Node, syntax: Option<&SyntaxNode>) -> Result<Node, ParseError> {
        match syntax {
            Some(syntax) => {
                let start = self.first_token();
                self.block(node, syntax, start)?;
                let column = self.open[0].column;
                self.open[0].node.decor.indent = " ".repeat(column);
            }
            None => self.open.push(Open { node, column: 0, trivia: 0 }),
        }
        let end = self.boundary();
        let column = self.open[0].column;
        let lead = self.before(end, 0, column)?;
        self.at = end - lead.len();
        // A comment right above `---` is about what follows; any other is not.
        let is_above = is_marker(&self.text[end..], EXPLICIT);
        if !is_above && lead.contains('#') {
            self.trivia(lead)?;
            self.at = end;
        }
        Ok(self.open.remove(0).node)
    }

    /// A block whose first key or dash stands at `start`.
    fn block(&mut self, mut node: Node, syntax: &SyntaxNode, start: usize) -> Result<(), ParseError> {
        let depth = self.open.len();
        if depth >= DEPTH {
            return Err(self.untileable(TOO_DEEP));
        }
        let column = start - self.line_start(start);
        match &syntax.kind {
            Kind::Map { entries, .. } => {
                node.content = Content::Container(Shape::Table);
                self.open.push(Open { node, column, trivia: 0 });
                for (index, (key, value)) in entries.iter().enumerate() {
                    let head = self.entry(depth, (index == 0).then_some(start), key)?;
                    self.value(depth, head, value)?;
                }
            }
            Kind::List { items, .. } => {
                node.content = Content::Container(Shape::List);
                self.open.push(Open { node, column, trivia: 0 });
                for (index, item) in items.iter().enumerate() {
                    let head = self.item(depth, (index == 0).then_some(start), index)?;
                    self.value(depth, head, item)?;
                }
            }
            Kind::Scalar { .. } | Kind::Alias(_) => return Err(self.untileable(ODD)),
        }
        Ok(())
    }

    fn entry(&mut self, depth: usize, start: Option<usize>, key: &SyntaxNode) -> Result<Head, ParseError> {
        let (at, lead) = self.line(depth, start)?;
        let name = key.key_name().filter(|_| !key.has_properties && key.span.start == at);
        let name = name.ok_or_else(|| self.untileable(ODD))?;
        let colon = self.skip_blanks(key.span.end);
        if !self.text[colon..].starts_with(':') {
            return Err(self.untileable(ODD));
        }
        let path = self.open[depth].node.path.key(name);
        self.admit(&path)?;
        let separator = self.text[key.span.end..=colon].into();
        let decor = Decor { lead, separator, ..Decor::default() };
        let node = Node::new(path, &self.text[key.span.clone()], Content::Scalar(String::new()), decor);
        Ok(Head { node, after: colon + 1, is_item: false })
    }

    fn item(&mut self, depth: usize, start: Option<usize>, index: usize) -> Result<Head, ParseError> {
        let (at, lead) = self.line(depth, start)?;
        if !self.text[at..].starts_with('-') {
            return Err(self.untileable(ODD));
        }
        let path = self.open[depth].node.path.child(Segment::Item(index.to_string()));
        self.admit(&path)?;
        let decor = Decor { lead, separator: ":".into(), ..Decor::default() };
        let node = Node::new(path, "", Content::Scalar(String::new()), decor);
        Ok(Head { node, after: at + 1, is_item: true })
    }

    /// The start of the next child of the container at `depth`, and its lead. A first child may stand behind a dash.
    fn line(&mut self, depth: usize, start: Option<usize>) -> Result<(usize, String), ParseError> {
        if let Some(start) = start.filter(|start| self.line_start(*start) < self.at) {
            return Ok((start, String::new()));
        }
        let column = self.open[depth].column;
        let at = self.first_token();
        let line_start = self.line_start(at);
        if at - line_start != column || !self.text[line_start..at].bytes().all(|byte| byte == b' ') {
            return Err(self.untileable(ODD));
        }
        let lead = self.before(line_start, depth, column)?;
        Ok((at, gap::relative(lead, &" ".repeat(column))))
    }

    /// What stands behind a colon or a dash, up to the end of its last line.
    fn value(&mut self, depth: usize, head: Head, syntax: &SyntaxNode) -> Result<(), ParseError> {
        let Head { mut node, after, is_item } = head;
        let here = self.skip_blanks(after);
        let is_line_end = self.text[here..].starts_with(['\n', '#', '\r']);
        let is_block = is_container(syntax);
        if is_block && !is_line_end {
            let blanks = &self.text[after..here];
            if !is_item || blanks.contains('\t') {
                return Err(self.untileable(ODD));
            }
            node.decor.separator.push_str(blanks);
            self.at = here;
            return self.block(node, syntax, here);
        }
        if is_block || syntax.is_absent() {
            let end = self.next_line(after);
            node.decor.trail = self.text[after..end].trim_end_matches('\n').into();
            if !gap::is_trail(&node.decor.trail, false) {
                return Err(self.untileable(ODD));
            }
            self.at = end;
        }
        if is_block {
            let start = self.first_token();
            let column = start - self.line_start(start);
            let outer = self.open[depth].column;
            node.decor.indent = " ".repeat(column.checked_sub(outer).ok_or_else(|| self.untileable(ODD))?);
            return self.block(node, syntax, start);
        }
        if !syntax.is_absent() {
            let column = self.open[depth].column;
            let start = self.content_start(after);
            let before = gap::relative_value(&self.text[after..start], &" ".repeat(column));
            node.decor.separator.push_str(&before.ok_or_else(|| self.untileable(OUTSIDE))?);
            (node.content, node.decor.trail) = self.leaf(syntax, start, column)?;
            if matches!(node.content, Content::Container(_)) {
                node.decor.indent = DEFAULT_INDENT.into();
            }
        }
        self.open[depth].node.children.push(node);
        Ok(())
    }

    /// A value that is kept as one, in a container with this column; goes on behind its last line.
    fn leaf(&mut self, syntax: &SyntaxNode, start: usize, column: usize) -> Result<(Content, String), ParseError> {
        let end = self.leaf_end(syntax, start);
        let written = self.text.get(start..end).ok_or_else(|| self.untileable(ODD))?;
        if written.len() > VALUE_BYTES {
            return Err(self.untileable(TOO_LARGE));
        }
        let content = match written {
            "{}" => Content::Container(Shape::Table),
            "[]" => Content::Container(Shape::List),
            _ => Content::Scalar(
                gap::relative_value(written, &" ".repeat(column)).ok_or_else(|| self.untileable(OUTSIDE))?,
            ),
        };
        self.at = self.next_line(end);
        let trail = self.text[end..self.at].trim_end_matches('\n');
        if gap::is_trail(trail, false) { Ok((content, trail.into())) } else { Err(self.untileable(ODD)) }
    }

    fn leaf_end(&self, syntax: &SyntaxNode, start: usize) -> usize {
        match &syntax.kind {
            Kind::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. } => {
                self.block_scalar_end(syntax, start)
            }
            Kind::Scalar { .. } if syntax.span.is_empty() => self.properties_end(start),
            _ if syntax.is_block() => self.block_end(syntax, start),
            _ => syntax.span.end,
        }
    }

    /// The end of the last line of a block scalar. Blank lines behind it belong to it only if its header says so.
    fn block_scalar_end(&self, syntax: &SyntaxNode, start: usize) -> usize {
        let region = &self.text[start..syntax.span.end.max(start)];
        let header = region.lines().next().unwrap_or_default();
        let header = &header[header.find(['|', '>']).unwrap_or_default()..];
        let is_kept = header.split([' ', '\t', '#']).next().is_some_and(|header| header.contains('+'));
        let mut end = region.rfind('\n').unwrap_or(region.len());
        if is_kept {
            return start + end;
        }
        // A blank line that is longer than the indentation is text.
        let content = syntax.span.start;
        let column = if syntax.span.is_empty() { usize::MAX } else { content - self.line_start(content) };
        while let Some(newline) = region[..end].rfind('\n') {
            let line = region[newline + 1..end].trim_end_matches('\r');
            if !gap::is_blank(line) || line.len() > column {
                break;
            }
            end = newline;
        }
        start + end
    }

    /// The end of anchors and tags that nothing follows.
    fn properties_end(&self, start: usize) -> usize {
        let mut end = start;
        let mut at = start;
        while self.text[at..].starts_with(['&', '!']) {
            let rest = &self.text[at..];
            end = at + rest.find([' ', '\t', '\r', '\n']).unwrap_or(rest.len());
            at = self.skip_blanks(end);
        }
        end
    }

    /// The end of a block with an anchor or a tag: of its last character that isn't in a comment.
    fn block_end(&self, syntax: &SyntaxNode, start: usize) -> usize {
        let mut end = furthest(syntax).max(start);
        let mut at = end;
        while at < syntax.span.end {
            let byte = self.text.as_bytes()[at];
            let is_blank = byte.is_ascii_whitespace();
            if byte == b'#' && self.text.as_bytes()[at - 1].is_ascii_whitespace() {
                at = self.next_line(at);
                continue;
            }
            at += 1;
            if !is_blank {
                end = at;
            }
        }
        let text = &self.text[..end];
        text.trim_end_matches([' ', '\t', '\r', '\n']).len()
    }

    /// Cuts the gap up to `end`, behind which the next child of the container at `depth` stands in `column`. Comment
    /// blocks further in belong to the containers that end here. What is left is the lead.
    fn before(&mut self, end: usize, depth: usize, column: usize) -> Result<&'t str, ParseError> {
        let gap = &self.text[self.at.min(end)..end];
        let (blocks, rest) = gap::blocks(gap, column);
        let mut lead = rest;
        let last = blocks.len().checked_sub(1).filter(|_| rest.is_empty());
        for (index, block) in blocks.into_iter().enumerate() {
            while self.open.len() - 1 > depth
                && (block.column <= column || self.open[self.open.len() - 1].column > block.column)
            {
                self.close();
            }
            if Some(index) == last && self.open.len() - 1 == depth {
                lead = block.text;
            } else {
                self.trivia(block.text)?;
            }
        }
        while self.open.len() - 1 > depth {
            self.close();
        }
        Ok(lead)
    }

    fn trivia(&mut self, block: &str) -> Result<(), ParseError> {
        self.count_node()?;
        let innermost = self.open.len() - 1;
        let open = &mut self.open[innermost];
        let path = open.node.path.child(Segment::Trivia(open.trivia.to_string()));
        open.trivia += 1;
        let text = gap::relative(block, &" ".repeat(open.column));
        open.node.children.push(Node::new(path, "", Content::Trivia(text), Decor::default()));
        Ok(())
    }

    fn close(&mut self) {
        if let Some(open) = self.open.pop()
            && let Some(outer) = self.open.last_mut()
        {
            outer.node.children.push(open.node);
        }
    }

    /// The line of `---`. Before it there are only comments and directives.
    fn marker(&self) -> Result<usize, ParseError> {
        let mut at = self.at;
        while at < self.text.len() {
            if is_marker(&self.text[at..], EXPLICIT) {
                return Ok(at);
            }
            at = self.next_line(at);
        }
        Err(self.untileable(ODD))
    }

    /// The line of `---` or `...` behind the last value of a document, or the end of the text.
    fn boundary(&self) -> usize {
        let mut at = self.at;
        while at < self.text.len() && !is_marker(&self.text[at..], EXPLICIT) && !is_marker(&self.text[at..], BARE) {
            at = self.next_line(at);
        }
        at
    }

    /// The end of what still belongs to a document: behind `...`, if that stands before the next one.
    fn document_end(&self) -> usize {
        let boundary = self.boundary();
        if is_marker(&self.text[boundary..], BARE) { self.next_line(boundary) } else { self.at }
    }

    /// The first character that isn't in a blank line or a comment line.
    fn first_token(&self) -> usize {
        let mut at = self.at;
        loop {
            let line = &self.text[at..self.next_line(at)];
            let content = line.trim_start_matches([' ', '\t']);
            if at == self.text.len() || !(gap::is_blank(line) || content.starts_with('#')) {
                return at + line.len() - content.len();
            }
            at += line.len();
        }
    }

    /// The first character behind `at` that is neither blank nor in a comment.
    fn content_start(&self, at: usize) -> usize {
        let mut at = at;
        while let Some(byte) = self.text.as_bytes().get(at) {
            match byte {
                b'#' => at = self.next_line(at),
                byte if byte.is_ascii_whitespace() => at += 1,
                _ => break,
            }
        }
        at
    }

    fn skip_blanks(&self, at: usize) -> usize {
        let rest = &self.text[at..];
        at + rest.len() - rest.trim_start_matches([' ', '\t']).len()
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// Behind the line feed at or behind `at`.
    fn next_line(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |length| at + length + 1)
    }

    /// Refuses a key beyond the limits: paths are kept with each key, so a long one would multiply.
    fn admit(&mut self, path: &Path) -> Result<(), ParseError> {
        self.count_node()?;
        if path.encode().len() > PATH_BYTES { Err(self.untileable(TOO_LONG)) } else { Ok(()) }
    }

    fn count_node(&mut self) -> Result<(), ParseError> {
        self.nodes += 1;
        if self.nodes > KEYS_PER_FILE { Err(self.untileable(TOO_MANY)) } else { Ok(()) }
    }

    fn untileable(&self, why: &'static str) -> ParseError {
        ParseError::Untileable { line: line_of(self.text.as_bytes(), self.at), why }
    }
}

/// A block without anchor or tag is cut into nodes of its own.
fn is_container(syntax: &SyntaxNode) -> bool {
    syntax.is_block() && !syntax.has_properties
}

/// Whether a line is a marker between documents.
fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

/// The end of what is written last below a node.
fn furthest(syntax: &SyntaxNode) -> usize {
    match &syntax.kind {
        Kind::Map { entries, .. } if syntax.is_block() => {
            entries.iter().map(|(key, value)| furthest(key).max(furthest(value))).max().unwrap_or_default()
        }
        Kind::List { items, .. } if syntax.is_block() => items.iter().map(furthest).max().unwrap_or_default(),
        // What is absent has its place anywhere behind.
        _ if syntax.span.is_empty() => 0,
        _ => syntax.span.end,
    }
}
