//! Changes as a put of a 64-byte value makes them: some 350 bytes with everything that is said about them.

use ed25519_dalek::SigningKey;
use murmurate_crdt::clock::Dot;
use murmurate_crdt::envelope::{Envelope, MESH_LEVEL, SignedEnvelope};
use murmurate_crdt::id::{ActorId, DocumentId, Generation, Lane, MeshId, NodeId, Writer};

use crate::Outcome;

/// Files that are written to.
const DOCUMENTS: u8 = 10;
/// An automerge change that sets one register to a 64-byte value has about this size.
const CHANGE_BYTES: usize = 170;

/// A writer's puts, in order.
pub(crate) struct Author {
    key: SigningKey,
    document: DocumentId,
    writer: Writer,
}

impl Author {
    /// The author with this number.
    pub(crate) fn new(number: u8) -> Outcome<Self> {
        let document = DocumentId::new(&format!("config/service-{}.toml", number % DOCUMENTS))?;
        let writer = Writer { actor: ActorId([number; 16]), lane: Lane::API };
        Ok(Self { key: SigningKey::from_bytes(&[number; 32]), document, writer })
    }

    /// Its put with this sequence.
    pub(crate) fn put(&self, sequence: u64) -> SignedEnvelope {
        let mut change = vec![0; CHANGE_BYTES];
        change[..8].copy_from_slice(&sequence.to_le_bytes());
        let before = sequence.checked_sub(1).filter(|&before| before > 0);
        let envelope = Envelope {
            level: MESH_LEVEL,
            document: self.document.clone(),
            generation: Generation::default(),
            set: None,
            author: NodeId::of_public_key(self.key.verifying_key().as_bytes()),
            dot: Dot { writer: self.writer, sequence },
            time_ms: 1_700_000_000_000,
            dependencies: before.map(|sequence| Dot { writer: self.writer, sequence }).into_iter().collect(),
            user: "operator".into(),
            message: String::new(),
            change,
        };
        envelope.sign(MeshId([1; 16]), &self.key)
    }
}
