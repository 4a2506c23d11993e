use serde::{Deserialize, Serialize};

use super::{ErrorCode, FileStatus, Folder, Time, V1};

/// How this host fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The document's version.
    pub v: V1,
    /// This host's name.
    pub node: String,
    /// Its roles, in the order of its settings.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Its node id, in hexadecimal.
    pub id: String,
    /// The mesh's id, in hexadecimal.
    pub mesh: String,
    /// The daemon's version.
    pub version: String,
    /// Where the daemon listens for other hosts, `address:port`.
    pub address: String,
    /// When the daemon started, by this host's clock.
    pub started: Time,
    /// For how long it has been up.
    pub uptime_ms: u64,
    /// The mesh's hosts, counted.
    pub members: MemberCounts,
    /// Whether every living member holds exactly this host's changes.
    pub in_step: bool,
    /// The folders that this host keeps.
    pub folders: Vec<Folder>,
    /// Files whose edit isn't taken in, with line and column, and files that don't follow the mesh because a check or a
    /// reload of this host failed.
    pub held: Vec<FileStatus>,
    /// Open conflicts in all documents.
    pub conflicts: u64,
    /// The store's health.
    pub store: StoreHealth,
    /// What somebody should look at.
    pub problems: Vec<Problem>,
}

/// The hosts of the mesh, this one included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MemberCounts {
    /// Those that answer.
    pub alive: u64,
    /// Those that may be away.
    pub suspect: u64,
    /// Those taken to be away.
    pub dead: u64,
    /// Living members, this one included, that hold exactly this host's changes.
    pub in_step: u64,
    /// All that haven't left.
    pub total: u64,
}

/// The health of a host's store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreHealth {
    /// Whether it takes writes.
    pub healthy: bool,
    /// Why it doesn't.
    pub problem: Option<String>,
    /// Documents in it.
    pub documents: u64,
    /// Changes in it.
    pub changes: u64,
    /// Its size on disk, where that is known.
    pub bytes: Option<u64>,
}

/// Something that somebody should look at: like an error, but nobody's request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Its stable code.
    pub code: ErrorCode,
    /// What is wrong, and with what.
    pub what: String,
    /// Why.
    pub why: String,
    /// What to try.
    #[serde(rename = "try")]
    pub try_: String,
}
