use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What kind of value a key has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number with a fraction or an exponent, infinities, NaN.
    Float,
    /// True or false.
    Boolean,
    /// JSON's null.
    Null,
    /// A date, a time or both; a string in JSON.
    Datetime,
    /// A list.
    List,
    /// A table.
    Table,
    /// Bytes that are no text; JSON shows their number.
    Bytes,
    /// No value: the key was deleted. It stands in conflicts, where somebody's edit meets somebody's delete.
    Deleted,
    /// A type of a newer daemon.
    #[serde(other)]
    Unknown,
}

impl ValueType {
    /// The types that `put --type` takes.
    pub const WRITABLE: [Self; 8] =
        [Self::String, Self::Integer, Self::Float, Self::Boolean, Self::Null, Self::Datetime, Self::List, Self::Table];

    /// The type's name, as JSON and the command line show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Float => "float",
            Self::Boolean => "boolean",
            Self::Null => "null",
            Self::Datetime => "datetime",
            Self::List => "list",
            Self::Table => "table",
            Self::Bytes => "bytes",
            Self::Deleted => "deleted",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ValueType {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let all = Self::WRITABLE.into_iter().chain([Self::Bytes, Self::Deleted]);
        all.into_iter().find(|kind| kind.name() == name).ok_or_else(|| format!("there is no type `{name}`"))
    }
}

/// A value, three ways.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TypedValue {
    /// As JSON. What JSON has no form for (datetimes, NaN, integers past 64 bits) is a string; `type` tells.
    pub value: Json,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ValueType,
    /// Exactly as it stands in the file, quotes and all; empty for a delete.
    pub text: String,
}

impl TypedValue {
    /// The mark of a delete among conflicting values.
    #[must_use]
    pub fn deleted() -> Self {
        Self { value: Json::Null, kind: ValueType::Deleted, text: String::new() }
    }

    /// The bare value, ready for a shell: text without quotes, everything else as JSON writes it.
    #[must_use]
    pub fn bare(&self) -> String {
        match &self.value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_back_from_its_name() {
        for kind in ValueType::WRITABLE {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        assert!("strnig".parse::<ValueType>().is_err());
        assert_eq!(serde_json::from_str::<ValueType>("\"quaternion\"").unwrap(), ValueType::Unknown);
    }

    #[test]
    fn a_bare_value_has_no_quotes() {
        let value = |json: Json| TypedValue { value: json, kind: ValueType::String, text: String::new() };
        assert_eq!(value("a \"b\"".into()).bare(), "a \"b\"");
        assert_eq!(value(8080.into()).bare(), "8080");
        assert_eq!(value(serde_json::json!(["a", 1])).bare(), r#"["a",1]"#);
    }
}
