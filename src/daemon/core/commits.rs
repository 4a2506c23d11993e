//! The way to the disk: one queue, one batch under way, and who is to be told when it is durable.
//!
//! ```text
//!  core ──Item, Item, Item──▶ bounded queue ──▶ one batch, one fsync ──▶ runtime record ──▶ core: Done, Done, Done
//! ```
//! While a batch is on its way, the next one collects: group commit. Items become durable in the order in which they
//! were queued, so a change never gets there before what it depends on. Before this host's own changes are
//! acknowledged or pushed, the runtime directory's record says how far the store is: see [`super::actor`].

use std::sync::{Arc, Mutex, PoisonError};

use murmurate_crdt::clock::VersionVector;
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::DocumentId;
use murmurate_net::environment::{Blocking, Environment};
use murmurate_protocol::Histogram;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::actor::RuntimeRecord;
use super::folders::LateCopy;
use super::limits::{BATCH_BYTES, BATCH_ITEMS, BUSY_ITEMS, FULL_RETRY, LAZY_DELAY, QUEUED_ITEMS};
use super::outbox::Outbox;
use crate::daemon::files::Ticket;
use crate::daemon::store::{Batch, Committed, Store, StoreError};

/// A key of the node's state with its new value; `None` removes it.
pub(crate) type StateEntry = (String, Option<Vec<u8>>);

/// What is to become durable, all or nothing.
#[derive(Default)]
pub(crate) struct Item {
    /// Changes, in causal order.
    pub(crate) changes: Vec<SignedEnvelope>,
    /// Node state to set or remove.
    pub(crate) states: Vec<StateEntry>,
    /// Snapshots, each of exactly the changes of its vector.
    pub(crate) snapshots: Vec<(DocumentId, VersionVector, Vec<u8>)>,
    /// Changes to keep without applying them.
    pub(crate) quarantined: Vec<SignedEnvelope>,
    /// Whether the changes are this host's own.
    pub(crate) own: bool,
    /// Whether somebody waits for it.
    pub(crate) urgent: bool,
    /// What to do when it is durable, or failed.
    pub(crate) then: Then,
}

impl Item {
    /// About how many bytes it puts on the disk.
    fn bytes(&self) -> usize {
        let changes = self.changes.iter().chain(&self.quarantined).map(|envelope| envelope.bytes().len());
        changes.sum::<usize>() + self.snapshots.iter().map(|(_, _, bytes)| bytes.len()).sum::<usize>()
    }
}

/// What the core does when an item is durable.
#[derive(Default)]
pub(crate) enum Then {
    /// Nothing more.
    #[default]
    Nothing,
    /// Carry out the write of a file that this item makes safe.
    WriteFile(DocumentId, Ticket),
    /// Let the copy of an edit in staging go, now that the edit is durable.
    ForgetCopy(LateCopy),
    /// Tell whoever asked.
    Reply(Box<dyn FnOnce(Result<(), String>) + Send>),
}

/// What became of a batch.
pub(crate) struct Outcome {
    pub(crate) done: Vec<Done>,
    /// Why nothing can be written, while that is so.
    pub(crate) problem: Option<String>,
    /// How many items have come to their end. None while the disk is full: they are tried again.
    finished: usize,
    /// Of these, those with changes of this host.
    own_finished: usize,
}

/// An item's end, or, while the disk is full, a refusal for those who wait for it.
pub(crate) struct Done {
    pub(crate) changes: Vec<SignedEnvelope>,
    pub(crate) own: bool,
    pub(crate) then: Then,
    pub(crate) result: Result<(), String>,
}

/// How long commits took, and how many failed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timing {
    pub(crate) commits: Histogram,
    pub(crate) failed: u64,
}

/// The core's end of the queue.
pub(crate) struct Commits {
    queue: Outbox<Item>,
    unfinished: usize,
    /// Of these, those with changes of this host.
    own_unfinished: usize,
    timing: Arc<Mutex<Timing>>,
}

impl Commits {
    /// Starts the loop that carries batches to the store. Its outcomes come out of the receiver, a batch at a time.
    pub(crate) fn start(
        environment: &Environment,
        store: Arc<dyn Store>,
        record: RuntimeRecord,
    ) -> (Self, mpsc::Receiver<Outcome>) {
        let (queue, items) = mpsc::channel(QUEUED_ITEMS);
        // One batch is under way and one outcome waits: more can't be.
        let (outcomes, outcome_receiver) = mpsc::channel(2);
        let timing = Arc::<Mutex<Timing>>::default();
        let worker = Worker { store, record, outcomes, environment: environment.clone(), timing: Arc::clone(&timing) };
        match environment.blocking {
            // A thread of its own: each batch would be handed to another one and back.
            Blocking::Threads => {
                let runtime = Handle::current();
                drop(tokio::task::spawn_blocking(move || runtime.block_on(worker.run(items))));
            }
            Blocking::Inline => drop(tokio::spawn(worker.run(items))),
        }
        (Self { queue: Outbox::new(queue), unfinished: 0, own_unfinished: 0, timing }, outcome_receiver)
    }

    /// Queues an item. Never waits: the worker may be waiting for the core.
    pub(crate) fn push(&mut self, item: Item) {
        self.unfinished += 1;
        self.own_unfinished += usize::from(item.own);
        self.queue.push(item);
    }

