//! The folder's root: opened by its marker, and given up as soon as it isn't what it was.
//!
//! `ROOT/.murmurate/folder` holds the folder's name and a random id, one per line. Where it is missing although files
//! are known, a disk isn't mounted or somebody emptied the directory: then nothing counts as deleted, nothing is read
//! and nothing written.

use std::sync::Arc;

use super::filesystem::{Directory, FileError, Kind, Rename};
use super::folder::Folder;
use super::limits::POLL;
use super::message::{FileEvent, FolderTrouble, WriteFailure};
use super::names::OWN_DIRECTORY;
use super::spelling::folds_case;
use super::staging::STAGING;

const MARKER: &str = ".murmurate/folder";
const NEW_MARKER: &str = ".murmurate/folder.new";
/// A name and an id are far shorter.
const MARKER_BYTES: usize = 4_096;

impl Folder {
    /// The root directory, if it can be used; reports when that changes.
    pub(super) fn usable_directory(&mut self) -> Option<Arc<dyn Directory>> {
        if let Some(directory) = self.directory.clone() {
            if self.is_rooted(&*directory) {
                return Some(directory);
            }
            self.directory = None;
            self.next_scan = self.now;
        }
        if self.now < self.next_scan {
            return None;
        }
        match self.open() {
            Ok(directory) => {
                self.start(&directory);
                self.directory = Some(Arc::clone(&directory));
                Some(directory)
            }
            Err(why) => {
                self.stop(why);
                None
            }
        }
    }

    /// Whether the directory still stands where it was added, with its marker.
    pub(super) fn is_rooted(&self, directory: &dyn Directory) -> bool {
        directory.is_at(&self.root) && directory.look(MARKER).is_ok_and(|found| found.kind == Kind::File)
    }

    /// Begins, or goes on after a trouble: what happened meanwhile shows in a scan.
    fn start(&mut self, directory: &Arc<dyn Directory>) {
        if self.stopped.take().is_some() {
            self.tell_recovered();
        }
        self.opened = true;
        self.folds_case = folds_case(&**directory);
        self.engine.recovered(self.now);
        self.load_patterns(&**directory);
        self.take_leftovers(&**directory);
        self.walks.clear();
        self.scan_all();
    }

    fn stop(&mut self, why: FolderTrouble) {
        self.next_scan = self.now + POLL;
        self.fail_parked(&WriteFailure::FolderStopped);
        if self.stopped.as_ref() != Some(&why) {
            self.stopped = Some(why.clone());
            self.events.push(FileEvent::FolderTrouble { folder: self.name.clone(), why });
        }
    }

    fn open(&mut self) -> Result<Arc<dyn Directory>, FolderTrouble> {
        let root = |error: FileError| FolderTrouble::Root(error.to_string());
        let directory = self.file_system.open(&self.root).map_err(root)?;
        match directory.read(MARKER, MARKER_BYTES) {
            Ok(content) => self.check_marker(&String::from_utf8_lossy(&content.bytes))?,
            Err(FileError::NotFound) if self.may_be_new() => {
                let unwritable = |error: FileError| FolderTrouble::NotWritable(error.to_string());
                self.make_marker(&*directory).map_err(unwritable)?;
            }
            Err(FileError::NotFound) => return Err(FolderTrouble::MarkerMissing),
            Err(error) => return Err(root(error)),
        }
        let unwritable = |error: FileError| FolderTrouble::NotWritable(error.to_string());
        ensure_directory(&*directory, OWN_DIRECTORY).map_err(unwritable)?;
        ensure_directory(&*directory, STAGING).map_err(unwritable)?;
        Ok(directory)
    }

    fn may_be_new(&self) -> bool {
        !self.opened && (self.joining || self.engine.len() == 0)
    }

    fn check_marker(&mut self, marker: &str) -> Result<(), FolderTrouble> {
        let mut lines = marker.lines();
        let name = lines.next().unwrap_or_default();
        let id = lines.next().and_then(|id| u128::from_str_radix(id, 16).ok()).map(u128::to_be_bytes);
        match id {
            Some(id) if name == self.name && (!self.opened || id == self.id) => {
                self.id = id;
                Ok(())
            }
            _ => Err(FolderTrouble::OtherMarker(name.chars().take(255).collect())),
        }
    }

    fn make_marker(&self, directory: &dyn Directory) -> Result<(), FileError> {
        ensure_directory(directory, OWN_DIRECTORY)?;
        match directory.remove(NEW_MARKER) {
            Ok(()) | Err(FileError::NotFound) => {}
            Err(error) => return Err(error),
        }
        let marker = format!("{}\n{:032x}\n", self.name, u128::from_be_bytes(self.id));
        directory.create(NEW_MARKER, marker.as_bytes(), false, None)?;
        directory.rename(NEW_MARKER, MARKER, Rename::Over)?;
        directory.sync_directory(OWN_DIRECTORY)?;
        directory.sync_directory("")
    }
}

/// Makes one of our own directories unless it is there. A symlink in its place isn't followed.
pub(crate) fn ensure_directory(directory: &dyn Directory, path: &str) -> Result<(), FileError> {
    match directory.make_directory(path, true) {
        Ok(()) | Err(FileError::Exists) => {}
        Err(error) => return Err(error),
    }
    match directory.look(path)?.kind {
        Kind::Directory => Ok(()),
        kind => Err(FileError::NotAFile(kind)),
    }
}
