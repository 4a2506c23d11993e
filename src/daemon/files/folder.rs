//! One watched folder: carries out what the engine decides. Every call blocks.
//!
//! ```text
//!  inputs ─▶ root still there? ─▶ commands, hints ─▶ walk ─▶ read ─▶ look at swapped-out files
//!                                                             ─▶ judge deletes ─▶ write what waited ─▶ events
//! ```
//! The parts are in files of their own: [`root`](super::root), [`walk`](super::walk), [`reading`](super::reading),
//! [`writing`](super::writing), [`staging`](super::staging).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::cache::Cache;
use super::engine::{Engine, Hint, Judgement};
use super::filesystem::{Directory, FileSystem, Kind};
use super::ignore::{Ignore, PATTERNS};
use super::limits::{POLL, RESCAN};
use super::message::{ContentHash, FileEvent, FolderTrouble, KnownFile, Receipt, SkipReason, Ticket, WriteFailure};
use super::names;
use super::staging::Staging;
use super::walk::{Walk, normal};
use super::watcher::Watch;
use super::writing::{Pending, Task};

/// What a folder is added with; see [`FileCommand::AddFolder`](super::FileCommand::AddFolder).
#[derive(Debug)]
pub(crate) struct Setup {
    pub name: String,
    pub root: PathBuf,
    pub known: BTreeMap<String, KnownFile>,
    pub recent: BTreeSet<ContentHash>,
    pub joining: bool,
    pub patterns: Option<Bytes>,
}

/// What a folder is told.
#[derive(Debug)]
pub(crate) enum Input {
    Hint { path: PathBuf, hint: Hint },
    HintsLost,
    Write { ticket: Ticket, path: String, bytes: Bytes, executable: bool, replaces: Option<ContentHash> },
    Delete { ticket: Ticket, path: String, replaces: ContentHash },
    Confirm,
    Rescan,
    Taken(Receipt),
}

impl Input {
    /// The answer, if it needs one and can't be done.
    pub(crate) fn refused(self, why: WriteFailure) -> Option<FileEvent> {
        match self {
            Self::Write { ticket, .. } | Self::Delete { ticket, .. } => Some(FileEvent::WriteFailed { ticket, why }),
            _ => None,
        }
    }
}

/// A watched folder and all that is known of it.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(super) name: String,
    pub(super) root: PathBuf,
    pub(super) file_system: Arc<dyn FileSystem>,
    pub(super) watch: Arc<dyn Watch>,
    /// The root, while the folder isn't stopped.
    pub(super) directory: Option<Arc<dyn Directory>>,
    /// The marker's id: proposed for a new marker, afterwards what the marker has.
    pub(super) id: [u8; 16],
    /// The marker was seen or made: from now on it must be there, with this id.
    pub(super) opened: bool,
    pub(super) stopped: Option<FolderTrouble>,
    pub(super) joining: bool,
    pub(super) engine: Engine,
    pub(super) ignore: Ignore,
    /// The mesh's, until the folder has its own.
    pub(super) first_patterns: Option<Bytes>,
    pub(super) cache: Cache,
    pub(super) staging: Staging,
    pub(super) recent: BTreeSet<ContentHash>,
    pub(super) parked: BTreeMap<String, Pending>,
    pub(super) walks: VecDeque<Walk>,
    pub(super) generation: u64,
    /// Directories of hints, and when to list them again.
    pub(super) stale: BTreeMap<String, Duration>,
    pub(super) watched: BTreeSet<String>,
    /// Directories whose spelling on disk isn't that of the mesh, by the mesh's.
    pub(super) spellings: BTreeMap<String, String>,
    /// Documents that are symlinks: no event names them when their target changes.
    pub(super) links: BTreeMap<String, String>,
    pub(super) skipped: BTreeMap<String, (SkipReason, u64)>,
    /// The file system doesn't tell upper from lower case.
    pub(super) folds_case: bool,
    /// What was open for writing, and when that was looked up.
    pub(super) open_files: Option<(Duration, BTreeSet<String>)>,
    pub(super) polling: bool,
    /// Trouble that doesn't stop the folder, as it was told.
    pub(super) told: BTreeMap<&'static str, FolderTrouble>,
    pub(super) next_scan: Duration,
    pub(super) scan_wanted: bool,
    pub(super) now: Duration,
    pub(super) wall_ms: u64,
    pub(super) events: Vec<FileEvent>,
}

