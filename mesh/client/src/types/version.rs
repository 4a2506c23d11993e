use serde::{Deserialize, Serialize};

use super::V1;

/// What the daemon is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The document's version.
    pub v: V1,
    /// The daemon's version.
    pub version: String,
    /// The newest version of this API that the daemon speaks.
    pub api: u64,
}

/// A document's name as addresses have it, which may be one that `#` and `%` stand in.
#[must_use]
pub fn document_address(name: &str) -> String {
    name.replace('%', "%25").replace('#', "%23").replace('?', "%3F")
}

/// The version (`actor.lane:sequence`) within a causal token (`actor.lane:sequence@document`); a bare version is
/// given back as it is.
#[must_use]
pub fn token_version(token: &str) -> &str {
    token.split_once('@').map_or(token, |(version, _)| version)
}
