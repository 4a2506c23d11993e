//! A file system in memory, used by a daemon and by people at once, and as unkind as one may be.
//!
//! After a crash of the machine it keeps no more than what is assumed of a real one:
//! - Names: what was done to them is there in the order in which it was done, up to some point after the last sync of a
//!   directory (a journal). Each change of names is there whole or not at all.
//! - Bytes: of a file that wasn't synced since, each sector is old or new, whatever became of its name.
//!
//! It also watches over promise P8: a file that the daemon made must never be seen under a name of the folder with other
//! bytes than it was meant to hold, until somebody else writes to it.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use murmurate::daemon::files::FileSystem;
use murmurate::daemon::files::filesystem::{Content as FileContent, Directory, FileError, Found, Kind, Rename, Stamp};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use super::content::Content;
use super::hints::{Deed, Watches};
use super::switch::Switch;

/// The daemon's own directory, in which half files may lie.
const OWN_DIRECTORY: &str = "/.murmurate/";
/// Symlinks followed one after the other.
const SYMLINK_HOPS: usize = 8;

/// Clones are the same file system.
#[derive(Clone)]
pub(crate) struct SimulatedFileSystem {
    state: Arc<Mutex<State>>,
    watches: Watches,
    switch: Switch,
}

/// A file that a person has open, whatever becomes of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Open(usize);

struct State {
    inodes: Vec<Inode>,
    /// Absolute paths, as programs see them, and as they would be after a crash.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    journal: Vec<Change>,
    wall_ns: i128,
    random: ChaCha20Rng,
    operations: u64,
    /// So many more operations of the daemon go well.
    stops_after: Option<u64>,
    forgets_file_syncs: bool,
    forgets_name_syncs: bool,
    violations: Vec<String>,
    ambush: Option<(String, Ambush)>,
}

type Ambush = Box<dyn FnOnce() + Send>;

struct Inode {
    kind: Kind,
    content: Content,
    target: String,
    executable: bool,
    modified_ns: i128,
    changed_ns: i128,
    /// What the daemon meant it to hold; nothing of files that people made or wrote to.
    intended: Option<Vec<u8>>,
}

/// A change of names, whole or not at all.
#[derive(Debug)]
enum Change {
    Link(String, usize),
    Unlink(String),
    Move(String, String),
    Exchange(String, String),
}

