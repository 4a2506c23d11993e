//! Values of variables: what they mean, and how new ones are written.

use super::scan;
use crate::codec::lines::{BARE, BLANKS};
use crate::value::Value;

/// What a value means; `None` if it isn't exactly one.
pub(super) fn meaning(text: &str) -> Option<Value> {
    if text == BARE {
        return Some(Value::Null);
    }
    if text.contains(BARE) {
        return None;
    }
    match text.as_bytes().first() {
        Some(quote @ (b'"' | b'\'')) => {
            let is_whole = scan::quoted_end(text, 0, *quote) == Some(text.len());
            let inside = is_whole.then(|| &text[1..text.len() - 1])?;
            Some(Value::String(if *quote == b'"' { unescaped(inside) } else { inside.into() }))
        }
        _ => is_plain(text).then(|| Value::String(text.into())),
    }
}

/// Whether a text without quotes is one value, at least right behind a `=`.
fn is_plain(text: &str) -> bool {
    !text.contains('\n') && !text.starts_with(BLANKS) && scan::unquoted_end(text, 0) == text.len()
}

fn unescaped(inside: &str) -> String {
    let mut plain = String::with_capacity(inside.len());
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('t') => plain.push('\t'),
            Some(escaped @ ('"' | '\\' | '$' | '`')) => plain.push(escaped),
            other => plain.extend(std::iter::once('\\').chain(other)),
        }
    }
    plain
}

/// A value as all readers take it: without quotes only if no reader could see anything else in it.
pub(super) fn literal(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(BARE.into()),
        Value::String(text) | Value::Datetime(text) if text.contains(BARE) => None,
        Value::String(text) | Value::Datetime(text) => Some(written(text)),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Some(value.to_string()),
        Value::List(_) | Value::Table(_) | Value::Bytes(_) => None,
    }
}

fn written(text: &str) -> String {
    let is_safe = |character: char| character.is_alphanumeric() || "_-./:@%+,=".contains(character);
    if text.chars().all(is_safe) {
        return text.into();
    }
    let is_special = |character: char| matches!(character, '$' | '\\' | '`' | '"');
    if text.contains(is_special) && !text.contains(['\'', '\n', '\r', '\t']) {
        return format!("'{text}'");
    }
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' | '$' | '`' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}
