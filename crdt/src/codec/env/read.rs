//! The second reader: one pass over the characters, which knows nothing of spans and trees.

use std::iter::Peekable;
use std::str::CharIndices;

use crate::codec::SyntaxError;
use crate::codec::lines::{self, Occurrences};
use crate::value::Value;

/// Reads a whole text.
pub(super) fn read(text: &str) -> Result<Value, SyntaxError> {
    let mut reader = Reader { text, characters: text.char_indices().peekable() };
    let mut found = Occurrences::new();
    while let Some(next) = reader.peek() {
        match next {
            ' ' | '\t' | '\r' | '\n' => drop(reader.characters.next()),
            '#' => reader.skip_line(),
            _ => {
                let (key, value) = reader.assignment()?;
                found.entry(key).or_default().push(value);
            }
        }
    }
    Ok(lines::table(found))
}

struct Reader<'t> {
    text: &'t str,
    characters: Peekable<CharIndices<'t>>,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        self.characters.peek().map(|(_, character)| *character)
    }

    fn error(&mut self, message: &str) -> SyntaxError {
        let at = self.characters.peek().map_or(self.text.len(), |(at, _)| *at);
        SyntaxError::at(self.text, at, message)
    }

    fn skip_line(&mut self) {
        while self.characters.next_if(|(_, character)| *character != '\n').is_some() {}
    }

    /// Skips blanks, tells how many.
    fn blanks(&mut self) -> usize {
        std::iter::from_fn(|| self.characters.next_if(|(_, next)| matches!(next, ' ' | '\t'))).count()
    }

    fn name(&mut self) -> String {
        let is_name = |next: &(usize, char)| next.1.is_ascii_alphanumeric() || "_.-".contains(next.1);
        std::iter::from_fn(|| self.characters.next_if(is_name)).map(|(_, character)| character).collect()
    }

    fn assignment(&mut self) -> Result<(String, Value), SyntaxError> {
        let mut key = self.name();
        let mut blanks = self.blanks();
        if key == "export" && blanks > 0 {
            let name = self.name();
            if !name.is_empty() {
                key = name;
                blanks = self.blanks();
            }
        }
        if key.is_empty() {
            return Err(self.error("expected a name"));
        }
        if self.characters.next_if(|(_, next)| *next == '=').is_some() {
            return Ok((key, Value::String(self.value()?)));
        }
        self.end_of_line(blanks)?;
        Ok((key, Value::Null))
    }

    fn value(&mut self) -> Result<String, SyntaxError> {
        let blanks = self.blanks();
        match self.peek() {
            Some('"') => self.quoted('"'),
            Some('\'') => self.quoted('\''),
            Some('#') if blanks > 0 => {
                self.skip_line();
                Ok(String::new())
            }
            _ => Ok(self.unquoted()),
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, SyntaxError> {
        self.characters.next();
        let mut value = String::new();
        loop {
            match self.characters.next().map(|(_, character)| character) {
                None => return Err(self.error("the text ends within quotes")),
                Some(character) if character == quote => break,
                Some('\\') if quote == '"' => {
                    let escaped = self.characters.next().map(|(_, character)| character);
                    match escaped {
                        Some('n') => value.push('\n'),
                        Some('r') => value.push('\r'),
                        Some('t') => value.push('\t'),
                        Some('"' | '\\' | '$' | '`') => value.extend(escaped),
                        _ => value.extend(Some('\\').into_iter().chain(escaped)),
                    }
                }
                Some(character) => value.push(character),
            }
        }
        let blanks = self.blanks();
        self.end_of_line(blanks)?;
        Ok(value)
    }

    fn unquoted(&mut self) -> String {
        let mut value = String::new();
        while let Some((_, character)) = self.characters.next_if(|(_, next)| *next != '\n') {
            if character == '#' && value.ends_with([' ', '\t', '\r']) {
                self.skip_line();
                break;
            }
            value.push(character);
        }
        value.truncate(value.trim_end_matches([' ', '\t', '\r']).len());
        value
    }

    /// Takes what may stand behind a name or a quote: blanks, and a comment behind one of them.
    fn end_of_line(&mut self, mut blanks: usize) -> Result<(), SyntaxError> {
        while self.characters.next_if(|(_, next)| matches!(next, ' ' | '\t' | '\r')).is_some() {
            blanks += 1;
        }
        match self.peek() {
            None | Some('\n') => Ok(()),
            Some('#') if blanks > 0 => {
                self.skip_line();
                Ok(())
            }
            Some(_) => Err(self.error("expected the end of the line")),
        }
    }
}
