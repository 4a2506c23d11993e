//! Puts merged content in place of a file, and takes files away, without ever losing a concurrent save.
//!
//! ```text
//!  at rest, and is it what the command replaces? ── no ──▶ it waits; the edit is reported, then: raced
//!    │ yes
//!    ▼
//!  stage: create, copy attributes, write, fsync ──▶ note the path ──▶ exchange ──▶ sync directory ──▶ Written
//!                                                                        │
//!                                            look at what came out: now, after 50 ms, after 2 s
//! ```
//! A file that wasn't there is placed with RENAME_NOREPLACE; if one came meanwhile, by exchange.
//! Where a file system can't exchange, the old file gets a second name in staging, is checked once more, and the new one
//! is renamed over it: only an edit that arrives by rename between these two calls is lost. That is reported once.
//! Never written: files with hard links (they would be cut off from their other names), mount points, and files on
//! another file system than the root; each fails with its reason.

use bytes::Bytes;
use murmurate_crdt::limits::FILE_BYTES;

use super::engine::Rest;
use super::filesystem::{Directory, FileError, Found, Kind, Rename};
use super::folder::Folder;
use super::ignore::PATTERNS;
use super::limits::{PARKED_BYTES, SYMLINK_HOPS};
use super::message::{ContentHash, FileEvent, FolderTrouble, KnownFile, SkipReason, Ticket, WriteFailure};
use super::names;
use super::reading::known_file;
use super::staging::{discard, staged, write_note};
use super::walk::skip_reason;

/// A write or delete that is not answered yet.
#[derive(Debug)]
pub(crate) struct Pending {
    pub ticket: Ticket,
    pub path: String,
    pub task: Task,
}

/// What to do with the file.
#[derive(Debug)]
pub(crate) enum Task {
    Write { bytes: Bytes, executable: bool, replaces: Option<ContentHash> },
    Delete { replaces: ContentHash },
}

impl Task {
    fn replaces(&self) -> Option<ContentHash> {
        match self {
            Self::Write { replaces, .. } => *replaces,
            Self::Delete { replaces } => Some(*replaces),
        }
    }

    fn length(&self) -> usize {
        match self {
            Self::Write { bytes, .. } => bytes.len(),
            Self::Delete { .. } => 0,
        }
    }
}

/// How an attempt ended, if it wasn't done.
pub(super) enum Stopped {
    /// The file is on the move: try again when it is at rest.
    Wait,
    Failed(WriteFailure),
}

impl From<WriteFailure> for Stopped {
    fn from(why: WriteFailure) -> Self {
        Self::Failed(why)
    }
}

/// What is in the way of the task.
enum Current {
    Absent,
    File { file: KnownFile, found: Found },
}

pub(super) fn failed(error: FileError) -> Stopped {
    Stopped::Failed(match error {
        FileError::Busy | FileError::OtherFileSystem => WriteFailure::Mounted,
        FileError::Unsupported => WriteFailure::Unsupported,
        FileError::NotAFile(_) | FileError::Outside | FileError::LinkLoop | FileError::TooLarge => {
            WriteFailure::Skipped(skip_reason(&error, true))
        }
        error => WriteFailure::System(error.to_string()),
    })
}

impl Folder {
    /// Does the task now, or when its file has come to rest; answers it in any case.
    pub(super) fn write(&mut self, directory: &dyn Directory, pending: Pending) {
        match self.attempt(directory, &pending) {
            Ok(event) => self.events.push(event),
            Err(Stopped::Failed(why)) => self.fail(pending.ticket, why),
            Err(Stopped::Wait) => self.park(pending),
        }
    }

    /// Tries again what waited for its file to come to rest.
    pub(super) fn write_parked(&mut self, directory: &dyn Directory) {
        let ready: Vec<String> = self.parked.keys().filter(|p| self.engine.rest(p) != Rest::Moving).cloned().collect();
        for path in ready {
            if let Some(pending) = self.parked.remove(&path) {
                self.write(directory, pending);
            }
        }
    }

    /// Answers all that waits.
    pub(super) fn fail_parked(&mut self, why: &WriteFailure) {
        for (_, pending) in std::mem::take(&mut self.parked) {
            self.fail(pending.ticket, why.clone());
        }
    }