impl Folder {
    /// Nothing is opened before the first step.
    pub(crate) fn new(setup: Setup, id: [u8; 16], file_system: Arc<dyn FileSystem>, watch: Arc<dyn Watch>) -> Self {
        let Setup { name, root, known, recent, joining, patterns } = setup;
        Self {
            name,
            root,
            file_system,
            watch,
            directory: None,
            id,
            opened: false,
            stopped: None,
            joining,
            engine: Engine::new(known),
            ignore: Ignore::default(),
            first_patterns: patterns,
            cache: Cache::default(),
            staging: Staging::default(),
            recent,
            parked: BTreeMap::new(),
            walks: VecDeque::new(),
            generation: 0,
            stale: BTreeMap::new(),
            watched: BTreeSet::new(),
            spellings: BTreeMap::new(),
            links: BTreeMap::new(),
            skipped: BTreeMap::new(),
            folds_case: false,
            open_files: None,
            polling: false,
            told: BTreeMap::new(),
            next_scan: Duration::ZERO,
            scan_wanted: true,
            now: Duration::ZERO,
            wall_ms: 0,
            events: Vec::new(),
        }
    }

    /// The directory, as it was given.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// When the next step is due without any input.
    pub(crate) fn wake_at(&self) -> Duration {
        if self.directory.is_none() {
            return self.next_scan;
        }
        if !self.walks.is_empty() {
            return self.now;
        }
        let others = [self.engine.next_timer(), self.staging.next_look(), self.stale.values().min().copied()];
        others.into_iter().flatten().min().map_or(self.next_scan, |at| at.min(self.next_scan))
    }

    /// Does what is due, and a bounded part of what is long; [`Self::wake_at`] tells when to go on.
    pub(crate) fn step(&mut self, now: Duration, wall_ms: u64, inputs: Vec<Input>) -> Vec<FileEvent> {
        (self.now, self.wall_ms) = (now, wall_ms);
        match self.usable_directory() {
            Some(directory) => self.work(&*directory, inputs),
            None => {
                let refused = inputs.into_iter().filter_map(|input| input.refused(WriteFailure::FolderStopped));
                self.events.extend(refused);
            }
        }
        std::mem::take(&mut self.events)
    }

    /// Ends it: nothing is watched any more, and everything that waits gets its answer.
    pub(crate) fn close(mut self, unanswered: Vec<Input>) -> Vec<FileEvent> {
        for directory in std::mem::take(&mut self.watched) {
            self.watch.unwatch(&self.root.join(directory));
        }
        self.fail_parked(&WriteFailure::UnknownFolder);
        self.events.extend(unanswered.into_iter().filter_map(|input| input.refused(WriteFailure::UnknownFolder)));
        self.events
    }

    fn work(&mut self, directory: &dyn Directory, inputs: Vec<Input>) {
        for input in inputs {
            self.take(directory, input);
        }
        if self.now >= self.next_scan {
            self.scan_all();
        }
        self.list_stale();
        self.walk(directory);
        self.read_due(directory);
        self.look_at_swapped(directory);
        self.check_missing(directory);
        self.write_parked(directory);
        self.finish_scan();
    }

    fn take(&mut self, directory: &dyn Directory, input: Input) {
        match input {
            Input::Hint { path, hint } => self.take_hint(directory, &path, hint),
            Input::HintsLost => self.scan_all(),
            Input::Write { ticket, path, bytes, executable, replaces } => {
                self.write(directory, Pending { ticket, path, task: Task::Write { bytes, executable, replaces } });
            }
            Input::Delete { ticket, path, replaces } => {
                self.write(directory, Pending { ticket, path, task: Task::Delete { replaces } });
            }
            Input::Confirm => self.confirm(directory),
            Input::Rescan => {
                self.scan_wanted = true;
                self.scan_all();
            }
            Input::Taken(receipt) => self.taken(directory, &receipt),
        }
    }

    fn take_hint(&mut self, directory: &dyn Directory, path: &Path, hint: Hint) {
        let Some(path) = path.to_str() else {
            // Its directory is listed, and names it as skipped.
            let parent = path.parent().and_then(Path::to_str).unwrap_or_default().to_owned();
            self.make_stale(parent);
            return;
        };
        if path.is_empty() {
            return;
        }
        let found = directory.look(path).ok();
        let is_directory = found.is_some_and(|found| found.kind == Kind::Directory);
        if self.ignore.covers(&normal(path), is_directory) {
            // Kubernetes swaps the symlink `..data`: no event names the files that lead through it.
            if found.is_some_and(|found| found.kind == Kind::Link) {
                self.make_stale(names::split(path).0.to_owned());
                self.follow_links(directory, hint);
            }
            return;
        }
        self.make_stale(names::split(path).0.to_owned());
        self.examine(directory, path, hint);
        self.follow_links(directory, hint);
    }