    /// Items that found no room yet.
    pub(crate) fn outbox(&mut self) -> &mut Outbox<Item> {
        &mut self.queue
    }

    /// Items that haven't come to their end.
    pub(crate) fn unfinished(&self) -> usize {
        self.unfinished
    }

    /// How long commits took so far.
    pub(crate) fn timing(&self) -> Timing {
        self.timing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether so much waits for the disk that what can wait should.
    pub(crate) fn is_busy(&self) -> bool {
        self.unfinished > BUSY_ITEMS
    }

    /// Takes note of an outcome.
    pub(crate) fn finished(&mut self, outcome: &Outcome) {
        self.unfinished = self.unfinished.saturating_sub(outcome.finished);
        self.own_unfinished = self.own_unfinished.saturating_sub(outcome.own_finished);
    }

    /// Whether a change of this host is on its way to the disk: another one would have to wait for it.
    pub(crate) fn is_writing_own(&self) -> bool {
        self.own_unfinished > 0
    }

    /// Whether everything queued has come to its end.
    pub(crate) fn is_idle(&self) -> bool {
        self.unfinished == 0
    }
}

struct Worker {
    store: Arc<dyn Store>,
    record: RuntimeRecord,
    outcomes: mpsc::Sender<Outcome>,
    environment: Environment,
    timing: Arc<Mutex<Timing>>,
}

impl Worker {
    async fn run(self, mut items: mpsc::Receiver<Item>) {
        while let Some(first) = items.recv().await {
            let mut items = collect(first, &mut items).await;
            let own = items.iter().any(|item| item.own && !item.changes.is_empty());
            let batch = take_batch(&mut items);
            let outcome = loop {
                match self.commit(&batch, own) {
                    Err(StoreError::Full { .. }) => {
                        if self.outcomes.send(stalled(&mut items)).await.is_err() {
                            return;
                        }
                        tokio::time::sleep(FULL_RETRY).await;
                    }
                    result => break ended(items, result.map_err(|error| error.to_string())),
                }
            };
            if self.outcomes.send(outcome).await.is_err() {
                return;
            }
        }
    }

    /// Commits, and takes note of how long that takes.
    fn timed(&self, batch: &Batch) -> Result<Committed, StoreError> {
        let begun = self.environment.monotonic();
        let result = self.store.commit(batch);
        let took = self.environment.monotonic().saturating_sub(begun);
        let mut timing = self.timing.lock().unwrap_or_else(PoisonError::into_inner);
        match &result {
            Ok(_) => timing.commits.observe(took),
            Err(_) => timing.failed += 1,
        }
        result
    }

    fn commit(&self, batch: &Batch, own: bool) -> Result<(), StoreError> {
        let committed = self.timed(batch)?;
        if own && let Err(error) = self.record.advance(committed.last_apply_index) {
            // The record on disk is behind, not ahead: the next start goes on with this actor only if that is still
            // safe. A restored backup could slip through, so nothing of it is kept.
            tracing::error!(%error, "the runtime directory's record can't be written; it is removed");
            self.record.remove();
        }
        Ok(())
    }
}

/// Moves what is to be written out of the items; their changes stay with them, too, for those who are told.
fn take_batch(items: &mut [Item]) -> Batch {
    let mut batch = Batch::default();
    for item in items {
        batch.changes.extend(item.changes.iter().cloned());
        batch.states.append(&mut item.states);
        batch.snapshots.append(&mut item.snapshots);
        batch.quarantined.append(&mut item.quarantined);
    }
    batch
}

fn ended(items: Vec<Item>, result: Result<(), String>) -> Outcome {
    let finished = items.len();
    let own_finished = items.iter().filter(|item| item.own).count();
    let done = items.into_iter().map(|item| Done {
        changes: item.changes,
        own: item.own,
        then: item.then,
        result: result.clone(),
    });
    Outcome { done: done.collect(), problem: result.err(), finished, own_finished }
}

/// Tells those who wait that the disk is full. What they wrote is kept and written once there is room, like everything
/// that came from others; only nobody is promised so.
fn stalled(items: &mut [Item]) -> Outcome {
    let why = "No space left on device".to_string();
    let refuse = |item: &mut Item| {
        let then = std::mem::take(&mut item.then);
        Done { changes: Vec::new(), own: item.own, then, result: Err(why.clone()) }
    };
    let waiting = items.iter_mut().filter(|item| !matches!(item.then, Then::Nothing));
    Outcome { done: waiting.map(refuse).collect(), problem: Some(why.clone()), finished: 0, own_finished: 0 }
}

/// All that waits, and, if nobody waits for it, what comes within [`LAZY_DELAY`].
async fn collect(first: Item, items: &mut mpsc::Receiver<Item>) -> Vec<Item> {
    let mut urgent = first.urgent;
    let mut bytes = first.bytes();
    let mut batch = vec![first];
    let company = tokio::time::sleep(LAZY_DELAY);
    tokio::pin!(company);
    while batch.len() < BATCH_ITEMS && bytes < BATCH_BYTES {
        let next = if urgent {
            items.try_recv().ok()
        } else {
            tokio::select! {
                biased;
                next = items.recv() => next,
                () = &mut company => None,
            }
        };
        let Some(item) = next else { break };
        urgent |= item.urgent;
        bytes += item.bytes();
        batch.push(item);
    }
    batch
}
