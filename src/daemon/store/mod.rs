//! The durable store: the changes of all documents, snapshots, and the node's own state.
//!
//! ```text
//!  Batch ──▶ commit ──▶ one checksummed frame ──▶ write, fdatasync ──▶ index in memory ──▶ Committed (apply indexes)
//!                                                      │                    │
//!  reads ◀── body checked against its checksum ◀── log segments ◀── place ◀─┘
//! ```
//! [`Store`] is the one door. Its implementation, [`LogStore`], is an append log on a [`Disk`]; `docs/STORE.md` has the
//! format and the measurements it was chosen by. Nothing in here starts a thread, reads a clock or draws randomness of
//! its own.

mod batch;
mod directory;
mod disk;
mod error;
pub(crate) mod log;
mod record;
#[cfg(test)]
mod tests;

pub use batch::{Batch, Committed, CommittedChange};
pub use directory::Directory;
pub use disk::{Disk, DiskFile};
pub use error::StoreError;
pub use log::{LogOptions, LogStore};
pub use record::{Applied, DocumentRecord, QuarantinedRecord, Snapshot, StoreId, StoredDocument};

use murmurate_crdt::clock::{Dot, Range};
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::DocumentId;

/// The durable store of one node. Reads may run beside a commit and never wait for its disk.
pub trait Store: Send + Sync {
    /// Writes a batch: all of it or nothing. It is on disk when this returns, and only then do reads see it. Each new
    /// change gets the next apply index, in the order of the batch; one that is already stored keeps its own.
    ///
    /// # Errors
    /// Nothing changed on any error. After [`StoreError::Io`] every later commit fails with [`StoreError::Poisoned`]
    /// until the store is opened again, because it isn't known what reached the disk.
    fn commit(&self, batch: &Batch) -> Result<Committed, StoreError>;

    /// Every document that has changes, in the order of their ids.
    ///
    /// # Errors
    /// [`StoreError::Poisoned`].
    fn documents(&self) -> Result<Vec<DocumentRecord>, StoreError>;

    /// The stored changes within `ranges`, in apply order (so that what others depend on comes first). Stops before
    /// passing `budget_bytes` of envelopes, but gives at least one if there is one. What isn't stored is left out.
    ///
    /// # Errors
    /// When the disk can't be read, or a change isn't what was written.
    fn changes(
        &self,
        document: &DocumentId,
        ranges: &[Range],
        budget_bytes: usize,
    ) -> Result<Vec<SignedEnvelope>, StoreError>;

    /// The document's newest snapshot and all changes that it doesn't include; `None` if nothing of it is stored.
    ///
    /// # Errors
    /// When the disk can't be read, or something isn't what was written.
    fn load(&self, document: &DocumentId) -> Result<Option<StoredDocument>, StoreError>;

    /// One change.
    ///
    /// # Errors
    /// When the disk can't be read, or the change isn't what was written.
    fn change(&self, document: &DocumentId, dot: Dot) -> Result<Option<SignedEnvelope>, StoreError>;

    /// At most `limit` changes whose apply index is above `apply_index`, in rising order without gaps.
    ///
    /// # Errors
    /// [`StoreError::Poisoned`].
    fn applied_since(&self, apply_index: u64, limit: usize) -> Result<Vec<Applied>, StoreError>;

    /// Which envelopes are kept without being applied, in the order of document and dot.
    ///
    /// # Errors
    /// [`StoreError::Poisoned`].
    fn quarantined(&self) -> Result<Vec<QuarantinedRecord>, StoreError>;

    /// The quarantined envelopes with this document and dot: several when their author signed several.
    ///
    /// # Errors
    /// When the disk can't be read, or an envelope isn't what was written.
    fn quarantined_changes(&self, document: &DocumentId, dot: Dot) -> Result<Vec<SignedEnvelope>, StoreError>;

    /// The value of one key of the node's state.
    ///
    /// # Errors
    /// When the disk can't be read, or the value isn't what was written.
    fn state(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// All keys of the node's state that begin with `prefix`, in order, with their values.
    ///
    /// # Errors
    /// When the disk can't be read, or a value isn't what was written.
    fn states(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError>;

    /// Which store this is: drawn at random when it was made. A resume token names it next to its apply index.
    fn store_id(&self) -> StoreId;

    /// The highest apply index handed out, 0 in a new store.
    ///
    /// # Errors
    /// [`StoreError::Poisoned`].
    fn last_apply_index(&self) -> Result<u64, StoreError>;
}
