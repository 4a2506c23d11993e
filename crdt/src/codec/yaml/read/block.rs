//! Tables and lists by indentation.

use std::collections::BTreeMap;

use super::scalar::Context;
use super::{Properties, Reader, is_space_or_end};
use crate::codec::SyntaxError;
use crate::value::Value;

/// What stands right before a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    Colon,
    Dash,
}

impl Reader<'_> {
    /// The node of a document. `is_fresh`: it begins a line.
    pub(super) fn document_node(&mut self, is_fresh: bool) -> Result<Value, SyntaxError> {
        let (properties, is_fresh) = self.block_properties(is_fresh)?;
        if !properties.is_empty() && self.has_ended() {
            return Ok(properties.scalar("", true));
        }
        self.content(None, &properties, is_fresh)
    }

    /// The node behind a colon or a dash in the column `parent`. Nothing is null.
    fn node(&mut self, parent: usize, behind: Behind) -> Result<Value, SyntaxError> {
        let crossed = self.gap()?;
        if self.has_ended() || (crossed && !self.is_inside(parent, behind)) {
            return Ok(Value::Null);
        }
        let is_fresh = crossed || (behind == Behind::Dash && !self.has_tab);
        let (properties, is_fresh) = self.block_properties(is_fresh)?;
        let is_next_line = !properties.is_empty() && is_fresh;
        if !properties.is_empty() && (self.has_ended() || (is_next_line && !self.is_inside(parent, behind))) {
            return Ok(properties.scalar("", true));
        }
        self.content(Some(parent), &properties, is_fresh)
    }

    /// Whether the line that begins here belongs to a node in the column `parent`. The items of a list may stand in the
    /// column of its key.
    fn is_inside(&self, parent: usize, behind: Behind) -> bool {
        self.column() > parent || (self.column() == parent && behind == Behind::Colon && self.is_dash())
    }

    /// Anchors and tags, and whether a block may begin behind them.
    fn block_properties(&mut self, is_fresh: bool) -> Result<(Properties, bool), SyntaxError> {
        let properties = self.properties(Context::Block)?;
        if properties.is_empty() {
            return Ok((properties, is_fresh));
        }
        let crossed = self.gap()?;
        if crossed && matches!(self.peek(), Some(b'&' | b'!')) {
            return Err(self.error("expected a value behind the anchor or tag"));
        }
        Ok((properties, crossed))
    }

    fn content(
        &mut self,
        parent: Option<usize>,
        properties: &Properties,
        is_fresh: bool,
    ) -> Result<Value, SyntaxError> {
        match self.peek() {
            Some(b'-') if is_fresh && self.is_dash() => Ok(properties.collection(self.block_list()?)),
            Some(b'[' | b'{') => Ok(properties.collection(self.flow_collection()?)),
            Some(b'|' | b'>') => Ok(properties.scalar(&self.block_scalar(parent)?, false)),
            Some(b'*') if properties.is_empty() => self.alias(),
            Some(_) if is_fresh && self.is_key() => Ok(properties.collection(self.block_table()?)),
            Some(b'"' | b'\'') => Ok(properties.scalar(&self.quoted(Context::Block, parent)?, false)),
            _ => Ok(properties.scalar(&self.plain(Context::Block, parent)?, true)),
        }
    }

    fn block_list(&mut self) -> Result<Value, SyntaxError> {
        self.open()?;
        let column = self.column();
        let mut items = Vec::new();
        loop {
            self.at += 1;
            items.push(self.node(column, Behind::Dash)?);
            if !self.is_next(column)? || !self.is_dash() {
                break;
            }
        }
        self.close();
        Ok(Value::List(items))
    }

    fn block_table(&mut self) -> Result<Value, SyntaxError> {
        self.open()?;
        let column = self.column();
        let mut entries = BTreeMap::new();
        loop {
            if !self.is_key() {
                return Err(self.error("expected a key"));
            }
            let start = self.at;
            let key = self.key()?;
            let value = self.node(column, Behind::Colon)?;
            if entries.insert(key, value).is_some() {
                return Err(SyntaxError::at(self.text, start, "the same key stands twice in one table"));
            }
            if !self.is_next(column)? {
                break;
            }
        }
        self.close();
        Ok(Value::Table(entries))
    }

    /// Whether another entry of the block in this column follows.
    fn is_next(&mut self, column: usize) -> Result<bool, SyntaxError> {
        self.gap()?;
        if self.has_ended() {
            return Ok(false);
        }
        if self.bytes[self.line_start..self.at].iter().any(|byte| *byte != b' ') {
            return Err(self.error("expected the end of the line"));
        }
        if self.column() > column {
            return Err(self.error("the line is indented too far"));
        }
        Ok(self.column() == column)
    }

    fn is_dash(&self) -> bool {
        self.peek() == Some(b'-') && is_space_or_end(self.byte(self.at + 1))
    }

    /// Whether a key and its colon stand here, on one line.
    fn is_key(&self) -> bool {
        self.key_end().is_some_and(|end| {
            let rest = self.bytes[end..].trim_ascii_start();
            let colon = self.bytes.len() - rest.len();
            !self.bytes[end..colon].contains(&b'\n')
                && rest.first() == Some(&b':')
                && is_space_or_end(self.byte(colon + 1))
        })
    }

    fn key_end(&self) -> Option<usize> {
        match self.peek()? {
            quote @ (b'"' | b'\'') => self.quoted_end(quote),
            _ if self.begins_plain(Context::Block) => Some(self.plain_end(Context::Block)),
            _ => None,
        }
    }

    /// A key, up to and with its colon.
    fn key(&mut self) -> Result<String, SyntaxError> {
        let key = match self.peek() {
            Some(b'"' | b'\'') => self.quoted(Context::Block, None)?,
            _ => {
                let end = self.plain_end(Context::Block);
                let key = self.text[self.at..end].to_owned();
                self.at = end;
                key
            }
        };
        self.gap()?;
        self.at += 1;
        Ok(key)
    }
}
