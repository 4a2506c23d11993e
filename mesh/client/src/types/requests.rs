use serde::{Deserialize, Serialize};

use super::{ConflictPart, ValueType};

/// The body of `POST /v1/folders`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddFolder {
    /// The folder's name in the mesh.
    pub name: String,
    /// Its directory on this host, absolute.
    pub dir: String,
    /// Where the directory's files and the mesh's differ: take the directory's.
    #[serde(default)]
    pub adopt: bool,
}

/// The body of `PUT /v1/value`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutValue {
    /// The value, as text.
    pub value: String,
    /// Its type; without it, the type of the present value if the text reads so, else what the file's format reads.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ValueType>,
    /// Write only if the key's version is this one; empty: only if the key isn't there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
}

/// How a whole document is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WriteOptions {
    /// The state that its writer had seen, as [`File::heads`](super::File::heads) names it: what came since is merged, key
    /// by key, or becomes a conflict. Empty: only if there is no such document. Absent: what is there now.
    pub at: Option<String>,
    /// Whether it is executable; absent: as it was.
    pub executable: Option<bool>,
    /// Only say whether it would be taken, and whether that would change anything.
    pub dry_run: bool,
}

/// The body of `POST /v1/resolve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResolveConflict {
    /// `DOC#KEY`, or `DOC` for a whole file.
    pub address: String,
    /// Which of the key's conflicts; without it, all of them are decided by the same choice where there is one, the
    /// value's otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<ConflictPart>,
    /// What shall stand.
    pub choice: Choice,
}

/// What shall stand after a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Choice {
    /// The value with this number in the list of conflicts, counted from 1.
    Take(usize),
    /// The value with this version, whatever its number is by now.
    Version(String),
    /// Another value.
    Value {
        /// As text.
        text: String,
        /// Its type; as for a put.
        #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
        kind: Option<ValueType>,
    },
}
