//! The loop that moves commands and hints into the folders, and their events out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use murmurate_net::environment::Environment;
use rand_core::Rng;
use tokio::sync::mpsc;

use super::engine::Hint;
use super::filesystem::FileSystem;
use super::folder::{Folder, Input, Setup};
use super::limits::{COMMANDS, COMMANDS_PER_STEP, EVENTS, FOLDERS, HINTS};
use super::linux::HostFileSystem;
use super::message::{FileCommand, FileEvent, FolderTrouble, WriteFailure};
use super::watcher::{HintAt, Hints};

/// All watched folders of a daemon, in one task; their calls to the disk run where they may block.
///
/// The task waits while the events aren't taken, and takes no commands meanwhile: so the core must never wait for room
/// among the commands, but keep what it has to say (one write per file at most is under way).
/// It ends when the sender of commands is dropped, after the step it is in; what it leaves in staging is looked at when
/// the folder is added again.
#[derive(Debug)]
pub struct FileService {
    environment: Environment,
    file_system: Arc<dyn FileSystem>,
    hints: Hints,
    folders: BTreeMap<String, Folder>,
    events: mpsc::Sender<FileEvent>,
}

type Inputs = BTreeMap<String, Vec<Input>>;

impl FileService {
    /// Starts on the host's file system. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(environment: Environment) -> (mpsc::Sender<FileCommand>, mpsc::Receiver<FileEvent>) {
        Self::start_with(environment, Arc::new(HostFileSystem), Hints::from_kernel())
    }

    /// Starts on another file system, with hints from elsewhere.
    #[must_use]
    pub fn start_with(
        environment: Environment,
        file_system: Arc<dyn FileSystem>,
        hints: Hints,
    ) -> (mpsc::Sender<FileCommand>, mpsc::Receiver<FileEvent>) {
        let (command_sender, commands) = mpsc::channel(COMMANDS);
        let (events, event_receiver) = mpsc::channel(EVENTS);
        let service = Self { environment, file_system, hints, folders: BTreeMap::new(), events };
        tokio::spawn(service.run(commands));
        (command_sender, event_receiver)
    }

    async fn run(mut self, mut commands: mpsc::Receiver<FileCommand>) {
        loop {
            let mut inputs = Inputs::new();
            let mut hints = BTreeMap::new();
            let pause = self.pause();
            // In a fixed order: which of several ready events comes first must not be left to chance.
            tokio::select! {
                biased;
                command = commands.recv() => {
                    let Some(command) = command else { return };
                    if !self.take_command(command, &mut inputs).await { return }
                }
                Some(hint) = self.hints.receiver.recv() => take_hint(hint, &mut hints),
                () = tokio::time::sleep(pause) => {}
            }
            // What else is there goes into the same step.
            for _ in 1..COMMANDS_PER_STEP {
                let Ok(command) = commands.try_recv() else { break };
                if !self.take_command(command, &mut inputs).await {
                    return;
                }
            }
            for _ in 0..HINTS {
                let Ok(hint) = self.hints.receiver.try_recv() else { break };
                take_hint(hint, &mut hints);
            }
            self.route(hints, &mut inputs);
            if !self.step(inputs).await {
                return;
            }
        }
    }

    /// How long nothing has to be done.
    fn pause(&self) -> Duration {
        // Nothing watched: any long time, a command ends it.
        const LONG: Duration = Duration::from_secs(3600);
        let wake = self.folders.values().map(Folder::wake_at).min();
        wake.map_or(LONG, |at| at.saturating_sub(self.environment.monotonic()))
    }

    /// Hands each hint to the folder it is in.
    fn route(&self, hints: BTreeMap<PathBuf, Hint>, inputs: &mut Inputs) {
        for (path, hint) in hints {
            let home =
                self.folders.iter().find_map(|(name, folder)| Some((name, path.strip_prefix(folder.root()).ok()?)));
            if let Some((name, below)) = home {
                inputs.entry(name.clone()).or_default().push(Input::Hint { path: below.to_path_buf(), hint });
            }
        }
        if self.hints.lost.swap(false, Ordering::AcqRel) {
            for name in self.folders.keys() {
                inputs.entry(name.clone()).or_default().push(Input::HintsLost);
            }
        }
    }

    /// Steps every folder that has something to do. Returns false when nobody wants events any more.
    async fn step(&mut self, mut inputs: Inputs) -> bool {
        let now = self.environment.monotonic();
        let due = self.folders.iter().filter(|(_, folder)| folder.wake_at() <= now).map(|(name, _)| name);
        let names: BTreeSet<String> = due.chain(inputs.keys()).cloned().collect();
        for name in names {
            let Some(mut folder) = self.folders.remove(&name) else { continue };
            let input = inputs.remove(&name).unwrap_or_default();
            let (now, wall_ms) = (self.environment.monotonic(), self.environment.wall_ms());
            let stepped = self.environment.blocking(move || {
                let events = folder.step(now, wall_ms, input);
                (folder, events)
            });
            let (folder, events) = stepped.await;
            self.folders.insert(name, folder);
            if !self.send(events).await {
                return false;
            }
        }
        true
    }

    /// Sorts a command to its folder. Returns false when nobody wants events any more.
    async fn take_command(&mut self, command: FileCommand, inputs: &mut Inputs) -> bool {
        let (folder, input) = match command {
            FileCommand::AddFolder { folder, root, known, recent, joining, patterns } => {
                let setup = Setup { name: folder.clone(), root, known, recent, joining, patterns };
                return match self.add(setup) {
                    Ok(()) => true,
                    Err(why) => self.send(vec![FileEvent::FolderTrouble { folder, why }]).await,
                };
            }
            FileCommand::RemoveFolder { folder } => {
                let unanswered = inputs.remove(&folder).unwrap_or_default();
                let events = self.folders.remove(&folder).map(|folder| folder.close(unanswered));
                return self.send(events.unwrap_or_default()).await;
            }
            FileCommand::Write { ticket, folder, path, bytes, executable, replaces } => {
                (folder, Input::Write { ticket, path, bytes, executable, replaces })
            }
            FileCommand::Delete { ticket, folder, path, replaces } => {
                (folder, Input::Delete { ticket, path, replaces })
            }
            FileCommand::Confirm { folder } => (folder, Input::Confirm),
            FileCommand::Rescan { folder } => (folder, Input::Rescan),
            FileCommand::Taken { folder, receipt } => (folder, Input::Taken(receipt)),
        };
        if self.folders.contains_key(&folder) {
            inputs.entry(folder).or_default().push(input);
            return true;
        }
        self.send(input.refused(WriteFailure::UnknownFolder).into_iter().collect()).await
    }

    /// Returns false when nobody wants events any more.
    async fn send(&self, events: Vec<FileEvent>) -> bool {
        for event in events {
            if self.events.send(event).await.is_err() {
                return false;
            }
        }
        true
    }

    fn add(&mut self, setup: Setup) -> Result<(), FolderTrouble> {
        let refused = |why: &str| Err(FolderTrouble::Refused(why.to_owned()));
        if self.folders.len() >= FOLDERS {
            return refused("there are too many folders");
        }
        if self.folders.contains_key(&setup.name) {
            return refused("there is one of this name");
        }
        if !setup.root.is_absolute() {
            return refused("its directory isn't an absolute path");
        }
        let nested = |other: &Folder| setup.root.starts_with(other.root()) || other.root().starts_with(&setup.root);
        if self.folders.values().any(nested) {
            return refused("its directory lies in another folder's, or holds one");
        }
        let mut id = [0; 16];
        self.environment.rng().fill_bytes(&mut id);
        let name = setup.name.clone();
        let file_system = Arc::clone(&self.file_system);
        self.folders.insert(name, Folder::new(setup, id, file_system, Arc::clone(&self.hints.watch)));
        Ok(())
    }
}

/// The last hint for a path counts; one that says little doesn't hide one that says more.
fn take_hint(hint: HintAt, hints: &mut BTreeMap<PathBuf, Hint>) {
    if hint.hint == Hint::Touched && hints.contains_key(&hint.path) {
        return;
    }
    hints.insert(hint.path, hint.hint);
}
