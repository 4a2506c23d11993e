//! Decides when a file is read, and when a missing one counts as deleted. Pure: time comes in as an argument.
//!
//! ```text
//!              hint, new stamp                    read: known content
//!   Settled ─────────────────────▶ Due ───────────────────────────────▶ Settled
//!      ▲                            │ ▲  read: still changing, cut off?
//!      │ read: an edit ─▶ Saved     │ └──────────── (later) ◀──────────┐
//!      └────────────────────────────┴──────────────────────────────────┘
//!   any ── not there ──▶ Missing ── 2 s ──▶ Deleted, or Held until confirmed
//!                          └── there again ──▶ Due
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::deletes::RecentDeletes;
use super::filesystem::Stamp;
use super::limits::{ABSENCE, BUSY_AFTER, CLOCK_TICK, CUT_OFF_HOLD, FILES_PER_FOLDER, OPEN_HOLD, QUIET};
use super::message::{ContentHash, HeldReason, KnownFile};
use super::names;

/// What an event tells of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hint {
    /// Its writer closed it: it is whole.
    Done,
    /// It was moved here: it is whole, unless it was the daemon that moved it.
    Moved,
    /// It was written to.
    Changed,
    /// Its mode or owner changed, or it may have changed.
    Touched,
}

/// A file that a listing found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sighting {
    /// Its state.
    pub stamp: Stamp,
    /// By the wall clock, nobody wrote to it for [`QUIET`].
    pub at_rest: bool,
    /// It was there when the folder joined.
    pub joining: bool,
    /// The listing.
    pub generation: u64,
}

/// What reading a file gave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Read {
    /// Its state before the first byte.
    pub stamp: Stamp,
    /// What it held.
    pub file: KnownFile,
    /// Its state was the same after the last byte.
    pub stable: bool,
    /// It is empty, or begins like the last known content and ends early.
    pub cut_off: bool,
    /// It is the last known content with whole lines added at the end: as good as a save, even while it is open.
    pub grown: bool,
    /// Somebody has it open for writing.
    pub open: bool,
    /// By the wall clock it changed more than [`CLOCK_TICK`] ago: its stamp can be trusted.
    pub old: bool,
}

/// What follows from a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It holds what is known.
    Known,
    /// It is read again later.
    Later,
    /// It is read again later, and has been for a long time.
    Busy,
    /// It holds an edit, which now is known.
    Saved {
        /// It was there when the folder joined.
        joining: bool,
        /// Nothing was known of it before.
        is_new: bool,
    },
}

/// Whether a file may be written now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing is going on.
    Resting,
    /// It will be read or judged soon.
    Moving,
    /// It is gone, and that waits for a confirmation.
    DeleteHeld,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Settled { check_again_at: Option<Duration> },
    Due { at: Duration, since: Duration, quiet: Option<Stamp>, held: Option<(ContentHash, Duration)>, busy: bool },
    Missing { since: Duration, directory_gone: bool },
    Held(HeldReason),
}

impl State {
    fn timer(&self) -> Option<Duration> {
        match self {
            Self::Settled { check_again_at } => *check_again_at,
            Self::Due { at, .. } => Some(*at),
            Self::Missing { since, .. } => Some(*since + ABSENCE),
            Self::Held(_) => None,
        }
    }

    fn is_absent(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Held(_))
    }
}

#[derive(Debug)]
struct Tracked {
    disk_path: String,
    known: Option<KnownFile>,
    stamp: Option<Stamp>,
    joining: bool,
    generation: u64,
    writer: Writer,
    /// The device and inode number of what was written here last for the core.
    placed: Option<(u64, u64)>,
    /// How often something was moved here for the core without a word of it yet.
    own_moves: u32,
    state: State,
}

/// What the hints tell of who writes to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    /// Nothing since it changed.
    Unknown,
    /// It was written to then, and not closed since.
    Open(Duration),
    /// It was closed after it was written to.
    Done,
    /// A file was moved here. If it is the one that was written for the core, that tells nothing of who has written to it
    /// since: the word of our own move may come late.
    Moved,
    /// The word of our own move came. By now another file may be there, in the making.
    Placed,
}