    fn fail(&mut self, ticket: Ticket, why: WriteFailure) {
        self.events.push(FileEvent::WriteFailed { ticket, why });
    }

    fn park(&mut self, pending: Pending) {
        let waiting: usize = self.parked.values().map(|parked| parked.task.length()).sum();
        if self.parked.contains_key(&pending.path) || waiting + pending.task.length() > PARKED_BYTES {
            return self.fail(pending.ticket, WriteFailure::Busy);
        }
        self.parked.insert(pending.path.clone(), pending);
    }

    fn attempt(&mut self, directory: &dyn Directory, pending: &Pending) -> Result<FileEvent, Stopped> {
        let path = pending.path.as_str();
        names::check(&self.name, path).map_err(WriteFailure::Name)?;
        if self.ignore.covers(path, false) {
            self.skip(path, SkipReason::Ignored, self.generation);
            return Err(WriteFailure::Skipped(SkipReason::Ignored).into());
        }
        match self.engine.rest(path) {
            Rest::Resting => {}
            Rest::Moving => return Err(Stopped::Wait),
            Rest::DeleteHeld => return Err(WriteFailure::DeleteHeld.into()),
        }
        if !self.staging.has_room() {
            return Err(WriteFailure::Busy.into());
        }
        let disk_path = self.disk_path(path);
        if let Some(other) = self.other_spelling(directory, &disk_path) {
            return self.spelled_otherwise(pending, other);
        }
        let target = resolve(directory, &disk_path)?;
        let current = self.current(directory, &target)?;
        self.check_current(directory, path, &pending.task, &current)?;
        match (&pending.task, current) {
            (Task::Write { bytes, executable, .. }, current) => {
                let new = KnownFile { hash: ContentHash::of(bytes), executable: *executable };
                let is_there = matches!(&current, Current::File { file, .. } if *file == new);
                match current {
                    Current::File { .. } if is_there => {}
                    Current::File { file, found } => {
                        self.replace(directory, path, &target, bytes, new, (file, found))?
                    }
                    Current::Absent => self.place(directory, path, &target, bytes, new)?,
                }
                let placed = directory.look(&target).ok().filter(|_| !is_there).map(|found| found.stamp.inode);
                self.engine.wrote(path, &disk_path, new, placed);
                self.cache.put(path, bytes.clone());
                if path == PATTERNS {
                    self.set_patterns(Some(bytes));
                }
                Ok(FileEvent::Written { ticket: pending.ticket, hash: new.hash })
            }
            (Task::Delete { replaces }, current) => {
                if matches!(current, Current::File { .. }) {
                    self.take_out(directory, path, &disk_path, *replaces)?;
                }
                self.engine.removed(path);
                self.cache.remove(path);
                self.links.remove(path);
                if path == PATTERNS {
                    self.set_patterns(None);
                }
                Ok(FileEvent::Removed { ticket: pending.ticket })
            }
        }
    }

    /// Another document's file stands where the file would be, for a file system that doesn't tell their names apart.
    fn spelled_otherwise(&mut self, pending: &Pending, other: String) -> Result<FileEvent, Stopped> {
        if self.engine.known(&pending.path).is_some() {
            self.engine.absent(self.now, &pending.path);
            return Err(Stopped::Wait);
        }
        match pending.task {
            Task::Delete { .. } => Ok(FileEvent::Removed { ticket: pending.ticket }),
            Task::Write { .. } => Err(WriteFailure::OtherCase(other).into()),
        }
    }

    fn current(&self, directory: &dyn Directory, target: &str) -> Result<Current, Stopped> {
        match directory.read(target, FILE_BYTES) {
            Ok(content) => Ok(Current::File { file: known_file(&content), found: content.after }),
            Err(FileError::NotFound) => Ok(Current::Absent),
            Err(error) => Err(failed(error)),
        }
    }

