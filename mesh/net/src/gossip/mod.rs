//! Gossip: what each member says of itself, and whether it is alive, passed on from member to member.
//!
//! chitchat (Scuttlebutt with a phi accrual failure detector) runs as it is, over the connections that there are.
//!
//! ```text
//!  set_keys ──▶ supervisor ──▶ chitchat ──messages──▶ codec ──▶ admission ──▶ frame ──▶ queue of the link's class
//!                  │ ▲            ▲ │                                                       │
//!                  │ └─what ended─┘ └─ its task                                             ▼
//!  Heard ◀── view ◀┘            admission ◀── codec ◀── frame ◀── inbox ◀────────────── the peers
//! ```
//! The supervisor starts chitchat anew, as a later incarnation, when its task ends. Nothing that a peer sends ends it, as
//! far as is known: `message` says why.

mod admission;
mod codec;
mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod inbox;
mod incarnation;
mod message;
mod rounds;
mod supervisor;
#[cfg(test)]
mod tests;
mod transport;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chitchat::ChitchatMessage;
use murmurate_crdt::id::{MeshId, NodeId};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use self::admission::Admission;
use self::codec::CodecError;
use self::inbox::Inbox;
use crate::environment::Environment;
use crate::event::EventSender;
use crate::limits;
use crate::meter::Depth;

/// What a member says of itself, by key.
pub type Keys = BTreeMap<String, String>;

/// What gossip is started with.
#[derive(Debug, Clone)]
pub struct GossipConfig {
    /// The mesh, so that members of another one are noticed.
    pub mesh: MeshId,
    /// Higher than at any former start of this host: of a host's lives the one with the highest counts.
    pub generation: u64,
    /// What this host says of itself. See [`Gossip::set_keys`].
    pub keys: Keys,
    /// How often a round begins: [`GOSSIP_INTERVAL`](crate::limits::GOSSIP_INTERVAL), unless a test is in a hurry.
    pub interval: Duration,
}

/// What gossip knows of a member's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Life {
    /// It hasn't been heard yet: what is known of it may be old.
    Unknown,
    /// Its signs of life came lately.
    Live,
    /// It was heard, and then wasn't for some ten times the usual pause between its signs of life.
    Silent,
}

/// What gossip says of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Who.
    pub node: NodeId,
    /// Its generation: which of its starts this is about.
    pub generation: u64,
    /// Whether it is alive.
    pub life: Life,
    /// What it says of itself.
    pub keys: Keys,
}

/// How gossip fares.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GossipHealth {
    /// Incarnations of members that are held.
    pub nodes: usize,
    /// Incarnations that there is room for; further ones are refused.
    pub limit: usize,
    /// How many incarnations were refused.
    pub refused: u64,
    /// Members that aren't heard of because another's id begins like theirs.
    pub alike: Vec<NodeId>,
    /// How often it was started anew.
    pub restarts: u64,
    /// Why it ended the last time.
    pub ended: Option<String>,
    /// Frames that were dropped because too many came.
    pub dropped: u64,
    /// Frames that were none of gossip.
    pub unusable: u64,
}

impl GossipHealth {
    /// Whether there is room for few more members.
    #[must_use]
    pub fn is_near_limit(&self) -> bool {
        self.refused > 0 || self.nodes * 100 >= self.limit * limits::GOSSIP_ALARM_PERCENT
    }
}

/// What gossip needs of the network.
pub(crate) trait Links: Send + Sync + 'static {
    /// Who is connected, in the order of node ids.
    fn linked(&self) -> Vec<NodeId>;

    /// Queues a frame, or drops it; never waits.
    fn send(&self, peer: &NodeId, frame: Bytes);
}

/// The gossip of one network. Does nothing until it is started.
pub struct Gossip {
    shared: Arc<Shared>,
    environment: Environment,
    events: EventSender,
    task: Mutex<Option<AbortHandle>>,
}

impl fmt::Debug for Gossip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gossip").field("own", &self.shared.own).finish_non_exhaustive()
    }
}

