//! The core: one task that owns all documents, and decides. Everything else is a thin shell around it.
//!
//! ```text
//!   api ──Request──▶ ┌──────────────────────────────────────┐ ──Item──▶ commits ──▶ store
//!   net ──frames───▶ │ documents · protocol engine · bases  │ ◀─Done──
//! files ──saves────▶ │                                      │ ──Write──▶ files
//!  time ──────────▶  └──────────────────────────────────────┘ ──Send───▶ net
//!                       flush: render what changed, once a turn ──▶ watchers, files
//! ```
//! A turn takes in all events that are ready (bounded), then flushes: each changed document is rendered once, its file
//! is brought in step, its watchers are told.

mod actor;
mod answer;
mod checks;
mod commits;
mod counted;
mod documents;
mod events;
mod folders;
mod former_bases;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod gossip;
pub(crate) mod limits;
mod link;
pub(crate) mod membership;
mod outbox;
mod overlays;
mod pace;
mod puts;
mod saves;
mod summaries;
mod unseen_writes;
mod view;
mod watches;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use murmurate_client::types::{Converged, Time};
use murmurate_crdt::clock::VersionVector;
use murmurate_crdt::document::Written;
use murmurate_crdt::edit::Editor;
use murmurate_crdt::envelope::{Envelope, MESH_LEVEL, SignedEnvelope};
use murmurate_crdt::id::{DocumentId, Generation, MeshId, NodeId};
use murmurate_crdt::overlay::Overlay;
use murmurate_crdt::register::Register;
use murmurate_net::environment::Environment;
use murmurate_net::{NetworkEvent, NetworkEvents, NetworkHandle};
use murmurate_protocol::{Engine, Event, Statement};
use rand_chacha::ChaCha20Rng;
use tokio::sync::{mpsc, watch};

use self::checks::{Checks, Refused};
use self::commits::{Commits, Item, Outcome, StateEntry, Then};
use self::counted::{Counted, Waiting};
use self::documents::Documents;
use self::events::Events;
pub(crate) use self::folders::Slot;
use self::folders::{Base, Folder, Folders};
use self::gossip::Gossip;
use self::limits::{EVENTS_PER_TURN, SHUTDOWN_WAIT};
use self::link::Refusals;
use self::membership::{Ended, Membership, Renewed, Standing};
use self::outbox::Outbox;
use self::overlays::Overlays;
use self::pace::Pace;
use self::puts::OpenPuts;
use self::summaries::Summaries;
use self::watches::Watches;
use crate::daemon::checks::{CheckCommand, CheckEvent, Rules};
use crate::daemon::event_log::EventLog;
use crate::daemon::files::{FileCommand, FileEvent, Ticket};
use crate::daemon::generation;
use crate::daemon::request::{CoreEnd, Request};
use crate::daemon::store::{Store, StoreError};

/// Who this host is.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) mesh: MeshId,
    pub(crate) node: NodeId,
    pub(crate) name: String,
    /// Where it is, in the people's own words; empty for nowhere in particular.
    pub(crate) zone: String,
    pub(crate) key: SigningKey,
    pub(crate) address: String,
    /// Whose overlays it has over its files, in their order.
    pub(crate) roles: Vec<Overlay>,
}

/// What the core is built from.
pub(crate) struct Parts {
    pub(crate) identity: Identity,
    /// Which of this host's starts this is.
    pub(crate) generation: u64,
    /// The roster's statements that it was given when it joined.
    pub(crate) statements: Vec<Statement>,
    pub(crate) standing: Standing,
    pub(crate) environment: Environment,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) engine: Engine,
    pub(crate) network: NetworkHandle,
    pub(crate) files: mpsc::Sender<FileCommand>,
    /// What is checked and reloaded on this host.
    pub(crate) rules: Arc<Rules>,
    pub(crate) checks: mpsc::Sender<CheckCommand>,
    pub(crate) runtime_dir: PathBuf,
    pub(crate) data_dir: PathBuf,
    pub(crate) converged: watch::Sender<Converged>,
    pub(crate) events: watch::Sender<EventLog>,
}

