//! What is written at once.

use murmurate_crdt::clock::VersionVector;
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::DocumentId;

/// What one commit writes: all of it or nothing.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Verified changes, each after what it depends on.
    pub changes: Vec<SignedEnvelope>,
    /// New values of keys of the node's state; `None` removes the key. A later entry for a key wins.
    pub states: Vec<(String, Option<Vec<u8>>)>,
    /// Snapshots of documents, verified by the caller, with the changes they include: all stored, or in this batch.
    pub snapshots: Vec<(DocumentId, VersionVector, Vec<u8>)>,
    /// Envelopes to keep without applying them: of a frozen document, not understood by this build, or signed twice.
    /// One leaves the quarantine when the same bytes are committed as a change.
    pub quarantined: Vec<SignedEnvelope>,
}

impl Batch {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.states.is_empty() && self.snapshots.is_empty() && self.quarantined.is_empty()
    }
}

/// The outcome of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// One for each change of the batch, in its order.
    pub changes: Vec<CommittedChange>,
    /// The highest apply index of the store after the commit.
    pub last_apply_index: u64,
}

/// Where a committed change stands in this store's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommittedChange {
    /// Its apply index: the first change of a store has 1, each later one the next number.
    pub apply_index: u64,
    /// Whether the very same bytes were there before, so that nothing was written for it.
    pub already_stored: bool,
}
