//! What the shell tells the engine.

use std::sync::Arc;
use std::time::Duration;

use murmurate_crdt::clock::{Dot, VersionVector};
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::{DocumentId, Generation, NodeId};

use crate::roster::Statement;
use crate::summary::Hash;

/// Names one [`crate::Effect::ReadChanges`], or one [`Event::Ping`], until its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What the shell tells the engine.
#[derive(Debug, Clone)]
pub enum Event {
    /// At start, before any peer: a document in the store and what of it is durable.
    Loaded {
        /// The document.
        document: DocumentId,
        /// Which life of it.
        generation: Generation,
        /// All of its changes in the store.
        vector: VersionVector,
    },
    /// At start, before any peer: a statement of the roster that is in the store.
    LoadedStatement(Statement),
    /// A statement made on this host, or given to it when it joined. If it is new it is handed back as
    /// [`crate::Effect::Stated`] and pushed to all peers.
    Statement(Statement),
    /// A connection to a member is up, both ways. Its identity was proven by the handshake.
    PeerConnected {
        /// The member.
        peer: NodeId,
    },
    /// The connection is gone, whatever the reason.
    PeerDisconnected {
        /// The member.
        peer: NodeId,
    },
    /// A frame came in.
    Received {
        /// From whom.
        peer: NodeId,
        /// The whole frame.
        frame: Arc<[u8]>,
    },
    /// Changes written on this host, in causal order, all durable already: they are pushed at once.
    Local {
        /// Signed by this node.
        envelopes: Vec<SignedEnvelope>,
    },
    /// Changes of a document reached the disk. Only what is told here (and by `Loaded` and `Local`) is advertised.
    Durable {
        /// The document.
        document: DocumentId,
        /// All of its durable changes.
        vector: VersionVector,
    },
    /// The answer to [`crate::Effect::ReadChanges`]. Empty when nothing of it is held or the read failed.
    ChangesRead {
        /// Whose answer.
        request: RequestId,
        /// Changes from the wanted ranges, any order, at least one if any is held.
        envelopes: Vec<SignedEnvelope>,
    },
    /// The shell could neither apply nor store a change it got by [`crate::Effect::Apply`]: as if it had never been
    /// received, except that it and what follows of its writer isn't asked for again before the next start.
    Refused {
        /// The document.
        document: DocumentId,
        /// The change.
        dot: Dot,
    },
    /// No more changes of this document are taken until `Thawed`: what is held is still served. The engine does this
    /// by itself when it reports an equivocation.
    Frozen {
        /// The document.
        document: DocumentId,
    },
    /// The document was repaired and takes changes again.
    Thawed {
        /// The document.
        document: DocumentId,
    },
    /// A frame for this peer was dropped because its queue was full. It is left alone for a while and then served by
    /// anti-entropy; nobody else waits.
    SendQueueFull {
        /// The slow peer.
        peer: NodeId,
    },
    /// A gossip that needs no link with a member heard of it. Counts where this node has none: whom it is said to be gone
    /// peers are asked for; who is said to be there is believed, if it is a later life than was known.
    Heard {
        /// The member.
        node: NodeId,
        /// Which life of it.
        generation: u64,
        /// Whether it is there, by the gossip's own judgement.
        is_live: bool,
        /// Its [`crate::Engine::state_hash`] as it was told last.
        state_hash: Option<Hash>,
    },
    /// A person wants to know whether a member is there. The answer is [`crate::Effect::Pinged`].
    Ping {
        /// Given back in the answer.
        ping: RequestId,
        /// The member.
        node: NodeId,
        /// How long its answer is waited for.
        within: Duration,
    },
    /// What this host's wall clock says now. It is compared with others', and nothing else depends on it. Tell it at the
    /// start, and again now and then: it may be set.
    WallClock {
        /// Milliseconds since 1970.
        now_ms: u64,
    },
    /// This node leaves the mesh on purpose: tell all.
    Leave,
    /// Time has passed: due after [`crate::Effect::WakeAt`]; harmless at any other time.
    Tick,
}
