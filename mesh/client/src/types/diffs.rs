use std::fmt;

use serde::{Deserialize, Serialize};

use super::{TypedValue, V1};

/// How a document differs between two of its states, or from the file on the answering host's disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    /// The document's version.
    pub v: V1,
    /// The document.
    pub doc: String,
    /// Whether both are the same, byte by byte, and equally executable.
    pub same: bool,
    /// What stood before.
    pub before: DiffSide,
    /// What stands after.
    pub after: DiffSide,
    /// The keys that differ, by name; absent when one of the sides isn't merged key by key.
    pub keys: Option<Vec<KeyDiff>>,
    /// Why `keys` is absent, when that isn't for the format: the file on the disk doesn't parse, say.
    pub problem: Option<String>,
}

/// One side of a difference.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DiffSide {
    /// The document's state, as [`File::heads`](super::File::heads) names it; absent for the file on the disk.
    pub heads: Option<String>,
    /// Whether there is a file.
    pub exists: bool,
    /// How it is merged.
    pub format: Option<String>,
    /// Whether it is executable.
    pub executable: bool,
    /// Its size.
    pub bytes: u64,
    /// Its text; absent when it is no UTF-8.
    pub text: Option<String>,
}

/// A key that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyDiff {
    /// Its path in the document, as it is addressed after `#`.
    pub key: String,
    /// What happened to it.
    pub kind: DiffKind,
    /// Its value before; absent when it was added.
    pub before: Option<TypedValue>,
    /// Its value after; absent when it was removed.
    pub after: Option<TypedValue>,
}

/// What happened to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiffKind {
    /// It is new.
    Added,
    /// It has another value, or the same written otherwise.
    Changed,
    /// It is gone.
    Removed,
    /// A kind of a newer daemon.
    #[serde(other)]
    Unknown,
}

impl DiffKind {
    /// The kind's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for DiffKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a document is compared as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiffPoint {
    /// As it is now.
    Now,
    /// As it was with these writes and all that they build on: a version, a causal token, or the heads of a file.
    At(String),
    /// The file on the host's disk, as far as a folder is kept there.
    Disk,
}

impl DiffPoint {
    /// What stands for the file on the disk in a request.
    pub const DISK: &'static str = "disk";

    /// As a request's parameter; absent for [`Self::Now`].
    #[must_use]
    pub fn parameter(&self) -> Option<&str> {
        match self {
            Self::Now => None,
            Self::At(heads) => Some(heads),
            Self::Disk => Some(Self::DISK),
        }
    }

    /// What a request's parameter stands for.
    #[must_use]
    pub fn of_parameter(parameter: Option<String>) -> Self {
        match parameter {
            None => Self::Now,
            Some(text) if text == Self::DISK => Self::Disk,
            Some(heads) => Self::At(heads),
        }
    }
}
