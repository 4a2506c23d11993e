//! What the core and the watched folders tell each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use sha2::{Digest, Sha256};

/// The SHA-256 of a file's bytes: by it alone the daemon knows its own writes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// The hash of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The hash written as 64 hexadecimal digits; nothing if it isn't one.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

/// Names a write or delete in its answer. The core chooses it; each command has exactly one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A file as the core last rendered it or took it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownFile {
    /// Of its bytes.
    pub hash: ContentHash,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// Names a swapped-out file that still lies in staging. Opaque to the core.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt {
    pub(crate) staged: String,
    pub(crate) hash: ContentHash,
}

/// Core to files. Paths are relative to the folder, `/`-separated, NFC.
#[derive(Debug, Clone)]
pub enum FileCommand {
    /// Starts to watch a folder. Answered by [`FileEvent::Scanned`] when all that was there has been read, or by
    /// [`FileEvent::FolderTrouble`].
    AddFolder {
        /// Its name in the mesh.
        folder: String,
        /// The directory.
        root: PathBuf,
        /// The files as the core knows them.
        known: BTreeMap<String, KnownFile>,
        /// Further contents that the core rendered or took in lately: a crash's leftover with one of these is no edit.
        recent: BTreeSet<ContentHash>,
        /// The folder was not scanned to the end before: files that aren't in `known` are reported as
        /// [`SaveKind::Joining`]. Only then is a folder without marker accepted although files are known.
        joining: bool,
        /// The patterns of what is left alone, as the mesh has them: they count until the folder has its own file.
        patterns: Option<Bytes>,
    },
    /// Stops watching. Nothing in it is touched.
    RemoveFolder {
        /// The folder.
        folder: String,
    },
    /// Puts `bytes` in place of the file. At most one write or delete per file may be under way.
    Write {
        /// Names the write in its answer: [`FileEvent::Written`] or [`FileEvent::WriteFailed`].
        ticket: Ticket,
        /// The folder.
        folder: String,
        /// The file.
        path: String,
        /// The new content.
        bytes: Bytes,
        /// Whether it may be executed.
        executable: bool,
        /// What the core last rendered or took in for this path; nothing if there should be no file.
        replaces: Option<ContentHash>,
    },
    /// Takes the file away.
    Delete {
        /// Names the delete in its answer: [`FileEvent::Removed`] or [`FileEvent::WriteFailed`].
        ticket: Ticket,
        /// The folder.
        folder: String,
        /// The file.
        path: String,
        /// What the core last rendered or took in for this path.
        replaces: ContentHash,
    },
    /// A person confirmed the held deletes.
    Confirm {
        /// The folder.
        folder: String,
    },
    /// Looks through the whole folder now; answered by [`FileEvent::Scanned`].
    Rescan {
        /// The folder.
        folder: String,
    },
    /// The late edit is durable in the store: its file in staging may go. Until then it is kept, and reported again
    /// after a restart.
    Taken {
        /// The folder.
        folder: String,
        /// From [`SaveKind::Late`].
        receipt: Receipt,
    },
}

/// How a saved file came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaveKind {
    /// It was there when the folder joined. The core decides which side wins; before it writes over it, it keeps the
    /// bytes with [`keep_aside`](super::keep_aside()).
    Joining,
    /// An edit of what was last rendered or taken in.
    Edit,
    /// A new file with the content of one that is gone: that one was renamed. From here on it counts as deleted.
    Renamed {
        /// The file that is gone.
        from: String,
    },
    /// Swapped out by a write or delete: an edit that the new content doesn't hold. It is no longer in the folder.
    Late {
        /// What the edit began from: what the core last rendered or took in then, or the previous late content of the
        /// same file (its writer went on).
        replaced: Option<ContentHash>,
        /// For [`FileCommand::Taken`].
        receipt: Receipt,
    },
}