/// Deletes that count, and those that wait.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// Gone for good; no longer tracked.
    pub deleted: Vec<String>,
    /// All that waits, if that changed, with the newest reason.
    pub held: Option<(Vec<String>, HeldReason)>,
}

/// The state of all files of one folder.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    files: BTreeMap<String, Tracked>,
    timers: BTreeSet<(Duration, String)>,
    recent_deletes: RecentDeletes,
    /// Files that are left alone for now, as they were known.
    set_aside: BTreeMap<String, KnownFile>,
    held_reason: Option<HeldReason>,
    held_changed: bool,
}

impl Engine {
    /// Starts with the files that the core knows; a scan tells which are there.
    pub(crate) fn new(known: BTreeMap<String, KnownFile>) -> Self {
        let mut engine = Self::default();
        for (path, file) in known {
            engine.files.insert(path.clone(), Tracked::new(path, Some(file)));
        }
        engine
    }

    /// How many files are tracked, missing ones included.
    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// What the core knows of a file.
    pub(crate) fn known(&self, path: &str) -> Option<KnownFile> {
        self.files.get(path)?.known
    }

    /// The path of a tracked file as it is spelt on disk.
    pub(crate) fn disk_path(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(|file| file.disk_path.as_str())
    }

    /// All tracked files below a directory.
    pub(crate) fn below(&self, directory: &str) -> Vec<String> {
        let below = self.files.range(directory.to_owned()..).map(|(path, _)| path);
        below
            .take_while(|path| path.starts_with(directory))
            .filter(|p| names::is_below(p, directory))
            .cloned()
            .collect()
    }

    /// Tracked files in the directory (if `shallow`) or below it that the listing `generation` didn't see.
    pub(crate) fn unseen(&self, directory: &str, shallow: bool, generation: u64) -> Vec<String> {
        let mut unseen = self.below(directory);
        unseen.retain(|path| {
            let file = &self.files[path];
            file.generation != generation && !file.state.is_absent() && (!shallow || names::split(path).0 == directory)
        });
        unseen
    }

    /// Whether a file may be written now.
    pub(crate) fn rest(&self, path: &str) -> Rest {
        match self.files.get(path).map(|file| &file.state) {
            None | Some(State::Settled { .. }) => Rest::Resting,
            Some(State::Held(_)) => Rest::DeleteHeld,
            Some(State::Due { .. } | State::Missing { .. }) => Rest::Moving,
        }
    }

    /// The moment at which something has to be done.
    pub(crate) fn next_timer(&self) -> Option<Duration> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// An event named a file that is there, in this state if that is known. Returns false if the folder is full.
    ///
    /// Quiet is told by the state, not by the events: some may be lost or late.
    pub(crate) fn hint(
        &mut self,
        now: Duration,
        path: &str,
        disk_path: &str,
        hint: Hint,
        stamp: Option<Stamp>,
    ) -> bool {
        let Some(file) = self.track(path, disk_path) else { return false };
        match hint {
            Hint::Done => file.writer = Writer::Done,
            Hint::Moved if file.own_moves > 0 => {
                file.own_moves -= 1;
                if !matches!(file.writer, Writer::Open(_)) {
                    file.writer = Writer::Placed;
                }
            }
            Hint::Moved => file.writer = Writer::Moved,
            Hint::Changed => file.writer = Writer::Open(now),
            Hint::Touched => {}
        }
        let quiet_at = match (hint, &file.state) {
            (Hint::Done | Hint::Moved, _) => now,
            (Hint::Touched, State::Due { at, held: None, .. }) => *at,
            (Hint::Changed | Hint::Touched, _) => now + QUIET,
        };
        self.set_due(now, path, quiet_at, stamp.filter(|_| !matches!(hint, Hint::Done | Hint::Moved)));
        true
    }

