use serde::{Deserialize, Serialize};

use super::{MemberState, V1};

/// Whether every member that hasn't left is alive and holds exactly this host's changes, and this host's own files
/// are what the documents say (held files aside).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Converged {
    /// The document's version.
    pub v: V1,
    /// Whether it is so.
    pub converged: bool,
    /// The hosts that keep it from being so, by name.
    pub lagging: Vec<Lagging>,
}

impl Converged {
    /// What holds when these hosts lag.
    #[must_use]
    pub fn of(lagging: Vec<Lagging>) -> Self {
        Self { v: V1, converged: lagging.is_empty(), lagging }
    }
}

/// A host that isn't in step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lagging {
    /// Its name.
    pub host: String,
    /// How it fares.
    pub state: MemberState,
    /// How many changes it isn't known to hold.
    pub lag: u64,
    /// Why it counts as lagging, in words.
    pub why: String,
}
