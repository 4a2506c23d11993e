//! Looks through directories: what is there is shown to the engine, what can't be a document is named with its reason.

use std::collections::VecDeque;

use super::engine::{Hint, Sighting};
use super::filesystem::{Directory, FileError, Found, Kind};
use super::folder::Folder;
use super::limits::{DIRECTORIES_PER_FOLDER, DIRECTORY_AFTER_HINT, ENTRIES_PER_STEP, FILES_PER_FOLDER, POLL, QUIET};
use super::message::{FileEvent, FolderTrouble, SkipReason};
use super::names::{self, Name};

/// Walks waiting. A tree that changes all over is looked through as a whole instead.
const WALKS: usize = 64;

/// A listing of one directory, or of all below it, under way.
#[derive(Debug)]
pub(crate) struct Walk {
    /// Where it began, as spelt on disk; the root is empty.
    base: String,
    /// Only new directories below it are entered.
    shallow: bool,
    generation: u64,
    directories: Vec<String>,
    entries: VecDeque<(String, Vec<u8>)>,
    /// The kernel gave no watch for some.
    unwatched: bool,
    /// Directories that couldn't be listed: nothing is known of what is in them.
    unlisted: Vec<String>,
}

impl Walk {
    fn new(base: String, shallow: bool, generation: u64) -> Self {
        let directories = vec![base.clone()];
        let (entries, unlisted) = (VecDeque::new(), Vec::new());
        Self { base, shallow, generation, directories, entries, unwatched: false, unlisted }
    }

    /// Of the whole folder.
    pub(crate) fn whole(generation: u64) -> Self {
        Self::new(String::new(), false, generation)
    }

    /// Whether it is of the whole folder and hasn't begun.
    pub(crate) fn is_whole_and_waits(&self) -> bool {
        self.base.is_empty() && !self.shallow && self.directories == [""] && self.entries.is_empty()
    }
}

/// A path as the mesh has it.
pub(super) fn normal(disk_path: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    disk_path.nfc().collect()
}

impl Folder {
    /// Goes on with the walks that are under way.
    pub(super) fn walk(&mut self, directory: &dyn Directory) {
        let mut left = ENTRIES_PER_STEP;
        while let Some(mut walk) = self.walks.pop_front() {
            while left > 0 {
                left -= 1;
                if let Some((parent, name)) = walk.entries.pop_front() {
                    self.visit(directory, &mut walk, &parent, &name);
                } else if let Some(next) = walk.directories.pop() {
                    self.list(directory, &mut walk, next);
                } else {
                    break;
                }
            }
            if !walk.entries.is_empty() || !walk.directories.is_empty() {
                self.walks.push_front(walk);
                return;
            }
            self.end_walk(directory, &walk);
        }
    }

    /// The directory is listed again soon.
    pub(super) fn make_stale(&mut self, disk_path: String) {
        if self.stale.len() >= WALKS {
            self.scan_all();
        } else {
            self.stale.entry(disk_path).or_insert(self.now + DIRECTORY_AFTER_HINT);
        }
    }

    /// Lists the directories of hints again, when they are due.
    pub(super) fn list_stale(&mut self) {
        let now = self.now;
        let due: Vec<String> = self.stale.iter().filter(|(_, at)| **at <= now).map(|(path, _)| path.clone()).collect();
        for disk_path in due {
            self.stale.remove(&disk_path);
            self.start_walk(disk_path, true);
        }
    }

    fn start_walk(&mut self, base: String, shallow: bool) {
        if self.walks.len() >= WALKS {
            return self.scan_all();
        }
        self.generation += 1;
        self.walks.push_back(Walk::new(base, shallow, self.generation));
    }

    /// Looks at what an event named.
    pub(super) fn examine(&mut self, directory: &dyn Directory, disk_path: &str, hint: Hint) {
        let (parent, name) = names::split(disk_path);
        let Name::Document(path) = names::judge(&self.name, &normal(parent), name.as_bytes()) else { return };
        match directory.look(disk_path) {
            // The listing of the directory sees to the spelling that is there.
            Ok(_) if self.other_spelling(directory, disk_path).is_some() => self.gone(&path, disk_path),
            Ok(found) if found.kind == Kind::File && self.is_same_spelling(directory, &path, disk_path) => {
                let fits = self.engine.hint(self.now, &path, disk_path, hint, Some(found.stamp));
                self.tell_if_full(fits);
            }
            Ok(found) if found.kind == Kind::Directory => self.start_walk(disk_path.to_owned(), false),
            // Links and the rest: the listing of the directory sees to them.
            Ok(_) => {}
            Err(_) => self.gone(&path, disk_path),
        }
    }

