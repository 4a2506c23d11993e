//! The machine or the process stops at each single operation of writes and deletes, on a file system that loses, tears and
//! holds back whatever wasn't synced: afterwards no name shows part of a file, what was acknowledged is there, and whatever
//! an editor saved meanwhile is found again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::bench::NoHints;
use crate::daemon::files::folder::{Folder, Input, Setup};
use crate::daemon::files::message::{ContentHash, FileEvent, KnownFile, SaveKind, Ticket};
use crate::simulated::file_system::SimulatedFileSystem;
use crate::simulated::hints::Watches;
use crate::simulated::switch::Switch;

const ROOT: &str = "/srv/web";
const FILE: &str = "/srv/web/a";
/// Wall time at the virtual second 0.
const WALL_MS: u64 = 1_700_000_000_000;

/// What is done to the file.
#[derive(Debug, Clone, Copy)]
enum Task {
    First,
    Replace,
    Delete,
}

/// How the run ends.
#[derive(Debug, Clone, Copy)]
enum Stop {
    Process,
    /// Of what wasn't synced, so much is there.
    Machine(u32),
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    task: Task,
    /// Operations that still go well.
    stops_after: u64,
    /// An editor saves just before the file is moved.
    edited: bool,
    stop: Stop,
    seed: u64,
}

/// Several sectors long, so that tears show.
fn content(word: &str) -> Vec<u8> {
    format!("{word} = 1\n").repeat(300).into_bytes()
}

fn known_as(bytes: &[u8]) -> KnownFile {
    KnownFile { hash: ContentHash::of(bytes), executable: false }
}

/// A folder on the simulated file system, with a core that remembers what it was told.
struct Machine {
    files: SimulatedFileSystem,
    folder: Folder,
    now: Duration,
    known: BTreeMap<String, KnownFile>,
    /// What the core meant to write.
    intended: BTreeSet<ContentHash>,
    saved: Vec<Vec<u8>>,
    answers: u64,
}

impl Machine {
    fn new(seed: u64) -> Self {
        let random = |number| ChaCha20Rng::seed_from_u64(seed * 2 + number);
        let files = SimulatedFileSystem::new(random(0), Watches::new(random(1)), Switch::default());
        files.make_directories(ROOT);
        let folder = open(&files, &BTreeMap::new(), &BTreeSet::new(), true);
        let now = Duration::from_secs(1_000);
        let (known, intended) = (BTreeMap::new(), BTreeSet::new());
        let mut machine = Self { files, folder, now, known, intended, saved: Vec::new(), answers: 0 };
        machine.run(Duration::from_secs(1));
        machine
    }

    fn restart(&mut self, stop: Stop) {
        match stop {
            Stop::Process => self.files.restart_process(),
            Stop::Machine(percent) => self.files.restart_machine(percent),
        }
        self.folder = open(&self.files, &self.known, &self.intended, false);
    }

    fn step(&mut self, mut inputs: Vec<Input>) {
        let wall_ms = WALL_MS + u64::try_from(self.now.as_millis()).unwrap();
        self.files.set_wall_ms(wall_ms);
        loop {
            let events = self.folder.step(self.now, wall_ms, inputs);
            events.into_iter().for_each(|event| self.take(event));
            if self.folder.wake_at() > self.now {
                return;
            }
            inputs = Vec::new();
        }
    }

    fn take(&mut self, event: FileEvent) {
        match event {
            FileEvent::Saved { path, bytes, hash, executable, kind, .. } => {
                self.saved.push(bytes.to_vec());
                if !matches!(kind, SaveKind::Late { .. }) {
                    self.known.insert(path, KnownFile { hash, executable });
                }
            }
            FileEvent::Deleted { path, .. } => drop(self.known.remove(&path)),
            FileEvent::Written { .. } | FileEvent::Removed { .. } => self.answers += 1,
            _ => {}
        }
    }

    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.folder.wake_at() <= end {
            self.now = self.now.max(self.folder.wake_at());
            self.step(Vec::new());
        }
        self.now = end;
    }

    /// Writes or deletes; returns whether that was acknowledged.
    fn put(&mut self, bytes: Option<&[u8]>) -> bool {
        let (ticket, path) = (Ticket(1), "a".to_owned());
        let replaces = self.known.get(&path).map(|file| file.hash);
        self.intended.extend(bytes.map(ContentHash::of));
        let answers = self.answers;
        self.step(vec![match (bytes, replaces) {
            (None, Some(replaces)) => Input::Delete { ticket, path, replaces },
            (bytes, replaces) => {
                let bytes = Bytes::copy_from_slice(bytes.unwrap_or_default());
                Input::Write { ticket, path, bytes, executable: false, replaces }
            }
        }]);
        let acknowledged = self.answers > answers;
        if acknowledged {
            match bytes {
                Some(bytes) => drop(self.known.insert("a".to_owned(), known_as(bytes))),
                None => drop(self.known.remove("a")),
            }
        }
        acknowledged
    }

    /// Has an editor save in the moment before the file is moved. Tells whether it did.
    fn ambush(&self) -> Arc<Mutex<bool>> {
        let did = Arc::new(Mutex::new(false));
        let (files, told) = (self.files.clone(), Arc::clone(&did));
        self.files.before_move(FILE, move || {
            *told.lock().unwrap() = true;
            let open = files.open_or_make("/srv/web/a~");
            files.write_at(open, 0, &content("edit"));
            files.close(open);
            files.rename_over("/srv/web/a~", FILE);
            files.sync_names();
        });
        did
    }
}