    /// Whether what is there is what the task replaces. What the core doesn't know yet is read and reported first.
    fn check_current(
        &mut self,
        directory: &dyn Directory,
        path: &str,
        task: &Task,
        current: &Current,
    ) -> Result<(), Stopped> {
        let known = self.engine.known(path);
        match (current, task.replaces()) {
            (Current::Absent, None) => Ok(()),
            (Current::Absent, Some(_)) if known.is_none() => match task {
                // Gone, and the core was told.
                Task::Write { .. } => Err(WriteFailure::Raced.into()),
                Task::Delete { .. } => Ok(()),
            },
            (Current::Absent, Some(_)) => {
                self.engine.absent(self.now, path);
                Err(Stopped::Wait)
            }
            (Current::File { file, .. }, replaces) => {
                let same_bit = known.is_none_or(|known| known.executable == file.executable);
                let already = matches!(task, Task::Write { bytes, .. } if ContentHash::of(bytes) == file.hash);
                if (Some(file.hash) == replaces || already) && same_bit {
                    return Ok(());
                }
                if known == Some(*file) {
                    return Err(WriteFailure::Raced.into());
                }
                self.wait_for_rest(directory, path);
                Err(Stopped::Wait)
            }
        }
    }

    /// Writes the new content into staging, complete and on disk, and notes whose it is.
    fn stage(
        &mut self,
        directory: &dyn Directory,
        path: &str,
        bytes: &[u8],
        new: KnownFile,
        like: Option<(&str, ContentHash)>,
    ) -> Result<String, FileError> {
        let name = self.staging.name(Some(new.hash), like.map(|(_, hash)| hash));
        let like = like.map(|(target, _)| target);
        directory.create(&staged(&name), bytes, new.executable, like)?;
        write_note(directory, &name, path).inspect_err(|_| discard(directory, &name))?;
        Ok(name)
    }

    /// Exchanges the file for one with the new content.
    fn replace(
        &mut self,
        directory: &dyn Directory,
        path: &str,
        target: &str,
        bytes: &[u8],
        new: KnownFile,
        (old, found): (KnownFile, Found),
    ) -> Result<(), Stopped> {
        if found.links > 1 {
            return Err(WriteFailure::HardLinked.into());
        }
        let like = Some((target, old.hash));
        let name = match self.stage(directory, path, bytes, new, like) {
            // It went, or became something else, just now.
            Err(FileError::NotFound | FileError::LinkLoop) => return Err(self.changed_meanwhile(directory, path)),
            other => other.map_err(failed)?,
        };
        match directory.rename(&staged(&name), target, Rename::Exchange) {
            Ok(()) => self.swapped_out(directory, path, target, name),
            Err(FileError::NotFound) => {
                discard(directory, &name);
                Err(self.changed_meanwhile(directory, path))
            }
            Err(FileError::Unsupported) => {
                self.tell_once("exchange", FolderTrouble::NoExchange);
                let replaced = self.rename_over(directory, path, target, &name, (new.hash, old.hash));
                if replaced.is_err() {
                    discard(directory, &name);
                }
                replaced
            }
            Err(error) => {
                discard(directory, &name);
                Err(failed(error))
            }
        }
    }

    /// The file isn't what it was a moment ago: it is read again first.
    pub(super) fn changed_meanwhile(&mut self, directory: &dyn Directory, path: &str) -> Stopped {
        self.wait_for_rest(directory, path);
        Stopped::Wait
    }

    /// Puts a file where none is.
    fn place(
        &mut self,
        directory: &dyn Directory,
        path: &str,
        target: &str,
        bytes: &[u8],
        new: KnownFile,
    ) -> Result<(), Stopped> {
        make_parents(directory, target).map_err(failed)?;
        let name = self.stage(directory, path, bytes, new, None).map_err(failed)?;
        let placed = match directory.rename(&staged(&name), target, Rename::New) {
            Err(FileError::Unsupported) => directory.link_hard(&staged(&name), target),
            other => other,
        };
        match placed {
            Ok(()) => {
                discard(directory, &name);
                directory.sync_directory(names::split(target).0).map_err(failed)
            }
            // Somebody made one just now: it comes out, and is an edit.
            Err(FileError::Exists) => match directory.rename(&staged(&name), target, Rename::Exchange) {
                Ok(()) => self.swapped_out(directory, path, target, name),
                Err(error) => {
                    discard(directory, &name);
                    Err(if matches!(error, FileError::Unsupported | FileError::NotFound) {
                        self.changed_meanwhile(directory, path)
                    } else {
                        failed(error)
                    })
                }
            },
            Err(error) => {
                discard(directory, &name);
                Err(failed(error))
            }
        }
    }

