//! `ROOT/.murmurate/staging`: where files lie before they go into the folder, and after they were swapped out of it.
//!
//! A staged file is named `NUMBER-NEW-OLD`, with the hash of the content that goes into the folder (or `none`, of a
//! delete) and of the content that it replaces (or `none`). Beside it the symlink `NUMBER-NEW-OLD.path` has the
//! document's path as its target; it is made after the new content is complete and before anything moves. So after a
//! crash a file without that link was never in the folder and may go, and one with it is a complete write that never
//! happened, what was replaced, or somebody's edit: the hashes tell which. (Assumed: the file system's journal keeps
//! these two steps in order; ext4, xfs, btrfs and tmpfs do.)

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use murmurate_crdt::limits::FILE_BYTES;

use super::cache::is_cut_off;
use super::filesystem::{Content, Directory, FileError, Rename};
use super::folder::Folder;
use super::limits::{CACHED_BYTES, READS_PER_STEP, STAGED_FILES};
use super::message::{ContentHash, FileEvent, FolderTrouble, Receipt, SaveKind};
use super::names;
use super::reading::known_file;
use super::swapped::{Look, Swapped};

/// The directory.
pub(super) const STAGING: &str = ".murmurate/staging";
/// The suffix of the symlink that has the document's path.
const NOTE: &str = ".path";

/// What lies in staging.
#[derive(Debug, Default)]
pub(super) struct Staging {
    swapped: BTreeMap<String, Swapped>,
    last_number: u64,
}

impl Staging {
    /// When a file must be looked at.
    pub(super) fn next_look(&self) -> Option<Duration> {
        self.swapped.values().filter_map(Swapped::next_look).min()
    }

    /// Whether one more write may begin.
    pub(super) fn has_room(&self) -> bool {
        self.swapped.len() < STAGED_FILES
    }

    /// A name that wasn't used yet.
    pub(super) fn name(&mut self, new: Option<ContentHash>, old: Option<ContentHash>) -> String {
        let text = |hash: Option<ContentHash>| hash.map_or("none".to_owned(), |hash| hash.to_string());
        self.last_number += 1;
        format!("{:020}-{}-{}", self.last_number, text(new), text(old))
    }

    /// The bytes of a file before it was swapped out, as long as there is room for more.
    fn base(&self, base: Option<&Bytes>) -> Option<Bytes> {
        let held: usize = self.swapped.values().filter_map(|swapped| swapped.base.as_ref()).map(Bytes::len).sum();
        base.filter(|base| held + base.len() <= CACHED_BYTES).cloned()
    }
}

/// A staged file's path.
pub(super) fn staged(name: &str) -> String {
    format!("{STAGING}/{name}")
}

fn note(name: &str) -> String {
    format!("{STAGING}/{name}{NOTE}")
}

/// The number, the new and the old hash in a staged file's name.
fn parse(name: &str) -> Option<(u64, Option<ContentHash>, Option<ContentHash>)> {
    let mut parts = name.split('-');
    let number = parts.next()?.parse().ok()?;
    let mut hash = || Some(ContentHash::from_hex(parts.next()?));
    Some((number, hash()?, hash()?))
}

/// Notes which document the staged file belongs to. From here on it may hold an edit.
pub(super) fn write_note(directory: &dyn Directory, name: &str, path: &str) -> Result<(), FileError> {
    directory.link_symbolic(path, &note(name))
}

/// Removes a staged file that holds nothing of anybody's: the file first, so that without its note it is never an edit.
pub(super) fn discard(directory: &dyn Directory, name: &str) {
    // What can't be removed is judged again at the next start.
    if matches!(directory.remove(&staged(name)), Ok(()) | Err(FileError::NotFound)) {
        let _ = directory.remove(&note(name));
    }
}

impl Folder {
    /// A file was swapped out into staging: it is looked at from the next step on.
    pub(super) fn keep_looking(&mut self, name: String, path: &str) {
        let (_, new, old) = parse(&name).unwrap_or_default();
        let executable = self.engine.known(path).map(|known| known.executable);
        let base = self.staging.base(self.cache.get(path));
        let swapped = Swapped::new(self.now, path.to_owned(), old, new, executable, base);
        self.staging.swapped.insert(name.clone(), swapped);
        // Under the name that it has now, nobody was seen to have it open.
        self.open_files = None;
    }

    /// Looks at all swapped-out files whose time has come.
    pub(super) fn look_at_swapped(&mut self, directory: &dyn Directory) {
        let due = |swapped: &Swapped| swapped.next_look().is_some_and(|at| at <= self.now);
        let due = self.staging.swapped.iter().filter(|(_, swapped)| due(swapped)).map(|(name, _)| name.clone());
        let due: Vec<String> = due.take(READS_PER_STEP).collect();
        for name in due {
            self.look_at(directory, &name);
        }
    }

    fn look_at(&mut self, directory: &dyn Directory, name: &str) {
        match directory.read(&staged(name), FILE_BYTES) {
            Ok(content) => self.judge(directory, name, content),
            Err(FileError::NotFound) => {
                self.staging.swapped.remove(name);
                let _ = directory.remove(&note(name));
                return;
            }
            Err(error) => self.give_up(name, &error),
        }
        self.discard_if_done(directory, name);
    }

