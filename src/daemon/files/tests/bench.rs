//! One folder on a temporary directory, stepped in virtual time, on a file system that a test can interfere with.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use murmurate_net::environment::Environment;

use crate::daemon::files::filesystem::{Content, Directory, FileError, FileSystem, Found, Rename};
use crate::daemon::files::folder::{Folder, Input, Setup};
use crate::daemon::files::message::{ContentHash, FileEvent, KnownFile, SaveKind, Ticket};
use crate::daemon::files::{HostFileSystem, Watch};

/// No hints at all: scans must do.
#[derive(Debug)]
pub(super) struct NoHints;

impl Watch for NoHints {
    fn watch(&self, _: &Path) -> Result<(), String> {
        Ok(())
    }

    fn unwatch(&self, _: &Path) {}
}

/// A call that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Create,
    MakeDirectory,
    LinkSymbolic,
    LinkHard,
    Rename(Rename),
    Remove,
    SyncDirectory,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Go,
    /// The process is gone: this call (of which a file's first half may get done) and all that follow fail.
    Crash,
    Unsupported,
}

type Script = Box<dyn FnMut(Call, &str) -> Act + Send>;

/// The host's file system, with a script that is asked before each change. Files that were read are counted.
pub(super) struct Scripted {
    script: Arc<Mutex<(Script, bool)>>,
    reads: Arc<AtomicUsize>,
    /// Whether it shows who has files open for writing.
    sees: bool,
}

impl Scripted {
    pub(super) fn system(script: impl FnMut(Call, &str) -> Act + Send + 'static) -> Arc<dyn FileSystem> {
        Arc::new(Self::of(Box::new(script), false))
    }

    /// One that shows who has files open for writing, too.
    pub(super) fn seeing(script: impl FnMut(Call, &str) -> Act + Send + 'static) -> Arc<dyn FileSystem> {
        Arc::new(Self::of(Box::new(script), true))
    }

    fn of(script: Script, sees: bool) -> Self {
        Self { script: Arc::new(Mutex::new((script, false))), reads: Arc::default(), sees }
    }

    /// One that does as it is told, and how many files were read.
    pub(super) fn counting() -> (Arc<dyn FileSystem>, Arc<AtomicUsize>) {
        let counting = Self::of(Box::new(|_, _| Act::Go), false);
        let reads = Arc::clone(&counting.reads);
        (Arc::new(counting), reads)
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

impl FileSystem for Scripted {
    fn open(&self, root: &Path) -> Result<Arc<dyn Directory>, FileError> {
        let (script, reads) = (Arc::clone(&self.script), Arc::clone(&self.reads));
        Ok(Arc::new(ScriptedDirectory { inner: HostFileSystem.open(root)?, script, reads, sees: self.sees }))
    }
}

struct ScriptedDirectory {
    inner: Arc<dyn Directory>,
    script: Arc<Mutex<(Script, bool)>>,
    reads: Arc<AtomicUsize>,
    sees: bool,
}

impl fmt::Debug for ScriptedDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScriptedDirectory")
    }
}

fn gone(path: &str) -> FileError {
    FileError::System { attempt: "reach", path: path.to_owned(), source: io::Error::other("crashed") }
}

impl ScriptedDirectory {
    fn ask(&self, call: Call, path: &str) -> Result<(), FileError> {
        let mut script = self.script.lock().unwrap();
        if script.1 {
            return Err(gone(path));
        }
        match script.0(call, path) {
            Act::Go => Ok(()),
            Act::Unsupported => Err(FileError::Unsupported),
            Act::Crash => {
                script.1 = true;
                Err(gone(path))
            }
        }
    }

    fn alive(&self, path: &str) -> Result<(), FileError> {
        if self.script.lock().unwrap().1 { Err(gone(path)) } else { Ok(()) }
    }
}