    /// A listing saw a file. Returns false if the folder is full.
    pub(crate) fn sighted(&mut self, now: Duration, path: &str, disk_path: &str, sighting: Sighting) -> bool {
        let Some(file) = self.track(path, disk_path) else { return false };
        file.generation = sighting.generation;
        file.joining |= sighting.joining && file.known.is_none();
        let changed = match file.state {
            State::Settled { .. } => file.stamp != Some(sighting.stamp),
            State::Due { .. } => false,
            State::Missing { .. } | State::Held(_) => true,
        };
        if changed {
            if matches!(file.writer, Writer::Done | Writer::Moved) {
                file.writer = Writer::Unknown;
            }
            let (at, quiet) = if sighting.at_rest { (now, None) } else { (now + QUIET, Some(sighting.stamp)) };
            self.set_due(now, path, at, quiet);
        }
        true
    }

    /// A file isn't there.
    pub(crate) fn absent(&mut self, now: Duration, path: &str) {
        match self.files.get(path) {
            Some(file) if file.known.is_none() => self.forget(path),
            Some(file) if !file.state.is_absent() => {
                self.set_state(path, State::Missing { since: now, directory_gone: false });
            }
            _ => {}
        }
    }

    /// The files to read now, the longest due first.
    pub(crate) fn due(&self, now: Duration, at_most: usize) -> Vec<String> {
        self.ripe(now).filter(|(_, file)| !file.state.is_absent()).take(at_most).map(|(path, _)| path.clone()).collect()
    }

    /// The missing files of which it must be checked now whether they are still missing.
    pub(crate) fn overdue(&self, now: Duration) -> Vec<String> {
        self.ripe(now).filter(|(_, file)| file.state.is_absent()).map(|(path, _)| path.clone()).collect()
    }

    fn ripe(&self, now: Duration) -> impl Iterator<Item = (&String, &Tracked)> {
        let ripe = self.timers.iter().take_while(move |(at, _)| *at <= now);
        ripe.filter_map(|(_, path)| self.files.get_key_value(path))
    }

    /// A file was read.
    pub(crate) fn read(&mut self, now: Duration, path: &str, read: Read) -> Decision {
        let Some(file) = self.files.get_mut(path) else { return Decision::Known };
        let (since, quiet, held) = match file.state {
            State::Due { since, quiet, held, .. } => (since, quiet, held),
            _ => (now, None, None),
        };
        if !read.stable || quiet.is_some_and(|stamp| stamp != read.stamp) {
            return self.wait_for_quiet(now, path, read.stamp, since);
        }
        if file.known == Some(read.file) {
            self.settle(now, path, read);
            return Decision::Known;
        }
        let is_placed = file.writer == Writer::Moved && file.placed == Some(read.stamp.inode);
        if is_placed || file.writer == Writer::Placed {
            file.writer = Writer::Unknown;
            return self.wait_for_quiet(now, path, read.stamp, since);
        }
        if !read.grown && (read.open || file.is_open(now)) {
            return self.wait_for_writer(now, path, read, since);
        }
        if read.cut_off {
            let until = held.filter(|(hash, _)| *hash == read.file.hash).map_or(now + CUT_OFF_HOLD, |(_, until)| until);
            if now < until {
                let held = Some((read.file.hash, until));
                // Should it change without a word of it, somebody may be in the middle of it by then.
                let quiet = Some(read.stamp);
                self.set_state(path, State::Due { at: until, since, quiet, held, busy: false });
                return Decision::Later;
            }
        }
        let is_new = file.known.replace(read.file).is_none();
        let joining = std::mem::take(&mut file.joining);
        self.settle(now, path, read);
        Decision::Saved { joining, is_new }
    }

    /// Whether nothing tells that the file's writer is done: then it is worth looking who has it open.
    pub(crate) fn may_be_open(&self, path: &str) -> bool {
        self.files.get(path).is_none_or(|file| !matches!(file.writer, Writer::Done | Writer::Moved))
    }

    /// A file can't be read and is left alone until it changes; `stamp` is its state, if that is known.
    pub(crate) fn skipped(&mut self, path: &str, stamp: Option<Stamp>) {
        if let Some(file) = self.files.get_mut(path) {
            file.stamp = stamp;
            self.set_state(path, State::Settled { check_again_at: None });
        }
    }

