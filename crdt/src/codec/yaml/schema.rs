//! What a scalar's text means: the core schema of YAML 1.2.2 (chapter 10.3).
//!
//! YAML 1.1's `yes`, `on` and `0777` (octal) are not in it: they are a text, a text and the number 777 here, and stay as
//! they are written.

use std::collections::BTreeMap;

use crate::value::Value;

/// The key of the table that stands for an alias. An alias has no value of its own: what it refers to may stand anywhere
/// in the file, and may be far larger than the file (a thousand laughs).
const ALIAS: &str = "*";

/// The meaning of a plain scalar.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Boolean(true),
        "false" | "False" | "FALSE" => Value::Boolean(false),
        ".nan" | ".NaN" | ".NAN" => Value::Float(f64::NAN),
        _ => number(text).unwrap_or_else(|| Value::String(text.into())),
    }
}

/// An alias for the node that is anchored with this name.
pub(super) fn alias(name: &str) -> Value {
    Value::Table(BTreeMap::from([(ALIAS.into(), Value::String(name.into()))]))
}

/// The meaning of a scalar with a tag, written `!!str` or `!name`.
pub(super) fn tagged(tag: &str, text: &str) -> Value {
    let value = plain(text);
    match (tag, value) {
        ("!" | "!!str", _) => Value::String(text.into()),
        ("!!null", value @ Value::Null)
        | ("!!bool", value @ Value::Boolean(_))
        | ("!!int", value @ Value::Integer(_))
        | ("!!float", value @ Value::Float(_)) => value,
        _ => with_tag(tag, Value::String(text.into())),
    }
}

/// The meaning of a list or a table with a tag: a table of one key, as `!Sub` and `Fn::Sub` are one in CloudFormation.
pub(super) fn with_tag(tag: &str, value: Value) -> Value {
    match (tag, &value) {
        ("!" | "!!seq", Value::List(_)) | ("!" | "!!map", Value::Table(_)) => value,
        _ => Value::Table(BTreeMap::from([(tag.into(), value)])),
    }
}

fn number(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|first: char| first == '.' || first.is_ascii_digit()) {
        return None;
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return integer(digits, 8);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return integer(digits, 16);
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Some(Value::Float(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }));
    }
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Value::Integer).ok().or_else(|| float(text));
    }
    is_float(unsigned).then(|| float(text)).flatten()
}

fn integer(digits: &str, radix: u32) -> Option<Value> {
    let is_whole = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    // A number past 128 bits is no number that anyone counts with.
    is_whole.then(|| i128::from_str_radix(digits, radix).ok().map(Value::Integer)).flatten()
}

fn float(text: &str) -> Option<Value> {
    text.parse().map(Value::Float).ok()
}

/// `[0-9]+ ( . [0-9]* )?` or `. [0-9]+`, and an exponent.
fn is_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    has_digits
        && are_digits(whole)
        && are_digits(fraction)
        && exponent.is_none_or(|exponent| !exponent.is_empty() && are_digits(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_means_what_the_core_schema_says() {
        let string = |text: &str| Value::String(text.into());
        for (text, value) in [
            ("", Value::Null),
            ("~", Value::Null),
            ("nULL", string("nULL")),
            ("True", Value::Boolean(true)),
            ("yes", string("yes")),
            ("on", string("on")),
            ("0", Value::Integer(0)),
            ("-12", Value::Integer(-12)),
            ("+7", Value::Integer(7)),
            ("0755", Value::Integer(755)),
            ("0o17", Value::Integer(15)),
            ("0x1F", Value::Integer(31)),
            ("-0x1F", string("-0x1F")),
            ("0b1", string("0b1")),
            ("0o8", string("0o8")),
            ("1_000", string("1_000")),
            ("1.", Value::Float(1.0)),
            (".5", Value::Float(0.5)),
            ("-1.5e+3", Value::Float(-1500.0)),
            ("1e3", Value::Float(1000.0)),
            ("1e", string("1e")),
            (".", string(".")),
            ("-", string("-")),
            ("1.2.3", string("1.2.3")),
            ("-.inf", Value::Float(f64::NEG_INFINITY)),
            ("+.INF", Value::Float(f64::INFINITY)),
            (".nan", Value::Float(f64::NAN)),
            ("inf", string("inf")),
            ("12:30", string("12:30")),
            ("2001-01-01", string("2001-01-01")),
            ("170141183460469231731687303715884105728", Value::Float(1.701_411_834_604_692_3e38)),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
    }

    #[test]
    fn a_tag_that_is_not_of_the_core_schema_stays_in_the_meaning() {
        assert_eq!(tagged("!!str", "1"), Value::String("1".into()));
        assert_eq!(tagged("!", "1"), Value::String("1".into()));
        assert_eq!(tagged("!!int", "1"), Value::Integer(1));
        assert_eq!(tagged("!!int", "x").to_json(), serde_json::json!({ "!!int": "x" }));
        assert_eq!(tagged("!Ref", "1").to_json(), serde_json::json!({ "!Ref": "1" }));
        assert_eq!(with_tag("!!seq", Value::List(vec![])), Value::List(vec![]));
        assert_eq!(with_tag("!Sub", Value::List(vec![])).to_json(), serde_json::json!({ "!Sub": [] }));
    }
}
