//! The second reader: the `toml` crate, from its parse tree to plain values.
//!
//! Not by serde, which takes a table with a certain odd key for a datetime.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeFloat, DeInteger, DeTable, DeValue};

use super::depth;
use super::scan;
use crate::codec::SyntaxError;
use crate::value::Value;

/// Reads a whole text.
pub(super) fn read(text: &str) -> Result<Value, SyntaxError> {
    if let Some(at) = depth::too_deep_at(text) {
        return Err(SyntaxError::at(text, at, "tables nest too deep"));
    }
    let table = DeTable::parse(text).map_err(|error| syntax_error(text, &error))?;
    table_value(text, table.get_ref())
}

/// Reads a single value that makes up the whole text.
pub(super) fn scalar(text: &str) -> Option<Value> {
    // The parser would skip blanks and a byte order mark.
    let is_skipped = |first: char| first.is_whitespace() || first == '\u{feff}';
    if text.starts_with(is_skipped) || scan::value_end(text, 0) != text.len() {
        return None;
    }
    if depth::too_deep_at(&format!("x = {text}\n")).is_some() {
        return None;
    }
    let value = DeValue::parse(text).ok()?;
    spanned_value(text, &value).ok()
}

fn syntax_error(text: &str, error: &toml::de::Error) -> SyntaxError {
    SyntaxError::at(text, error.span().map_or(0, |span| span.start), error.message())
}

fn table_value(text: &str, table: &DeTable<'_>) -> Result<Value, SyntaxError> {
    let entries = table.iter().map(|(key, value)| Ok((key.get_ref().to_string(), spanned_value(text, value)?)));
    entries.collect::<Result<BTreeMap<_, _>, _>>().map(Value::Table)
}

fn spanned_value(text: &str, value: &Spanned<DeValue<'_>>) -> Result<Value, SyntaxError> {
    let refuse = |why| SyntaxError::at(text, value.span().start, why);
    match value.get_ref() {
        DeValue::String(string) => Ok(Value::String(string.to_string())),
        DeValue::Integer(number) => integer(number).ok_or_else(|| refuse("integer does not fit into 64 bits")),
        DeValue::Float(number) => float(number).ok_or_else(|| refuse("float is out of range")),
        DeValue::Boolean(truth) => Ok(Value::Boolean(*truth)),
        DeValue::Datetime(datetime) => Ok(Value::Datetime(datetime.to_string())),
        DeValue::Array(items) => {
            items.iter().map(|item| spanned_value(text, item)).collect::<Result<_, _>>().map(Value::List)
        }
        DeValue::Table(table) => table_value(text, table),
    }
}

fn integer(number: &DeInteger<'_>) -> Option<Value> {
    i64::from_str_radix(number.as_str(), number.radix()).ok().map(|number| Value::Integer(number.into()))
}

fn float(number: &DeFloat<'_>) -> Option<Value> {
    let parsed: f64 = number.as_str().parse().ok()?;
    let is_in_range = parsed.is_finite() || parsed.is_nan() || number.as_str().contains("inf");
    is_in_range.then_some(Value::Float(parsed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_line_and_column_in_characters() {
        for (text, line, column) in [
            ("a = 1\nb = \n", 2, 5),
            ("a = 1\na = 2\n", 2, 1),
            ("[t]\n\"ä\" = 1 x\n", 2, 7),
            ("a = 9223372036854775808\n", 1, 5),
            ("a = 1e999\n", 1, 5),
            ("a = [1\n", 1, 7),
        ] {
            let error = read(text).expect_err(text);
            assert_eq!((error.line, error.column), (line, column), "{text}{error}");
        }
    }

    #[test]
    fn a_scalar_is_exactly_one_value() {
        for text in [
            "",
            " 1",
            "1 ",
            "1\n",
            "1 # one",
            "1\ny = 2",
            "[1]\n",
            "\"a\" \"b\"",
            "x",
            "1, 2",
            "\r1",
            "[1] # ]",
            "\u{feff}1",
        ] {
            assert_eq!(scalar(text), None, "{text:?}");
        }
        for (text, value) in [
            ("0x1_0", Value::Integer(16)),
            ("-inf", Value::Float(f64::NEG_INFINITY)),
            ("nan", Value::Float(f64::NAN)),
            ("1979-05-27 07:32:00z", Value::Datetime("1979-05-27T07:32:00Z".into())),
            ("\"\"\"\na\\\n  b\"\"\"", Value::String("ab".into())),
            ("[1, # one\n]", Value::List(vec![Value::Integer(1)])),
        ] {
            assert_eq!(scalar(text), Some(value), "{text:?}");
        }
    }

    #[test]
    fn a_key_that_serde_would_take_for_a_datetime_is_a_key() {
        let value = read("a = { \"$__toml_private_datetime\" = \"1979-05-27\" }\n").expect("valid");
        let inner = BTreeMap::from([("$__toml_private_datetime".into(), Value::String("1979-05-27".into()))]);
        assert_eq!(value, Value::Table(BTreeMap::from([("a".into(), Value::Table(inner))])));
    }

    #[test]
    fn nesting_that_would_overflow_the_stack_is_refused() {
        let key = vec!["a"; 79].join(".");
        let text = format!("{}1{}\n", format!("{key} = {{").repeat(70).trim_end_matches('{'), "}".repeat(70));
        assert!(read(&text).is_err());
        assert!(scalar(&format!("{}1{}", "[".repeat(1 << 20), "]".repeat(1 << 20))).is_none());
    }
}