/// What comes in.
pub(crate) struct Inputs {
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) network: NetworkEvents,
    pub(crate) renewals: mpsc::Receiver<Renewed>,
    pub(crate) files: mpsc::Receiver<FileEvent>,
    pub(crate) checks: mpsc::Receiver<CheckEvent>,
    pub(crate) shutdown: watch::Receiver<bool>,
}

/// The door's halves, as the core takes them.
pub(crate) fn split(end: CoreEnd) -> (mpsc::Receiver<Request>, watch::Sender<Converged>, watch::Sender<EventLog>) {
    (end.requests, end.converged, end.events)
}

/// The daemon's state.
pub(crate) struct Core {
    identity: Identity,
    environment: Environment,
    store: Arc<dyn Store>,
    engine: Engine,
    rng: ChaCha20Rng,
    network: NetworkHandle,
    files: Outbox<FileCommand>,
    checks: Checks,
    data_dir: PathBuf,
    converged: watch::Sender<Converged>,
    lagging_pace: Pace,
    events: Events,
    started_ms: u64,
    started: Duration,
    actor: murmurate_crdt::id::ActorId,
    /// State that must be committed with the first change of this run.
    actor_state: Option<StateEntry>,
    documents: Documents,
    /// Every document there is, with the changes that are durable.
    durable: BTreeMap<DocumentId, VersionVector>,
    /// Which node each actor writes for.
    authors: BTreeMap<murmurate_crdt::id::ActorId, NodeId>,
    /// How many conflicts each document has, where there are any.
    conflicted: BTreeMap<DocumentId, usize>,
    summaries: Summaries,
    folders: Folders,
    overlays: Overlays,
    membership: Membership,
    gossip: Gossip,
    /// Which of this host's starts this is.
    generation: u64,
    /// Statements to tell the engine of at the start.
    first_statements: Vec<Statement>,
    /// Why the core is to end, once it is.
    ended: Option<Ended>,
    commits: Commits,
    watches: Watches,
    /// Puts of this turn that wait for company.
    puts: BTreeMap<DocumentId, OpenPuts>,
    /// Documents that changed since the last flush.
    dirty: BTreeSet<DocumentId>,
    /// The last one that was flushed.
    flushed: Option<DocumentId>,
    /// Files to look at again at a time.
    retries: BTreeMap<DocumentId, Duration>,
    /// Documents whose snapshot is written at a time, if they are quiet by then.
    snapshots_due: BTreeMap<DocumentId, Duration>,
    /// Folders that wait for their first scan, with whoever asked for them.
    joining: BTreeMap<String, answer::FolderReply>,
    next_ticket: u64,
    engine_wakes: Option<Duration>,
    addresses: BTreeMap<NodeId, String>,
    refusals: Refusals,
    store_problem: Option<String>,
    counted: Counted,
    /// What waited for this task when it last looked.
    waiting: Waiting,
}

/// Something that became ready.
enum Ready {
    Request(Request),
    Network(NetworkEvent),
    Renewed(Renewed),
    File(FileEvent),
    Check(CheckEvent),
    Done(Outcome),
    /// There is room for what another task couldn't be told yet.
    Room,
    Time,
    Shutdown,
}

