//! The only way to the disk, so that tests and simulations can put another one in its place.
//!
//! What the store assumes of a disk:
//! - Bytes written to a file and the file's length survive a crash once [`DiskFile::sync`] has returned; names once
//!   [`Disk::sync_names`] has. Without, any part of them may be there after a crash, in any order.
//! - A crash during a write leaves each sector of 512 bytes as it was or as it was to be, never something third.
//!   Sectors that weren't written to don't change.
//! - A failed sync may leave bytes that read back well and aren't on the disk.
//! - Bytes may rot at any time: everything that is read is checked.

use std::io;
use std::sync::Arc;

/// A flat directory of files, held by one process at a time.
pub trait Disk: Send + Sync {
    /// What to call it, or a file in it, in messages to people.
    fn describe(&self, name: &str) -> String;

    /// The names of all files, sorted.
    ///
    /// # Errors
    /// When the directory can't be read.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes an empty file; one that is there under this name is emptied.
    ///
    /// # Errors
    /// When it can't be made.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file that is there for reading and writing.
    ///
    /// # Errors
    /// When there is none, or it can't be opened.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, atomically, in place of a file that may have had it.
    ///
    /// # Errors
    /// When it can't be renamed.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// When it can't be removed.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Returns when all files made, renamed and removed so far stay so after a crash.
    ///
    /// # Errors
    /// When that isn't certain.
    fn sync_names(&self) -> io::Result<()>;
}

/// One file of a [`Disk`].
pub trait DiskFile: Send + Sync {
    /// Its length in bytes.
    ///
    /// # Errors
    /// When it can't be found out.
    fn length(&self) -> io::Result<u64>;

    /// Reads up to the size of `buffer`; 0 only at the end of the file.
    ///
    /// # Errors
    /// When it can't be read.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes`, making the file longer where needed.
    ///
    /// # Errors
    /// When not all of it was written; any part of it may have been.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Returns when all that was written to this file so far stays there after a crash.
    ///
    /// # Errors
    /// When that isn't certain, and it never will be for what was written before.
    fn sync(&self) -> io::Result<()>;
}

/// Reads exactly the size of `buffer`.
///
/// # Errors
/// When the disk fails or the file ends before.
pub(super) fn read_exact_at(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => done += count,
        }
    }
    Ok(())
}
