//! What an engine is told once.

use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::{MeshId, NodeId};
use murmurate_crdt::limits;

use crate::roster::Roots;
use crate::topology::FULL_MESH;

/// What a host sends a second, at most, to peers that catch up: a quarter of a line of 1 Gbit/s, and what its disk and one
/// core give without others' noticing.
pub const REPAIR_BYTES_PER_SECOND: u64 = 32 << 20;

/// What an engine is told once. Everything else comes as events.
#[derive(Debug, Clone)]
pub struct Config {
    /// This node.
    pub node: NodeId,
    /// The mesh it is a member of. Envelopes and statements of any other mesh don't verify.
    pub mesh: MeshId,
    /// The mesh's authority and recovery key, to which every statement of the roster leads back.
    pub roots: Roots,
    /// The guards of the change inside an envelope: its checksum, the cap on its operations. Called once for each
    /// new change, after its signature was found good, so that the blame for a bad one falls on its signer.
    pub check: fn(&SignedEnvelope) -> Result<(), String>,
    /// How many bytes of changes may wait for what they depend on, per peer that sent them. The default is the same
    /// on all hosts; smaller is for tests.
    pub waiting_bytes_per_peer: usize,
    /// The same for all peers together: two peers at their limit, or many below it.
    pub waiting_bytes: usize,
    /// Bytes of answers to peers that catch up, a second, for all of them together: [`REPAIR_BYTES_PER_SECOND`], smaller for
    /// tests.
    pub repair_bytes_per_second: u64,
    /// Which life of this node this is: higher than any before, so that what was told of an earlier one is over. Milliseconds
    /// since 1970 at its start are good, or one more than the last if the clock went back. Default 1.
    pub generation: u64,
    /// Up to so many members, this one included, are linked with each other directly: [`FULL_MESH`], smaller for tests.
    pub full_mesh: usize,
}

impl Config {
    /// The limits' defaults.
    #[must_use]
    pub fn new(node: NodeId, mesh: MeshId, roots: Roots, check: fn(&SignedEnvelope) -> Result<(), String>) -> Self {
        let waiting_bytes_per_peer = limits::WAITING_BYTES_PER_PEER;
        Self {
            node,
            mesh,
            roots,
            check,
            waiting_bytes_per_peer,
            waiting_bytes: 2 * waiting_bytes_per_peer,
            repair_bytes_per_second: REPAIR_BYTES_PER_SECOND,
            generation: 1,
            full_mesh: FULL_MESH,
        }
    }
}
