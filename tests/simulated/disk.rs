//! A disk in memory that is as unkind as the store's disk may be: what wasn't synced is lost, torn and reordered in a crash, and
//! a failed sync leaves bytes that read well and aren't there.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use murmurate::daemon::store::{Disk, DiskFile};

use super::content::Content;
use super::switch::Switch;

/// What goes wrong with an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The machine stops: this operation and all later ones fail.
    Crash,
    /// A sync fails, and only part of what it should have written is on the disk; other operations fail cleanly.
    InputOutput,
    /// Part of a write is done, then there is no space; syncs go well.
    NoSpace,
}

#[derive(Clone)]
pub(crate) struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    files: Vec<Content>,
    /// Names as programs see them, and as they would be after a crash.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<NameChange>,
    /// What happens once so many more operations are done.
    fault: Option<(u64, Fault)>,
    operations: u64,
    switch: Switch,
    random: ChaCha20Rng,
    during_next_sync: Option<Box<dyn FnOnce() + Send>>,
}

enum NameChange {
    Link(String, usize),
    Unlink(String),
}

struct SimulatedFile {
    disk: SimulatedDisk,
    number: usize,
}

impl State {
    /// Counts an operation, and gives what goes wrong with it.
    fn next_fault(&mut self) -> Option<Fault> {
        if self.switch.is_off() {
            return Some(Fault::Crash);
        }
        self.operations += 1;
        let (left, fault) = self.fault.as_mut()?;
        if *left > 0 {
            *left -= 1;
            return None;
        }
        let fault = *fault;
        self.fault = None;
        if fault == Fault::Crash {
            self.switch.off();
        }
        Some(fault)
    }

    /// For operations that are done whole or not at all.
    fn check(&mut self) -> io::Result<()> {
        match self.next_fault() {
            None => Ok(()),
            Some(Fault::NoSpace) => Err(io::ErrorKind::StorageFull.into()),
            Some(Fault::Crash | Fault::InputOutput) => Err(io::Error::other("simulated")),
        }
    }

    fn change_names(&mut self, change: NameChange) {
        apply(&mut self.names, &change);
        self.pending_names.push(change);
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: &NameChange) {
    match change {
        NameChange::Link(name, number) => names.insert(name.clone(), *number),
        NameChange::Unlink(name) => names.remove(name),
    };
}

impl SimulatedDisk {
    pub(crate) fn new(random: ChaCha20Rng) -> Self {
        Self::with_switch(random, Switch::default())
    }

    /// A disk of a machine that stops as a whole.
    pub(crate) fn with_switch(random: ChaCha20Rng, switch: Switch) -> Self {
        let state = State {
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
            fault: None,
            operations: 0,
            switch,
            random,
            during_next_sync: None,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Lets `operations` more go well, then this happens, once.
    pub(crate) fn fail_after(&self, operations: u64, fault: Fault) {
        self.state().fault = Some((operations, fault));
    }

    /// Calls this within the next sync of a file.
    pub(crate) fn during_next_sync(&self, call: impl FnOnce() + Send + 'static) {
        self.state().during_next_sync = Some(Box::new(call));
    }

    /// Puts a file on the disk, durable.
    pub(crate) fn put_file(&self, name: &str, bytes: &[u8]) {
        let state = &mut *self.state();
        let number = state.files.len();
        state.files.push(Content::durable(bytes));
        state.names.insert(name.to_owned(), number);
        state.durable_names.insert(name.to_owned(), number);
    }

    /// How many operations there were, reads not counted.
    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// The process ended and begins anew: the kernel still has all that was written.
    pub(crate) fn restart_process(&self) {
        let mut state = self.state();
        state.switch.on();
        state.fault = None;
    }

    /// The machine begins anew. What wasn't synced is there in part: each sector with a likelihood of `percent`.
    pub(crate) fn restart_machine(&self, percent: u32) {
        let state = &mut *self.state();
        for file in &mut state.files {
            file.crash(percent, &mut state.random);
        }
        for change in std::mem::take(&mut state.pending_names) {
            if state.random.next_u32() % 100 < percent {
                apply(&mut state.durable_names, &change);
            }
        }
        state.names.clone_from(&state.durable_names);
        state.switch.on();
        state.fault = None;
    }

    /// Changes what is on the disk.
    pub(crate) fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let state = &mut *self.state();
        state.files[state.names[name]].damage(change);
    }

    /// What is in a file.
    pub(crate) fn content(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.files[state.names[name]].seen.clone()
    }
}

impl Disk for SimulatedDisk {
    fn describe(&self, name: &str) -> String {
        format!("simulated/{name}")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.check()?;
        let number = state.files.len();
        state.files.push(Content::default());
        state.change_names(NameChange::Link(name.to_owned(), number));
        Ok(Arc::new(SimulatedFile { disk: self.clone(), number }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let number = *self.state().names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(SimulatedFile { disk: self.clone(), number }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        state.check()?;
        let number = *state.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        state.change_names(NameChange::Unlink(from.to_owned()));
        state.change_names(NameChange::Link(to.to_owned(), number));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.check()?;
        state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        state.change_names(NameChange::Unlink(name.to_owned()));
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let state = &mut *self.state();
        match state.next_fault() {
            None | Some(Fault::NoSpace) => {
                for change in std::mem::take(&mut state.pending_names) {
                    apply(&mut state.durable_names, &change);
                }
                Ok(())
            }
            Some(Fault::Crash | Fault::InputOutput) => Err(io::Error::other("simulated")),
        }
    }
}

impl DiskFile for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.state().files[self.number].seen.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.disk.state();
        let seen = &state.files[self.number].seen;
        let rest = seen.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let state = &mut *self.disk.state();
        let fault = state.next_fault();
        let file = &mut state.files[self.number];
        match fault {
            None => file.write(offset, bytes),
            // The kernel may have taken all of it, and have written some of it already.
            Some(Fault::Crash) => {
                file.write(offset, bytes);
                return Err(io::Error::other("simulated"));
            }
            Some(Fault::InputOutput) => return Err(io::Error::other("simulated")),
            Some(Fault::NoSpace) => {
                let written = usize::try_from(state.random.next_u64() % bytes.len() as u64).unwrap();
                file.write(offset, &bytes[..written]);
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let call = self.disk.state().during_next_sync.take();
        if let Some(call) = call {
            call();
        }
        let state = &mut *self.disk.state();
        let fault = state.next_fault();
        let file = &mut state.files[self.number];
        match fault {
            None | Some(Fault::NoSpace) => {
                file.sync();
                return Ok(());
            }
            Some(Fault::InputOutput) => file.sync_in_part(50, &mut state.random),
            Some(Fault::Crash) => {}
        }
        Err(io::Error::other("simulated"))
    }
}