    /// A file, or a directory with all its files, isn't there.
    fn gone(&mut self, path: &str, disk_path: &str) {
        self.watched.retain(|watched| watched != disk_path && !names::is_below(watched, disk_path));
        self.engine.absent(self.now, path);
        for below in self.engine.below(path) {
            self.engine.absent(self.now, &below);
        }
    }

    /// Watches a directory, then lists it: what comes in between is seen either way.
    fn list(&mut self, directory: &dyn Directory, walk: &mut Walk, disk_path: String) {
        if !self.watched.contains(&disk_path) && self.watched.len() >= DIRECTORIES_PER_FOLDER {
            return self.tell_once("directories", FolderTrouble::TooMany(DIRECTORIES_PER_FOLDER));
        }
        self.watched.insert(disk_path.clone());
        if let Err(why) = self.watch.watch(&self.root.join(&disk_path)) {
            walk.unwatched |= self.poll(directory, &disk_path, why);
        }
        match directory.list(&disk_path, FILES_PER_FOLDER) {
            Ok(mut entries) => {
                if entries.len() >= FILES_PER_FOLDER {
                    self.tell_if_full(false);
                    walk.unlisted.push(normal(&disk_path));
                }
                entries.sort_unstable();
                walk.entries.extend(entries.into_iter().map(|name| (disk_path.clone(), name)));
            }
            Err(FileError::NotFound | FileError::NotADirectory) => {
                self.watched.remove(&disk_path);
            }
            Err(error) => {
                walk.unlisted.push(normal(&disk_path));
                self.skip(&normal(&disk_path), SkipReason::Unreadable(error.to_string()), walk.generation);
            }
        }
    }

    /// No hints for this directory: look often instead. Returns whether it is so: a directory that is just gone is no reason.
    fn poll(&mut self, directory: &dyn Directory, disk_path: &str, why: String) -> bool {
        if directory.look_through(disk_path).is_err() {
            return false;
        }
        self.polling = true;
        self.next_scan = self.next_scan.min(self.now + POLL);
        self.tell_once("polling", FolderTrouble::Polling(why));
        true
    }

    fn visit(&mut self, directory: &dyn Directory, walk: &mut Walk, parent: &str, name: &[u8]) {
        match names::judge(&self.name, &normal(parent), name) {
            Name::Skipped(why) => {
                let path = names::join(&normal(parent), &String::from_utf8_lossy(name));
                if !self.ignore.covers(&path, false) {
                    self.skip(&path, why, walk.generation);
                }
            }
            Name::Document(path) => {
                // A name that can be a document's is UTF-8.
                let disk_path = names::join(parent, &String::from_utf8_lossy(name));
                self.meet(directory, walk, path, disk_path);
            }
        }
    }

    fn meet(&mut self, directory: &dyn Directory, walk: &mut Walk, path: String, disk_path: String) {
        let Ok(found) = directory.look(&disk_path) else { return };
        if self.ignore.covers(&path, found.kind == Kind::Directory) {
            return;
        }
        match found.kind {
            Kind::File => {
                self.links.remove(&path);
                self.sight(directory, walk.generation, &path, &disk_path, found);
            }
            Kind::Directory => self.enter(walk, path, disk_path),
            Kind::Special => self.skip(&path, SkipReason::Special, walk.generation),
            Kind::Link => match directory.look_through(&disk_path) {
                Ok(target) if target.kind == Kind::File => {
                    self.links.insert(path.clone(), disk_path.clone());
                    self.sight(directory, walk.generation, &path, &disk_path, target);
                }
                Ok(target) if target.kind == Kind::Directory => {
                    self.skip(&path, SkipReason::LinkToDirectory, walk.generation);
                }
                Ok(_) => self.skip(&path, SkipReason::Special, walk.generation),
                Err(error) => self.skip(&path, skip_reason(&error, true), walk.generation),
            },
        }
    }

    fn enter(&mut self, walk: &mut Walk, path: String, disk_path: String) {
        if path == disk_path {
            self.spellings.remove(&path);
        } else {
            self.spellings.insert(path, disk_path.clone());
        }
        if !walk.shallow || !self.watched.contains(&disk_path) {
            walk.directories.push(disk_path);
        }
    }

