//! The second reader: a state machine that is fed one line after the other, and never looks back or ahead.

use super::{joined, subsection};
use crate::codec::SyntaxError;
use crate::codec::lines::{self, Occurrences};
use crate::value::Value;

/// Reads a whole text.
pub(super) fn read(text: &str) -> Result<Value, SyntaxError> {
    let mut reader = Reader::default();
    let mut start = 0;
    for line in text.split('\n') {
        reader.line(line).map_err(|why| SyntaxError::at(text, start, why))?;
        start += line.len() + 1;
    }
    Ok(reader.finish())
}

#[derive(Default)]
struct Reader {
    root: Occurrences,
    /// The latest section, with its name.
    section: Option<(String, Occurrences)>,
    /// The key whose value may go on.
    open: Option<Open>,
}

struct Open {
    key: String,
    value: String,
    /// How far the key is indented.
    depth: usize,
    /// The latest line of the value ended with a backslash that isn't escaped.
    continued: bool,
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r')
}

fn is_comment(content: &str) -> bool {
    content.starts_with('#') || content.starts_with(';')
}

fn ends_with_backslash(line: &str) -> bool {
    let line = line.strip_suffix('\r').unwrap_or(line);
    line.chars().rev().take_while(|character| *character == '\\').count() % 2 == 1
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        let content = line.trim_matches(is_blank);
        if content.is_empty() {
            if let Some(open) = &mut self.open {
                open.continued = false;
            }
            return Ok(());
        }
        if is_comment(content) {
            return Ok(());
        }
        let depth = line.chars().take_while(|character| is_blank(*character)).count();
        if let Some(open) = self.open.as_mut().filter(|open| open.continued || depth > open.depth) {
            open.go_on(line, content);
            return Ok(());
        }
        self.close();
        if content.starts_with('[') { self.header(content) } else { self.entry(line, content, depth) }
    }

    fn header(&mut self, content: &str) -> Result<(), &'static str> {
        let closes = |(at, _): &(usize, &str)| {
            let behind = content[at + 1..].trim_start_matches(is_blank);
            behind.is_empty() || is_comment(behind)
        };
        let (end, _) = content.match_indices(']').find(closes).ok_or("expected `]` and the end of the line")?;
        self.close_section();
        self.section = Some((normal(content[1..end].trim_matches(is_blank)), Occurrences::new()));
        Ok(())
    }

    fn entry(&mut self, line: &str, content: &str, depth: usize) -> Result<(), &'static str> {
        match split(content) {
            Some(("", _)) => Err("expected a key"),
            Some((key, value)) => {
                let continued = ends_with_backslash(line);
                self.open = Some(Open { key: key.into(), value: value.into(), depth, continued });
                Ok(())
            }
            None if is_flag(content) => {
                self.push(content.into(), Value::Null);
                Ok(())
            }
            None => Err("expected a key and a value"),
        }
    }

    fn push(&mut self, key: String, value: Value) {
        let table = self.section.as_mut().map_or(&mut self.root, |(_, table)| table);
        table.entry(key).or_default().push(value);
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.push(open.key, Value::String(open.value.trim_matches(is_blank).into()));
        }
    }

    fn close_section(&mut self) {
        if let Some((name, table)) = self.section.take() {
            self.root.entry(name).or_default().push(lines::table(table));
        }
    }

    fn finish(mut self) -> Value {
        self.close();
        self.close_section();
        lines::table(self.root)
    }
}

impl Open {
    fn go_on(&mut self, line: &str, content: &str) {
        if self.continued {
            self.value.pop();
            let end = self.value.trim_end_matches(is_blank).len();
            self.value.truncate(end);
            self.value.push(' ');
        } else if !self.value.is_empty() {
            self.value.push('\n');
        }
        self.value.push_str(content);
        self.continued = ends_with_backslash(line);
    }
}

/// A key, and what stands behind its `=` or colon.
fn split(content: &str) -> Option<(&str, &str)> {
    let mut colon = None;
    let mut before = ' ';
    for (at, character) in content.char_indices() {
        let behind = content[at + character.len_utf8()..].chars().next();
        let is_mark = match character {
            '=' => true,
            ':' => behind.is_none_or(is_blank),
            _ => false,
        };
        if before != '\\' && is_mark {
            return Some(cut(content, at));
        }
        if before != '\\' && character == ':' {
            colon = colon.or(Some(at));
        }
        before = character;
    }
    colon.map(|at| cut(content, at))
}

fn cut(content: &str, at: usize) -> (&str, &str) {
    (content[..at].trim_end_matches(is_blank), content[at + 1..].trim_start_matches(is_blank))
}

fn is_flag(content: &str) -> bool {
    let is_word = |character: char| character.is_ascii_alphanumeric() || "_-./@*+".contains(character);
    content.starts_with('!') || content.chars().all(is_word)
}

/// The name of a section, with one blank before the quotes of a subsection.
fn normal(name: &str) -> String {
    let Some(quote) = name.find('"') else { return name.into() };
    let spaced = format!("{} {}", name[..quote].trim_end_matches(is_blank), &name[quote..]);
    subsection(&spaced).map_or_else(|| name.into(), |(section, inner)| joined(&section, &inner))
}
