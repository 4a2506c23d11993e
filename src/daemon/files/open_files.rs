//! Which files somebody has open for writing, as far as proc(5) shows it to this process: to root all, to others their own,
//! in the packaged service none. So it only ever adds to what the kernel's hints tell.
//!
//! Only names are read: looking at the files themselves could wait for ever for a server that is away.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Open files looked at: a busy server has some ten thousand.
const OPEN_FILES: usize = 1 << 18;
/// The permission that the name of a file open for writing has.
const WRITABLE: u32 = 0o200;

/// The paths below `root` that are open for writing, relative to it. Of `root`, no part may be a symlink.
pub(super) fn written_below(root: &Path) -> BTreeSet<String> {
    let processes = entries(Path::new("/proc")).filter(|entry| is_number(&entry.file_name()));
    let open = processes.flat_map(|process| entries(&process.path().join("fd"))).take(OPEN_FILES);
    let written = open.filter_map(|entry| {
        let target = fs::read_link(entry.path()).ok()?;
        let below = target.strip_prefix(root).ok()?.to_str()?.to_owned();
        let is_written = fs::symlink_metadata(entry.path()).is_ok_and(|found| found.mode() & WRITABLE != 0);
        is_written.then_some(below)
    });
    written.collect()
}

/// Where an open directory lies now.
pub(super) fn path_of(descriptor: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{descriptor}")).ok()
}

/// What can be listed; processes end, and others' are none of ours.
fn entries(directory: &Path) -> impl Iterator<Item = DirEntry> + use<> {
    fs::read_dir(directory).into_iter().flatten().flatten()
}

fn is_number(name: &OsStr) -> bool {
    name.as_bytes().iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, OpenOptions};

    #[test]
    fn files_open_for_writing_are_seen_and_others_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        fs::create_dir(root.join("sub")).unwrap();
        let written = File::create(root.join("sub/a")).unwrap();
        fs::write(root.join("b"), "x").unwrap();
        let read = File::open(root.join("b")).unwrap();
        let appended = OpenOptions::new().append(true).create(true).open(root.join("c")).unwrap();
        assert_eq!(written_below(&root), ["c".to_owned(), "sub/a".to_owned()].into());
        drop((written, read, appended));
        assert_eq!(written_below(&root), BTreeSet::new());
    }
}
