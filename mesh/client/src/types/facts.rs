use serde::{Deserialize, Serialize};

use super::{Time, V1};

/// What the daemon finds on its host and knows of its mesh; `doctor` judges it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The document's version.
    pub v: V1,
    /// What its host is like.
    pub host: HostFacts,
    /// The hosts that this one is connected with, by name.
    pub paths: Vec<PathFacts>,
}

/// What a host is like, measured in its data directory and asked of its kernel. What couldn't be found out is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Now, by the host's clock.
    pub now: Time,
    /// When a file in the data directory was changed last, by the host's clock.
    pub data_changed: Option<Time>,
    /// The data directory.
    pub data_dir: String,
    /// The UDP sockets' buffers.
    pub udp: Option<UdpFacts>,
    /// What the kernel allows in watches of directories.
    pub inotify: Option<InotifyFacts>,
    /// How long writing a few kilobytes durably takes in the data directory.
    pub sync: Option<SyncFacts>,
    /// The disk under the data directory.
    pub disk: Option<DiskFacts>,
}

/// A UDP socket's buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UdpFacts {
    /// Bytes that may wait to be read.
    pub receive_buffer_bytes: u64,
    /// Datagrams that the daemon's sockets lost because that was full.
    pub dropped: Option<u64>,
}

/// The kernel's limits of inotify, for one user, and what the daemon takes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InotifyFacts {
    /// Watched directories that a user may have.
    pub watches_max: u64,
    /// Those that the daemon has; absent when it isn't up.
    pub watches: Option<u64>,
    /// Instances that a user may have.
    pub instances_max: u64,
}

/// How long a small durable write takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncFacts {
    /// How many were measured.
    pub samples: u64,
    /// Half of them took at most this long.
    pub median_us: u64,
    /// The slowest.
    pub worst_us: u64,
}

/// A file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskFacts {
    /// Bytes that the daemon may still write.
    pub free_bytes: u64,
    /// All bytes.
    pub total_bytes: u64,
}

/// The way to a connected host, as measured since the connection was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathFacts {
    /// The host's name.
    pub host: String,
    /// Its address on this connection.
    pub address: String,
    /// The round trip.
    pub round_trip_us: u64,
    /// The largest datagram that is known to get through.
    pub datagram_bytes: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Datagrams that were lost.
    pub lost: u64,
    /// How often large datagrams stopped getting through.
    pub black_holes: u64,
}
