//! The only door to the disk: one small trait, so that a simulated file system can stand in.
//!
//! Paths are relative to the folder's root, `/`-separated UTF-8. Directories on the way may be symlinks as long as they
//! stay inside the root, whatever is swapped meanwhile; the last part is never followed, except where said.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Opens folders.
pub trait FileSystem: fmt::Debug + Send + Sync + 'static {
    /// Opens the directory `root` and holds on to it, whatever is mounted or renamed later.
    ///
    /// # Errors
    /// When it isn't a directory that can be opened.
    fn open(&self, root: &Path) -> Result<Arc<dyn Directory>, FileError>;
}

/// What identifies one state of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Device and inode number.
    pub inode: (u64, u64),
    /// Length.
    pub size_bytes: u64,
    /// Last change of the content, in nanoseconds since 1970.
    pub modified_ns: i128,
    /// Last change of content, name or mode, in nanoseconds since 1970.
    pub changed_ns: i128,
}

impl Stamp {
    /// Its last change, in milliseconds since 1970.
    pub(crate) fn changed_ms(&self) -> u64 {
        u64::try_from(self.changed_ns / 1_000_000).unwrap_or(0)
    }
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symlink.
    Link,
    /// Anything else: FIFO, socket, device.
    Special,
}

/// What was found under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// Its state.
    pub stamp: Stamp,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// How many names it has.
    pub links: u64,
}

/// A file that was read whole.
#[derive(Debug, Clone)]
pub struct Content {
    /// Its state before the first and after the last byte was read.
    pub before: Found,
    /// See `before`; if they differ, somebody was writing.
    pub after: Found,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// How a rename treats what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rename {
    /// Both names must exist; they change places at once.
    Exchange,
    /// The new name must not exist.
    New,
    /// What has the new name is lost.
    Over,
}

/// A watched folder's directory tree. Every call blocks.
pub trait Directory: fmt::Debug + Send + Sync + 'static {
    /// Whether the directory at `root` is still this very one.
    fn is_at(&self, root: &Path) -> bool;

    /// The raw names in a directory, unsorted, without `.` and `..`; never more than `at_most`.
    ///
    /// # Errors
    /// When it isn't a directory that can be listed.
    fn list(&self, directory: &str, at_most: usize) -> Result<Vec<Vec<u8>>, FileError>;

    /// What the name stands for, not following a symlink.
    ///
    /// # Errors
    /// When there is nothing, or it can't be reached.
    fn look(&self, path: &str) -> Result<Found, FileError>;

    /// What the name or, if that is a symlink, its target inside the root stands for.
    ///
    /// # Errors
    /// When there is nothing, or the symlink leads out of the root or nowhere.
    fn look_through(&self, path: &str) -> Result<Found, FileError>;

    /// Reads a regular file, through symlinks that stay inside the root. Never waits for a FIFO or a device.
    ///
    /// # Errors
    /// When it isn't a regular file, is longer than `at_most` bytes or leads out of the root.
    fn read(&self, path: &str, at_most: usize) -> Result<Content, FileError>;

    /// The files below the root that somebody has open for writing, as far as that can be seen.
    fn open_for_writing(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }

    /// Makes a new file with these bytes, synced to disk. With `like`, it gets the mode without setuid, owner, group and
    /// extended attributes of that file; else those of any new file. Execute bits are as said.
    ///
    /// # Errors
    /// When the name exists, or anything can't be carried over. A file that was begun is removed.
    fn create(&self, path: &str, bytes: &[u8], executable: bool, like: Option<&str>) -> Result<(), FileError>;

    /// Makes a directory that only its owner can enter, if `private`, else one like any other.
    ///
    /// # Errors
    /// When the name exists or the directory can't be made.
    fn make_directory(&self, path: &str, private: bool) -> Result<(), FileError>;

    /// Makes a symlink.
    ///
    /// # Errors
    /// When the name exists or the link can't be made.
    fn link_symbolic(&self, target: &str, path: &str) -> Result<(), FileError>;

    /// Where a symlink leads.
    ///
    /// # Errors
    /// When it isn't one.
    fn read_link(&self, path: &str) -> Result<String, FileError>;

    /// Gives a file a second name.
    ///
    /// # Errors
    /// When the name exists or the file system has no hard links.
    fn link_hard(&self, path: &str, new_path: &str) -> Result<(), FileError>;

    /// Renames.
    ///
    /// # Errors
    /// See [`Rename`]; [`FileError::Unsupported`] when the file system can't.
    fn rename(&self, path: &str, new_path: &str, how: Rename) -> Result<(), FileError>;

    /// Removes a name that isn't a directory.
    ///
    /// # Errors
    /// When there is nothing or it can't be removed.
    fn remove(&self, path: &str) -> Result<(), FileError>;

    /// Makes renames in this directory durable.
    ///
    /// # Errors
    /// When the disk fails.
    fn sync_directory(&self, directory: &str) -> Result<(), FileError>;
}

/// Why a call failed. Nothing was changed unless said otherwise.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// No such file or directory.
    #[error("there is no such file")]
    NotFound,
    /// The name is taken.
    #[error("the name is taken")]
    Exists,
    /// A symlink or `..` leads out of the root.
    #[error("it leads out of the folder")]
    Outside,
    /// Symlinks in a circle, or too many.
    #[error("its symlinks lead nowhere")]
    LinkLoop,
    /// Not a regular file, but this.
    #[error("not a regular file but {0:?}")]
    NotAFile(Kind),
    /// A part of the way is not a directory.
    #[error("a part of the path is not a directory")]
    NotADirectory,
    /// Longer than asked for.
    #[error("too large")]
    TooLarge,
    /// The file system can't do this.
    #[error("the file system can't do this")]
    Unsupported,
    /// A mount point.
    #[error("a mount point")]
    Busy,
    /// The two names are on different file systems.
    #[error("on another file system")]
    OtherFileSystem,
    /// Anything else.
    #[error("{attempt} {path}: {source}")]
    System {
        /// What was attempted.
        attempt: &'static str,
        /// On what.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}
