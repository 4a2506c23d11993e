//! Real envelopes with a payload that no one reads, and stores to put them in.

use std::path::Path;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use murmurate_crdt::clock::Dot;
use murmurate_crdt::envelope::{Envelope, MESH_LEVEL, SignedEnvelope};
use murmurate_crdt::id::{ActorId, DocumentId, Generation, Lane, MeshId, NodeId, Writer};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::daemon::store::{Batch, Directory, Disk, LogOptions, LogStore};

/// Segments so small that a few commits fill one.
pub(super) const SMALL: LogOptions = LogOptions { segment_bytes: 8 << 10, allocation_bytes: 2 << 10 };

pub(super) fn random(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(super) fn open(disk: Arc<dyn Disk>) -> LogStore {
    LogStore::open(disk, SMALL, &mut random(1)).unwrap()
}

pub(super) fn open_directory(path: &Path) -> LogStore {
    open(Arc::new(Directory::open(path).unwrap()))
}

pub(super) fn document(name: &str) -> DocumentId {
    DocumentId::new(&format!("config/{name}.toml")).unwrap()
}

pub(super) fn dot(actor: u8, sequence: u64) -> Dot {
    Dot { writer: Writer { actor: ActorId([actor; 16]), lane: Lane::API }, sequence }
}

/// A change without dependencies.
pub(super) fn change(document: &DocumentId, dot: Dot, payload: &[u8]) -> SignedEnvelope {
    change_after(document, dot, &[], payload)
}

pub(super) fn change_after(document: &DocumentId, dot: Dot, after: &[Dot], payload: &[u8]) -> SignedEnvelope {
    envelope(document, dot, after, payload).sign(MeshId([1; 16]), &key())
}

pub(super) fn envelope(document: &DocumentId, dot: Dot, after: &[Dot], payload: &[u8]) -> Envelope {
    Envelope {
        level: MESH_LEVEL,
        document: document.clone(),
        generation: Generation::default(),
        set: None,
        author: NodeId::of_public_key(key().verifying_key().as_bytes()),
        dot,
        time_ms: 1_700_000_000_000,
        dependencies: after.to_vec(),
        user: "ann".into(),
        message: String::new(),
        change: payload.to_vec(),
    }
}

pub(super) fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

pub(super) fn changes(changes: impl IntoIterator<Item = SignedEnvelope>) -> Batch {
    Batch { changes: changes.into_iter().collect(), ..Batch::default() }
}