/// Files to core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileEvent {
    /// A file has a content that isn't what the core last rendered or took in. From here on it counts as taken in.
    Saved {
        /// The folder.
        folder: String,
        /// The file.
        path: String,
        /// Its content.
        bytes: Bytes,
        /// And its hash.
        hash: ContentHash,
        /// Whether it may be executed.
        executable: bool,
        /// When it last changed, or was moved, by the file system's clock.
        changed_ms: u64,
        /// How it came about.
        kind: SaveKind,
    },
    /// A file is gone for good.
    Deleted {
        /// The folder.
        folder: String,
        /// The file.
        path: String,
    },
    /// These files are gone and wait for [`FileCommand::Confirm`], or for coming back. Each event has the whole list;
    /// an empty one ends it.
    DeletesHeld {
        /// The folder.
        folder: String,
        /// All that is held now.
        paths: Vec<String>,
        /// The reason, of the newest.
        why: HeldReason,
    },
    /// A former run's write took place, although that run may not have been told: this content stood in the file since.
    /// Comes before anything is said of the file.
    Replaced {
        /// The folder.
        folder: String,
        /// The file.
        path: String,
        /// Of the content that was written.
        hash: ContentHash,
        /// When that was, by the file system's clock.
        at_ms: u64,
    },
    /// The write is on disk.
    Written {
        /// Of the command.
        ticket: Ticket,
        /// Of the new content.
        hash: ContentHash,
    },
    /// The delete is on disk.
    Removed {
        /// Of the command.
        ticket: Ticket,
    },
    /// The write or delete was not done, and the file is as it was. (Only after an I/O error while the directory is
    /// synced the new content may be there already, without being durable: then it is reported as saved.)
    WriteFailed {
        /// Of the command.
        ticket: Ticket,
        /// The reason.
        why: WriteFailure,
    },
    /// A file or directory that is left alone, until it changes or [`FileEvent::SkipEnded`].
    Skipped {
        /// The folder.
        folder: String,
        /// Its path; unprintable bytes are replaced.
        path: String,
        /// The reason.
        why: SkipReason,
    },
    /// What was skipped is gone or not skipped any more.
    SkipEnded {
        /// The folder.
        folder: String,
        /// As it was skipped.
        path: String,
    },
    /// The folder was looked through, and every file at rest has been read and reported.
    Scanned {
        /// The folder.
        folder: String,
    },
    /// Something is wrong with the folder. See [`FolderTrouble::stops`].
    FolderTrouble {
        /// The folder.
        folder: String,
        /// The reason.
        why: FolderTrouble,
    },
    /// The trouble that was told of is over, but for what is told again right after.
    FolderRecovered {
        /// The folder.
        folder: String,
    },
}

/// Why deletes wait for a confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeldReason {
    /// More than [`limits::DELETES`](super::limits::DELETES), or too large a share of the folder.
    #[error("many files are gone at once; confirm if that was meant, or put them back")]
    Many,
    /// The directory is gone with its files.
    #[error("the directory is gone with its files; confirm if that was meant, or put it back")]
    DirectoryGone,
}

/// Why a write or delete was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteFailure {
    /// The file has another content than the command replaces; it was reported before. Merge and write again.
    #[error("the file was changed meanwhile; merge with what was reported and write again")]
    Raced,
    /// The folder is stopped. Write again after [`FileEvent::FolderRecovered`].
    #[error("the folder is not available")]
    FolderStopped,
    /// No such folder.
    #[error("no such folder is watched")]
    UnknownFolder,
    /// The file is gone and its delete waits for a confirmation.
    #[error("the file's delete waits for a confirmation")]
    DeleteHeld,
    /// Too much is waiting already. Write again later.
    #[error("too many writes wait; try again later")]
    Busy,
    /// Something other than a file is there, or a link that leads out of the folder.
    #[error("not written: {0}")]
    Skipped(SkipReason),
    /// No valid name for a document or a file.
    #[error("not a valid file name: {0}")]
    Name(String),
    /// The file system doesn't tell upper from lower case, and this file is in the way.
    #[error("the file system doesn't tell upper from lower case, and {0} is there; rename one of the two documents")]
    OtherCase(String),
    /// The file has several names; a new content would cut it off from the others.
    #[error("the file has hard links, which would be cut off from it; make it a file of its own (cp, then mv over it)")]
    HardLinked,
    /// The file is a mount point, or lies on another file system than the folder's root.
    #[error(
        "the file is a mount, or on another file system than the folder, so it can't be exchanged; mount its directory"
    )]
    Mounted,
    /// The file system can neither exchange two files nor make hard links.
    #[error("the file system can't replace a file without risk for an edit")]
    Unsupported,
    /// The system refused. Write again later, or after the cause is gone (permission, full disk).
    #[error("{0}")]
    System(String),
}