impl Core {
    /// Reads the store and starts the way to the disk. What comes out are outcomes of the disk and of renewals.
    pub(crate) fn new(parts: Parts) -> Result<(Self, mpsc::Receiver<Outcome>, mpsc::Receiver<Renewed>), StoreError> {
        let mut rng = parts.environment.rng();
        let chosen = actor::choose(&*parts.store, &parts.runtime_dir, &mut rng)?;
        let (commits, done) = Commits::start(&parts.environment, parts.store.clone(), chosen.record);
        let (membership, renewals) = Membership::new(parts.standing, &mut rng);
        let mut core = Self {
            started_ms: parts.environment.wall_ms(),
            started: parts.environment.monotonic(),
            actor: chosen.id,
            actor_state: chosen.state,
            documents: Documents::new(parts.store.clone()),
            durable: BTreeMap::new(),
            authors: BTreeMap::new(),
            conflicted: BTreeMap::new(),
            summaries: Summaries::default(),
            folders: Folders::default(),
            overlays: Overlays::of(&parts.identity.name, &parts.identity.roles),
            membership,
            gossip: Gossip::default(),
            generation: parts.generation,
            first_statements: parts.statements,
            ended: None,
            commits,
            watches: Watches::default(),
            puts: BTreeMap::new(),
            dirty: BTreeSet::new(),
            flushed: None,
            retries: BTreeMap::new(),
            snapshots_due: BTreeMap::new(),
            joining: BTreeMap::new(),
            next_ticket: 1,
            engine_wakes: None,
            addresses: BTreeMap::new(),
            refusals: Refusals::default(),
            store_problem: None,
            counted: Counted::default(),
            waiting: Waiting::default(),
            identity: parts.identity,
            environment: parts.environment,
            store: parts.store,
            engine: parts.engine,
            rng,
            network: parts.network,
            files: Outbox::new(parts.files),
            checks: Checks::new(parts.rules, parts.checks),
            data_dir: parts.data_dir,
            converged: parts.converged,
            lagging_pace: Pace::new(events::LOOK_PACE),
            events: Events::new(parts.events, parts.generation),
        };
        core.load()?;
        Ok((core, done, renewals))
    }

    /// Takes over what the store holds.
    fn load(&mut self) -> Result<(), StoreError> {
        for record in self.store.documents()? {
            self.durable.insert(record.document.clone(), record.vector);
        }
        for (key, bytes) in self.store.states("author/")? {
            let actor = after(&key, "author/").parse();
            if let (Ok(actor), Ok(node)) = (actor, <[u8; 32]>::try_from(bytes)) {
                self.authors.insert(actor, NodeId(node));
            }
        }
        for (key, bytes) in self.store.states("conflicts/")? {
            let count = <[u8; 8]>::try_from(bytes).map(u64::from_be_bytes);
            let document = DocumentId::new(after(&key, "conflicts/"));
            if let (Ok(document), Ok(count)) = (document, count) {
                self.conflicted.insert(document, usize::try_from(count).unwrap_or(usize::MAX));
            }
        }
        self.load_folders()?;
        self.load_tickets()?;
        for quarantined in self.store.quarantined()? {
            self.documents.freeze(&quarantined.document, format!("{} is in quarantine", quarantined.dot));
        }
        Ok(())
    }

    fn load_folders(&mut self) -> Result<(), StoreError> {
        for (key, bytes) in self.store.states("folder/")? {
            match Folder::decode(&bytes) {
                Ok(folder) => drop(self.folders.kept.insert(after(&key, "folder/").into(), folder)),
                Err(error) => tracing::error!(%key, %error, "the folder's settings can't be read; add it again"),
            }
        }
        for (key, bytes) in self.store.states("base/")? {
            let Ok(document) = DocumentId::new(after(&key, "base/")) else { continue };
            let Some(folder) = self.folders.kept.get_mut(document.folder()) else { continue };
            match Slot::decode(&bytes) {
                Ok(slot) => drop(folder.slots.insert(document.path().into(), slot)),
                Err(error) => tracing::error!(%key, %error, "the file's last content isn't known"),
            }
        }
        self.load_reloads()
    }

    /// What reloads failed with, and of which it isn't known whether they took place.
    fn load_reloads(&mut self) -> Result<(), StoreError> {
        for (key, bytes) in self.store.states("reload/")? {
            let Ok(document) = DocumentId::new(after(&key, "reload/")) else { continue };
            match (Base::of_bytes(&bytes), self.folders.slot(&document)) {
                (Ok(good), Some(slot)) => slot.good = Some(good),
                (Err(error), _) => tracing::error!(%key, %error, "the file's last good content isn't known"),
                (_, None) => {}
            }
        }
        for (key, bytes) in self.store.states("refused/")? {
            let Ok(document) = DocumentId::new(after(&key, "refused/")) else { continue };
            match (Refused::decode(&bytes), self.folders.slot(&document)) {
                (Ok(refused), Some(slot)) => {
                    slot.unloadable = Some(refused.hash);
                    slot.refused = Some(refused);
                }
                (Err(error), _) => tracing::error!(%key, %error, "what a reload failed with isn't known"),
                (_, None) => {}
            }
        }
        Ok(())
    }