/// What its tasks share.
pub(crate) struct Shared {
    own: NodeId,
    links: Arc<dyn Links>,
    inbox: Inbox,
    admission: Mutex<Admission>,
    keys: Mutex<Keys>,
    keys_changed: Notify,
    /// The present round's Syn, for peers that connect before the next.
    syn: Mutex<Option<Bytes>>,
    health: Mutex<GossipHealth>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn admission(&self) -> MutexGuard<'_, Admission> {
        lock(&self.admission)
    }

    fn set_syn(&self, syn: Option<Bytes>) {
        *lock(&self.syn) = syn;
    }

    /// How many rounds pass from one exchange to the next: a digest names all members, and must not cost more the more
    /// there are.
    fn rounds_between(&self) -> usize {
        self.admission().held().div_ceil(limits::GOSSIP_NODES_PER_ROUND).max(1)
    }

    /// A frame of what chitchat says; without what others wouldn't let in.
    fn frame(&self, message: &ChitchatMessage) -> Option<Bytes> {
        let frame = codec::of_chitchat(message).and_then(|mut message| {
            self.admission().let_out(&mut message);
            codec::to_frame(&message)
        });
        frame.inspect_err(|error| tracing::error!(%error, "gossip can't be sent")).ok()
    }

    /// Counts a peer's frame that says nothing. The first is named in the log; who sends one may send many.
    fn unusable(&self, peer: &NodeId, error: &CodecError) {
        let count = &mut lock(&self.health).unusable;
        *count += 1;
        if *count == 1 {
            tracing::warn!(%peer, %error, "a peer's gossip can't be read; further ones aren't named");
        } else {
            tracing::debug!(%peer, %error, "a peer's gossip can't be read");
        }
    }
}

impl Gossip {
    pub(crate) fn new(own: NodeId, links: Arc<dyn Links>, environment: Environment, events: EventSender) -> Self {
        let shared = Arc::new(Shared {
            own,
            links,
            inbox: Inbox::default(),
            admission: Mutex::new(Admission::new(own)),
            keys: Mutex::default(),
            keys_changed: Notify::new(),
            syn: Mutex::default(),
            health: Mutex::default(),
        });
        Self { shared, environment, events, task: Mutex::default() }
    }

    /// Starts it, once. What it hears is told as [`crate::NetworkEvent::Heard`]. Must be called within a tokio runtime.
    pub fn start(&self, config: GossipConfig) {
        let mut task = lock(&self.task);
        if task.is_none() {
            lock(&self.shared.keys).extend(config.keys.clone());
            let supervisor = supervisor::Supervisor {
                shared: Arc::clone(&self.shared),
                config,
                environment: self.environment.clone(),
                events: self.events.clone(),
            };
            *task = Some(tokio::spawn(supervisor.run()).abort_handle());
        }
    }

    /// Ends it.
    pub(crate) fn stop(&self) {
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
    }

    /// Replaces who belongs to the mesh: nobody else is heard of.
    pub fn set_members(&self, members: &BTreeSet<NodeId>) {
        self.shared.admission().set_members(members);
    }

    /// Changes what this host says of itself: these keys, others stay. A key has at most 32 printable ASCII characters, a
    /// value at most 4,096 bytes, and there are at most 32 of them; what goes beyond is left out.
    pub fn set_keys(&self, keys: Keys) {
        lock(&self.shared.keys).extend(keys);
        self.shared.keys_changed.notify_one();
    }

    /// How it fares.
    #[must_use]
    pub fn health(&self) -> GossipHealth {
        let admission = self.shared.admission();
        GossipHealth {
            nodes: admission.held(),
            limit: limits::GOSSIP_NODES,
            refused: admission.refused(),
            alike: admission.alike().to_vec(),
            dropped: self.shared.inbox.dropped(),
            ..lock(&self.shared.health).clone()
        }
    }

    /// Bytes of frames that wait to be taken.
    pub(crate) fn depth(&self) -> Depth {
        Depth::new(self.shared.inbox.held().1, limits::GOSSIP_INBOX_BYTES)
    }

    /// Takes in a peer's frame; never waits.
    pub(crate) fn received(&self, peer: NodeId, frame: Bytes) {
        if lock(&self.task).is_some() {
            self.shared.inbox.push(peer, frame, Instant::now());
        }
    }

    /// A peer was connected. Of the two the one with the lower id doesn't wait for its next round.
    pub(crate) fn linked(&self, peer: &NodeId) {
        if self.shared.own < *peer
            && let Some(syn) = lock(&self.shared.syn).clone()
        {
            self.shared.links.send(peer, syn);
        }
    }
}