fn apply(names: &mut BTreeMap<String, usize>, change: &Change) {
    match change {
        Change::Link(name, inode) => drop(names.insert(name.clone(), *inode)),
        Change::Unlink(name) => drop(names.remove(name)),
        Change::Move(from, to) => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
        }
        Change::Exchange(one, other) => {
            if let (Some(left), Some(right)) = (names.get(one).copied(), names.get(other).copied()) {
                names.insert(one.clone(), right);
                names.insert(other.clone(), left);
            }
        }
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn off(path: &str) -> FileError {
    FileError::System { attempt: "reach", path: path.to_owned(), source: io::Error::other("the machine stopped") }
}

impl State {
    fn inode(&self, path: &str) -> Result<usize, FileError> {
        self.names.get(path).copied().ok_or(FileError::NotFound)
    }

    fn add_inode(&mut self, kind: Kind) -> usize {
        self.inodes.push(Inode {
            kind,
            content: Content::default(),
            target: String::new(),
            executable: false,
            modified_ns: self.wall_ns,
            changed_ns: self.wall_ns,
            intended: None,
        });
        self.inodes.len() - 1
    }

    /// Gives a new inode a name.
    fn add(&mut self, path: &str, kind: Kind) -> Result<usize, FileError> {
        if self.names.contains_key(path) {
            return Err(FileError::Exists);
        }
        match self.inode(parent(path)) {
            Ok(directory) if self.inodes[directory].kind == Kind::Directory => {}
            Ok(_) => return Err(FileError::NotADirectory),
            Err(error) => return Err(error),
        }
        let inode = self.add_inode(kind);
        self.change(Change::Link(path.to_owned(), inode));
        Ok(inode)
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.names, &change);
        match &change {
            Change::Link(name, _) | Change::Move(_, name) => self.look_at(name),
            Change::Exchange(one, other) => [one, other].into_iter().for_each(|name| self.look_at(name)),
            Change::Unlink(_) => {}
        }
        self.journal.push(change);
    }

    /// Whether a name that changed shows a half file.
    fn look_at(&mut self, name: &str) {
        let Some(inode) = self.names.get(name).copied() else { return };
        self.inodes[inode].changed_ns = self.wall_ns;
        let Some(intended) = &self.inodes[inode].intended else { return };
        let seen = &self.inodes[inode].content.seen;
        if seen != intended && !name.contains(OWN_DIRECTORY) {
            let (seen, intended) = (String::from_utf8_lossy(seen), String::from_utf8_lossy(intended));
            self.violations.push(format!("{name} holds {seen:?}, not {intended:?}"));
        }
    }

    fn found(&self, inode: usize) -> Found {
        let node = &self.inodes[inode];
        let stamp = Stamp {
            inode: (1, inode as u64),
            size_bytes: node.content.seen.len() as u64,
            modified_ns: node.modified_ns,
            changed_ns: node.changed_ns,
        };
        let links = self.names.values().filter(|&&named| named == inode).count() as u64;
        Found { kind: node.kind, stamp, executable: node.executable, links }
    }

    /// The absolute path without symlinks at its end, not leaving `root`.
    fn follow(&self, root: &str, path: &str) -> Result<String, FileError> {
        let mut path = path.to_owned();
        for _ in 0..SYMLINK_HOPS {
            let node = &self.inodes[self.inode(&path)?];
            if node.kind != Kind::Link {
                return Ok(path);
            }
            if node.target.starts_with('/') {
                return Err(FileError::Outside);
            }
            path = format!("{}/{}", parent(&path), node.target);
            if !path.starts_with(root) || path.contains("/..") {
                return Err(FileError::Outside);
            }
        }
        Err(FileError::LinkLoop)
    }

    fn touch(&mut self, inode: usize) {
        (self.inodes[inode].modified_ns, self.inodes[inode].changed_ns) = (self.wall_ns, self.wall_ns);
    }
}

impl fmt::Debug for SimulatedFileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimulatedFileSystem")
    }
}

/// The machine.
impl SimulatedFileSystem {
    pub(crate) fn new(random: ChaCha20Rng, watches: Watches, switch: Switch) -> Self {
        let mut state = State {
            inodes: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            journal: Vec::new(),
            wall_ns: 0,
            random,
            operations: 0,
            stops_after: None,
            forgets_file_syncs: false,
            forgets_name_syncs: false,
            violations: Vec::new(),
            ambush: None,
        };
        let root = state.add_inode(Kind::Directory);
        state.names.insert(String::new(), root);
        state.durable_names.insert(String::new(), root);
        Self { state: Arc::new(Mutex::new(state)), watches, switch }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Sets the time of day.
    pub(crate) fn set_wall_ms(&self, wall_ms: u64) {
        self.state().wall_ns = i128::from(wall_ms) * 1_000_000;
    }

    /// How many operations of the daemon there were, reads not counted.
    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Lets the daemon do so many more operations, then it stops.
    pub(crate) fn stop_after(&self, operations: u64) {
        self.state().stops_after = Some(operations);
    }

    /// To show that tests notice: files aren't synced any more.
    pub(crate) fn forget_file_syncs(&self) {
        self.state().forgets_file_syncs = true;
    }

    /// To show that tests notice: the daemon's syncs of directories do nothing any more.
    pub(crate) fn forget_name_syncs(&self) {
        self.state().forgets_name_syncs = true;
    }

    /// The daemon ended and may begin anew: all that was done is there.
    pub(crate) fn restart_process(&self) {
        self.state().stops_after = None;
        self.switch.on();
    }

    /// The machine begins anew. Of what wasn't synced, bytes are there with a likelihood of `percent`, and names up to some
    /// point: all for 100, none for 0.
    pub(crate) fn restart_machine(&self, percent: u32) {
        self.restart_process();
        let state = &mut *self.state();
        for node in &mut state.inodes {
            node.content.crash(percent, &mut state.random);
        }
        let journal = std::mem::take(&mut state.journal);
        let kept = match percent {
            0 => 0,
            100.. => journal.len(),
            _ => state.random.next_u32() as usize % (journal.len() + 1),
        };
        for change in &journal[..kept] {
            apply(&mut state.durable_names, change);
        }
        state.names.clone_from(&state.durable_names);
        for name in state.names.keys().cloned().collect::<Vec<_>>() {
            state.look_at(&name);
        }
    }

    /// Calls this right before the daemon next moves something to this name or away from it, once.
    pub(crate) fn before_move(&self, path: &str, call: impl FnOnce() + Send + 'static) {
        self.state().ambush = Some((path.to_owned(), Box::new(call)));
    }

    /// Nobody waits for an exchange any more.
    pub(crate) fn no_ambush(&self) {
        self.state().ambush = None;
    }

    /// What was seen that must never be seen.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }
}

/// People and their editors. What they do is never refused.
impl SimulatedFileSystem {
    /// Makes a directory that is there for good, with those above it.
    pub(crate) fn make_directories(&self, path: &str) {
        let state = &mut *self.state();
        let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
        for end in ends {
            if !state.names.contains_key(&path[..end]) {
                let inode = state.add(&path[..end], Kind::Directory).unwrap();
                state.durable_names.insert(path[..end].to_owned(), inode);
            }
        }
    }