impl WriteFailure {
    /// Whether the same command may succeed later without anybody's help.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Busy | Self::System(_))
    }
}

/// Why a file or directory is left alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// The name is not UTF-8.
    #[error("the name isn't UTF-8; rename the file to share it")]
    NotUtf8,
    /// The name is no valid document name.
    #[error("the name can't be a document's, rename the file to share it: {0}")]
    Name(String),
    /// Another file has the same name in other Unicode spelling.
    #[error("another file has the same name in another Unicode spelling; rename one of them")]
    SameName,
    /// The patterns of what is left alone cover it.
    #[error("left alone: a pattern in `.murmurateignore` covers it, or it is an editor's or a tool's own")]
    Ignored,
    /// A FIFO, socket or device.
    #[error("neither a file nor a directory")]
    Special,
    /// A directory, where a file should be, or a symlink to one; a directory is watched where it lies.
    #[error("a directory, or a symlink to one")]
    LinkToDirectory,
    /// A symlink out of the folder.
    #[error("a symlink that leads out of the folder; it is neither followed nor replaced")]
    LinkOutside,
    /// A symlink to nothing, or in a circle.
    #[error("a symlink that leads nowhere")]
    LinkBroken,
    /// Larger than a document may be.
    #[error("larger than the limit of {} bytes", murmurate_crdt::limits::FILE_BYTES)]
    TooLarge,
    /// Written to without pause.
    #[error("being written without pause")]
    Busy,
    /// The system refused to read it.
    #[error("can't be read: {0}")]
    Unreadable(String),
}

/// What is wrong with a folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FolderTrouble {
    /// The root directory can't be opened.
    #[error("the directory can't be opened: {0}")]
    Root(String),
    /// The marker is missing where it must be: the disk may not be mounted, or the directory was emptied.
    #[error("the folder's marker is missing: is the disk mounted? (if it was emptied on purpose, remove and add it)")]
    MarkerMissing,
    /// The directory belongs to another folder, or another disk is mounted.
    #[error("the directory holds the marker of another folder: {0}")]
    OtherMarker(String),
    /// The marker or staging can't be made.
    #[error("can't write into the directory: {0}")]
    NotWritable(String),
    /// There is already such a folder, or one within the other, or the name isn't valid.
    #[error("the folder can't be added: {0}")]
    Refused(String),
    /// No watches: it is looked through every second instead.
    #[error(
        "the kernel has no watches left ({0}); looking every second instead (raise fs.inotify.max_user_watches, \
         or max_user_instances and start the daemon again)"
    )]
    Polling(String),
    /// The file system can't exchange two files.
    #[error("the file system can't exchange files; an edit by rename within the same microseconds could be lost")]
    NoExchange,
    /// Too many files or directories; those beyond are left alone.
    #[error("too many files or directories; those beyond {0} are left alone")]
    TooMany(usize),
    /// A line of the patterns is none.
    #[error("`.murmurateignore`: {0}; the other patterns count")]
    Patterns(String),
    /// What a crash left could neither be reported nor put back. It stays in staging.
    #[error("what a crash left in staging stays there: {0}")]
    Leftover(String),
}

impl FolderTrouble {
    /// Whether nothing is read, deleted or written until [`FileEvent::FolderRecovered`].
    #[must_use]
    pub fn stops(&self) -> bool {
        matches!(
            self,
            Self::Root(_) | Self::MarkerMissing | Self::OtherMarker(_) | Self::NotWritable(_) | Self::Refused(_)
        )
    }
}
