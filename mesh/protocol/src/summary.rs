//! What a node says of its durable state in a few bytes.

use std::collections::{BTreeMap, BTreeSet};

use murmurate_crdt::id::NodeId;
use murmurate_crdt::wire::Encoder;
use sha2::{Digest, Sha256};

/// A SHA-256, or a combination of several.
pub type Hash = [u8; 32];
/// The hash of a folder without changes.
pub const EMPTY: Hash = [0; 32];

/// A folder's durable state in a few bytes. Equal roots mean equal changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FolderSummary {
    /// The SHA-256 of the folder's bucket hashes; zero if it has no changes.
    pub root: Hash,
    /// How many changes it has: lets a peer say how far behind another one is.
    pub changes: u64,
}

/// A node's durable state in a few bytes, folder by folder: no host need keep them all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Whether the receiver should answer with its own.
    pub reply_wanted: bool,
    /// Whether folders that aren't listed aren't kept here. Otherwise they are kept and empty.
    pub keeps_only_listed: bool,
    /// The roster's hash.
    pub roster: Hash,
    /// The hash of the revoked nodes: equal hashes, and both know of the same revocations.
    pub revoked: Hash,
    /// Folders with changes, by name.
    pub folders: BTreeMap<String, FolderSummary>,
    /// Who this node is connected to: they need no relay of what it pushes. `None` when that didn't change.
    pub neighbours: Option<BTreeSet<NodeId>>,
}

/// One hash of all folders with changes: zero if there are none.
pub(crate) fn state_hash(folders: &BTreeMap<String, FolderSummary>) -> Hash {
    if folders.is_empty() {
        return EMPTY;
    }
    let mut e = Encoder::new();
    for (name, folder) in folders {
        e.text(name).raw(&folder.root);
    }
    Sha256::digest(e.finish()).into()
}

impl Summary {
    /// What is said of a folder; `None` if it isn't kept there.
    #[must_use]
    pub fn folder(&self, name: &str) -> Option<FolderSummary> {
        let listed = self.folders.get(name).cloned();
        if self.keeps_only_listed { listed } else { Some(listed.unwrap_or_default()) }
    }
}
