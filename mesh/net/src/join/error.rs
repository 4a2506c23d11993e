//! Why joining or renewing came to nothing, in words that say what to do about it.

use std::fmt;

use murmurate_crdt::id::MeshId;

use super::JoinRefusal;
use crate::refusal::date;

/// One address that was tried, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The address, as it was given, with what it resolved to.
    pub address: String,
    /// Why it didn't help.
    pub why: String,
}

/// No certificate came. Nothing was changed here; at the issuer, only [`JoinError::Lost`] may have used up a ticket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// Nobody answered.
    #[error("nobody answered at {}", list(.attempts))]
    Unreachable {
        /// All that was tried.
        attempts: Vec<Attempt>,
    },
    /// Who answered isn't the host that made the ticket, or that was to be asked.
    #[error(
        "the host at {address} isn't the one that was to be asked: a ticket is redeemed only at the host that made it"
    )]
    AnotherHost {
        /// Where it answered.
        address: String,
    },
    /// Who answered is of another mesh.
    #[error("the host at {address} is a member of another mesh, {theirs}; this is about mesh {ours}")]
    AnotherMesh {
        /// Where it answered.
        address: String,
        /// Its mesh.
        theirs: MeshId,
        /// The one that was meant.
        ours: MeshId,
    },
    /// One of the two clocks is wrong, or the other host's certificate wasn't renewed.
    #[error(
        "check the clock: certificates there are valid from {} to {}, and this host takes it for {}",
        date(*.from_ms), date(*.until_ms), date(*.now_ms)
    )]
    Clock {
        /// The first moment of the validity, in milliseconds since 1970 UTC.
        from_ms: u64,
        /// The last moment.
        until_ms: u64,
        /// What this host takes for the time.
        now_ms: u64,
    },
    /// The other host said no.
    #[error("{0}")]
    Refused(JoinRefusal),
    /// The connection broke before the answer came.
    #[error("the connection broke before an answer came: {0}")]
    Lost(String),
    /// The answer can't be used.
    #[error("the answer can't be used: {0}")]
    Answer(String),
    /// This host has no way out.
    #[error("this host can't open a connection: {0}")]
    Local(String),
}

fn list(attempts: &[Attempt]) -> String {
    if attempts.is_empty() {
        return "any address: there is none to try".to_owned();
    }
    attempts.iter().map(Attempt::to_string).collect::<Vec<_>>().join("; ")
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.address, self.why)
    }
}

impl JoinError {
    /// What the person at this host can try.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => {
                "check that the daemon runs there, that a firewall lets its UDP port through, and that one of the addresses can be reached from here"
            }
            Self::AnotherHost { .. } => {
                "make a new ticket on a host that can be reached from here: murmurate ticket create"
            }
            Self::AnotherMesh { .. } => {
                "make a ticket on a host of the mesh that is to be joined, or correct its addresses"
            }
            Self::Clock { .. } => {
                "set the clocks of both hosts (timedatectl); if they are right, the other host needs a new certificate: murmurate keys status, there"
            }
            Self::Refused(refusal) => refusal.advice(),
            Self::Lost(_) => "try again; if the ticket is used up then, make a new one",
            Self::Answer(_) => "run the same version on both hosts, and try again",
            Self::Local(_) => "check this host's network",
        }
    }

    /// How much an error says: of several addresses' errors, the one that says the most is given.
    pub(super) fn weight(&self) -> u8 {
        match self {
            Self::Unreachable { .. } => 0,
            Self::AnotherMesh { .. } => 1,
            Self::AnotherHost { .. } => 2,
            Self::Clock { .. } => 3,
            _ => 4,
        }
    }
}
