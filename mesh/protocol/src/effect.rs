//! What the engine wants done.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use murmurate_crdt::clock::Dot;
use murmurate_crdt::envelope::{BadSignature, SignedEnvelope};
use murmurate_crdt::id::{DocumentId, NodeId};
use murmurate_crdt::wire::DecodeError;

use crate::event::RequestId;
use crate::health::Pinged;
use crate::message::DocumentRanges;
use crate::roster::{Statement, StatementError};
use crate::summary::Hash;

/// Which of a connection's ordered streams a frame goes by, so that bulk never delays what is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// New changes.
    Push,
    /// Answers of anti-entropy.
    Repair,
    /// Everything small.
    Control,
}

/// What the engine wants done, in this order.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Send a frame, without waiting: if the peer's queue is full, drop it and say [`crate::Event::SendQueueFull`].
    Send {
        /// To whom.
        peer: NodeId,
        /// By which stream.
        class: Class,
        /// The whole frame.
        frame: Arc<[u8]>,
    },
    /// A new change, its signature and guards checked, everything it depends on applied before. Apply, show and store
    /// it; say [`crate::Event::Durable`] when it is on disk.
    Apply {
        /// The change.
        envelope: SignedEnvelope,
        /// Who sent it, not necessarily its author.
        from: NodeId,
    },
    /// Read changes for a peer; the answer is [`crate::Event::ChangesRead`].
    ReadChanges {
        /// To be given back.
        request: RequestId,
        /// What to read. Reading in the order in which they were applied here spares the peer's waiting buffer.
        wants: Vec<DocumentRanges>,
        /// Stop before the envelopes' bytes pass this, but read at least one.
        budget_bytes: usize,
    },
    /// A change that is held already came again and its digest isn't remembered: compare it with the stored one, and
    /// treat a difference as [`Effect::Equivocation`].
    CompareDuplicate {
        /// What came. Its signature is good.
        envelope: SignedEnvelope,
    },
    /// Two signed envelopes with one dot. Keep those given (one of the two may be in the store already) and freeze the
    /// document; the engine has frozen it for its part.
    Equivocation {
        /// The document.
        document: DocumentId,
        /// The dot that was used twice.
        dot: Dot,
        /// The envelopes that weren't handed out by `Apply`.
        envelopes: Vec<SignedEnvelope>,
    },
    /// A verified statement, from a peer or made here, is in the roster now: store it.
    Stated {
        /// The statement.
        statement: Statement,
    },
    /// A statement isn't in the roster any more, a later one took its place: the store need not keep it.
    Superseded {
        /// Its digest.
        digest: Hash,
    },
    /// Keep links with exactly these members: dial those that aren't connected, again and again, and nobody else. Links
    /// that are open stay, whoever dialled. Replaces what was said before.
    Links {
        /// Whom to dial. Members without a known address are among them.
        peers: BTreeSet<NodeId>,
    },
    /// Send [`crate::Event::Tick`] at this time at the latest. Replaces any earlier one.
    WakeAt(Duration),
    /// Close the connection.
    Disconnect {
        /// To whom.
        peer: NodeId,
        /// For the log on both sides.
        reason: String,
    },
    /// The answer to [`crate::Event::Ping`].
    Pinged {
        /// Given back.
        ping: RequestId,
        /// What came of it.
        outcome: Pinged,
    },
    /// Something a person may want to know. Nothing else was changed by it.
    Trouble(Trouble),
}

/// What went wrong with what a peer sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// A frame that isn't a message. The connection is closed.
    #[error("{peer} sent a frame that can't be read: {error}")]
    BadFrame {
        /// Who sent it.
        peer: NodeId,
        /// Why.
        error: DecodeError,
    },
    /// No protocol version in common. The connection is closed.
    #[error("{peer} speaks protocol {lowest} to {highest}; this build speaks another: update the older of the two")]
    Incompatible {
        /// Who.
        peer: NodeId,
        /// Its oldest version.
        lowest: u64,
        /// Its newest version.
        highest: u64,
    },
    /// An envelope that can't be read was skipped.
    #[error("{peer} sent an envelope that can't be read: {error}")]
    BadEnvelope {
        /// Who sent it.
        peer: NodeId,
        /// Why.
        error: DecodeError,
    },
    /// A forged or damaged envelope was dropped.
    #[error("{peer} sent a change that isn't its author's: {error}")]
    BadSignature {
        /// Who sent it.
        peer: NodeId,
        /// Why.
        error: BadSignature,
    },
    /// A statement that nobody signed for this mesh who may, or for which there is no room, was dropped.
    #[error("{peer} sent a statement that can't be taken: {error}")]
    BadStatement {
        /// Who sent it.
        peer: NodeId,
        /// Why.
        error: StatementError,
    },
    /// A change that its author signed, but that this host can't take. It and what follows of its writer isn't asked
    /// for again before the next start.
    #[error("a change of {author} to {document} ({dot}) can't be taken: {why}")]
    BadChange {
        /// Who signed it.
        author: NodeId,
        /// The document.
        document: DocumentId,
        /// The change.
        dot: Dot,
        /// Why.
        why: String,
    },
    /// The buffer of waiting changes was full; the farthest ones were dropped and will be asked for again.
    #[error("{dropped} changes from {peer} were dropped: too many wait for others that haven't come")]
    WaitingFull {
        /// Who sent them.
        peer: NodeId,
        /// How many.
        dropped: usize,
    },
}