impl Directory for ScriptedDirectory {
    fn is_at(&self, root: &Path) -> bool {
        self.inner.is_at(root)
    }
    fn list(&self, directory: &str, at_most: usize) -> Result<Vec<Vec<u8>>, FileError> {
        self.alive(directory)?;
        self.inner.list(directory, at_most)
    }
    fn look(&self, path: &str) -> Result<Found, FileError> {
        self.alive(path)?;
        self.inner.look(path)
    }
    fn look_through(&self, path: &str) -> Result<Found, FileError> {
        self.alive(path)?;
        self.inner.look_through(path)
    }
    fn read(&self, path: &str, at_most: usize) -> Result<Content, FileError> {
        self.alive(path)?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.read(path, at_most)
    }
    fn open_for_writing(&self) -> BTreeSet<String> {
        if self.sees { self.inner.open_for_writing() } else { BTreeSet::new() }
    }
    fn create(&self, path: &str, bytes: &[u8], executable: bool, like: Option<&str>) -> Result<(), FileError> {
        self.ask(Call::Create, path).inspect_err(|_| {
            // A crash in the middle of it.
            let _ = self.inner.create(path, &bytes[..bytes.len() / 2], executable, like);
        })?;
        self.inner.create(path, bytes, executable, like)
    }
    fn make_directory(&self, path: &str, private: bool) -> Result<(), FileError> {
        self.ask(Call::MakeDirectory, path)?;
        self.inner.make_directory(path, private)
    }
    fn link_symbolic(&self, target: &str, path: &str) -> Result<(), FileError> {
        self.ask(Call::LinkSymbolic, path)?;
        self.inner.link_symbolic(target, path)
    }
    fn read_link(&self, path: &str) -> Result<String, FileError> {
        self.alive(path)?;
        self.inner.read_link(path)
    }
    fn link_hard(&self, path: &str, new_path: &str) -> Result<(), FileError> {
        self.ask(Call::LinkHard, path)?;
        self.inner.link_hard(path, new_path)
    }
    fn rename(&self, path: &str, new_path: &str, how: Rename) -> Result<(), FileError> {
        self.ask(Call::Rename(how), path)?;
        self.inner.rename(path, new_path, how)
    }
    fn remove(&self, path: &str) -> Result<(), FileError> {
        self.ask(Call::Remove, path)?;
        self.inner.remove(path)
    }
    fn sync_directory(&self, directory: &str) -> Result<(), FileError> {
        self.ask(Call::SyncDirectory, directory)?;
        self.inner.sync_directory(directory)
    }
}

/// A folder under test, with a core that remembers what it was told.
pub(super) struct Bench {
    directory: Arc<tempfile::TempDir>,
    environment: Environment,
    pub(super) folder: Folder,
    pub(super) now: Duration,
    pub(super) known: BTreeMap<String, KnownFile>,
    pub(super) events: Vec<FileEvent>,
    tickets: u64,
}

pub(super) fn known(content: &str) -> KnownFile {
    KnownFile { hash: ContentHash::of(content.as_bytes()), executable: false }
}

fn setup(root: PathBuf, known: &BTreeMap<String, KnownFile>, joining: bool) -> Setup {
    let (known, recent) = (known.clone(), BTreeSet::new());
    Setup { name: "web".into(), root, known, recent, joining, patterns: None }
}

fn folder(setup: Setup, system: Arc<dyn FileSystem>) -> Folder {
    Folder::new(setup, [7; 16], system, Arc::new(NoHints))
}

impl Bench {
    /// An empty folder that joined.
    pub(super) fn new() -> Self {
        Self::on(Arc::new(HostFileSystem), |_| {})
    }

    /// A folder that joins with what `fill` puts there.
    pub(super) fn joining(fill: impl FnOnce(&Path)) -> Self {
        Self::on(Arc::new(HostFileSystem), fill)
    }

    /// The same, on another file system.
    pub(super) fn on(system: Arc<dyn FileSystem>, fill: impl FnOnce(&Path)) -> Self {
        Self::set_up(None, system, fill)
    }

    /// An empty folder that joined, for a daemon that can't see who has files open.
    pub(super) fn unseeing() -> Self {
        Self::on(Scripted::system(|_, _| Act::Go), |_| {})
    }

    /// A folder that joins a mesh with these patterns of what is left alone.
    pub(super) fn joining_with(patterns: &'static str, fill: impl FnOnce(&Path)) -> Self {
        Self::set_up(Some(patterns.into()), Arc::new(HostFileSystem), fill)
    }