    /// The core's content was written; `placed` is the inode of the file that it was put there with, if one was.
    pub(crate) fn wrote(&mut self, path: &str, disk_path: &str, known: KnownFile, placed: Option<(u64, u64)>) {
        let file = self.files.entry(path.to_owned()).or_insert_with(|| Tracked::new(disk_path.to_owned(), None));
        file.known = Some(known);
        // The next look reads it: what is there may already be the next edit.
        file.stamp = None;
        file.joining = false;
        file.writer = Writer::Unknown;
        file.own_moves += u32::from(placed.is_some());
        file.placed = placed.or(file.placed);
        self.set_state(path, State::Settled { check_again_at: None });
    }

    /// The file was removed for the core.
    pub(crate) fn removed(&mut self, path: &str) {
        self.forget(path);
    }

    /// The other files that were known with this content, those with this inode first: one of them may have been renamed.
    pub(crate) fn same_content(&self, path: &str, hash: ContentHash, inode: (u64, u64)) -> Vec<String> {
        let is_same = |file: &Tracked| file.known.is_some_and(|known| known.hash == hash);
        let mut same: Vec<(&String, &Tracked)> =
            self.files.iter().filter(|(other, file)| *other != path && is_same(file)).collect();
        same.sort_by_key(|(_, file)| file.stamp.map(|stamp| stamp.inode) != Some(inode));
        same.into_iter().map(|(path, _)| path.clone()).collect()
    }

    /// A missing file is still missing, and so is its directory, if `directory_gone`.
    pub(crate) fn still_absent(&mut self, path: &str, directory_gone: bool) {
        if let Some(file) = self.files.get_mut(path)
            && let State::Missing { directory_gone: gone, .. } = &mut file.state
        {
            *gone = directory_gone;
        }
    }

    /// The file is left alone from now on.
    pub(crate) fn set_aside(&mut self, path: &str) {
        if let Some(known) = self.known(path) {
            self.set_aside.insert(path.to_owned(), known);
        }
        self.forget(path);
    }

    /// The file isn't left alone any more: the next listing tells whether it is there, and a read what was done to it.
    pub(crate) fn take_back(&mut self, path: &str) {
        if let Some(known) = self.set_aside.remove(path) {
            self.files.entry(path.to_owned()).or_insert_with(|| Tracked::new(path.to_owned(), Some(known)));
        }
    }

    /// Judges the overdue missing files, after each was checked.
    pub(crate) fn judge_deletes(&mut self, now: Duration) -> Judgement {
        let absent = self.files.values().filter(|file| file.state.is_absent()).count();
        let known = self.files.values().filter(|file| file.known.is_some()).count();
        let many = self.recent_deletes.are_many(now, absent, known);
        let mut judgement = Judgement::default();
        for path in self.overdue(now) {
            match self.files[&path].state {
                _ if many => self.hold(&path, HeldReason::Many),
                State::Missing { directory_gone: true, .. } => self.hold(&path, HeldReason::DirectoryGone),
                _ => {
                    self.forget(&path);
                    self.recent_deletes.add(now);
                    judgement.deleted.push(path);
                }
            }
        }
        judgement.held = self.held_if_changed();
        judgement
    }

    /// Missing files that wait for a confirmation.
    pub(crate) fn held(&self) -> Vec<String> {
        let held = self.files.iter().filter(|(_, file)| matches!(file.state, State::Held(_)));
        held.map(|(path, _)| path.clone()).collect()
    }

    /// All held deletes count now.
    pub(crate) fn confirm(&mut self) -> Judgement {
        let deleted = self.held();
        for path in &deleted {
            self.forget(path);
        }
        Judgement { deleted, held: self.held_if_changed() }
    }

    /// The folder was away and is back: absences count from now.
    pub(crate) fn recovered(&mut self, now: Duration) {
        let missing: Vec<String> =
            self.files.iter().filter(|(_, f)| f.state.is_absent()).map(|(p, _)| p.clone()).collect();
        for path in missing {
            self.set_state(&path, State::Missing { since: now, directory_gone: false });
        }
    }

    /// Whether the list of held deletes changed since it was last told.
    pub(crate) fn has_held_news(&self) -> bool {
        self.held_changed
    }

    fn held_if_changed(&mut self) -> Option<(Vec<String>, HeldReason)> {
        std::mem::take(&mut self.held_changed).then(|| (self.held(), self.held_reason.unwrap_or(HeldReason::Many)))
    }