    /// Tells the engine what is here, and the files which folders there are.
    async fn begin(&mut self) {
        self.tell_of_start();
        self.tell_wall_clock().await;
        let documents: Vec<_> = self.durable.clone().into_iter().collect();
        for (document, vector) in documents {
            self.tell(Event::Loaded { document, generation: Generation::default(), vector }).await;
        }
        for (key, bytes) in self.store.states(membership::STATEMENTS).unwrap_or_default() {
            match Statement::decode(bytes) {
                Ok(statement) => self.tell(Event::LoadedStatement(statement)).await,
                Err(error) => tracing::error!(%key, %error, "a statement of the roster can't be read"),
            }
        }
        for statement in std::mem::take(&mut self.first_statements) {
            self.tell(Event::Statement(statement)).await;
        }
        self.membership_changed();
        // A change may have become durable just before its conflicts could be counted.
        self.dirty.extend(self.durable.keys().cloned());
        for document in self.documents.frozen().keys().cloned().collect::<Vec<_>>() {
            self.tell(Event::Frozen { document }).await;
        }
        self.authors.insert(self.actor, self.identity.node);
        let author = (author_state(self.actor), Some(self.identity.node.0.to_vec()));
        self.commits.push(Item { states: vec![author, generation::entry(self.generation)], ..Item::default() });
        self.start_gossip();
        for name in self.folders.kept.keys().cloned().collect::<Vec<_>>() {
            self.watch_folder(&name).await;
        }
    }

    /// Runs until a shutdown is asked for, then brings everything to the disk.
    pub(crate) async fn run(mut self, mut inputs: Inputs, mut done: mpsc::Receiver<Outcome>) -> Ended {
        self.begin().await;
        while self.ended.is_none() {
            let ready = self.next(&mut inputs, &mut done).await;
            if matches!(ready, Ready::Shutdown) {
                break;
            }
            self.waiting = waiting(&inputs);
            self.take(ready).await;
            for _ in 1..EVENTS_PER_TURN {
                let Some(ready) = poll(&mut inputs, &mut done, self.checks.has_room()) else { break };
                self.take(ready).await;
            }
            self.write_puts_in_turn().await;
            // Here, too: under a load that never pauses nothing else would let the time pass.
            self.take_time().await;
            self.flush().await;
            self.tell_events().await;
        }
        self.shut_down(done).await
    }

    async fn next(&mut self, inputs: &mut Inputs, done: &mut mpsc::Receiver<Outcome>) -> Ready {
        let wake = self.wake_after();
        let (disk_room, files_room) = (self.commits.outbox().room(), self.files.room());
        let (checks_room, takes_saves) = (self.checks.outbox().room(), self.checks.has_room());
        // The disk's outcomes first: they release those who wait. Requests last: the mesh goes on under a local load.
        tokio::select! {
            biased;
            Some(done) = done.recv() => Ready::Done(done),
            _ = inputs.shutdown.changed() => Ready::Shutdown,
            () = disk_room => Ready::Room,
            () = files_room => Ready::Room,
            () = checks_room => Ready::Room,
            Some(event) = inputs.network.recv() => Ready::Network(event),
            Some(renewed) = inputs.renewals.recv() => Ready::Renewed(renewed),
            Some(event) = inputs.checks.recv() => Ready::Check(event),
            Some(event) = inputs.files.recv(), if takes_saves => Ready::File(event),
            Some(request) = inputs.requests.recv() => Ready::Request(request),
            () = std::future::ready(()), if self.has_more_to_flush() => Ready::Time,
            () = tokio::time::sleep(wake) => Ready::Time,
        }
    }

