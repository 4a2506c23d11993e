//! The messages between two members and their bytes, as described in `PROTOCOL.md`.
//!
//! A decoder never allocates more than a small multiple of the bytes it was given: every element of a list takes bytes
//! of its own, and every count and length has a limit. A newer build may append fields to a message: bytes after the
//! known fields are ignored, and so are messages of an unknown type.

mod codec;

use std::sync::Arc;

use murmurate_crdt::clock::{Range, VersionVector};
use murmurate_crdt::id::{DocumentId, Generation, NodeId, Writer};
use murmurate_crdt::limits;
use murmurate_crdt::wire::{DecodeError, Decoder, Encoder};

use crate::peers::MemberState;
use crate::summary::{Hash, Summary};

/// The first byte of every frame.
pub const FRAME_VERSION: u8 = 1;
/// The protocol versions that this build speaks, both ends included.
pub const PROTOCOL_VERSIONS: std::ops::RangeInclusive<u64> = 1..=2;
/// From this version on a peer knows the messages of trees and links: announcements, grafts, prunes, links. One that doesn't is
/// pushed everything.
pub const TREES_VERSION: u64 = 2;
/// A list is cut into messages of about this size, so that one peer's repair delays another's by little.
pub const PAGE_BYTES: usize = 256 * 1024;
/// Buckets of a folder. At 10,000 documents a bucket holds 160 vectors, some 10 KiB; all hashes take 2 KiB.
pub const BUCKETS: usize = 64;
/// Folders of a mesh: a summary names each, and is one message.
pub const FOLDERS: usize = 1_024;
/// Neighbours of one node: above about 16 hosts the topology keeps them few; 512 is the largest pool.
pub const NEIGHBOURS: usize = 512;
/// Envelopes in one message: the smallest is some 200 bytes, so a page holds about 1,300.
pub const ENVELOPES_PER_MESSAGE: usize = 4_096;
/// Ranges in one request, of all its documents: 160 KiB of bytes.
pub const RANGES_PER_MESSAGE: usize = 4_096;
/// Documents in one page of vectors: the smallest entry is some 25 bytes.
pub const DOCUMENTS_PER_MESSAGE: usize = 16_384;
/// Statements in one message, and nodes asked for in one.
pub const STATEMENTS_PER_MESSAGE: usize = 2_048;

/// Items in one announcement or graft: 32 KiB of names. A burst of more is announced in several.
pub const ITEMS_PER_MESSAGE: usize = 2_048;
/// Trees in one prune: more than are remembered.
pub const TREES_PER_MESSAGE: usize = 1_024;

/// Rumours in one message: some 75 KiB.
pub const RUMOURS_PER_MESSAGE: usize = 1_024;

/// Names a change or a statement that is pushed: the first half of the SHA-256 of its bytes.
pub type ItemId = [u8; 16];

/// What a member says of another one's health, or of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rumour {
    /// About whom.
    pub node: NodeId,
    /// Which life of it.
    pub generation: u64,
    /// Counts in that life how often it refuted.
    pub incarnation: u64,
    /// What it is.
    pub state: MemberState,
    /// Who says so.
    pub by: NodeId,
}

/// The number of a state in messages.
pub(crate) fn state_code(state: MemberState) -> u8 {
    match state {
        MemberState::Alive => 1,
        MemberState::Suspect => 2,
        MemberState::Dead => 3,
        MemberState::Left => 4,
    }
}

/// Ranges of changes to one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentRanges {
    /// The document.
    pub document: DocumentId,
    /// Which life of it.
    pub generation: Generation,
    /// Of each writer at most one.
    pub ranges: Vec<Range>,
}

/// What of a document is durable at the sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentVector {
    /// The document.
    pub document: DocumentId,
    /// Which life of it.
    pub generation: Generation,
    /// Its durable changes.
    pub vector: VersionVector,
}

