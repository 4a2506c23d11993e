//! Which connection is the one with each peer.
//!
//! Both sides may dial at once, over several addresses. Of two nodes, the one with the lower id decides: it keeps the
//! connection that is greeted first and closes others as duplicates; the other side takes what is decided. So both keep the
//! same one, and none is ever given up for a mere equal.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use murmurate_crdt::id::NodeId;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, watch};

use super::greeting::Instance;
use super::path::PathStats;
use super::queue::SendQueues;
use crate::class::Class;
use crate::close::{self, CloseCode};
use crate::gossip::Links;
use crate::limits;
use crate::meter::{Depth, Meter};
use crate::traffic::Traffic;

/// Resolves when the connection's last event was handed over.
pub(crate) type Gone = watch::Receiver<()>;

struct Entry {
    connection: quinn::Connection,
    instance: Instance,
    issuer: NodeId,
    queues: Arc<SendQueues>,
    admitted_at: Duration,
    is_dialled_here: bool,
    gone: Gone,
}

impl Entry {
    fn is_open(&self) -> bool {
        self.connection.close_reason().is_none()
    }
}

/// A connection that asks to be the one with its peer.
pub(crate) struct Candidate {
    pub(crate) peer: NodeId,
    /// Who issued its certificate.
    pub(crate) issuer: NodeId,
    pub(crate) instance: Instance,
    pub(crate) connection: quinn::Connection,
    /// Whether this side dialled it.
    pub(crate) is_dialled_here: bool,
    /// Whether the peer said that it has a connection already.
    pub(crate) is_peer_connected: bool,
}

/// What a connection that was admitted holds for its life. Dropping it, after its last event, frees its place.
pub(crate) struct Seat {
    pub(crate) peer: NodeId,
    pub(crate) connection: quinn::Connection,
    pub(crate) queues: Arc<SendQueues>,
    /// The predecessor's end; its last event must come before the first of this one.
    pub(crate) predecessor: Option<Gone>,
    registry: Arc<Registry>,
    _gone: watch::Sender<()>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.registry.remove(self);
    }
}

/// What the registry says to a candidate.
pub(crate) enum Admission {
    /// It is the one.
    Admitted(Seat),
    /// There is one already.
    Duplicate,
    /// There is one with another process of the same identity.
    Conflict,
}

pub(crate) struct Registry {
    entries: Mutex<BTreeMap<NodeId, Entry>>,
    /// Connections with a seat, and what went over those that gave theirs up: so that no traffic is ever forgotten.
    seated: Mutex<Seated>,
    meter: Arc<Meter>,
    // Not a watch channel: that wakes those who wait in an order of its own randomness, and so a simulation would part.
    changed: Notify,
}

#[derive(Default)]
struct Seated {
    connections: BTreeMap<usize, quinn::Connection>,
    ended: Traffic,
}

impl Links for Registry {
    fn linked(&self) -> Vec<NodeId> {
        let entries = self.lock();
        entries.iter().filter(|(_, entry)| entry.is_open()).map(|(peer, _)| *peer).collect()
    }

    fn send(&self, peer: &NodeId, frame: Bytes) {
        if let Some(queues) = self.queues(peer) {
            queues.push(Class::Gossip, frame);
        }
    }
}

impl Registry {
    pub(crate) fn new(meter: Arc<Meter>) -> Self {
        Self { entries: Mutex::default(), seated: Mutex::default(), meter, changed: Notify::new() }
    }

    fn seated(&self) -> MutexGuard<'_, Seated> {
        self.seated.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The other process's connection, if there is one with the same identity and another instance.
    pub(crate) fn conflict(&self, peer: &NodeId, instance: Instance) -> Option<quinn::Connection> {
        let entries = self.lock();
        let entry = entries.get(peer).filter(|entry| entry.instance != instance)?;
        entry.is_open().then(|| entry.connection.clone())
    }

    /// Whether there is a connection with this peer.
    pub(crate) fn is_connected(&self, peer: &NodeId) -> bool {
        self.lock().get(peer).is_some_and(Entry::is_open)
    }

    /// What waits to be sent to this peer.
    pub(crate) fn queues(&self, peer: &NodeId) -> Option<Arc<SendQueues>> {
        self.lock().get(peer).map(|entry| Arc::clone(&entry.queues))
    }

    /// The connection with this peer.
    pub(crate) fn connection(&self, peer: &NodeId) -> Option<quinn::Connection> {
        self.lock().get(peer).map(|entry| entry.connection.clone())
    }

    /// The connections of nodes that match, and of those to which such nodes issued their certificates.
    pub(crate) fn vouched_for(&self, matches: impl Fn(&NodeId) -> bool) -> Vec<quinn::Connection> {
        let entries = self.lock();
        let matching = entries.iter().filter(|(peer, entry)| matches(peer) || matches(&entry.issuer));
        matching.map(|(_, entry)| entry.connection.clone()).collect()
    }

