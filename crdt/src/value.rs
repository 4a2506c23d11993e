//! What a value means, apart from how it is written.

use std::collections::BTreeMap;
use std::fmt;

/// A typed value, as a parser of the format reads it.
///
/// Equality is by meaning: `1_000` and `1000` are equal, `1` and `1.0` are not, NaN equals itself.
#[derive(Debug, Clone)]
pub enum Value {
    /// Text.
    String(String),
    /// A whole number; formats with a smaller range refuse what passes theirs.
    Integer(i128),
    /// A number with a fraction or an exponent, infinities and NaN.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// JSON's null.
    Null,
    /// A date, a time, or both, as TOML writes it (RFC 3339, upper-case `T` and `Z`).
    Datetime(String),
    /// A list.
    List(Vec<Value>),
    /// A table; the order of its keys means nothing.
    Table(BTreeMap<String, Value>),
    /// Bytes that are no text.
    Bytes(Vec<u8>),
}

impl Value {
    /// The type's name, as `get -o json` shows it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::Integer(_) => "integer",
            Self::Float(_) => "float",
            Self::Boolean(_) => "boolean",
            Self::Null => "null",
            Self::Datetime(_) => "datetime",
            Self::List(_) => "list",
            Self::Table(_) => "table",
            Self::Bytes(_) => "bytes",
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::String(a), Self::String(b)) | (Self::Datetime(a), Self::Datetime(b)) => a == b,
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
            (Self::Boolean(a), Self::Boolean(b)) => a == b,
            (Self::Null, Self::Null) => true,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Table(a), Self::Table(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            _ => false,
        }
    }
}

/// The bare value: text without quotes, lists and tables as compact JSON.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) | Self::Datetime(text) => f.write_str(text),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Boolean(truth) => write!(f, "{truth}"),
            Self::Null => f.write_str("null"),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::List(_) | Self::Table(_) => write!(f, "{}", self.to_json()),
        }
    }
}

impl Value {
    /// The value as JSON. What JSON has no form for becomes text: datetimes, NaN and infinities, integers past 64
    /// bits; bytes become their length and nothing else.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::String(text) | Self::Datetime(text) => Json::String(text.clone()),
            Self::Integer(number) => i64::try_from(*number)
                .map(Json::from)
                .or_else(|_| u64::try_from(*number).map(Json::from))
                .unwrap_or_else(|_| Json::String(number.to_string())),
            Self::Float(number) => {
                serde_json::Number::from_f64(*number).map_or_else(|| Json::String(format!("{number:?}")), Json::Number)
            }
            Self::Boolean(truth) => Json::Bool(*truth),
            Self::Null => Json::Null,
            Self::List(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Table(entries) => {
                Json::Object(entries.iter().map(|(key, value)| (key.clone(), value.to_json())).collect())
            }
            Self::Bytes(bytes) => serde_json::json!({ "bytes": bytes.len() }),
        }
    }
}
