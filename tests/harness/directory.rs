//! A temporary directory that outlives a failed test.

use std::path::Path;

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
