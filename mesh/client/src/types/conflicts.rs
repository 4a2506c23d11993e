use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Time, TypedValue, V1};

/// Open conflicts, by address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conflicts {
    /// The document's version.
    pub v: V1,
    /// One entry per key and part.
    pub conflicts: Vec<Conflict>,
}

/// Concurrent writes of one thing that somebody has to decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// The document.
    pub doc: String,
    /// The key's path in it; empty when the conflict is about the whole file.
    pub key: String,
    /// What of the key is in conflict.
    pub part: ConflictPart,
    /// How it came about.
    pub kind: ConflictKind,
    /// The value that stands in the file meanwhile, the same on all hosts; null when it is a delete.
    pub winner: Json,
    /// All of them, the winner first, the others in an order that is the same on all hosts.
    pub values: Vec<ConflictValue>,
}

/// One of the values of a conflict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConflictValue {
    /// The value.
    #[serde(flatten)]
    pub value: TypedValue,
    /// The host where it was written.
    pub host: String,
    /// Who wrote it.
    pub author: String,
    /// When, by its author's clock; for display only.
    pub time: Time,
    /// Which write it is, `actor.lane:sequence`.
    pub version: String,
}

/// What of a key is in conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConflictPart {
    /// Its value.
    Value,
    /// The comment above or behind it.
    Comment,
    /// Where it stands and how the key is written.
    Placement,
    /// Blank lines and spaces around it.
    Spacing,
    /// Whether it is a table, a list of tables, an inline table or a plain value.
    Shape,
    /// The whole file.
    File,
    /// A part of a newer daemon.
    #[serde(other)]
    Unknown,
}

impl ConflictPart {
    /// The part's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Comment => "comment",
            Self::Placement => "placement",
            Self::Spacing => "spacing",
            Self::Shape => "shape",
            Self::File => "file",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for ConflictPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How a conflict came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConflictKind {
    /// Two hosts wrote it without knowing of each other.
    Concurrent,
    /// One host wrote it while another deleted it; the write stands.
    Deleted,
    /// Two hosts gave one path different shapes; what stood in the losing shape was written into the winning one.
    Shape,
    /// Two hosts made an item of the same name; their keys were merged.
    Duplicate,
    /// Everything together would not have been a valid file; this write was left out.
    Invalid,
    /// Two hosts replaced the whole file.
    Replaced,
    /// A kind of a newer daemon.
    #[serde(other)]
    Unknown,
}

impl ConflictKind {
    /// The kind's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Concurrent => "concurrent",
            Self::Deleted => "deleted",
            Self::Shape => "shape",
            Self::Duplicate => "duplicate",
            Self::Invalid => "invalid",
            Self::Replaced => "replaced",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for ConflictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A conflict is decided, durably on this host, and on its way to the others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resolved {
    /// The document's version.
    pub v: V1,
    /// The document.
    pub doc: String,
    /// The key; empty for a whole file.
    pub key: String,
    /// What stands now.
    #[serde(flatten)]
    pub value: TypedValue,
    /// The deciding write's version, `actor.lane:sequence`.
    pub version: String,
    /// The causal token: `version@doc`.
    pub token: String,
    /// How many conflicts it ended.
    pub resolved: u64,
}