    /// The bytes under a name, if it is a file's.
    pub(crate) fn content(&self, path: &str) -> Option<Vec<u8>> {
        let state = self.state();
        let node = &state.inodes[state.inode(path).ok()?];
        (node.kind == Kind::File).then(|| node.content.seen.clone())
    }

    /// Opens a file for writing.
    pub(crate) fn open_file(&self, path: &str) -> Option<Open> {
        let state = self.state();
        let inode = state.inode(path).ok()?;
        (state.inodes[inode].kind == Kind::File).then_some(Open(inode))
    }

    /// Opens a file for writing, made anew where there is none.
    pub(crate) fn open_or_make(&self, path: &str) -> Open {
        if let Some(open) = self.open_file(path) {
            return open;
        }
        let open = Open(self.state().add(path, Kind::File).unwrap());
        self.watches.tell(Path::new(path), Deed::Wrote);
        open
    }

    /// Empties an open file.
    pub(crate) fn truncate(&self, open: Open) {
        self.write_with(open, Content::truncate);
    }

    /// Writes into an open file.
    pub(crate) fn write_at(&self, open: Open, offset: usize, bytes: &[u8]) {
        self.write_with(open, |content| content.write(offset as u64, bytes));
    }

    fn write_with(&self, open: Open, write: impl FnOnce(&mut Content)) {
        let state = &mut *self.state();
        write(&mut state.inodes[open.0].content);
        state.inodes[open.0].intended = None;
        state.touch(open.0);
        self.tell_of(state, open, Deed::Wrote);
    }

    /// Closes a file that was written to, after a sync.
    pub(crate) fn close(&self, open: Open) {
        let state = &mut *self.state();
        state.inodes[open.0].content.sync();
        self.tell_of(state, open, Deed::Finished);
    }

    fn tell_of(&self, state: &State, open: Open, deed: Deed) {
        for (name, _) in state.names.iter().filter(|(_, inode)| **inode == open.0) {
            self.watches.tell(Path::new(name), deed);
        }
    }

    /// Where an open file lies now, if it has a name.
    pub(crate) fn name_of(&self, open: Open) -> Option<String> {
        let state = self.state();
        state.names.iter().find(|(_, inode)| **inode == open.0).map(|(name, _)| name.clone())
    }

    /// What an open file holds.
    pub(crate) fn bytes_of(&self, open: Open) -> Vec<u8> {
        self.state().inodes[open.0].content.seen.clone()
    }

    /// Gives a file another name, in place of one that may have had it.
    pub(crate) fn rename_over(&self, from: &str, to: &str) {
        self.state().change(Change::Move(from.to_owned(), to.to_owned()));
        self.watches.tell(Path::new(from), Deed::Removed);
        self.watches.tell(Path::new(to), Deed::Moved { late: false });
    }

    /// Removes a file.
    pub(crate) fn remove_file(&self, path: &str) {
        self.state().change(Change::Unlink(path.to_owned()));
        self.watches.tell(Path::new(path), Deed::Removed);
    }