    fn sight(&mut self, directory: &dyn Directory, generation: u64, path: &str, disk_path: &str, found: Found) {
        if !self.is_same_spelling(directory, path, disk_path) {
            return self.skip(disk_path, SkipReason::SameName, generation);
        }
        let stamp = found.stamp;
        let at_rest = self.age_ms(stamp.modified_ns) >= QUIET.as_millis();
        let sighting = Sighting { stamp, at_rest, joining: self.joining, generation };
        let fits = self.engine.sighted(self.now, path, disk_path, sighting);
        self.tell_if_full(fits);
        // A skipped file that is sighted again is named again when it is read, unless nothing changed.
        if let Some((_, seen)) = self.skipped.get_mut(path) {
            *seen = generation;
        }
    }

    /// Whether this spelling on disk is the one that the document has: the mesh's, if there is such a file; else the
    /// first one that was seen, for as long as it is there.
    fn is_same_spelling(&self, directory: &dyn Directory, path: &str, disk_path: &str) -> bool {
        if disk_path == path {
            return true;
        }
        match self.engine.disk_path(path) {
            Some(other) if other != disk_path => directory.look(other).is_err(),
            _ => directory.look(path).is_err(),
        }
    }

    /// What the walk should have met and didn't may be gone.
    fn end_walk(&mut self, directory: &dyn Directory, walk: &Walk) {
        if self.polling && walk.base.is_empty() && !walk.shallow && !walk.unwatched {
            self.polling = false;
            self.end_trouble("polling");
        }
        let base = normal(&walk.base);
        let listed = |path: &str| !walk.unlisted.iter().any(|below| names::is_below(path, below));
        for path in self.engine.unseen(&base, walk.shallow, walk.generation) {
            if listed(&path) && !self.is_present(directory, &self.disk_path(&path)) {
                self.engine.absent(self.now, &path);
            }
        }
        let in_walk =
            |path: &str| if walk.shallow { names::split(path).0 == base } else { names::is_below(path, &base) };
        let over = |(path, (why, seen)): (&String, &(SkipReason, u64))| {
            let unseen = *seen < walk.generation && *why != SkipReason::Ignored;
            (unseen && in_walk(path) && listed(path)).then(|| path.clone())
        };
        let ended: Vec<String> = self.skipped.iter().filter_map(over).collect();
        for path in ended {
            self.end_skip(&path);
        }
    }

    /// Whether something that can be read as a file, or is skipped with a reason, has this name.
    pub(super) fn is_present(&self, directory: &dyn Directory, disk_path: &str) -> bool {
        match directory.look(disk_path) {
            Ok(found) => found.kind != Kind::Directory && self.other_spelling(directory, disk_path).is_none(),
            // Not known: better present than deleted.
            Err(error) => !matches!(error, FileError::NotFound | FileError::NotADirectory),
        }
    }

    /// Names a file as skipped, unless that was said.
    pub(super) fn skip(&mut self, path: &str, why: SkipReason, generation: u64) {
        if self.skipped.len() >= FILES_PER_FOLDER && !self.skipped.contains_key(path) {
            return self.tell_if_full(false);
        }
        let before = self.skipped.insert(path.to_owned(), (why.clone(), generation));
        if before.is_none_or(|(before, _)| before != why) {
            self.events.push(FileEvent::Skipped { folder: self.name.clone(), path: path.to_owned(), why });
        }
    }

    /// It isn't skipped any more.
    pub(super) fn end_skip(&mut self, path: &str) {
        if self.skipped.remove(path).is_some() {
            self.events.push(FileEvent::SkipEnded { folder: self.name.clone(), path: path.to_owned() });
        }
    }

    fn tell_if_full(&mut self, fits: bool) {
        if !fits {
            self.tell_once("files", FolderTrouble::TooMany(FILES_PER_FOLDER));
        }
    }

    /// How long ago by the wall clock that was; 0 for what lies in the future.
    pub(super) fn age_ms(&self, at_ns: i128) -> u128 {
        u128::try_from(i128::from(self.wall_ms) - at_ns / 1_000_000).unwrap_or(0)
    }
}

/// Why a file that can't be read is left alone.
pub(super) fn skip_reason(error: &FileError, link: bool) -> SkipReason {
    match error {
        FileError::NotFound | FileError::NotADirectory if link => SkipReason::LinkBroken,
        FileError::LinkLoop => SkipReason::LinkBroken,
        FileError::Outside => SkipReason::LinkOutside,
        FileError::NotAFile(Kind::Directory) => SkipReason::LinkToDirectory,
        FileError::NotAFile(_) => SkipReason::Special,
        FileError::TooLarge => SkipReason::TooLarge,
        error => SkipReason::Unreadable(error.to_string()),
    }
}