    fn discard_if_done(&mut self, directory: &dyn Directory, name: &str) {
        if self.staging.swapped.get(name).is_some_and(Swapped::is_done) {
            self.staging.swapped.remove(name);
            discard(directory, name);
        }
    }

    fn judge(&mut self, directory: &dyn Directory, name: &str, content: Content) {
        let file = known_file(&content);
        let since = self.staging.swapped.get(name).and_then(|swapped| swapped.asks_for_writers(self.now, file));
        let is_open = since.is_some_and(|since| self.is_open_for_writing(directory, &staged(name), since));
        let Some(swapped) = self.staging.swapped.get_mut(name) else { return };
        let look = Look {
            file,
            stable: content.before.stamp == content.after.stamp,
            cut_off: is_cut_off(&content.bytes, swapped.base.as_deref().unwrap_or_default()),
            open: is_open,
        };
        let replaced = swapped.edited_from();
        if swapped.looked(self.now, look) {
            let path = swapped.path.clone();
            let receipt = Receipt { staged: name.to_owned(), hash: file.hash };
            let stamp = content.after.stamp;
            self.save(&path, content.bytes.into(), file, stamp, SaveKind::Late { replaced, receipt });
        }
    }

    /// What can't be read stays where it is, and is named.
    fn give_up(&mut self, name: &str, error: &FileError) {
        if let Some(swapped) = self.staging.swapped.get_mut(name) {
            swapped.give_up();
            let why = format!("{STAGING}/{name}, swapped out of {}: {error}", swapped.path);
            self.events.push(FileEvent::FolderTrouble { folder: self.name.clone(), why: FolderTrouble::Leftover(why) });
        }
    }

    /// The core has the late edit on disk. What the file's writer does from now on is looked at as long as looks are due.
    pub(super) fn taken(&mut self, directory: &dyn Directory, receipt: &Receipt) {
        if let Some(swapped) = self.staging.swapped.get_mut(&receipt.staged) {
            swapped.take(receipt.hash);
        }
        self.discard_if_done(directory, &receipt.staged);
    }

    /// Checks what the last run left. Edits among it are reported as late ones.
    pub(super) fn take_leftovers(&mut self, directory: &dyn Directory) {
        let mut names: Vec<String> = Vec::new();
        for name in directory.list(STAGING, 4 * STAGED_FILES).unwrap_or_default() {
            if let Ok(name) = String::from_utf8(name) {
                names.push(name);
            }
        }
        names.sort_unstable();
        for name in names.iter().map(|name| name.strip_suffix(NOTE).unwrap_or(name)) {
            self.take_leftover(directory, name);
        }
    }

    fn take_leftover(&mut self, directory: &dyn Directory, name: &str) {
        // Those of this run are being looked at already.
        if self.staging.swapped.contains_key(name) {
            return;
        }
        // A name of somebody else's: none of our business.
        let Some((number, new, old)) = parse(name) else { return };
        self.staging.last_number = self.staging.last_number.max(number);
        let Ok(path) = directory.read_link(&note(name)) else { return discard(directory, name) };
        match directory.read(&staged(name), FILE_BYTES) {
            Ok(content) => {
                let hash = ContentHash::of(&content.bytes);
                // A second name of what still is in the folder: it wasn't replaced after all.
                let in_place = directory
                    .look_through(&self.disk_path(&path))
                    .is_ok_and(|there| there.stamp.inode == content.after.stamp.inode);
                if let Some(new) = new.filter(|new| !in_place && *new != hash) {
                    // What is left here is what came out: the content that was to be written stood in the folder.
                    let (folder, path) = (self.name.clone(), path.clone());
                    let at_ms = content.after.stamp.changed_ms();
                    self.events.push(FileEvent::Replaced { folder, path, hash: new, at_ms });
                }
                if in_place || new == Some(hash) {
                    return discard(directory, name);
                }
                // What the core knows is no edit; but whoever has the file open may go on writing.
                let ground = if self.recent.contains(&hash) { Some(hash) } else { old };
                let swapped = Swapped::new(self.now, path, ground, new, None, None);
                self.staging.swapped.insert(name.to_owned(), swapped);
                self.look_at(directory, name);
            }
            Err(FileError::NotFound) => discard(directory, name),
            Err(error) => self.put_leftover_back(directory, name, &path, &error),
        }
    }

    /// Something that can't be an edit was swapped out just before the crash: it goes back if its place is free.
    fn put_leftover_back(&mut self, directory: &dyn Directory, name: &str, path: &str, error: &FileError) {
        let back = names::check(&self.name, path).is_ok()
            && directory.rename(&staged(name), &self.disk_path(path), Rename::New).is_ok();
        if back {
            return discard(directory, name);
        }
        let why = FolderTrouble::Leftover(format!("{STAGING}/{name}, swapped out of {path}: {error}"));
        self.events.push(FileEvent::FolderTrouble { folder: self.name.clone(), why });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_a_file_is() {
        let mut staging = Staging::default();
        let (new, old) = (ContentHash::of(b"new"), ContentHash::of(b"old"));
        let name = staging.name(Some(new), Some(old));
        assert!(name.len() + NOTE.len() <= 255);
        assert_eq!(parse(&name), Some((1, Some(new), Some(old))));
        assert_eq!(parse(&staging.name(None, Some(old))), Some((2, None, Some(old))));
        for other in ["", "x", "1-none", "1", "-none-none"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