fn open(
    files: &SimulatedFileSystem,
    known: &BTreeMap<String, KnownFile>,
    recent: &BTreeSet<ContentHash>,
    joining: bool,
) -> Folder {
    let (name, root) = ("web".to_owned(), PathBuf::from(ROOT));
    let setup = Setup { name, root, known: known.clone(), recent: recent.clone(), joining, patterns: None };
    Folder::new(setup, [7; 16], Arc::new(files.clone()), Arc::new(NoHints))
}

fn check(plan: Plan, sabotage: impl Fn(&SimulatedFileSystem)) {
    let (old, new, edit) = (content("old"), content("new"), content("edit"));
    let mut machine = Machine::new(plan.seed);
    sabotage(&machine.files);
    if !matches!(plan.task, Task::First) {
        assert!(machine.put(Some(&old)));
    }
    machine.run(Duration::from_secs(20));
    let did_save = plan.edited.then(|| machine.ambush());
    machine.files.stop_after(plan.stops_after);
    let target = (!matches!(plan.task, Task::Delete)).then_some(new.as_slice());
    let acknowledged = machine.put(target);
    machine.run(Duration::from_secs(1));
    machine.restart(plan.stop);
    let was_edited = did_save.is_some_and(|did| *did.lock().unwrap());

    let there = machine.files.content(FILE);
    let violations = machine.files.violations();
    assert!(violations.is_empty(), "{plan:?}: {violations:?}");
    let is_one_of = |all: &[&Vec<u8>]| there.as_ref().is_none_or(|there| all.contains(&there));
    assert!(is_one_of(&[&old, &new, &edit]), "{plan:?}: part of a file");
    if matches!(plan.task, Task::Replace) {
        assert!(there.is_some(), "{plan:?}: the file is gone");
    }
    if acknowledged {
        assert_eq!(there.as_deref(), target, "{plan:?}: what was acknowledged isn't there");
    }

    machine.run(Duration::from_secs(20));
    assert_eq!(machine.saved.contains(&edit), was_edited, "{plan:?}: the editor's save");
    let shown: Vec<String> = machine.files.files(ROOT).into_keys().collect();
    assert!(shown.iter().all(|name| name == "a"), "{plan:?}: {shown:?}");
    // The core goes on from what it was told.
    let after = content("after");
    assert!(machine.put(Some(&after)), "{plan:?}");
    assert_eq!(machine.files.content(FILE), Some(after), "{plan:?}");
}

fn plans(stops_after: u64) -> impl Iterator<Item = Plan> {
    let stops = [Stop::Process, Stop::Machine(0), Stop::Machine(30), Stop::Machine(70), Stop::Machine(100)];
    let tasks = [Task::First, Task::Replace, Task::Delete];
    let all = tasks.into_iter().flat_map(move |task| stops.into_iter().map(move |stop| (task, stop)));
    all.flat_map(move |(task, stop)| {
        [false, true]
            .into_iter()
            .flat_map(move |edited| (0..3).map(move |seed| Plan { task, stops_after, edited, stop, seed }))
    })
}

/// More operations than any task has, the looks at what was swapped out included.
const OPERATIONS: u64 = 16;

#[test]
fn whatever_operation_a_stop_comes_at_nothing_is_lost_or_half_there() {
    for plan in (0..OPERATIONS).flat_map(plans) {
        check(plan, |_| {});
    }
}

#[test]
fn a_file_system_that_forgets_to_sync_files_does_not_pass() {
    assert!(is_noticed(SimulatedFileSystem::forget_file_syncs), "no half file was noticed");
}

#[test]
fn a_file_system_that_forgets_to_sync_directories_does_not_pass() {
    assert!(is_noticed(SimulatedFileSystem::forget_name_syncs), "no lost file was noticed");
}

/// Whether some plan fails with this sabotage.
fn is_noticed(sabotage: fn(&SimulatedFileSystem)) -> bool {
    let fails = |plan| std::panic::catch_unwind(|| check(plan, sabotage)).is_err();
    (0..OPERATIONS).flat_map(plans).any(fails)
}
