//! Why the store couldn't do what it was asked.

use std::io;

use murmurate_crdt::clock::Dot;
use murmurate_crdt::id::DocumentId;

/// Why the store couldn't do what it was asked. What was stored before is unchanged on every one of them.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk failed. If it was in a commit, it isn't known what reached the disk, and the store takes no more writes.
    #[error("couldn't {attempted} {file}: {source}. Check the disk and the kernel's log, then restart the daemon")]
    Io {
        /// What was tried.
        attempted: &'static str,
        /// On which file or directory.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// There is no space (or quota) for the batch. Nothing was written; later commits work once there is space.
    #[error("no space to write {bytes} bytes to {file}: {source}. Free some space; writing goes on by itself then")]
    Full {
        /// The size of the batch.
        bytes: usize,
        /// Where it should have been written.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// An earlier commit failed in a way that leaves open what is on disk.
    #[error("the store takes no writes since an earlier error ({first}). Restart the daemon: it goes on from the disk")]
    Poisoned {
        /// The error that began it.
        first: String,
    },
    /// Bytes on disk aren't what was written there.
    #[error(
        "{file} is damaged at byte {offset}: {why}. Nothing was dropped. Restore it from a backup, or move the store's \
         directory away and let the node fetch everything from its peers"
    )]
    Corrupt {
        /// The damaged file.
        file: String,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        why: &'static str,
    },
    /// A newer build wrote this store.
    #[error(
        "{file} has store format {found}, this build knows formats up to {supported}. Run the newer build; nothing was changed"
    )]
    NewerFormat {
        /// The file that says so.
        file: String,
        /// Its format version.
        found: u32,
        /// The newest one that this build reads.
        supported: u32,
    },
    /// Another process has the store open.
    #[error("the store in {directory} is in use by {holder}. Stop that one first, or use another data directory")]
    Locked {
        /// The store's directory.
        directory: String,
        /// Who has it.
        holder: String,
    },
    /// Another envelope with this dot is stored: its author signed two. The batch was refused.
    #[error("{document} {dot} is stored with other bytes: two different changes have one writer and sequence")]
    TwoChangesWithOneDot {
        /// The document.
        document: DocumentId,
        /// The dot they share.
        dot: Dot,
    },
    /// The change isn't the next one of its writer. The batch was refused.
    #[error("{document} {dot} can't be stored: the next sequence of its writer is {expected}")]
    SequenceGap {
        /// The document.
        document: DocumentId,
        /// The change.
        dot: Dot,
        /// The sequence that would be next.
        expected: u64,
    },
    /// The change depends on one that is neither stored nor before it in the batch. The batch was refused.
    #[error("{document} {dot} can't be stored before {missing}, which it depends on")]
    DependencyMissing {
        /// The document.
        document: DocumentId,
        /// The change.
        dot: Dot,
        /// What it depends on.
        missing: Dot,
    },
    /// The change belongs to another generation of the document than the stored ones. The batch was refused.
    #[error("{document} {dot} is of generation {found}, the stored changes are of generation {stored}")]
    OtherGeneration {
        /// The document.
        document: DocumentId,
        /// The change.
        dot: Dot,
        /// The number of the change's generation.
        found: u32,
        /// The number of the stored changes' generation.
        stored: u32,
    },
    /// The snapshot includes changes that aren't stored. The batch was refused.
    #[error("a snapshot of {document} can't be stored: it includes changes that aren't stored")]
    SnapshotAhead {
        /// The document.
        document: DocumentId,
    },
    /// The batch passes what one commit may hold. It was refused.
    #[error("a batch of {bytes} bytes can't be stored, the limit is {limit}. Commit it in parts")]
    BatchTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

impl StoreError {
    /// For `map_err`: the disk failed to do something with a file.
    pub(crate) fn io(attempted: &'static str, file: &str) -> impl FnOnce(io::Error) -> Self + use<> {
        let file = file.to_owned();
        move |source| Self::Io { attempted, file, source }
    }

    /// Whether it says that there is no space.
    pub(crate) fn is_out_of_space(error: &io::Error) -> bool {
        matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}