    /// Makes all names durable, as a cautious editor does.
    pub(crate) fn sync_names(&self) {
        let state = &mut *self.state();
        for change in std::mem::take(&mut state.journal) {
            apply(&mut state.durable_names, &change);
        }
    }

    /// All files below a directory, but those in the daemon's own.
    pub(crate) fn files(&self, root: &str) -> BTreeMap<String, Vec<u8>> {
        self.below(root, |name| !name.contains(OWN_DIRECTORY))
    }

    /// All files in the daemon's own directory below `root`.
    pub(crate) fn own_files(&self, root: &str) -> BTreeMap<String, Vec<u8>> {
        self.below(root, |name| name.contains(OWN_DIRECTORY))
    }

    fn below(&self, root: &str, wanted: impl Fn(&str) -> bool) -> BTreeMap<String, Vec<u8>> {
        let state = self.state();
        let below = |name: &str| name.strip_prefix(root).and_then(|rest| rest.strip_prefix('/')).map(str::to_owned);
        let files = state.names.iter().filter(|(name, _)| wanted(name)).filter_map(|(name, inode)| {
            let node = &state.inodes[*inode];
            (node.kind == Kind::File).then_some(())?;
            Some((below(name)?, node.content.seen.clone()))
        });
        files.collect()
    }
}

impl FileSystem for SimulatedFileSystem {
    fn open(&self, root: &Path) -> Result<Arc<dyn Directory>, FileError> {
        let path = root.to_str().ok_or(FileError::NotFound)?.to_owned();
        if self.switch.is_off() {
            return Err(off(&path));
        }
        let inode = self.state().inode(&path)?;
        Ok(Arc::new(SimulatedDirectory { file_system: self.clone(), root: path, inode }))
    }
}

/// A daemon's hold on a folder.
#[derive(Debug)]
struct SimulatedDirectory {
    file_system: SimulatedFileSystem,
    root: String,
    inode: usize,
}

impl SimulatedDirectory {
    fn path(&self, path: &str) -> String {
        if path.is_empty() { self.root.clone() } else { format!("{}/{path}", self.root) }
    }

    /// The state, for a look.
    fn look_into(&self, path: &str) -> Result<MutexGuard<'_, State>, FileError> {
        if self.file_system.switch.is_off() { Err(off(path)) } else { Ok(self.file_system.state()) }
    }

    /// The state, for one operation that changes something. The one during which the machine stops isn't done.
    fn operate(&self, path: &str) -> Result<MutexGuard<'_, State>, FileError> {
        let mut state = self.look_into(path)?;
        state.operations += 1;
        if let Some(left) = &mut state.stops_after {
            if *left == 0 {
                self.file_system.switch.off();
                return Err(off(path));
            }
            *left -= 1;
        }
        Ok(state)
    }

    fn tell(&self, path: &str, deed: Deed) {
        self.file_system.watches.tell(&PathBuf::from(self.path(path)), deed);
    }
}

impl Directory for SimulatedDirectory {
    fn is_at(&self, root: &Path) -> bool {
        let there = root.to_str().and_then(|root| self.file_system.state().inode(root).ok());
        there == Some(self.inode)
    }

    fn list(&self, directory: &str, at_most: usize) -> Result<Vec<Vec<u8>>, FileError> {
        let state = self.look_into(directory)?;
        let directory = self.path(directory);
        if state.inodes[state.inode(&directory)?].kind != Kind::Directory {
            return Err(FileError::NotADirectory);
        }
        let inside = state.names.keys().filter(|name| parent(name) == directory && !name.is_empty());
        let names = inside.filter_map(|name| name.rsplit_once('/')).map(|(_, name)| name.as_bytes().to_vec());
        Ok(names.take(at_most).collect())
    }

    fn look(&self, path: &str) -> Result<Found, FileError> {
        let state = self.look_into(path)?;
        let inode = state.inode(&self.path(path))?;
        Ok(state.found(inode))
    }

    fn look_through(&self, path: &str) -> Result<Found, FileError> {
        let state = self.look_into(path)?;
        let path = state.follow(&self.root, &self.path(path))?;
        let inode = state.inode(&path)?;
        Ok(state.found(inode))
    }

