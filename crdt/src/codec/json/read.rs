//! The second reader, independent of the tiler: serde_json, and jsonc-parser for what serde_json doesn't take.

use super::lex::Lexer;
use crate::codec::SyntaxError;
use crate::limits;
use crate::value::Value;
use jsonc_parser::ast;
use jsonc_parser::tokens::Token;
use jsonc_parser::{CollectOptions, ParseOptions, Scanner, ScannerOptions};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// JSON with comments and trailing commas, and nothing else of what jsonc-parser can take.
const JSONC: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};
/// The same for its scanner.
const JSONC_TOKENS: ScannerOptions = ScannerOptions {
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};
/// From here on, serde_json reads an integer as a float: 2⁶³.
const WIDE: f64 = 9_223_372_036_854_775_808.0;

/// Reads a whole file.
pub(super) fn file(text: &str) -> Result<Value, SyntaxError> {
    match plain(text) {
        Some(value) => Ok(value),
        None => commented(text),
    }
}

/// What one scalar means; `None` if the text is not exactly that.
pub(super) fn scalar(text: &str) -> Option<Value> {
    match text {
        "true" => Some(Value::Boolean(true)),
        "false" => Some(Value::Boolean(false)),
        "null" => Some(Value::Null),
        _ if text.starts_with('"') && text.ends_with('"') => serde_json::from_str(text).ok().map(Value::String),
        _ => (Lexer::new(text).number() == Ok(text)).then(|| number(text)),
    }
}

/// What a number means. Without fraction and exponent it is an integer, as long as it fits.
fn number(text: &str) -> Value {
    let integer = if text.contains(['.', 'e', 'E']) { None } else { text.parse().ok() };
    // Rust's float syntax holds all of JSON's.
    integer.map_or_else(|| Value::Float(text.parse().unwrap_or(f64::NAN)), Value::Integer)
}

/// Reads text without comments and trailing commas; `None` if it isn't that, or has a number whose digits matter.
fn plain(text: &str) -> Option<Value> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Plain { depth: 0 }.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()?;
    Some(value)
}

/// Reads one value in `depth` containers. Refuses duplicate keys and what is nested too deep.
#[derive(Clone, Copy)]
struct Plain {
    depth: usize,
}

impl Plain {
    fn inside<E: Error>(self) -> Result<Self, E> {
        if self.depth == limits::DEPTH { Err(E::custom("too deep")) } else { Ok(Self { depth: self.depth + 1 }) }
    }
}

impl<'de> DeserializeSeed<'de> for Plain {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Plain {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Boolean(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Integer(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Integer(number.into()))
    }

