//! A temporary directory that outlives a failed test.

use std::path::Path;
use std::process::Command;

use super::report;

/// Removed when dropped, unless the test fails: then it is named and stays.
#[derive(Debug)]
pub(crate) struct Directory(Option<tempfile::TempDir>);

impl Directory {
    pub(crate) fn new() -> Self {
        // Short, because a socket's path has at most 107 bytes.
        Self(Some(tempfile::Builder::new().prefix("mm-").tempdir().unwrap()))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.as_ref().unwrap().path()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let Some(directory) = self.0.take() else { return };
        if std::thread::panicking() {
            report(&format!("left for a look: {}", directory.keep().display()));
        }
    }
}

/// Copies a directory with all that is in it, to where none is or an empty one.
pub(crate) fn copy_directory(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-aT").args([from, to]).status().unwrap().success());
}
