//! Reads the files that are due, whole and at rest, and reports what is an edit.

use std::time::Duration;

use bytes::Bytes;
use murmurate_crdt::limits::FILE_BYTES;

use super::cache::{is_cut_off, is_grown};
use super::engine::{Decision, Read};
use super::filesystem::{Content, Directory, FileError, Stamp};
use super::folder::Folder;
use super::ignore::PATTERNS;
use super::limits::{BYTES_PER_STEP, CLOCK_TICK, OPEN_FILES_AGE, READS_PER_STEP};
use super::message::{ContentHash, FileEvent, KnownFile, SaveKind, SkipReason};
use super::walk::skip_reason;

/// What a file held, as the core knows it.
pub(super) fn known_file(content: &Content) -> KnownFile {
    KnownFile { hash: ContentHash::of(&content.bytes), executable: content.after.executable }
}

impl Folder {
    /// Reads what is due, up to the step's budget; the rest stays due.
    pub(super) fn read_due(&mut self, directory: &dyn Directory) {
        let mut bytes = 0;
        for path in self.engine.due(self.now, READS_PER_STEP) {
            bytes += self.read(directory, &path);
            if bytes >= BYTES_PER_STEP {
                return;
            }
        }
    }

    /// Reads one file and tells the core what it should know. Returns how many bytes were read.
    fn read(&mut self, directory: &dyn Directory, path: &str) -> usize {
        let disk_path = self.disk_path(path);
        match directory.read(&disk_path, FILE_BYTES) {
            Ok(content) => {
                let length = content.bytes.len();
                self.take_content(directory, path, content);
                length
            }
            Err(FileError::NotFound | FileError::NotADirectory) if directory.look(&disk_path).is_err() => {
                self.engine.absent(self.now, path);
                0
            }
            Err(error) => {
                let found = directory.look_through(&disk_path).ok();
                let link = self.links.contains_key(path);
                self.engine.skipped(path, found.map(|found| found.stamp));
                self.skip(path, skip_reason(&error, link), self.generation);
                0
            }
        }
    }

    fn take_content(&mut self, directory: &dyn Directory, path: &str, content: Content) {
        let file = known_file(&content);
        let stamp = content.before.stamp;
        let cut_off = self.looks_cut_off(path, &content);
        let read = Read {
            stamp,
            file,
            stable: content.before == content.after,
            cut_off,
            grown: self.cache.get(path).is_some_and(|base| is_grown(&content.bytes, base)),
            open: (cut_off || self.engine.may_be_open(path))
                && self.engine.known(path) != Some(file)
                && self.is_open_for_writing(directory, &self.disk_path(path), self.now.saturating_sub(OPEN_FILES_AGE)),
            old: self.age_ms(stamp.changed_ns) > CLOCK_TICK.as_millis(),
        };
        let bytes = Bytes::from(content.bytes);
        match self.engine.read(self.now, path, read) {
            Decision::Later => return,
            Decision::Busy => return self.skip(path, SkipReason::Busy, self.generation),
            Decision::Known => {}
            Decision::Saved { joining: true, .. } => self.save(path, bytes.clone(), file, stamp, SaveKind::Joining),
            Decision::Saved { is_new: false, .. } => self.save(path, bytes.clone(), file, stamp, SaveKind::Edit),
            Decision::Saved { .. } => {
                let kind = match self.renamed_from(directory, path, file.hash, stamp) {
                    Some(from) if !bytes.is_empty() => self.rename(from),
                    _ => SaveKind::Edit,
                };
                self.save(path, bytes.clone(), file, stamp, kind);
            }
        }
        self.end_skip(path);
        if path == PATTERNS {
            self.set_patterns(Some(&bytes));
        }
        self.cache.put(path, bytes);
    }

    /// Whether somebody is seen to have it open for writing, or was at some time since then.
    pub(super) fn is_open_for_writing(&mut self, directory: &dyn Directory, disk_path: &str, since: Duration) -> bool {
        let fresh = self.open_files.take().filter(|(at, _)| *at >= since);
        let (_, open) = self.open_files.insert(fresh.unwrap_or_else(|| (self.now, directory.open_for_writing())));
        open.contains(disk_path)
    }

    /// The file that is gone, and had the content that a new one has now.
    fn renamed_from(&self, directory: &dyn Directory, path: &str, hash: ContentHash, stamp: Stamp) -> Option<String> {
        let same = self.engine.same_content(path, hash, stamp.inode);
        same.into_iter().find(|other| !self.is_present(directory, &self.disk_path(other)))
    }

    /// The file is known by its new name from now on: it isn't missing, however many others are.
    fn rename(&mut self, from: String) -> SaveKind {
        self.engine.removed(&from);
        self.cache.remove(&from);
        self.links.remove(&from);
        SaveKind::Renamed { from }
    }

    /// Whether its writer may not be done, by what it holds.
    fn looks_cut_off(&self, path: &str, content: &Content) -> bool {
        if let Some(base) = self.cache.get(path) {
            return is_cut_off(&content.bytes, base);
        }
        let fresh = self.age_ms(content.after.stamp.modified_ns) <= CLOCK_TICK.as_millis();
        content.bytes.is_empty() || (fresh && self.engine.known(path).is_some())
    }

    pub(super) fn save(&mut self, path: &str, bytes: Bytes, file: KnownFile, stamp: Stamp, kind: SaveKind) {
        let KnownFile { hash, executable } = file;
        let (folder, path, changed_ms) = (self.name.clone(), path.to_owned(), stamp.changed_ms());
        self.events.push(FileEvent::Saved { folder, path, bytes, hash, executable, changed_ms, kind });
    }
}
