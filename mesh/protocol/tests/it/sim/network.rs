//! Connections between pairs of hosts, and what is on its way on them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use murmurate_protocol::Class;

/// Frames on their way in one direction of a connection: a transport's send queue and window.
pub(crate) const QUEUE_BYTES: usize = 2 << 20;

/// A direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Direction {
    /// No frame arrives before an earlier one of its class.
    pub(crate) last_arrival: BTreeMap<Class, Duration>,
    pub(crate) bytes: usize,
    /// Held up by a block, until it ends or the connection breaks.
    pub(crate) stalled: VecDeque<(Class, Arc<[u8]>)>,
}

/// A connection; each side learns by itself that it is gone.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) number: u64,
    /// Who still takes it for alive.
    pub(crate) alive_at: BTreeSet<u8>,
    pub(crate) directions: BTreeMap<(u8, u8), Direction>,
}

/// All connections, and the pairs between which nothing passes.
#[derive(Debug, Default)]
pub(crate) struct Network {
    pub(crate) connections: BTreeMap<(u8, u8), Connection>,
    pub(crate) blocked: BTreeSet<(u8, u8)>,
    next_number: u64,
}

/// The name of a pair.
pub(crate) fn pair(a: u8, b: u8) -> (u8, u8) {
    (a.min(b), a.max(b))
}

impl Network {
    pub(crate) fn is_blocked(&self, a: u8, b: u8) -> bool {
        self.blocked.contains(&(a, b)) || self.blocked.contains(&(b, a))
    }

    pub(crate) fn connect(&mut self, a: u8, b: u8) {
        self.next_number += 1;
        let directions = [((a, b), Direction::default()), ((b, a), Direction::default())];
        let connection = Connection {
            number: self.next_number,
            alive_at: BTreeSet::from([a, b]),
            directions: BTreeMap::from(directions),
        };
        self.connections.insert(pair(a, b), connection);
    }

    /// The connection that `host` takes for alive.
    pub(crate) fn alive(&mut self, host: u8, peer: u8) -> Option<&mut Connection> {
        self.connections.get_mut(&pair(host, peer)).filter(|connection| connection.alive_at.contains(&host))
    }
}