    /// What links lead to may have changed.
    fn follow_links(&mut self, directory: &dyn Directory, hint: Hint) {
        for (link, disk_path) in self.links.clone() {
            let stamp = directory.look_through(&disk_path).ok().map(|found| found.stamp);
            self.engine.hint(self.now, &link, &disk_path, hint, stamp);
        }
    }

    /// Looks through everything soon; the next periodic scan follows from then.
    pub(super) fn scan_all(&mut self) {
        self.next_scan = self.now + if self.polling { POLL } else { RESCAN };
        // One that is under way may be past what changed; one that waits will see it.
        if self.walks.iter().any(Walk::is_whole_and_waits) {
            return;
        }
        self.generation += 1;
        self.walks.push_back(Walk::whole(self.generation));
    }

    /// Says that all was read that is at rest, if somebody wants to know.
    fn finish_scan(&mut self) {
        if self.scan_wanted && self.walks.is_empty() && self.engine.due(self.now, 1).is_empty() {
            self.scan_wanted = false;
            self.joining = false;
            self.events.push(FileEvent::Scanned { folder: self.name.clone() });
        }
    }

    /// Checks what is missing for long enough, and judges it.
    fn check_missing(&mut self, directory: &dyn Directory) {
        let overdue = self.engine.overdue(self.now);
        if overdue.is_empty() && !self.engine.has_held_news() {
            return;
        }
        // Between the checks and the verdict nothing may come in the way of the root.
        self.look_for(directory, overdue);
        if self.is_rooted(directory) {
            let judgement = self.engine.judge_deletes(self.now);
            self.tell_deletes(judgement);
        }
    }

    fn confirm(&mut self, directory: &dyn Directory) {
        self.look_for(directory, self.engine.held());
        let judgement = self.engine.confirm();
        self.tell_deletes(judgement);
    }

    /// Checks of missing files whether they, or their directories, are there.
    fn look_for(&mut self, directory: &dyn Directory, paths: Vec<String>) {
        for path in paths {
            let disk_path = self.disk_path(&path);
            if self.is_present(directory, &disk_path) {
                self.wait_for_rest(directory, &path);
            } else {
                let parent = names::split(&disk_path).0;
                let gone = !parent.is_empty() && directory.look_through(parent).is_err();
                self.engine.still_absent(&path, gone);
            }
        }
    }

    fn tell_deletes(&mut self, judgement: Judgement) {
        for path in judgement.deleted {
            self.cache.remove(&path);
            self.links.remove(&path);
            if path == PATTERNS {
                self.set_patterns(None);
            }
            self.events.push(FileEvent::Deleted { folder: self.name.clone(), path });
        }
        if let Some((paths, why)) = judgement.held {
            self.events.push(FileEvent::DeletesHeld { folder: self.name.clone(), paths, why });
        }
    }

    /// Where a document lies, in the spelling of the disk.
    pub(super) fn disk_path(&self, path: &str) -> String {
        if let Some(disk_path) = self.engine.disk_path(path) {
            return disk_path.to_owned();
        }
        let mut end = path.len();
        while let Some(slash) = path[..end].rfind('/') {
            if let Some(directory) = self.spellings.get(&path[..slash]) {
                return format!("{directory}{}", &path[slash..]);
            }
            end = slash;
        }
        path.to_owned()
    }

    /// A file isn't what it was: it is read once it has come to rest.
    pub(super) fn wait_for_rest(&mut self, directory: &dyn Directory, path: &str) {
        let disk_path = self.disk_path(path);
        let stamp = directory.look_through(&disk_path).ok().map(|found| found.stamp);
        self.engine.hint(self.now, path, &disk_path, Hint::Touched, stamp);
    }

    /// Tells of a trouble that doesn't stop the folder, once.
    pub(super) fn tell_once(&mut self, key: &'static str, why: FolderTrouble) {
        if self.told.insert(key, why.clone()).as_ref() != Some(&why) {
            self.events.push(FileEvent::FolderTrouble { folder: self.name.clone(), why });
        }
    }

    /// A trouble that didn't stop the folder is over, if there was one.
    pub(super) fn end_trouble(&mut self, key: &'static str) {
        if self.told.remove(key).is_some() {
            self.tell_recovered();
        }
    }

    /// All trouble is over but that which doesn't stop the folder, and is still there.
    pub(super) fn tell_recovered(&mut self) {
        self.events.push(FileEvent::FolderRecovered { folder: self.name.clone() });
        for why in self.told.values().cloned() {
            self.events.push(FileEvent::FolderTrouble { folder: self.name.clone(), why });
        }
    }
}
