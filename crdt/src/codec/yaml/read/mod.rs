//! The second reader: the productions of YAML 1.2.2 that config files use, by recursive descent over the text.
//!
//! It shares nothing with `granit-parser`, whose scanner of tokens and simple keys descends, by way of `yaml-rust`, from
//! libyaml's, as all other complete parsers in Rust do. Of libyaml's ports, one panics at valid files (`[!a, b]`), and
//! the others are unsafe code. This one is small instead, and strict: it takes no explicit keys (`? `), no keys that
//! aren't scalars, no tags with handles of their own, no tabs before a block's lines, and
//! no key or anchor twice. Such a file is kept as text. It expands no alias, and reads each character a fixed number of
//! times.

mod block;
mod flow;
mod scalar;

use std::collections::{BTreeMap, BTreeSet};

use super::schema;
use crate::codec::SyntaxError;
use crate::limits::DEPTH;
use crate::value::Value;

/// Whether an alias must have its anchor before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aliases {
    /// In a file.
    Known,
    /// In a part of one.
    Any,
}

/// Reads a whole file: its document, or the list of its documents if there are several. No value at all is an empty
/// table, to which keys can be added.
pub(super) fn file(text: &str) -> Result<Value, SyntaxError> {
    let mut documents = Reader::new(text, Aliases::Known).stream()?;
    match documents.len() {
        0 => Ok(Value::Table(BTreeMap::new())),
        1 => Ok(documents.remove(0).unwrap_or_else(|| Value::Table(BTreeMap::new()))),
        _ => Ok(Value::List(documents.into_iter().map(|document| document.unwrap_or(Value::Null)).collect())),
    }
}

/// Reads a text that is part of a file.
pub(super) fn part(text: &str) -> Option<Value> {
    let mut documents = Reader::new(text, Aliases::Any).stream().ok()?;
    if documents.len() == 1 { documents.remove(0) } else { None }
}

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// Where the current line begins.
    line_start: usize,
    /// A tab stands before what comes next.
    has_tab: bool,
    /// How many tables and lists are open.
    depth: usize,
    aliases: Aliases,
    /// The anchors of this document so far.
    anchors: BTreeSet<&'t str>,
}

/// An anchor or a tag before a node.
#[derive(Default)]
struct Properties {
    tag: Option<String>,
    has_anchor: bool,
}

impl Properties {
    fn is_empty(&self) -> bool {
        self.tag.is_none() && !self.has_anchor
    }

    fn scalar(&self, text: &str, is_plain: bool) -> Value {
        match &self.tag {
            Some(tag) => schema::tagged(tag, text),
            None if is_plain => schema::plain(text),
            None => Value::String(text.into()),
        }
    }

