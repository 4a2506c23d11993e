//! Lists and tables in brackets, aliases, anchors and tags.

use std::collections::BTreeMap;

use super::scalar::Context;
use super::{Aliases, Properties, Reader, is_flow_indicator, is_space_or_end};
use crate::codec::SyntaxError;
use crate::codec::yaml::schema;
use crate::value::Value;

impl<'t> Reader<'t> {
    pub(super) fn flow_collection(&mut self) -> Result<Value, SyntaxError> {
        self.open()?;
        let is_list = self.peek() == Some(b'[');
        self.at += 1;
        let value = if is_list { self.flow_list()? } else { self.flow_table()? };
        self.close();
        Ok(value)
    }

    fn flow_list(&mut self) -> Result<Value, SyntaxError> {
        let mut items = Vec::new();
        self.flow_gap()?;
        while !self.take(b']') {
            items.push(if self.is_pair() { self.flow_pair()? } else { self.flow_node()? });
            self.comma(b']')?;
        }
        Ok(Value::List(items))
    }

    /// Whether `key: value` stands here in a list: a table of one key.
    fn is_pair(&self) -> bool {
        let end = match self.peek() {
            Some(quote @ (b'"' | b'\'')) => self.quoted_end(quote),
            _ => self.begins_plain(Context::Flow).then(|| self.plain_end(Context::Flow)),
        };
        end.is_some_and(|end| self.text[end..].trim_start_matches([' ', '\t']).starts_with(':'))
    }

    fn flow_pair(&mut self) -> Result<Value, SyntaxError> {
        self.open()?;
        let key = match self.peek() {
            Some(b'"' | b'\'') => self.quoted(Context::Flow, None)?,
            _ => self.plain(Context::Flow, None)?,
        };
        self.flow_gap()?;
        if !self.take(b':') {
            return Err(self.error("expected a colon behind the key"));
        }
        self.flow_gap()?;
        let is_absent = matches!(self.peek(), Some(b',' | b']'));
        let value = if is_absent { Value::Null } else { self.flow_node()? };
        self.close();
        Ok(Value::Table(BTreeMap::from([(key, value)])))
    }

    fn flow_table(&mut self) -> Result<Value, SyntaxError> {
        let mut entries = BTreeMap::new();
        self.flow_gap()?;
        while !self.take(b'}') {
            let start = self.at;
            let key = match self.peek() {
                Some(b'"' | b'\'') => self.quoted(Context::Flow, None)?,
                _ => self.plain(Context::Flow, None)?,
            };
            self.flow_gap()?;
            let value = if self.take(b':') { self.flow_value()? } else { Value::Null };
            if entries.insert(key, value).is_some() {
                return Err(SyntaxError::at(self.text, start, "the same key stands twice in one table"));
            }
            self.comma(b'}')?;
        }
        Ok(Value::Table(entries))
    }

    fn flow_value(&mut self) -> Result<Value, SyntaxError> {
        self.flow_gap()?;
        if matches!(self.peek(), Some(b',' | b'}')) { Ok(Value::Null) } else { self.flow_node() }
    }

    fn flow_node(&mut self) -> Result<Value, SyntaxError> {
        let properties = self.properties(Context::Flow)?;
        if !properties.is_empty() {
            self.flow_gap()?;
            if matches!(self.peek(), Some(b',' | b']' | b'}')) {
                return Ok(properties.scalar("", true));
            }
        }
        match self.peek() {
            Some(b'[' | b'{') => Ok(properties.collection(self.flow_collection()?)),
            Some(b'*') if properties.is_empty() => self.alias(),
            Some(b'"' | b'\'') => Ok(properties.scalar(&self.quoted(Context::Flow, None)?, false)),
            _ => Ok(properties.scalar(&self.plain(Context::Flow, None)?, true)),
        }
    }

    /// What stands between two parts in brackets.
    fn flow_gap(&mut self) -> Result<(), SyntaxError> {
        self.skip_gap();
        if self.has_ended() { Err(self.error("a bracket isn't closed")) } else { Ok(()) }
    }

    /// A comma, or the closing bracket, which stays.
    fn comma(&mut self, close: u8) -> Result<(), SyntaxError> {
        self.flow_gap()?;
        if self.take(b',') {
            return self.flow_gap();
        }
        if self.peek() == Some(close) { Ok(()) } else { Err(self.error("expected a comma or a closing bracket")) }
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_here = self.peek() == Some(byte);
        self.at += usize::from(is_here);
        is_here
    }

    pub(super) fn alias(&mut self) -> Result<Value, SyntaxError> {
        let start = self.at;
        self.at += 1;
        let name = self.name(Context::Flow)?;
        if self.aliases == Aliases::Known && !self.anchors.contains(name) {
            return Err(SyntaxError::at(self.text, start, "no anchor with this name stands before it"));
        }
        Ok(schema::alias(name))
    }

    /// At most one anchor and one tag, on one line.
    pub(super) fn properties(&mut self, context: Context) -> Result<Properties, SyntaxError> {
        let mut properties = Properties::default();
        loop {
            match self.peek() {
                Some(b'&') if !properties.has_anchor => {
                    self.at += 1;
                    let name = self.name(context)?;
                    properties.has_anchor = true;
                    if !self.anchors.insert(name) {
                        return Err(self.error("the same anchor stands twice in one document"));
                    }
                }
                Some(b'!') if properties.tag.is_none() => properties.tag = Some(self.tag(context)?),
                _ => return Ok(properties),
            }
            let end = self.at;
            while matches!(self.peek(), Some(b' ' | b'\t')) {
                self.at += 1;
            }
            if self.at == end && matches!(self.peek(), Some(b'&' | b'!' | b'*' | b'"' | b'\'')) {
                return Err(self.error("expected a space behind the anchor or tag"));
            }
        }
    }

    /// The name of an anchor.
    fn name(&mut self, context: Context) -> Result<&'t str, SyntaxError> {
        let start = self.at;
        while !is_space_or_end(self.peek()) && !is_flow_indicator(self.peek()) {
            self.at += 1;
        }
        let ends_well = context == Context::Flow || !is_flow_indicator(self.peek());
        if self.at == start || !ends_well {
            return Err(self.error("expected the name of an anchor"));
        }
        Ok(&self.text[start..self.at])
    }

    /// `!`, `!name`, `!!name` or `!<tag:yaml.org,2002:name>`, as it is mostly written.
    fn tag(&mut self, context: Context) -> Result<String, SyntaxError> {
        let start = self.at;
        self.at += 1;
        if self.peek() == Some(b'<') {
            let name = self.rest_of_line().strip_prefix("<tag:yaml.org,2002:");
            let name = name.and_then(|rest| rest.split_once('>')).map(|(name, _)| name);
            let Some(name) = name.filter(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric())) else {
                return Err(self.error("this tag isn't known"));
            };
            self.at += "<tag:yaml.org,2002:>".len() + name.len();
            return if is_space_or_end(self.peek()) {
                Ok(format!("!!{name}"))
            } else {
                Err(self.error("the tag doesn't end here"))
            };
        }
        while !is_space_or_end(self.peek()) && !is_flow_indicator(self.peek()) {
            self.at += 1;
        }
        let tag = &self.text[start..self.at];
        let name = tag.strip_prefix("!!").unwrap_or(&tag[1..]);
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte));
        let ends_well = context == Context::Flow || !is_flow_indicator(self.peek());
        if is_plain && ends_well && tag != "!!" { Ok(tag.into()) } else { Err(self.error("this tag isn't known")) }
    }
}
