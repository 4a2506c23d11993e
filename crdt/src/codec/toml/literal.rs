//! New TOML text for values and keys: the plainest form.

use super::read;
use crate::codec::quoted;
use crate::limits::DEPTH;
use crate::path::Segment;
use crate::value::Value;

/// The literal of a value; `None` for null, bytes, integers past 64 bits, and what contains one of them.
pub(super) fn literal(value: &Value) -> Option<String> {
    nested(value, DEPTH)
}

/// Keys joined with dots, quoted where needed. Steps into items have no text of their own in TOML.
pub(super) fn label(keys: &[Segment]) -> String {
    let parts = keys.iter().filter_map(|segment| match segment {
        Segment::Key(key) => Some(key_text(key)),
        Segment::Item(_) | Segment::Trivia(_) => None,
    });
    parts.collect::<Vec<_>>().join(".")
}

fn nested(value: &Value, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::String(text) => Some(quoted(text)),
        Value::Integer(number) => i64::try_from(*number).ok().map(|number| number.to_string()),
        Value::Float(number) if number.is_nan() => Some("nan".into()),
        Value::Float(number) => Some(format!("{number:?}")),
        Value::Boolean(truth) => Some(truth.to_string()),
        Value::Datetime(text) => matches!(read::scalar(text), Some(Value::Datetime(_))).then(|| text.clone()),
        Value::List(items) => {
            let items: Option<Vec<_>> = items.iter().map(|item| nested(item, depth)).collect();
            Some(format!("[{}]", items?.join(", ")))
        }
        Value::Table(entries) if entries.is_empty() => Some("{}".into()),
        Value::Table(entries) => {
            let entry = |(key, value): (&String, _)| Some(format!("{} = {}", key_text(key), nested(value, depth)?));
            let entries: Option<Vec<_>> = entries.iter().map(entry).collect();
            Some(format!("{{ {} }}", entries?.join(", ")))
        }
        Value::Null | Value::Bytes(_) => None,
    }
}

fn key_text(key: &str) -> String {
    let is_bare = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    if !key.is_empty() && key.chars().all(is_bare) { key.into() } else { quoted(key) }
}

/// A basic string. TOML wants all control characters but the tab escaped.
fn quoted(text: &str) -> String {
    quoted::quoted(text, |_| false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::toml::testing;
    use proptest::prelude::*;

    #[test]
    fn values_without_a_form_have_no_literal() {
        for value in [
            Value::Null,
            Value::List(vec![Value::Null]),
            Value::Bytes(vec![1]),
            Value::Integer(i128::from(i64::MAX) + 1),
            Value::Datetime("soon".into()),
            Value::Datetime("1979-05-27\nx = 1".into()),
        ] {
            assert_eq!(literal(&value), None, "{value:?}");
        }
    }

    proptest! {
        #![proptest_config(crate::testing::cases(256))]

        #[test]
        fn literals_mean_their_value(value in testing::values()) {
            let text = literal(&value).expect("TOML has a form for it");
            prop_assert_eq!(read::scalar(&text), Some(value), "{}", text);
        }

        #[test]
        fn labels_mean_their_keys(keys in proptest::collection::vec(testing::keys(), 1..5)) {
            let segments: Vec<_> = keys.iter().cloned().map(Segment::Key).collect();
            let text = format!("{} = 1\n", label(&segments));
            let value = keys.iter().rev().fold(Value::Integer(1), |value, key| Value::Table([(key.clone(), value)].into()));
            prop_assert_eq!(read::read(&text), Ok(value), "{}", text);
        }
    }
}
