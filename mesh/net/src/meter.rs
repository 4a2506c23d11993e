//! What the network counts, and how full its queues are. Plain numbers, each an atomic of its own: they needn't agree with
//! one another to the last frame.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::class::Class;
use crate::traffic::Traffic;

/// What went by one class's streams, over all connections since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClassCounts {
    /// Frames taken from the queues to be written.
    pub sent_frames: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Frames that came.
    pub received_frames: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Frames that were not sent because their peer's queue was full.
    pub dropped_full: u64,
    /// Frames that gave way to a later one in their peer's queue, which says the same and more.
    pub dropped_replaced: u64,
    /// Frames that were not sent because no host takes any as large.
    pub dropped_too_large: u64,
    /// Frames that were not sent because their peer's connection ended just then.
    pub dropped_unconnected: u64,
}

/// What the network counted since its start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetworkCounts {
    /// By class.
    pub classes: Vec<(Class, ClassCounts)>,
    /// UDP payload of all connections, also of those that ended.
    pub traffic: Traffic,
    /// Connections that were admitted.
    pub connections_opened: u64,
    /// Of these, those that ended.
    pub connections_ended: u64,
    /// Handshakes that this side or the other refused.
    pub connections_refused: u64,
    /// Handshakes that were ignored because too many were under way, or too many connections open.
    pub handshakes_ignored: u64,
    /// Handshakes that were sent back to prove their address, because many were under way.
    pub handshakes_retried: u64,
    /// Joins that were sent away because too many were being served.
    pub joins_refused: u64,
    /// Refusals that the core wasn't told of because it didn't keep up.
    pub events_dropped: u64,
}

/// How full a queue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// What it holds.
    pub held: usize,
    /// What it has room for.
    pub limit: usize,
}

impl Depth {
    pub(crate) fn new(held: usize, limit: usize) -> Self {
        Self { held, limit }
    }

    /// The fuller of the two.
    pub(crate) fn or_fuller(self, other: Self) -> Self {
        if other.held > self.held { other } else { self }
    }
}

/// How full the network's queues are. Each has a limit; what happens at it is said there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetworkDepths {
    /// Events that wait for the core; at the limit, readers wait, and by flow control the peers.
    pub events: Depth,
    /// Bytes of frames that wait for the core; at the limit, readers wait, and by flow control the peers.
    pub event_bytes: Depth,
    /// By class: the frames in the fullest queue to a peer; at the limit, further ones are dropped.
    pub send_frames: Vec<(Class, Depth)>,
    /// The same in bytes.
    pub send_bytes: Vec<(Class, Depth)>,
    /// Bytes of gossip that wait to be taken; at the limit, the oldest are dropped.
    pub gossip_bytes: Depth,
    /// Handshakes under way; at the limit, further ones are ignored, and come again.
    pub handshakes: Depth,
    /// Connections; at the limit, further ones are ignored, and come again.
    pub connections: Depth,
    /// Joins that are served; at the limit, others are told that the host is busy.
    pub joins: Depth,
}

/// A count that several tasks share.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, amount: usize) {
        self.0.fetch_add(amount as u64, Ordering::Relaxed);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(crate) struct ClassMeter {
    pub(crate) sent_frames: Count,
    pub(crate) sent_bytes: Count,
    pub(crate) received_frames: Count,
    pub(crate) received_bytes: Count,
    pub(crate) dropped_full: Count,
    pub(crate) dropped_replaced: Count,
    pub(crate) dropped_too_large: Count,
    pub(crate) dropped_unconnected: Count,
}

impl ClassMeter {
    fn counts(&self) -> ClassCounts {
        ClassCounts {
            sent_frames: self.sent_frames.get(),
            sent_bytes: self.sent_bytes.get(),
            received_frames: self.received_frames.get(),
            received_bytes: self.received_bytes.get(),
            dropped_full: self.dropped_full.get(),
            dropped_replaced: self.dropped_replaced.get(),
            dropped_too_large: self.dropped_too_large.get(),
            dropped_unconnected: self.dropped_unconnected.get(),
        }
    }
}

/// All counts of one network.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    classes: [ClassMeter; Class::ALL.len()],
    pub(crate) connections_opened: Count,
    pub(crate) connections_ended: Count,
    pub(crate) connections_refused: Count,
    pub(crate) handshakes_ignored: Count,
    pub(crate) handshakes_retried: Count,
    pub(crate) joins_refused: Count,
    pub(crate) events_dropped: Count,
}

impl Meter {
    pub(crate) fn of(&self, class: Class) -> &ClassMeter {
        &self.classes[usize::from(class.number())]
    }

    /// A frame came.
    pub(crate) fn received(&self, class: Class, bytes: usize) {
        let meter = self.of(class);
        meter.received_frames.one();
        meter.received_bytes.add(bytes);
    }

    /// Frames are about to be written.
    pub(crate) fn sent(&self, class: Class, frames: usize, bytes: usize) {
        let meter = self.of(class);
        meter.sent_frames.add(frames);
        meter.sent_bytes.add(bytes);
    }

    /// What was counted, with the traffic that the registry knows.
    pub(crate) fn counts(&self, traffic: Traffic) -> NetworkCounts {
        NetworkCounts {
            classes: Class::ALL.map(|class| (class, self.of(class).counts())).into(),
            traffic,
            connections_opened: self.connections_opened.get(),
            connections_ended: self.connections_ended.get(),
            connections_refused: self.connections_refused.get(),
            handshakes_ignored: self.handshakes_ignored.get(),
            handshakes_retried: self.handshakes_retried.get(),
            joins_refused: self.joins_refused.get(),
            events_dropped: self.events_dropped.get(),
        }
    }
}
