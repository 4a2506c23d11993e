//! The nodes of a YAML text with their byte spans, from the events of `granit-parser`.

use std::collections::BTreeMap;
use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle, Tag};

use super::schema;
use crate::codec::{ParseError, SyntaxError, line_of};
use crate::limits::DEPTH;
use crate::value::Value;

/// What the tags of the core schema begin with.
const CORE: &str = "tag:yaml.org,2002:";
pub(super) const TOO_DEEP: &str = "its tables and lists are nested more than 64 deep";

/// A document of the stream.
pub(super) struct Document {
    /// It begins with `---`.
    pub(super) is_explicit: bool,
    /// Its value; an empty scalar where there is nothing.
    pub(super) node: SyntaxNode,
}

/// A node as it is written. Spans leave out anchors and tags; those of block collections end somewhere behind.
pub(super) struct SyntaxNode {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
    /// It has an anchor or a tag.
    pub(super) has_properties: bool,
    /// The tag as it is mostly written: `!!str`, `!name`.
    tag: Option<String>,
}

/// What a node is.
pub(super) enum Kind {
    Scalar { value: String, style: ScalarStyle },
    Alias(String),
    Map { style: StructureStyle, entries: Vec<(SyntaxNode, SyntaxNode)> },
    List { style: StructureStyle, items: Vec<SyntaxNode> },
}

impl SyntaxNode {
    /// It is nothing at all: the null behind a colon or a dash.
    pub(super) fn is_absent(&self) -> bool {
        let is_empty = matches!(&self.kind, Kind::Scalar { style: ScalarStyle::Plain, .. }) && self.span.is_empty();
        is_empty && !self.has_properties
    }

    /// It is written as a block collection, not in brackets.
    pub(super) fn is_block(&self) -> bool {
        matches!(
            self.kind,
            Kind::Map { style: StructureStyle::Block, .. } | Kind::List { style: StructureStyle::Block, .. }
        )
    }

    /// The meaning; `None` if a key is no scalar, has a tag, or stands there twice.
    pub(super) fn value(&self) -> Option<Value> {
        let value = match &self.kind {
            Kind::Alias(name) => return Some(schema::alias(name)),
            Kind::Scalar { value, style } => return Some(self.scalar_value(value, *style)),
            Kind::List { items, .. } => Value::List(items.iter().map(Self::value).collect::<Option<_>>()?),
            Kind::Map { entries, .. } => {
                let mut table = BTreeMap::new();
                for (key, value) in entries {
                    if table.insert(key.key_name()?.to_owned(), value.value()?).is_some() {
                        return None;
                    }
                }
                Value::Table(table)
            }
        };
        Some(self.tag.as_ref().map_or(value.clone(), |tag| schema::with_tag(tag, value)))
    }

    fn scalar_value(&self, text: &str, style: ScalarStyle) -> Value {
        match &self.tag {
            None if self.span.is_empty() && style == ScalarStyle::Plain => Value::Null,
            Some(tag) => schema::tagged(tag, text),
            None if style == ScalarStyle::Plain => schema::plain(text),
            None => Value::String(text.into()),
        }
    }

    /// What a key is called, if it is a scalar without a tag. Plain keys are texts, whatever they look like.
    pub(super) fn key_name(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { value, .. } if self.tag.is_none() && !self.span.is_empty() => Some(value),
            _ => None,
        }
    }
}

/// The documents of a text; none if there are only comments.
pub(super) fn documents(text: &str) -> Result<Vec<Document>, ParseError> {
    let options = granit_parser::options! {
        emit_unresolved_aliases: true,
        flow_nesting_limit: DEPTH + 2,
        block_nesting_limit: DEPTH + 2,
    };
    let mut composer = Composer { text, parser: Parser::new_from_str_with_options(text, options), end: 0 };
    let mut documents = Vec::new();
    loop {
        match composer.next()? {
            (Event::DocumentStart(is_explicit, _), _) => {
                if let Some(node) = composer.node()? {
                    documents.push(Document { is_explicit, node });
                }
            }
            (Event::StreamEnd, _) => return Ok(documents),
            _ => {}
        }
    }
}

struct Composer<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    /// Where the latest event ends.
    end: usize,
}

impl<'t> Composer<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Range<usize>), ParseError> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let range = self.range(&span);
                self.end = range.end;
                Ok((event, range))
            }
            Some(Err(error)) => Err(self.refused(&error)),
            None => Ok((Event::StreamEnd, self.text.len()..self.text.len())),
        }
    }

    fn range(&self, span: &Span) -> Range<usize> {
        let end = self.text.len();
        let range = span.byte_range().unwrap_or(end..end);
        let start = range.start.min(end);
        start..range.end.clamp(start, end)
    }

    fn refused(&self, error: &ScanError) -> ParseError {
        let at = error.marker().byte_offset().unwrap_or_default();
        match error.kind() {
            ErrorKind::RecursionLimitExceeded => {
                ParseError::Untileable { line: line_of(self.text.as_bytes(), at), why: TOO_DEEP }
            }
            _ => SyntaxError::at(self.text, at, error.info()).into(),
        }
    }

    /// The next node with all below it, or `None` at the end of what it would stand in.
    fn node(&mut self) -> Result<Option<SyntaxNode>, ParseError> {
        let (event, span) = self.next()?;
        let (kind, anchor, tag) = match event {
            Event::Scalar(value, style, anchor, tag) => (Kind::Scalar { value: value.into(), style }, anchor, tag),
            Event::UnresolvedAlias(name) => (Kind::Alias(name.into()), 0, None),
            Event::Alias(_) => (Kind::Alias(self.text[span.clone()].trim_start_matches('*').into()), 0, None),
            Event::SequenceStart(style, anchor, tag) => (Kind::List { style, items: Vec::new() }, anchor, tag),
            Event::MappingStart(style, anchor, tag) => (Kind::Map { style, entries: Vec::new() }, anchor, tag),
            _ => return Ok(None),
        };
        let has_properties = anchor != 0 || tag.is_some();
        let mut node = SyntaxNode { kind, span, has_properties, tag: tag.map(|tag| tag_text(&tag)) };
        self.below(&mut node)?;
        Ok(Some(node))
    }

    /// Takes in what a collection holds, up to its end.
    fn below(&mut self, node: &mut SyntaxNode) -> Result<(), ParseError> {
        match &mut node.kind {
            Kind::Scalar { .. } | Kind::Alias(_) => return Ok(()),
            Kind::List { items, .. } => {
                while let Some(item) = self.node()? {
                    items.push(item);
                }
            }
            Kind::Map { entries, .. } => {
                while let Some(key) = self.node()? {
                    let Some(value) = self.node()? else { break };
                    entries.push((key, value));
                }
            }
        }
        node.span.end = self.end.max(node.span.start);
        Ok(())
    }
}

/// A tag as it is mostly written.
fn tag_text(tag: &Tag) -> String {
    match tag.handle() {
        CORE => format!("!!{}", tag.suffix()),
        "!" => format!("!{}", tag.suffix()),
        handle => format!("!<{handle}{}>", tag.suffix()),
    }
}