    /// A float that may have been written as an integer (a wide one, or `-0`) is left to the reader that sees its digits.
    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        if number.abs() >= WIDE || number == 0.0 {
            return Err(E::custom("the digits matter"));
        }
        Ok(Value::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.into()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(inside)? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut entries = BTreeMap::new();
        while let Some(key) = access.next_key::<String>()? {
            let value = access.next_value_seed(inside)?;
            if entries.insert(key, value).is_some() {
                return Err(A::Error::custom("a key stands twice"));
            }
        }
        Ok(Value::Table(entries))
    }
}

/// Reads text with comments and trailing commas.
fn commented(text: &str) -> Result<Value, SyntaxError> {
    check_tokens(text)?;
    let parsed = jsonc_parser::parse_to_ast(text, &CollectOptions::default(), &JSONC);
    let parsed = parsed.map_err(|error| syntax_error(&error))?;
    let value = parsed.value.ok_or_else(|| SyntaxError::at(text, text.len(), "expected a value"))?;
    meaning(text, value)
}

/// Refuses what jsonc-parser takes although JSON doesn't have it: other white space, control characters in strings; NUL,
/// also in comments; and what is nested too deep.
fn check_tokens(text: &str) -> Result<(), SyntaxError> {
    if let Some(offset) = text.find('\0') {
        return Err(SyntaxError::at(text, offset, "a NUL byte"));
    }
    let mut scanner = Scanner::new(text, &JSONC_TOKENS);
    let mut depth = 0_usize;
    let mut end = 0;
    while let Some(token) = scanner.scan().map_err(|error| syntax_error(&error))? {
        let start = scanner.token_start();
        check_space(text, end, start)?;
        end = scanner.token_end();
        match token {
            Token::OpenBrace | Token::OpenBracket if depth == limits::DEPTH => {
                return Err(SyntaxError::at(text, start, "this is nested more than 64 deep"));
            }
            Token::OpenBrace | Token::OpenBracket => depth += 1,
            Token::CloseBrace | Token::CloseBracket => depth = depth.saturating_sub(1),
            Token::String(_) => check_string(text, start, end)?,
            _ => {}
        }
    }
    check_space(text, end, text.len())
}

fn check_space(text: &str, start: usize, end: usize) -> Result<(), SyntaxError> {
    match text[start..end].find(|character| !matches!(character, ' ' | '\t' | '\n' | '\r')) {
        Some(offset) => Err(SyntaxError::at(text, start + offset, "JSON doesn't allow this kind of space")),
        None => Ok(()),
    }
}

fn check_string(text: &str, start: usize, end: usize) -> Result<(), SyntaxError> {
    match text[start..end].find(|character| character < ' ') {
        Some(offset) => Err(SyntaxError::at(text, start + offset, "a control character in a string")),
        None => Ok(()),
    }
}

fn syntax_error(error: &jsonc_parser::errors::ParseError) -> SyntaxError {
    SyntaxError { line: error.line_display(), column: error.column_display(), message: error.kind().to_string() }
}

fn meaning(text: &str, value: ast::Value<'_>) -> Result<Value, SyntaxError> {
    Ok(match value {
        ast::Value::StringLit(literal) => Value::String(literal.value.into_owned()),
        ast::Value::NumberLit(literal) => number(literal.value),
        ast::Value::BooleanLit(literal) => Value::Boolean(literal.value),
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::Array(array) => {
            Value::List(array.elements.into_iter().map(|item| meaning(text, item)).collect::<Result<_, _>>()?)
        }
        ast::Value::Object(object) => table(text, object)?,
    })
}

fn table(text: &str, object: ast::Object<'_>) -> Result<Value, SyntaxError> {
    let mut entries = BTreeMap::new();
    for property in object.properties {
        let start = property.range.start;
        if entries.insert(property.name.into_string(), meaning(text, property.value)?).is_some() {
            return Err(SyntaxError::at(text, start, "the same key stands twice in one table"));
        }
    }
    Ok(Value::Table(entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        let cases = [
            ("1", Value::Integer(1)),
            ("-0", Value::Integer(0)),
            ("18446744073709551616", Value::Integer(1 << 64)),
            ("-9223372036854775809", Value::Integer(-(1 << 63) - 1)),
            ("1.0", Value::Float(1.0)),
            ("1e3", Value::Float(1000.0)),
            ("1e400", Value::Float(f64::INFINITY)),
            ("0.1e-400", Value::Float(0.0)),
            ("5e-324", Value::Float(5e-324)),
            ("123456789012345678901234567890123456789012", Value::Float(1.2345678901234568e41)),
            ("9223372036854775808.5", Value::Float(9_223_372_036_854_775_808.0)),
        ];
        for (text, value) in cases {
            assert_eq!(scalar(text).as_ref(), Some(&value), "{text}");
            assert_eq!(file(text).as_ref(), Ok(&value), "{text}");
            assert_eq!(file(&format!("[{text}, // x\n]")), Ok(Value::List(vec![value])), "{text}");
        }
    }

    #[test]
    fn a_scalar_is_exactly_one() {
        for text in
            ["", " 1", "1 ", "1 // a", "\"a\" ", "\"a\" \"b\"", "\"", "[]", "{}", "nul", "1,", "+1", "0x1", "\"\n\""]
        {
            assert_eq!(scalar(text), None, "{text:?}");
        }
    }

    #[test]
    fn only_jsonc_is_read() {
        let bad = [
            "",
            "// a",
            "{\"a\": 1, \"a\": 2}",
            "{\"a\": 1, /* x */ \"\\u0061\": 2}",
            "{a: 1}",
            "{'a': 1}",
            "[1 2]",
            "{\"a\": 1 \"b\": 2}",
            "[0x1]",
            "[+1]",
            "[.5]",
            "[5.]",
            "[NaN]",
            "[Infinity]",
            "[01]",
            "[\"\\x41\"]",
            "[\"a\tb\"]",
            "[1,\u{b}2]",
            "[1,\u{a0}2]",
            "[,]",
            "[1,,]",
            "{,}",
            "[1]]",
            "[1",
            "/* a",
            "1 2",
            "[\"\\ud800\"]",
            "\u{feff}1",
        ];
        for text in bad {
            assert!(file(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for comment in ["", "// x\n"] {
            assert!(file(&(nested(limits::DEPTH) + comment)).is_ok());
            assert!(file(&(nested(limits::DEPTH + 1) + comment)).is_err());
            assert!(file(&("[".repeat(1 << 20) + comment)).is_err());
        }
    }

    #[test]
    fn errors_name_the_place() {
        let error = file("{\n  // é\n  \"é\": x\n}\n").unwrap_err();
        assert_eq!((error.line, error.column), (3, 8));
    }
}