    /// All peers that are connected, with what waits to be sent to them.
    pub(crate) fn all(&self) -> Vec<(NodeId, Arc<SendQueues>)> {
        let entries = self.lock();
        let open = entries.iter().filter(|(_, entry)| entry.is_open());
        open.map(|(peer, entry)| (*peer, Arc::clone(&entry.queues))).collect()
    }

    /// How the way to each connected peer is.
    pub(crate) fn paths(&self) -> Vec<PathStats> {
        let entries = self.lock();
        let open = entries.iter().filter(|(_, entry)| entry.is_open());
        open.map(|(peer, entry)| PathStats::of(*peer, &entry.connection)).collect()
    }

    /// What went over all open connections.
    pub(crate) fn traffic(&self) -> Traffic {
        let mut all = Traffic::default();
        self.lock().values().filter(|entry| entry.is_open()).for_each(|entry| all += Traffic::of(&entry.connection));
        all
    }

    /// What went over all connections that there ever were.
    pub(crate) fn traffic_ever(&self) -> Traffic {
        let seated = self.seated();
        let mut all = seated.ended;
        seated.connections.values().for_each(|connection| all += Traffic::of(connection));
        all
    }

    /// How much of a class waits for the peer for whom most waits: frames, bytes.
    pub(crate) fn depths(&self, class: Class) -> (Depth, Depth) {
        let entries = self.lock();
        let depths = entries.values().map(|entry| entry.queues.depths(class));
        let none = SendQueues::default().depths(class);
        depths.fold(none, |(frames, bytes), (more, larger)| (frames.or_fuller(more), bytes.or_fuller(larger)))
    }

    /// Resolves after the next change. What changes between this call and the wait counts, too.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Decides about a candidate, on the side that decides.
    pub(crate) fn decide(self: &Arc<Self>, candidate: Candidate, now: Duration) -> Admission {
        self.admit(candidate, now, |entry, candidate| {
            // The peer lost ours without our noticing, and dials anew. A young one just crossed its dial.
            !candidate.is_peer_connected
                && !candidate.is_dialled_here
                && now.saturating_sub(entry.admitted_at) >= limits::STALE_AFTER
        })
    }

    /// Takes what the other side decided.
    pub(crate) fn follow(self: &Arc<Self>, candidate: Candidate, now: Duration) -> Admission {
        self.admit(candidate, now, |_, _| true)
    }

    fn admit(
        self: &Arc<Self>,
        candidate: Candidate,
        now: Duration,
        replaces: impl FnOnce(&Entry, &Candidate) -> bool,
    ) -> Admission {
        let mut entries = self.lock();
        let mut predecessor = None;
        if let Some(entry) = entries.get(&candidate.peer) {
            if entry.is_open() {
                if entry.instance != candidate.instance {
                    return Admission::Conflict;
                }
                if !replaces(entry, &candidate) {
                    return Admission::Duplicate;
                }
                close::close(&entry.connection, CloseCode::Replaced, "");
            }
            predecessor = Some(entry.gone.clone());
        }
        let (gone_sender, gone) = watch::channel(());
        let queues = Arc::new(SendQueues::new(Arc::clone(&self.meter)));
        let seat = Seat {
            peer: candidate.peer,
            connection: candidate.connection.clone(),
            queues: Arc::clone(&queues),
            predecessor,
            registry: Arc::clone(self),
            _gone: gone_sender,
        };
        let entry = Entry {
            connection: candidate.connection,
            instance: candidate.instance,
            issuer: candidate.issuer,
            queues,
            admitted_at: now,
            is_dialled_here: candidate.is_dialled_here,
            gone,
        };
        tracing::debug!(peer = %candidate.peer, dialled_here = entry.is_dialled_here, "connection admitted");
        self.seated().connections.insert(seat.connection.stable_id(), seat.connection.clone());
        self.meter.connections_opened.one();
        entries.insert(candidate.peer, entry);
        drop(entries);
        self.changed.notify_waiters();
        Admission::Admitted(seat)
    }

    /// Removes a connection that ended, unless another has taken its place.
    fn remove(&self, seat: &Seat) {
        self.meter.connections_ended.one();
        let mut seated = self.seated();
        if let Some(connection) = seated.connections.remove(&seat.connection.stable_id()) {
            seated.ended += Traffic::of(&connection);
        }
        drop(seated);
        let mut entries = self.lock();
        let is_current =
            entries.get(&seat.peer).is_some_and(|entry| entry.connection.stable_id() == seat.connection.stable_id());
        if is_current {
            entries.remove(&seat.peer);
        }
        drop(entries);
        self.changed.notify_waiters();
    }
}