    fn read(&self, path: &str, at_most: usize) -> Result<FileContent, FileError> {
        let state = self.look_into(path)?;
        let path = state.follow(&self.root, &self.path(path))?;
        let inode = state.inode(&path)?;
        let found = state.found(inode);
        if found.kind != Kind::File {
            return Err(FileError::NotAFile(found.kind));
        }
        let bytes = state.inodes[inode].content.seen.clone();
        if bytes.len() > at_most {
            return Err(FileError::TooLarge);
        }
        Ok(FileContent { before: found, after: found, bytes })
    }

    fn create(&self, path: &str, bytes: &[u8], executable: bool, like: Option<&str>) -> Result<(), FileError> {
        let inode = {
            let mut state = self.operate(path)?;
            let inode = state.add(&self.path(path), Kind::File)?;
            state.inodes[inode].intended = Some(bytes.to_vec());
            inode
        };
        if let Some(like) = like {
            let there = self.look(like);
            if let Err(error) = there {
                self.remove(path)?;
                return Err(error);
            }
        }
        let written = self.operate(path).map(drop);
        {
            // The kernel may have taken some of it before all stopped.
            let state = &mut *self.file_system.state();
            let length = if written.is_ok() { bytes.len() } else { bytes.len() / 2 };
            state.inodes[inode].content.write(0, &bytes[..length]);
            state.inodes[inode].executable = executable;
            state.touch(inode);
        }
        written?;
        let mut state = self.operate(path)?;
        if !state.forgets_file_syncs {
            state.inodes[inode].content.sync();
        }
        drop(state);
        self.tell(path, Deed::Finished);
        Ok(())
    }

    fn make_directory(&self, path: &str, _private: bool) -> Result<(), FileError> {
        self.operate(path)?.add(&self.path(path), Kind::Directory)?;
        self.tell(path, Deed::Finished);
        Ok(())
    }

    fn link_symbolic(&self, target: &str, path: &str) -> Result<(), FileError> {
        let mut state = self.operate(path)?;
        let inode = state.add(&self.path(path), Kind::Link)?;
        state.inodes[inode].target = target.to_owned();
        Ok(())
    }

    fn read_link(&self, path: &str) -> Result<String, FileError> {
        let state = self.look_into(path)?;
        let node = &state.inodes[state.inode(&self.path(path))?];
        if node.kind == Kind::Link { Ok(node.target.clone()) } else { Err(FileError::NotAFile(node.kind)) }
    }

    fn link_hard(&self, path: &str, new_path: &str) -> Result<(), FileError> {
        let mut state = self.operate(path)?;
        let inode = state.inode(&self.path(path))?;
        if state.names.contains_key(&self.path(new_path)) {
            return Err(FileError::Exists);
        }
        state.change(Change::Link(self.path(new_path), inode));
        Ok(())
    }

    fn rename(&self, path: &str, new_path: &str, how: Rename) -> Result<(), FileError> {
        let (from, to) = (self.path(path), self.path(new_path));
        let ambush = self.look_into(path)?.ambush.take_if(|(target, _)| *target == to || *target == from);
        if let Some((_, ambush)) = ambush {
            ambush();
        }
        {
            let mut state = self.operate(path)?;
            state.inode(&from)?;
            state.inode(parent(&to))?;
            let there = state.inode(&to);
            let change = match how {
                Rename::Exchange => there.map(|_| Change::Exchange(from, to))?,
                Rename::New if there.is_ok() => return Err(FileError::Exists),
                Rename::New | Rename::Over => Change::Move(from, to),
            };
            state.change(change);
        }
        self.tell(new_path, Deed::Moved { late: true });
        Ok(())
    }

    fn remove(&self, path: &str) -> Result<(), FileError> {
        let mut state = self.operate(path)?;
        let inode = state.inode(&self.path(path))?;
        if state.inodes[inode].kind == Kind::Directory {
            return Err(FileError::NotAFile(Kind::Directory));
        }
        state.change(Change::Unlink(self.path(path)));
        drop(state);
        self.tell(path, Deed::Removed);
        Ok(())
    }

    fn sync_directory(&self, directory: &str) -> Result<(), FileError> {
        let forgets = self.operate(directory)?.forgets_name_syncs;
        if !forgets {
            self.file_system.sync_names();
        }
        Ok(())
    }
}
