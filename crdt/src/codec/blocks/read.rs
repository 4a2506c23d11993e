//! The second reader: words first, then statements, over characters and without spans of a tree.

use std::iter::Peekable;
use std::str::CharIndices;

use super::scan;
use crate::codec::SyntaxError;
use crate::codec::lines::{self, Occurrences};
use crate::limits::DEPTH;
use crate::value::Value;

/// Reads a whole text.
pub(super) fn read(text: &str) -> Result<Value, SyntaxError> {
    if scan::is_haproxy(text) { haproxy(text) } else { nginx(text) }
}

/// One word or mark, with where it begins and ends.
struct Token {
    kind: Kind,
    start: usize,
    end: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    Semicolon,
    Open,
    Close,
}

fn nginx(text: &str) -> Result<Value, SyntaxError> {
    let tokens = tokens(text)?;
    let mut open: Vec<(String, Occurrences)> = vec![(String::new(), Occurrences::new())];
    let mut words: Vec<&Token> = Vec::new();
    for token in &tokens {
        let error = |why: &str| SyntaxError::at(text, token.start, why);
        if token.kind == Kind::Word {
            words.push(token);
            continue;
        }
        if words.is_empty() != (token.kind == Kind::Close) {
            return Err(error("expected a directive and its end"));
        }
        match token.kind {
            Kind::Open if open.len() > DEPTH => return Err(error("blocks nest too deep")),
            Kind::Open => open.push((header(text, &words), Occurrences::new())),
            Kind::Close => close(&mut open).ok_or_else(|| error("no block is open"))?,
            Kind::Semicolon | Kind::Word => {
                push(&mut open, text[words[0].start..words[0].end].into(), value(text, &words))
            }
        }
        words.clear();
    }
    match open.pop() {
        Some((_, root)) if open.is_empty() && words.is_empty() => Ok(lines::table(root)),
        _ => Err(SyntaxError::at(text, text.len(), "the text ends within a block or a directive")),
    }
}

/// The words of a header, with one blank between.
fn header(text: &str, words: &[&Token]) -> String {
    words.iter().map(|word| &text[word.start..word.end]).collect::<Vec<_>>().join(" ")
}

fn value(text: &str, words: &[&Token]) -> Value {
    match (words.get(1), words.last()) {
        (Some(second), Some(last)) => Value::String(text[second.start..last.end].into()),
        _ => Value::Null,
    }
}

fn push(open: &mut [(String, Occurrences)], key: String, value: Value) {
    if let Some((_, innermost)) = open.last_mut() {
        innermost.entry(key).or_default().push(value);
    }
}

fn close(open: &mut Vec<(String, Occurrences)>) -> Option<()> {
    let (name, block) = open.pop().filter(|_| !open.is_empty())?;
    push(open, name, lines::table(block));
    Some(())
}

fn tokens(text: &str) -> Result<Vec<Token>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut characters = text.char_indices().peekable();
    while let Some((start, first)) = characters.next() {
        let kind = match first {
            ' ' | '\t' | '\r' | '\n' => continue,
            '#' => {
                while characters.next_if(|(_, next)| *next != '\n').is_some() {}
                continue;
            }
            ';' => Kind::Semicolon,
            '{' => Kind::Open,
            '}' => Kind::Close,
            _ => Kind::Word,
        };
        if kind == Kind::Word {
            word(&mut characters, first).ok_or_else(|| SyntaxError::at(text, start, "the text ends within quotes"))?;
        }
        let end = characters.peek().map_or(text.len(), |(at, _)| *at);
        tokens.push(Token { kind, start, end });
    }
    Ok(tokens)
}

/// Takes a word whose first character is taken; `None` if its quotes aren't closed.
fn word(characters: &mut Peekable<CharIndices<'_>>, first: char) -> Option<()> {
    let mut before = first;
    if matches!(first, '"' | '\'') {
        loop {
            match characters.next()?.1 {
                '\\' => drop(characters.next()),
                next if next == first => break,
                _ => {}
            }
        }
    } else if first == '\\' {
        (before, _) = (' ', characters.next());
    }
    while let Some((_, next)) = characters.next_if(|(_, next)| goes_on(before, *next)) {
        before = next;
        if next == '\\' {
            (before, _) = (' ', characters.next());
        }
    }
    Some(())
}

/// Whether a word without quotes goes on with a character; `${` is the name of a variable.
fn goes_on(before: char, next: char) -> bool {
    match next {
        ' ' | '\t' | '\r' | '\n' | ';' => false,
        '{' => before == '$',
        _ => true,
    }
}

fn haproxy(text: &str) -> Result<Value, SyntaxError> {
    let mut root = Occurrences::new();
    let mut section: Option<(String, Occurrences)> = None;
    let mut start = 0;
    while start < text.len() {
        let error = |why: &str| SyntaxError::at(text, start, why);
        let (words, length) = line_words(&text[start..]).ok_or_else(|| error("a quote isn't closed on its line"))?;
        if let (Some(first), Some(last)) = (words.first(), words.last()) {
            let line = &text[start..];
            if scan::is_section(&line[first.0..first.1]) {
                let name: Vec<&str> = words.iter().map(|(from, to)| &line[*from..*to]).collect();
                end_section(&mut root, section.replace((name.join(" "), Occurrences::new())));
            } else {
                let (_, table) = section.as_mut().ok_or_else(|| error("expected a section"))?;
                let value = words.get(1).map_or(Value::Null, |second| Value::String(line[second.0..last.1].into()));
                table.entry(line[first.0..first.1].into()).or_default().push(value);
            }
        }
        start += length;
    }
    end_section(&mut root, section);
    Ok(lines::table(root))
}

fn end_section(root: &mut Occurrences, section: Option<(String, Occurrences)>) {
    if let Some((name, table)) = section {
        root.entry(name).or_default().push(lines::table(table));
    }
}

/// Where the words of the first line of a text begin and end, and the line's length; `None` if a quote isn't closed.
fn line_words(text: &str) -> Option<(Vec<(usize, usize)>, usize)> {
    let mut words: Vec<(usize, usize)> = Vec::new();
    let mut word = None;
    let mut quote = None;
    let mut characters = text.char_indices().peekable();
    let mut comment = false;
    while let Some((at, character)) = characters.next() {
        if comment && character != '\n' {
            continue;
        }
        match (quote, character) {
            (Some(_), '\n') => return None,
            (None, '\n') => {
                words.extend(word.map(|from| (from, at)));
                return Some((words, at + 1));
            }
            (Some(open), _) if open == character => quote = None,
            (Some('"') | None, '\\') => {
                let next = characters.next().map(|(_, next)| next);
                let joins = match next {
                    None | Some('\n') => true,
                    Some('\r') => {
                        characters.peek().is_none() || characters.next_if(|(_, next)| *next == '\n').is_some()
                    }
                    Some(_) => false,
                };
                if quote.is_none() && joins {
                    words.extend(word.take().map(|from| (from, at)));
                } else {
                    word.get_or_insert(at);
                }
            }
            (Some(_), _) => {}
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert(at);
            }
            (None, ' ' | '\t' | '\r') => words.extend(word.take().map(|from| (from, at))),
            (None, '#') => {
                words.extend(word.take().map(|from| (from, at)));
                comment = true;
            }
            (None, _) => drop(word.get_or_insert(at)),
        }
    }
    words.extend(word.map(|from| (from, text.len())));
    quote.is_none().then_some((words, text.len()))
}
