//! New text: keys and values that nobody wrote yet.

use crate::path::Segment;
use crate::value::Value;

/// Between a new key and its value.
pub(super) const SEPARATOR: &str = ": ";

/// A value on one line; `None` for what JSON has no form for.
pub(super) fn literal(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(quoted(text)),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => number.is_finite().then(|| format!("{number:?}")),
        Value::Boolean(truth) => Some(truth.to_string()),
        Value::Null => Some("null".into()),
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(literal).collect::<Option<_>>()?;
            Some(format!("[{}]", items.join(", ")))
        }
        Value::Table(entries) => {
            let entries = entries.iter().map(|(key, value)| Some(quoted(key) + SEPARATOR + &literal(value)?));
            Some(format!("{{{}}}", entries.collect::<Option<Vec<_>>>()?.join(", ")))
        }
        Value::Datetime(_) | Value::Bytes(_) => None,
    }
}

/// The key text for the last step of a path.
pub(super) fn label(segment: Option<&Segment>) -> String {
    let Some(Segment::Key(name) | Segment::Item(name) | Segment::Trivia(name)) = segment else {
        return quoted("");
    };
    quoted(name)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn values() -> impl Strategy<Value = Value> {
        let scalars = prop_oneof![
            any::<String>().prop_map(Value::String),
            any::<i128>().prop_map(Value::Integer),
            any::<i64>().prop_map(|number| Value::Integer(number.into())),
            any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::Float),
            any::<bool>().prop_map(Value::Boolean),
            Just(Value::Null),
        ];
        scalars.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                proptest::collection::btree_map(any::<String>(), inner, 0..4).prop_map(Value::Table),
            ]
        })
    }

    #[test]
    fn what_json_has_no_form_for_is_refused() {
        for value in [Value::Datetime("2026-01-01".into()), Value::Bytes(vec![1]), Value::Float(f64::NAN)] {
            assert_eq!(literal(&Value::List(vec![value])), None);
        }
    }

    #[test]
    fn literals_are_on_one_line() {
        let table = BTreeMap::from([("a\n".into(), Value::List(vec![Value::Integer(1), Value::Float(1.0)]))]);
        assert_eq!(literal(&Value::Table(table)).unwrap(), r#"{"a\n": [1, 1.0]}"#);
    }

    proptest! {
        #![proptest_config(crate::testing::cases(256))]

        #[test]
        fn literals_read_back(value in values()) {
            prop_assert_eq!(read::file(&literal(&value).unwrap()), Ok(value));
        }
    }
}