    fn set_up(patterns: Option<Bytes>, system: Arc<dyn FileSystem>, fill: impl FnOnce(&Path)) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        fs::create_dir(directory.path().join("root")).unwrap();
        fill(&directory.path().join("root"));
        let known = BTreeMap::new();
        let setup = Setup { patterns, ..setup(directory.path().join("root"), &known, true) };
        let folder = folder(setup, system);
        let environment = Environment::system();
        let now = Duration::from_secs(1000);
        let mut bench = Self { directory, environment, folder, now, known, events: Vec::new(), tickets: 0 };
        bench.run_ms(400);
        bench
    }

    /// The daemon is started again on the same directory, with what the core knows.
    pub(super) fn restart(&self) -> Self {
        self.restart_on(Arc::new(HostFileSystem))
    }

    pub(super) fn restart_on(&self, system: Arc<dyn FileSystem>) -> Self {
        Self {
            directory: Arc::clone(&self.directory),
            environment: Environment::system(),
            folder: folder(setup(self.root(), &self.known, false), system),
            now: Duration::from_secs(1000),
            known: self.known.clone(),
            events: Vec::new(),
            tickets: self.tickets,
        }
    }

    pub(super) fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// A path beside the root.
    pub(super) fn outside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    pub(super) fn content(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// One step with these inputs, and those that it asks for at once.
    pub(super) fn step(&mut self, inputs: Vec<Input>) {
        let wall_ms = self.environment.wall_ms() + u64::try_from(self.now.as_millis()).unwrap() - 1_000_000;
        let mut new = self.folder.step(self.now, wall_ms, inputs);
        while self.folder.wake_at() <= self.now {
            new.extend(self.folder.step(self.now, wall_ms, Vec::new()));
        }
        for event in &new {
            self.remember(event);
        }
        self.events.extend(new);
    }

    fn remember(&mut self, event: &FileEvent) {
        match event {
            FileEvent::Saved { path, hash, executable, kind: SaveKind::Edit | SaveKind::Joining, .. } => {
                self.known.insert(path.clone(), KnownFile { hash: *hash, executable: *executable });
            }
            FileEvent::Saved { path, hash, executable, kind: SaveKind::Renamed { from }, .. } => {
                self.known.remove(from);
                self.known.insert(path.clone(), KnownFile { hash: *hash, executable: *executable });
            }
            FileEvent::Deleted { path, .. } => {
                self.known.remove(path);
            }
            _ => {}
        }
    }

    /// Lets virtual time pass, doing what falls due.
    pub(super) fn run_ms(&mut self, milliseconds: u64) {
        let end = self.now + Duration::from_millis(milliseconds);
        while self.folder.wake_at() <= end {
            self.now = self.now.max(self.folder.wake_at());
            self.step(Vec::new());
        }
        self.now = end;
    }

    /// What was told since the last call.
    pub(super) fn take_events(&mut self) -> Vec<FileEvent> {
        std::mem::take(&mut self.events)
    }

    /// The saves told since the last call: (path, content, kind).
    pub(super) fn take_saves(&mut self) -> Vec<(String, String, SaveKind)> {
        let saved = |event| match event {
            FileEvent::Saved { path, bytes, kind, .. } => {
                Some((path, String::from_utf8(bytes.to_vec()).unwrap(), kind))
            }
            _ => None,
        };
        self.take_events().into_iter().filter_map(saved).collect()
    }

    /// Contents of late edits told since the last call.
    pub(super) fn take_late(&mut self) -> Vec<String> {
        let saves = self.take_saves().into_iter();
        saves.filter(|(_, _, kind)| matches!(kind, SaveKind::Late { .. })).map(|(_, content, _)| content).collect()
    }

    fn next_ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    /// Writes what replaces the known content; gives the answer, if there is one yet.
    pub(super) fn write(&mut self, path: &str, content: &str) -> Option<FileEvent> {
        self.write_executable(path, content, false)
    }

    pub(super) fn write_executable(&mut self, path: &str, content: &str, executable: bool) -> Option<FileEvent> {
        let ticket = self.next_ticket();
        let replaces = self.known.get(path).map(|file| file.hash);
        let bytes = Bytes::copy_from_slice(content.as_bytes());
        self.step(vec![Input::Write { ticket, path: path.into(), bytes, executable, replaces }]);
        let answer = self.answer(ticket);
        if let Some(FileEvent::Written { hash, .. }) = answer {
            self.known.insert(path.to_owned(), KnownFile { hash, executable });
        }
        answer
    }

    /// Writes, and expects that it is done at once.
    pub(super) fn put(&mut self, path: &str, content: &str) {
        let answer = self.write(path, content);
        assert!(matches!(answer, Some(FileEvent::Written { .. })), "{path}: {answer:?}");
        assert_eq!(self.content(path), content);
    }

    pub(super) fn delete(&mut self, path: &str) -> Option<FileEvent> {
        let ticket = self.next_ticket();
        let replaces = self.known[path].hash;
        self.step(vec![Input::Delete { ticket, path: path.into(), replaces }]);
        let answer = self.answer(ticket);
        if let Some(FileEvent::Removed { .. }) = answer {
            self.known.remove(path);
        }
        answer
    }

    pub(super) fn last_answer(&self) -> Option<FileEvent> {
        self.answer(Ticket(self.tickets))
    }

    fn answer(&self, ticket: Ticket) -> Option<FileEvent> {
        let is_answer = |event: &&FileEvent| match event {
            FileEvent::Written { ticket: of, .. }
            | FileEvent::Removed { ticket: of }
            | FileEvent::WriteFailed { ticket: of, .. } => *of == ticket,
            _ => false,
        };
        self.events.iter().rev().find(is_answer).cloned()
    }

    /// What lies in staging.
    pub(super) fn staged(&self) -> Vec<String> {
        let staging = fs::read_dir(self.path(".murmurate/staging")).unwrap();
        staging.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// All names in the folder, without the daemon's own directory.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut directories = vec![self.root()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.ends_with(".murmurate") {
                    continue;
                }
                names.insert(path.strip_prefix(self.root()).unwrap().to_string_lossy().into_owned());
                if path.is_dir() && !path.is_symlink() {
                    directories.push(path);
                }
            }
        }
        names
    }
}
