//! What the core and the service for checks and reloads tell each other.

use std::path::PathBuf;

use bytes::Bytes;
use murmurate_client::types::HeldReason;
use murmurate_crdt::id::DocumentId;

/// Names a check or reload in its answer. The core chooses it; each has at most one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// Core to service.
#[derive(Debug)]
pub enum CheckCommand {
    /// Says whether a content may stand in this host's file.
    Check(CheckJob),
    /// Carries out a reload.
    Reload {
        /// Names it in its answer.
        job: JobId,
        /// Which: the rule's number.
        rule: usize,
    },
}

/// A content to check.
#[derive(Debug)]
pub struct CheckJob {
    /// Names it in its answer.
    pub job: JobId,
    /// The folder's directory: the content is staged below it.
    pub root: PathBuf,
    /// Whose content it is.
    pub document: DocumentId,
    /// Exactly the bytes that would stand in the file.
    pub bytes: Bytes,
    /// Whether the file may be executed.
    pub executable: bool,
    /// What the bytes mean, as JSON; `None` for a file without keys, and where no schema wants it.
    pub meaning: Option<serde_json::Value>,
}

/// Service to core: how a check or reload ended.
#[derive(Debug)]
pub struct CheckEvent {
    /// Which.
    pub job: JobId,
    /// Nothing, or what is wrong.
    pub result: Result<(), CheckFailure>,
}

/// What is wrong, according to a check or reload, or with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFailure {
    /// Which kind it was.
    pub cause: HeldReason,
    /// What failed and why, in one line.
    pub why: String,
    /// What a command printed, or all violations of a schema; shortened.
    pub output: String,
}