/// A message between two members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The first message of a connection, in both directions.
    Hello {
        /// The oldest protocol version spoken.
        lowest: u64,
        /// The newest.
        highest: u64,
        /// The sender's state.
        summary: Summary,
    },
    /// The sender's state, after it changed and now and then.
    Summary(Summary),
    /// A question: which documents of a folder do you hold otherwise than I do?
    Buckets {
        /// Given back in the answer.
        query: u64,
        /// The folder.
        folder: String,
        /// Answer only with documents after this one in the order of names; empty for all.
        after: String,
        /// The sender's hash of each bucket.
        hashes: Box<[Hash; BUCKETS]>,
    },
    /// The answer: documents of the differing buckets, in the order of names.
    Vectors {
        /// From the question.
        query: u64,
        /// Whether no document is left after these.
        complete: bool,
        /// What is durable at the sender.
        documents: Vec<DocumentVector>,
    },
    /// A question: these changes, please.
    Want {
        /// Given back in the answer, never 0.
        request: u64,
        /// At most [`RANGES_PER_MESSAGE`] ranges.
        wants: Vec<DocumentRanges>,
    },
    /// Changes: new ones (request 0) or as many of the wanted as fit in a page.
    Changes {
        /// From the question, or 0.
        request: u64,
        /// Signed envelopes, not decoded yet: a bad one must not spoil the others.
        envelopes: Vec<Arc<[u8]>>,
    },
    /// Statements of the roster: new ones, or asked for.
    Statements {
        /// Ask on after this digest, if there are more.
        next: Option<Hash>,
        /// The statements, not verified yet.
        statements: Vec<Arc<[u8]>>,
    },
    /// A question: the statements about these nodes; about all, if none is named.
    WantStatements {
        /// Only statements whose digest is above this.
        after: Hash,
        /// Which nodes.
        nodes: Vec<NodeId>,
    },
    /// The sender leaves the mesh on purpose and will close the connection.
    Leaving,
    /// New changes and statements that the sender has and doesn't push to the receiver. From protocol version 2 on.
    Announce {
        /// Which, at most [`ITEMS_PER_MESSAGE`].
        items: Vec<ItemId>,
    },
    /// A question: push me these, which you announced, and from now on all that comes by their trees.
    Graft {
        /// Which, at most [`ITEMS_PER_MESSAGE`].
        items: Vec<ItemId>,
    },
    /// The sender gets what comes by these trees from others: announce it only.
    Prune {
        /// The authors whose changes make a tree, at most [`TREES_PER_MESSAGE`]; zero for the roster's.
        trees: Vec<NodeId>,
    },
    /// Whether the sender chose this link. One that neither side chose is closed after a while.
    Link {
        /// Whether it did.
        is_wanted: bool,
    },
    /// What is said of members' health, new or all that is believed.
    Rumours {
        /// At most [`RUMOURS_PER_MESSAGE`].
        rumours: Vec<Rumour>,
    },
    /// A hash of all that the sender believes of members' health. Who believes something else answers with it.
    Health {
        /// The hash.
        hash: Hash,
    },
    /// A question: do you reach this member? Asked by who lost its own link with it.
    Probe {
        /// Given back in the answer.
        request: u64,
        /// The member.
        node: NodeId,
    },
    /// The answer.
    Probed {
        /// From the question.
        request: u64,
        /// Whether the sender reaches it.
        is_reached: bool,
    },
    /// A question: are you there?
    Ping {
        /// Given back in the answer.
        request: u64,
    },
    /// The answer.
    Pong {
        /// From the question.
        request: u64,
        /// What the sender's wall clock said, in milliseconds since 1970; 0 where it isn't told.
        wall_ms: u64,
    },
}

impl Message {
    /// The message as a frame.
    #[must_use]
    pub fn encode(&self) -> Arc<[u8]> {
        let mut encoder = Encoder::new();
        encoder.u8(FRAME_VERSION);
        codec::encode(self, &mut encoder);
        encoder.finish().into()
    }

    /// Reads a frame. `None` is a message of a type that this build doesn't know: it is to be ignored.
    ///
    /// # Errors
    /// When the frame is of another version, larger than [`limits::FRAME_BYTES`], ends early, or a field is past its
    /// limit.
    pub fn decode(frame: &[u8]) -> Result<Option<Self>, DecodeError> {
        if frame.len() > limits::FRAME_BYTES {
            return Err(DecodeError::Invalid { what: "frame", why: "larger than the limit" });
        }
        let mut d = Decoder::new(frame);
        if d.u8("frame version")? != FRAME_VERSION {
            return Err(DecodeError::Invalid { what: "frame version", why: "unknown to this build" });
        }
        codec::decode(&mut d)
    }
}

impl DocumentVector {
    /// About how many bytes it takes in a message.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.document.as_str().len() + 36 + self.vector.len() * (Writer::BYTES + 3)
    }
}
