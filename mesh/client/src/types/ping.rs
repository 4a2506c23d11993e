use serde::{Deserialize, Serialize};

use super::{MemberState, Time, V1};

/// What came of a ping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// The document's version.
    pub v: V1,
    /// The host that was pinged, by name.
    pub host: String,
    /// Its node id, in hexadecimal.
    pub id: String,
    /// How it went.
    pub outcome: PingOutcome,
    /// Of `answered`: from the question to the answer, what both daemons took included. Of `reached`: to the answer of the
    /// host that was asked.
    pub round_trip_us: Option<u64>,
    /// While there is a link: its round trip, as the transport measures it.
    pub path_round_trip_us: Option<u64>,
    /// Of `reached`: the host that reaches it, by name.
    pub through: Option<String>,
    /// Of `unreached`: the hosts that were asked, by name, and didn't say that they reach it.
    pub asked: Vec<String>,
    /// How the member fares, as this host sees it.
    pub state: MemberState,
    /// Since when, by this host's clock.
    pub since: Option<Time>,
}

/// How a ping went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PingOutcome {
    /// The host answered over its link; or it is the host that pinged.
    Answered,
    /// There is a link, but no answer came in time.
    Silent,
    /// There is no link; another host reaches it.
    Reached,
    /// There is no link, and nobody who was asked reaches it.
    Unreached,
    /// An outcome of a newer daemon.
    #[serde(other)]
    Unknown,
}