    fn collection(&self, value: Value) -> Value {
        match &self.tag {
            Some(tag) => schema::with_tag(tag, value),
            None => value,
        }
    }
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, aliases: Aliases) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            line_start: 0,
            has_tab: false,
            depth: 0,
            aliases,
            anchors: BTreeSet::new(),
        }
    }

    /// All documents; `None` for one that is nothing but comments.
    fn stream(&mut self) -> Result<Vec<Option<Value>>, SyntaxError> {
        let mut documents = Vec::new();
        loop {
            self.gap()?;
            let has_directives = self.directives()?;
            if self.is_marker("---") {
                self.at += 3;
            } else if has_directives {
                return Err(self.error("expected --- behind the directives"));
            } else if self.is_marker("...") {
                self.document_end()?;
                continue;
            } else if self.at == self.bytes.len() {
                return Ok(documents);
            }
            documents.push(self.document()?);
        }
    }

    fn document(&mut self) -> Result<Option<Value>, SyntaxError> {
        self.anchors.clear();
        self.depth = 0;
        self.gap()?;
        let is_fresh = self.bytes[self.line_start..self.at].iter().all(|byte| *byte == b' ');
        let value = if self.has_ended() { None } else { Some(self.document_node(is_fresh)?) };
        self.gap()?;
        if !self.has_ended() {
            return Err(self.error("expected the end of the document"));
        }
        if self.is_marker("...") {
            self.document_end()?;
        }
        Ok(value)
    }

    /// `...` and the rest of its line.
    fn document_end(&mut self) -> Result<(), SyntaxError> {
        self.at += 3;
        let is_alone = self.gap()? || self.at == self.bytes.len();
        if is_alone { Ok(()) } else { Err(self.error("expected nothing behind ...")) }
    }

    /// `%YAML 1.x`; other directives change what the text means.
    fn directives(&mut self) -> Result<bool, SyntaxError> {
        let mut found = false;
        while self.at == self.line_start && self.peek() == Some(b'%') {
            let line = self.rest_of_line().split('#').next().unwrap_or_default().trim_end();
            let version = line.strip_prefix("%YAML").filter(|rest| rest.starts_with([' ', '\t']));
            if found || !version.is_some_and(|version| matches!(version.trim_start(), "1.1" | "1.2")) {
                return Err(self.error("no directive but %YAML 1.2 is known here"));
            }
            found = true;
            self.at += self.rest_of_line().len();
            self.gap()?;
        }
        Ok(found)
    }

    /// Skips blanks, comments and line ends between the parts of blocks. Says whether there was a line end.
    fn gap(&mut self) -> Result<bool, SyntaxError> {
        let crossed = self.skip_gap();
        let before = &self.bytes[self.line_start..self.at];
        if self.has_tab && self.at < self.bytes.len() && before.iter().all(u8::is_ascii_whitespace) {
            return Err(self.error("a tab can't indent a line"));
        }
        Ok(crossed)
    }

    fn skip_gap(&mut self) -> bool {
        let mut crossed = false;
        self.has_tab = false;
        while let Some(byte) = self.peek() {
            match byte {
                b' ' => self.at += 1,
                b'\t' => {
                    self.has_tab = true;
                    self.at += 1;
                }
                b'\r' if self.byte(self.at + 1) == Some(b'\n') => self.at += 1,
                b'\n' => {
                    self.next_line();
                    crossed = true;
                    self.has_tab = false;
                }
                b'#' if self.at == self.line_start || is_blank(self.byte(self.at - 1)) => self.skip_line(),
                _ => break,
            }
        }
        crossed
    }

    /// Behind the line feed that stands here.
    fn next_line(&mut self) {
        self.at += 1;
        self.line_start = self.at;
    }

    /// Up to the line feed, or the end of the text.
    fn skip_line(&mut self) {
        self.at += self.rest_of_line().len();
    }

    fn rest_of_line(&self) -> &'t str {
        let rest = &self.text[self.at..];
        &rest[..rest.find('\n').unwrap_or(rest.len())]
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn peek(&self) -> Option<u8> {
        self.byte(self.at)
    }

    fn column(&self) -> usize {
        self.at - self.line_start
    }

    /// `---` or `...` at the start of a line.
    fn is_marker(&self, marker: &str) -> bool {
        self.at == self.line_start
            && self.bytes[self.at..].starts_with(marker.as_bytes())
            && is_space_or_end(self.byte(self.at + marker.len()))
    }

    /// Nothing of the document stands here any more.
    fn has_ended(&self) -> bool {
        self.at == self.bytes.len() || self.is_marker("---") || self.is_marker("...")
    }

    fn open(&mut self) -> Result<(), SyntaxError> {
        self.depth += 1;
        // A part is framed in a table of its own.
        let limit = if self.aliases == Aliases::Any { DEPTH + 1 } else { DEPTH };
        if self.depth > limit { Err(self.error("tables and lists nest too deep")) } else { Ok(()) }
    }

    fn close(&mut self) {
        self.depth -= 1;
    }

    fn error(&self, message: &str) -> SyntaxError {
        SyntaxError::at(self.text, self.at, message)
    }
}

fn is_blank(byte: Option<u8>) -> bool {
    matches!(byte, Some(b' ' | b'\t'))
}

/// Whether what is before this byte ends here: carriage returns only stand before line feeds.
fn is_space_or_end(byte: Option<u8>) -> bool {
    matches!(byte, None | Some(b' ' | b'\t' | b'\n' | b'\r'))
}

fn is_flow_indicator(byte: Option<u8>) -> bool {
    matches!(byte, Some(b',' | b'[' | b']' | b'{' | b'}'))
}