    fn hold(&mut self, path: &str, why: HeldReason) {
        self.held_reason = Some(why);
        self.set_state(path, State::Held(why));
    }

    /// The file's entry, new if the folder isn't full.
    fn track(&mut self, path: &str, disk_path: &str) -> Option<&mut Tracked> {
        if !self.files.contains_key(path) {
            if self.files.len() >= FILES_PER_FOLDER {
                return None;
            }
            self.files.insert(path.to_owned(), Tracked::new(disk_path.to_owned(), None));
        }
        let file = self.files.get_mut(path)?;
        if file.disk_path != disk_path {
            disk_path.clone_into(&mut file.disk_path);
        }
        Some(file)
    }

    /// Plans a read, keeping since when the file is on the move and what of it is held.
    fn set_due(&mut self, now: Duration, path: &str, at: Duration, quiet: Option<Stamp>) {
        let (since, held, busy) = match self.files.get(path).map(|file| file.state) {
            Some(State::Due { since, held, busy, .. }) => (since, held, busy),
            _ => (now, None, false),
        };
        self.set_state(path, State::Due { at, since, quiet, held, busy });
    }

    fn wait_for_quiet(&mut self, now: Duration, path: &str, stamp: Stamp, since: Duration) -> Decision {
        let told = matches!(self.files.get(path).map(|file| file.state), Some(State::Due { busy: true, .. }));
        let busy = now.saturating_sub(since) >= BUSY_AFTER;
        self.set_state(path, State::Due { at: now + QUIET, since, quiet: Some(stamp), held: None, busy });
        if busy && !told { Decision::Busy } else { Decision::Later }
    }

    /// Somebody has the file open, and may be in the middle of it: closing it ends the wait, and so does a long pause,
    /// unless it is seen to be open.
    fn wait_for_writer(&mut self, now: Duration, path: &str, read: Read, since: Duration) -> Decision {
        let Some(file) = self.files.get(path) else { return Decision::Known };
        let told = matches!(file.state, State::Due { busy: true, .. });
        let busy = now.saturating_sub(since) >= BUSY_AFTER;
        let again = now + CUT_OFF_HOLD;
        let at = match file.writer {
            Writer::Open(written) if !read.open => again.min(written + OPEN_HOLD),
            _ => again,
        };
        self.set_state(path, State::Due { at, since, quiet: Some(read.stamp), held: None, busy });
        if busy && !told { Decision::Busy } else { Decision::Later }
    }

    /// The file is at rest. A fresh stamp may hide a second write within one tick of the file system's clock.
    fn settle(&mut self, now: Duration, path: &str, read: Read) {
        let Some(file) = self.files.get_mut(path) else { return };
        let sure = read.old || file.stamp == Some(read.stamp);
        file.stamp = Some(read.stamp);
        self.set_state(path, State::Settled { check_again_at: (!sure).then_some(now + CLOCK_TICK) });
    }

    fn forget(&mut self, path: &str) {
        self.set_state(path, State::Settled { check_again_at: None });
        self.files.remove(path);
    }

    /// The one place where states change, so that timers and held deletes follow.
    fn set_state(&mut self, path: &str, state: State) {
        let Some(file) = self.files.get_mut(path) else { return };
        let before = std::mem::replace(&mut file.state, state);
        self.held_changed |= matches!(before, State::Held(_)) != matches!(state, State::Held(_));
        if let Some(at) = before.timer() {
            self.timers.remove(&(at, path.to_owned()));
        }
        if let Some(at) = state.timer() {
            self.timers.insert((at, path.to_owned()));
        }
    }
}

impl Tracked {
    fn new(disk_path: String, known: Option<KnownFile>) -> Self {
        let state = State::Settled { check_again_at: None };
        let writer = Writer::Unknown;
        Self { disk_path, known, stamp: None, joining: false, generation: 0, writer, placed: None, own_moves: 0, state }
    }

    fn is_open(&self, now: Duration) -> bool {
        matches!(self.writer, Writer::Open(written) if now < written + OPEN_HOLD)
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
