//! What is compared: each engine stores changes by (document, writer, sequence), gives them apply indexes, and keeps the
//! documents' vectors, all in one durable transaction.

mod fjall_tables;
mod log;
mod redb_tables;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use murmurate_crdt::envelope::SignedEnvelope;

use crate::Outcome;

/// A store under test.
pub(crate) trait Candidate: Send + Sync {
    /// Stores new changes, durable when it returns.
    fn commit(&self, changes: &[SignedEnvelope]) -> Outcome<()>;

    /// How many changes are stored, by the vectors of all documents: what a daemon reads first at its start.
    fn stored(&self) -> Outcome<u64>;
}

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// The daemon's store.
    Log,
    /// The same, with zeros written so far ahead only.
    LogAhead { allocation_bytes: u64 },
    /// redb 4, one transaction a commit, durability immediate.
    Redb,
    /// fjall 3, one batch a commit, its journal synced with fdatasync.
    Fjall,
}

impl Engine {
    /// Opens the store in `directory`, an empty one the first time.
    pub(crate) fn open(self, directory: &Path) -> Outcome<Box<dyn Candidate>> {
        Ok(match self {
            Self::Log => Box::new(log::Log::open(directory, None)?),
            Self::LogAhead { allocation_bytes } => Box::new(log::Log::open(directory, Some(allocation_bytes))?),
            Self::Redb => Box::new(redb_tables::RedbTables::open(directory)?),
            Self::Fjall => Box::new(fjall_tables::FjallTables::open(directory)?),
        })
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log => f.write_str("log"),
            Self::LogAhead { allocation_bytes } => write!(f, "log:{allocation_bytes}"),
            Self::Redb => f.write_str("redb"),
            Self::Fjall => f.write_str("fjall"),
        }
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "log" => Ok(Self::Log),
            "redb" => Ok(Self::Redb),
            "fjall" => Ok(Self::Fjall),
            _ => {
                let bytes = text.strip_prefix("log:").and_then(|bytes| bytes.parse().ok());
                let allocation_bytes =
                    bytes.ok_or_else(|| format!("no engine `{text}`: log, log:BYTES, redb, fjall"))?;
                Ok(Self::LogAhead { allocation_bytes })
            }
        }
    }
}

/// The key of a writer in a document, in order.
fn vector_key(change: &SignedEnvelope) -> Vec<u8> {
    [change.document.as_str().as_bytes(), b"\0", &change.dot.writer.to_bytes()].concat()
}

/// The key of a change, in order.
fn change_key(change: &SignedEnvelope) -> Vec<u8> {
    [&vector_key(change)[..], &change.dot.sequence.to_be_bytes()].concat()
}
