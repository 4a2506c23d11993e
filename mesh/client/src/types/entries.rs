use serde::{Deserialize, Serialize};

use super::{ConflictValue, Time, TypedValue, V1};

/// A page of keys, in the order of their addresses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Keys {
    /// The document's version.
    pub v: V1,
    /// The keys with a value; tables and lists are shown by what is in them.
    pub entries: Vec<Key>,
    /// Where the next page begins; absent on the last.
    pub next: Option<String>,
}

/// A key, as `ls` shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// Its document.
    pub doc: String,
    /// Its path in the document, as it is addressed after `#`.
    pub key: String,
    /// Its value.
    #[serde(flatten)]
    pub value: TypedValue,
    /// Which write made it, `actor.lane:sequence`.
    pub version: String,
    /// Whether it has an open conflict.
    pub conflict: bool,
    /// The overlay that gives this host the value, as `role=db` or `host=web-1`; absent where it is the document's own.
    #[serde(default)]
    pub overlay: Option<String>,
}

/// A page of the mesh's documents, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Documents {
    /// The document's version.
    pub v: V1,
    /// One entry per document that isn't deleted.
    pub documents: Vec<Document>,
    /// Where the next page begins; absent on the last.
    #[serde(default)]
    pub next: Option<String>,
}

/// A document, as `ls --documents` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its name: `folder/path`.
    pub doc: String,
    /// How it is merged: `toml`, `json`, `lines`, `binary`, ...
    pub format: String,
    /// How many keys it has.
    pub keys: u64,
    /// Its size as a file.
    pub bytes: u64,
    /// How many open conflicts it has.
    pub conflicts: u64,
    /// When it was last changed, by its author's clock.
    pub time: Option<Time>,
    /// The document whose file was renamed to this one's: its history goes on there.
    pub renamed_from: Option<String>,
}

/// A key and all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The document's version.
    pub v: V1,
    /// The key's document.
    pub doc: String,
    /// Its path in the document.
    pub key: String,
    /// Its value on the host that answers, unless the document's own was asked for: the winner's, when there is a conflict.
    #[serde(flatten)]
    pub value: TypedValue,
    /// Which write made it, `actor.lane:sequence`.
    pub version: String,
    /// The host where it was written.
    pub host: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// When, by its author's clock.
    pub time: Option<Time>,
    /// All values of an open conflict, the winner first; empty when there is none.
    pub conflicts: Vec<ConflictValue>,
    /// The document's state in which it was read: see [`File::heads`].
    #[serde(default)]
    pub heads: String,
    /// The overlay that gives this host the value, as `role=db` or `host=web-1`; absent where it is the document's own.
    #[serde(default)]
    pub overlay: Option<String>,
}

/// Where the values of a document come from on the host that answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The document's version.
    pub v: V1,
    /// The document.
    pub doc: String,
    /// The host.
    pub host: String,
    /// Its roles, in the order in which their overlays are put over the document.
    pub roles: Vec<String>,
    /// For each key what is said of it, the one that is shown last: the document's own value, then those of the overlays.
    pub entries: Vec<Explained>,
    /// What overlays say and the file can't show.
    pub left_out: Vec<LeftOut>,
}

/// What one document says of a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// The key.
    pub key: String,
    /// The overlay that says it, as `role=db` or `host=web-1`; absent for the document itself.
    pub overlay: Option<String>,
    /// The value; of type `deleted` where an overlay takes the key away.
    #[serde(flatten)]
    pub value: TypedValue,
    /// Whether it is what this host shows.
    pub shown: bool,
    /// Which write made it, `actor.lane:sequence`.
    pub version: String,
    /// The host where it was written.
    pub host: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// When, by its author's clock.
    pub time: Option<Time>,
}

/// A value of an overlay that the file can't show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The overlay.
    pub overlay: String,
    /// The key in it.
    pub key: String,
    /// Why the file can't show it.
    pub why: String,
}

/// A whole document, as its file stands in the folder of the host that answers, or as it is without overlays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub doc: String,
    /// How it is merged.
    pub format: String,
    /// Its newest write, `actor.lane:sequence`.
    pub version: String,
    /// The state that it shows: the writes that nothing else here builds on, `actor.lane:sequence`, joined by `+`. An edit
    /// written at it merges with whatever came since. Empty when there are more than can be named.
    pub heads: String,
    /// Whether it is executable.
    pub executable: bool,
    /// How many open conflicts it has.
    pub conflicts: u64,
    /// The file.
    pub bytes: Vec<u8>,
}

/// A write is durable on this host, and on its way to the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutResult {
    /// The document's version.
    pub v: V1,
    /// The document that was written to.
    pub doc: String,
    /// The key; empty when the whole document was written.
    pub key: String,
    /// The value's version, `actor.lane:sequence`.
    pub version: String,
    /// The causal token: `version@doc`.
    pub token: String,
    /// False when the value was the present one already: nothing was written, and the version is the present one.
    pub changed: bool,
}

impl PutResult {
    /// The result of a write.
    #[must_use]
    pub fn new(doc: String, key: String, version: String, changed: bool) -> Self {
        let token = format!("{version}@{doc}");
        Self { v: V1, doc, key, version, token, changed }
    }
}

/// A key or document is deleted, durably on this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// The document's version.
    pub v: V1,
    /// The document.
    pub doc: String,
    /// The key; empty when the whole document was deleted.
    pub key: String,
    /// The delete's version, `actor.lane:sequence`.
    pub version: String,
    /// The causal token: `version@doc`.
    pub token: String,
}

impl Deleted {
    /// The result of a delete.
    #[must_use]
    pub fn new(doc: String, key: String, version: String) -> Self {
        let token = format!("{version}@{doc}");
        Self { v: V1, doc, key, version, token }
    }
}