    /// After an exchange: makes it durable, and looks at what came out. What can't be an edit goes back.
    fn swapped_out(
        &mut self,
        directory: &dyn Directory,
        path: &str,
        target: &str,
        name: String,
    ) -> Result<(), Stopped> {
        let came_out = directory.look(&staged(&name)).map_err(failed)?;
        if came_out.kind != Kind::File || came_out.stamp.size_bytes > FILE_BYTES as u64 {
            return Err(self.put_back(directory, path, target, name, came_out.kind));
        }
        self.keep_looking(name, path);
        directory.sync_directory(names::split(target).0).map_err(failed)
    }

    fn put_back(&mut self, directory: &dyn Directory, path: &str, target: &str, name: String, kind: Kind) -> Stopped {
        let why = match kind {
            Kind::File => SkipReason::TooLarge,
            Kind::Directory => SkipReason::LinkToDirectory,
            Kind::Link => SkipReason::LinkBroken,
            Kind::Special => SkipReason::Special,
        };
        match directory.rename(&staged(&name), target, Rename::Exchange) {
            // Our content is out again; or, if somebody was faster, something of theirs.
            Ok(()) => self.keep_looking(name, path),
            Err(error) => {
                let what = format!("{}, swapped out of {path}: {error}", staged(&name));
                self.tell_once("put back", FolderTrouble::Leftover(what));
            }
        }
        WriteFailure::Skipped(why).into()
    }

    /// Takes a file out of the folder. A symlink goes itself; its target stays.
    fn take_out(
        &mut self,
        directory: &dyn Directory,
        path: &str,
        disk_path: &str,
        replaces: ContentHash,
    ) -> Result<(), Stopped> {
        let name = self.staging.name(None, Some(replaces));
        write_note(directory, &name, path).map_err(failed)?;
        let taken = match directory.rename(disk_path, &staged(&name), Rename::New) {
            // The name in staging is ours alone.
            Err(FileError::Unsupported) => directory.rename(disk_path, &staged(&name), Rename::Over),
            other => other,
        };
        if let Err(error) = taken {
            discard(directory, &name);
            return if matches!(error, FileError::NotFound) { Ok(()) } else { Err(failed(error)) };
        }
        match directory.look(&staged(&name)).map_err(failed)?.kind {
            Kind::File => self.keep_looking(name, path),
            Kind::Link => discard(directory, &name),
            // A directory or a device came in the way: it goes back, unless its place is taken again.
            kind => {
                let back = directory.rename(&staged(&name), disk_path, Rename::New);
                if let Err(error) = back {
                    let what = format!("{}, taken out of {path}: {error}", staged(&name));
                    self.tell_once("put back", FolderTrouble::Leftover(what));
                }
                return Err(failed(FileError::NotAFile(kind)));
            }
        }
        directory.sync_directory(names::split(disk_path).0).map_err(failed)
    }
}

/// Where a document's bytes lie: follows symlinks one by one, without leaving the folder.
fn resolve(directory: &dyn Directory, disk_path: &str) -> Result<String, Stopped> {
    let mut path = disk_path.to_owned();
    for _ in 0..SYMLINK_HOPS {
        match directory.look(&path) {
            Ok(found) if found.kind == Kind::Link => {}
            Ok(_) | Err(FileError::NotFound) => return Ok(path),
            Err(error) => return Err(failed(error)),
        }
        let target = directory.read_link(&path).map_err(failed)?;
        if target.starts_with('/') {
            return Err(failed(FileError::Outside));
        }
        // `..` is left to the kernel, which refuses to leave the root.
        path = names::join(names::split(&path).0, &target);
    }
    Err(failed(FileError::LinkLoop))
}

/// Makes the directories of a path, each on disk before what is in it.
fn make_parents(directory: &dyn Directory, path: &str) -> Result<(), FileError> {
    for (slash, _) in path.match_indices('/') {
        match directory.make_directory(&path[..slash], false) {
            Ok(()) => directory.sync_directory(names::split(&path[..slash]).0)?,
            Err(FileError::Exists) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
