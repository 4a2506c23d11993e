use serde::{Deserialize, Serialize};

use super::V1;

/// What the daemon logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFilter {
    /// The document's version.
    pub v: V1,
    /// The filter in force: a level, or like `info,murmurate_net=debug`.
    pub filter: String,
    /// The filter that the settings have, which comes back when the daemon is started again.
    pub setting: String,
}

/// Log something else from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetLogFilter {
    /// The filter.
    pub filter: String,
}

/// The last lines of the daemon's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLines {
    /// The document's version.
    pub v: V1,
    /// The lines, oldest first.
    pub lines: Vec<String>,
    /// How many older ones aren't kept any more.
    pub dropped: u64,
}
