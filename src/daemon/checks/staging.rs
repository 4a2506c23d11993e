//! `ROOT/.murmurate/checks/PLACE/NAME`: where a content lies while commands look at it, on its file's own file system.
//!
//! Each check that runs has a place of its own, and the file the name that the document's has: programs tell formats by
//! it. Only the daemon's user can enter the directories, so what is checked is what was staged. What a crash left in a
//! place goes when the place is used next.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::message::CheckJob;
use crate::daemon::files::ensure_directory;
use crate::daemon::files::filesystem::{Directory, FileError, FileSystem};

const CHECKS: &str = ".murmurate/checks";
/// Names that are looked for in a place; there is one at most.
const LEFT: usize = 64;

/// A staged content. Gone when this is dropped.
pub(super) struct Staged {
    directory: Arc<dyn Directory>,
    path: String,
    /// Where commands find it.
    pub(super) full: PathBuf,
}

impl Staged {
    /// Puts the content of a job into a place.
    pub(super) fn new(files: &dyn FileSystem, job: &CheckJob, place: usize) -> Result<Self, FileError> {
        let directory = files.open(&job.root)?;
        let own = format!("{CHECKS}/{place}");
        ensure_directory(&*directory, CHECKS)?;
        ensure_directory(&*directory, &own)?;
        for left in directory.list(&own, LEFT)? {
            directory.remove(&format!("{own}/{}", String::from_utf8_lossy(&left)))?;
        }
        let path = format!("{own}/{}", file_name(job.document.path()));
        directory.create(&path, &job.bytes, job.executable, None)?;
        Ok(Self { directory, full: job.root.join(&path), path })
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What can't be removed goes with the next use of the place.
        let _ = self.directory.remove(&self.path);
    }
}

fn file_name(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or("file")
}
