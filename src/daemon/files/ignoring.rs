//! What becomes of a folder's files when the patterns of what is left alone change.

use murmurate_crdt::limits::FILE_BYTES;

use super::filesystem::{Directory, FileError};
use super::folder::Folder;
use super::ignore::PATTERNS;
use super::message::{FolderTrouble, SkipReason};

impl Folder {
    /// Before the first look at anything: the folder's own patterns or, until they are here, the mesh's.
    pub(super) fn load_patterns(&mut self, directory: &dyn Directory) {
        match directory.read(PATTERNS, FILE_BYTES) {
            Ok(content) => self.set_patterns(Some(&content.bytes)),
            Err(FileError::NotFound) => {
                let patterns = self.first_patterns.take();
                self.set_patterns(patterns.as_deref());
            }
            // What it was, until it can be read.
            Err(_) => {}
        }
    }

    /// The patterns are these now. What they come to cover is set aside as it is known, and looked at again once they
    /// cover it no longer.
    pub(super) fn set_patterns(&mut self, bytes: Option<&[u8]>) {
        let (is_new, wrong) = self.ignore.replace(bytes);
        if !is_new {
            return;
        }
        match wrong {
            Some(wrong) => self.tell_once("patterns", FolderTrouble::Patterns(wrong)),
            None => self.end_trouble("patterns"),
        }
        for path in self.engine.below("") {
            if self.ignore.covers(&path, false) {
                let is_known = self.engine.known(&path).is_some();
                self.engine.set_aside(&path);
                self.end_skip(&path);
                self.links.remove(&path);
                if is_known {
                    self.skip(&path, SkipReason::Ignored, self.generation);
                }
            }
        }
        let is_over = |(path, (why, _)): &(&String, &(SkipReason, u64))| {
            *why == SkipReason::Ignored && !self.ignore.covers(path, false)
        };
        let over: Vec<String> = self.skipped.iter().filter(is_over).map(|(path, _)| path.clone()).collect();
        for path in over {
            self.engine.take_back(&path);
            self.end_skip(&path);
        }
        self.scan_all();
    }
}
