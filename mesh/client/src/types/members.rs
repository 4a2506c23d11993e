use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Time, V1};

/// The hosts of the mesh, this one included, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// The document's version.
    pub v: V1,
    /// One entry per host.
    pub members: Vec<Member>,
}

/// One host, as this host sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its node id, in hexadecimal.
    pub id: String,
    /// How it fares.
    pub state: MemberState,
    /// Where it is reached, `host:port`; empty when that isn't known.
    pub address: String,
    /// Since when it has been in this state, by this host's clock.
    pub since: Option<Time>,
    /// How many changes this host knows of that the member isn't known to hold.
    pub lag: u64,
    /// Whether it holds exactly the changes that this host holds.
    pub in_step: bool,
    /// Since when it has held other changes than this host, by this host's clock; absent while it is in step or not
    /// connected.
    #[serde(default)]
    pub behind_since: Option<Time>,
    /// While there is no connection with it: the hosts that say to have one, by name. What it writes comes through them.
    #[serde(default)]
    pub through: Vec<String>,
    /// The version of its daemon; absent while it isn't known.
    pub version: Option<String>,
    /// Where it is, as its settings say; absent while that isn't known, or where they don't.
    #[serde(default)]
    pub zone: Option<String>,
    /// What it is for, as its settings say.
    #[serde(default)]
    pub roles: Vec<String>,
    /// While there is no connection with it: whether its signs of life come over other hosts; absent where none ever came.
    #[serde(default)]
    pub heard_alive: Option<bool>,
    /// Whether it comes and goes: it was suspect more than three times within the last minute.
    #[serde(default)]
    pub flapping: bool,
    /// By how many milliseconds its wall clock is ahead of this host's, negative for behind; absent while there is no
    /// link, or its daemon doesn't tell.
    #[serde(default)]
    pub clock_ahead_ms: Option<i64>,
    /// Whether it is the host that answers.
    #[serde(rename = "self")]
    pub is_self: bool,
}

/// A change of a member's state, as this host saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// When, by this host's clock.
    pub time: Time,
    /// The state that it was in; absent where it wasn't heard of before, or what was before isn't kept.
    pub from: Option<MemberState>,
    /// The state that it was in from then on.
    pub to: MemberState,
    /// The host that said so, by name; absent where it follows from the time alone.
    pub by: Option<String>,
}

/// How a member fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberState {
    /// It answers.
    Alive,
    /// It has missed answers, and may be away.
    Suspect,
    /// It is taken to be away.
    Dead,
    /// It said that it leaves.
    Left,
    /// A state of a newer daemon.
    #[serde(other)]
    Unknown,
}

impl MemberState {
    /// The state's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Dead => "dead",
            Self::Left => "left",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for MemberState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