    /// How long nothing needs to be done by itself.
    fn wake_after(&self) -> Duration {
        const IDLE: Duration = Duration::from_secs(60);
        let now = self.environment.monotonic();
        let retry = self.retries.values().min().copied();
        let snapshot = self.snapshots_due.values().min().copied();
        let (membership, gossip) = (Some(self.membership_wakes()), self.gossip_wakes());
        let (lagging, members) = (self.lagging_pace.wakes(), self.events.wakes());
        let all = [self.engine_wakes, retry, snapshot, self.checks.wakes(), membership, gossip, lagging, members];
        let at = all.into_iter().flatten().min();
        at.map_or(IDLE, |at| at.saturating_sub(now))
    }

    async fn take(&mut self, ready: Ready) {
        // Files and other requests may concern any document; a change that comes in, its own one.
        let is_put = matches!(ready, Ready::Request(Request::Put { .. }));
        if matches!(ready, Ready::Request(_) | Ready::File(_) | Ready::Check(_)) && !is_put {
            self.write_puts().await;
        }
        match ready {
            Ready::Request(request) => self.answer(request).await,
            Ready::Network(event) => self.take_network(event).await,
            Ready::Renewed(renewed) => self.take_renewed(renewed).await,
            Ready::File(event) => self.take_file_event(event).await,
            Ready::Check(event) => self.take_check_event(event).await,
            Ready::Done(done) => self.take_done(done).await,
            Ready::Room => {
                self.commits.outbox().pump();
                self.files.pump();
                self.checks.outbox().pump();
            }
            Ready::Time => self.take_time().await,
            Ready::Shutdown => {}
        }
    }

    async fn take_time(&mut self) {
        let now = self.environment.monotonic();
        if self.engine_wakes.is_some_and(|at| at <= now) {
            self.engine_wakes = None;
            self.tell(Event::Tick).await;
        }
        self.membership_time().await;
        self.gossip_time();
        self.checks_time(now).await;
        for waiting in [&mut self.retries, &mut self.snapshots_due] {
            waiting.retain(|document, at| {
                let is_due = *at <= now;
                if is_due {
                    self.dirty.insert(document.clone());
                }
                !is_due
            });
        }
    }

    async fn take_done(&mut self, outcome: Outcome) {
        self.commits.finished(&outcome);
        self.store_problem = outcome.problem;
        for done in outcome.done {
            if done.result.is_ok() {
                self.counted.items_committed += 1;
                self.documents.committed(&done.changes);
                self.advance_durable(&done.changes, done.own).await;
            }
            match done.then {
                Then::Nothing => {}
                Then::WriteFile(document, ticket) => self.write_file(&document, ticket, done.result.is_ok()).await,
                Then::ForgetCopy(late) if done.result.is_ok() => {
                    self.files.push(FileCommand::Taken { folder: late.folder, receipt: late.receipt });
                }
                // The copy is found again at the next start.
                Then::ForgetCopy(_) => {}
                Then::Reply(reply) => reply(done.result),
            }
        }
    }

    /// Advertises what became durable, and pushes what this host wrote.
    async fn advance_durable(&mut self, changes: &[SignedEnvelope], own: bool) {
        if !changes.is_empty() {
            self.gossip_state_changed();
        }
        let mut touched = BTreeSet::new();
        for envelope in changes {
            self.durable.entry(envelope.document.clone()).or_default().include(envelope.dot);
            touched.insert(envelope.document.clone());
        }
        if own && !changes.is_empty() {
            self.tell(Event::Local { envelopes: changes.to_vec() }).await;
            return;
        }
        for document in touched {
            let vector = self.durable.get(&document).cloned().unwrap_or_default();
            self.tell(Event::Durable { document, vector }).await;
        }
    }

    /// Signs what was just written here, and queues it for the disk.
    async fn commit_own(
        &mut self,
        document: &DocumentId,
        written: Written,
        editor: &Editor,
        states: Vec<StateEntry>,
        then: Then,
    ) {
        self.commit_parts(vec![(document.clone(), written)], editor, states, then).await;
    }

    /// The same for several documents: all becomes durable, or nothing.
    async fn commit_parts(
        &mut self,
        parts: Vec<(DocumentId, Written)>,
        editor: &Editor,
        states: Vec<StateEntry>,
        then: Then,
    ) {
        let own = !parts.is_empty();
        let changes = parts.into_iter().map(|(document, written)| self.signed(&document, written, editor)).collect();
        let mut item = Item { changes, states, own, urgent: true, then, ..Item::default() };
        if own {
            item.states.extend(self.actor_state.take());
        }
        self.commits.push(item);
    }

