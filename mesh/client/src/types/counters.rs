use serde::{Deserialize, Serialize};

use super::V1;

/// What a daemon has counted since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// The document's version.
    pub v: V1,
    /// What went over its open connections with other hosts.
    pub network: NetworkCounters,
}

/// UDP payload of the connections that are open now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NetworkCounters {
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Datagrams sent.
    pub sent_datagrams: u64,
    /// Datagrams received.
    pub received_datagrams: u64,
}
