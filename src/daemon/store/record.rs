//! What the store tells of what it holds.

use std::fmt;

use data_encoding::HEXLOWER;
use murmurate_crdt::clock::{Dot, VersionVector};
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::{DocumentId, Generation};

/// Names one store: 16 random bytes, drawn when it was made. A copied directory has the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreId(pub [u8; 16]);

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreId({self})")
    }
}

/// A document of which changes are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRecord {
    /// Its id.
    pub document: DocumentId,
    /// The life of the document that its changes belong to.
    pub generation: Generation,
    /// Which changes are stored.
    pub vector: VersionVector,
    /// How many changes are stored.
    pub changes: u64,
    /// How many bytes their envelopes have.
    pub bytes: u64,
}

/// A document as it was last saved, with the changes it includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The changes it includes.
    pub vector: VersionVector,
    /// What the caller gave to be stored.
    pub bytes: Vec<u8>,
}

/// What it takes to build a document: the snapshot, then the changes in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// Its generation.
    pub generation: Generation,
    /// All stored changes: the snapshot's and the later ones.
    pub vector: VersionVector,
    /// The newest snapshot, if one was written.
    pub snapshot: Option<Snapshot>,
    /// All changes that the snapshot doesn't include, in apply order.
    pub changes: Vec<SignedEnvelope>,
}

/// An applied change by its place in this store's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its apply index.
    pub apply_index: u64,
    /// The document it changed.
    pub document: DocumentId,
    /// Which change it is.
    pub dot: Dot,
}

/// An envelope that is kept without being applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRecord {
    /// The document it would change.
    pub document: DocumentId,
    /// Which change it says it is.
    pub dot: Dot,
    /// How many bytes the envelope has.
    pub bytes: u64,
}