    fn signed(&mut self, document: &DocumentId, written: Written, editor: &Editor) -> SignedEnvelope {
        let envelope = Envelope {
            level: MESH_LEVEL,
            document: document.clone(),
            generation: Generation::default(),
            set: None,
            author: self.identity.node,
            dot: written.dot,
            time_ms: editor.time_ms,
            dependencies: written.dependencies,
            user: editor.user.clone(),
            message: String::new(),
            change: written.change,
        }
        .sign(self.identity.mesh, &self.identity.key);
        self.mark_changed(document, &envelope, written.registers);
        envelope
    }

    /// Takes note that a document has one more change, not durable yet.
    fn mark_changed(&mut self, document: &DocumentId, envelope: &SignedEnvelope, registers: Vec<Register>) {
        if let Ok(loaded) = self.documents.get(document) {
            loaded.changed(envelope.clone(), registers);
        }
        self.dirty.insert(document.clone());
    }

    fn editor(&self, user: String) -> Editor {
        Editor { actor: self.actor, time_ms: self.environment.wall_ms(), user }
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    fn time(&self, monotonic: Duration) -> Time {
        let ago = self.environment.monotonic().saturating_sub(monotonic);
        let ago_ms = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
        Time::from_ms(self.environment.wall_ms().saturating_sub(ago_ms))
    }

    /// Brings everything that was queued to the disk, says goodbye, and lets go of the store: once this returns, another
    /// daemon can open it.
    async fn shut_down(mut self, mut done: mpsc::Receiver<Outcome>) -> Ended {
        self.say_goodbye().await;
        self.write_puts().await;
        self.flush().await;
        let deadline = tokio::time::sleep(SHUTDOWN_WAIT);
        tokio::pin!(deadline);
        while !self.commits.is_idle() {
            tokio::select! {
                biased;
                Some(all) = done.recv() => self.take_done(all).await,
                () = self.commits.outbox().room() => self.commits.outbox().pump(),
                () = &mut deadline => {
                    tracing::warn!("the disk didn't answer in time; nothing unacknowledged was promised");
                    break;
                }
            }
        }
        self.network.shutdown().await;
        let ended = self.ended.take().unwrap_or(Ended::Asked);
        // Without its queue the worker ends, and its store goes before its outcomes do.
        drop(self);
        let closed = async { while done.recv().await.is_some() {} };
        if tokio::time::timeout(SHUTDOWN_WAIT, closed).await.is_err() {
            tracing::warn!("the disk still hasn't answered; the store stays locked until this process ends");
        }
        ended
    }
}

/// The store's key for the node that an actor writes for.
fn author_state(actor: murmurate_crdt::id::ActorId) -> String {
    format!("author/{actor}")
}

/// A state's key without its kind. Only once: a folder may be called like a kind.
fn after<'a>(key: &'a str, kind: &str) -> &'a str {
    key.strip_prefix(kind).unwrap_or(key)
}

/// What waits, besides requests and what the network counts by itself.
fn waiting(inputs: &Inputs) -> Waiting {
    Waiting { file_events: inputs.files.len(), check_events: inputs.checks.len() }
}

/// What is ready already.
fn poll(inputs: &mut Inputs, done: &mut mpsc::Receiver<Outcome>, takes_saves: bool) -> Option<Ready> {
    if let Ok(done) = done.try_recv() {
        return Some(Ready::Done(done));
    }
    if let Some(event) = inputs.network.try_recv() {
        return Some(Ready::Network(event));
    }
    if let Ok(renewed) = inputs.renewals.try_recv() {
        return Some(Ready::Renewed(renewed));
    }
    if let Ok(event) = inputs.checks.try_recv() {
        return Some(Ready::Check(event));
    }
    if takes_saves && let Ok(event) = inputs.files.try_recv() {
        return Some(Ready::File(event));
    }
    inputs.requests.try_recv().ok().map(Ready::Request)
}
