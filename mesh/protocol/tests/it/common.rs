//! Members, keys and changes for tests.

use ed25519_dalek::SigningKey;
use murmurate_crdt::clock::Dot;
use murmurate_crdt::envelope::{Envelope, SignedEnvelope};
use murmurate_crdt::id::{ActorId, DocumentId, Generation, Lane, MeshId, NodeId, Writer};
use murmurate_protocol::{Config, Engine, Event, Fact, Roots, Signer, Statement};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::sync::LazyLock;
use std::time::Duration;

pub(crate) const MESH: MeshId = MeshId([0x4d; 16]);

pub(crate) fn authority() -> SigningKey {
    SigningKey::from_bytes(&[0xaa; 32])
}

pub(crate) fn recovery() -> SigningKey {
    SigningKey::from_bytes(&[0xbb; 32])
}

pub(crate) fn roots() -> Roots {
    Roots { authority: authority().verifying_key(), recovery: recovery().verifying_key() }
}

/// A member, made once: deriving keys and signing is what tests without optimisation spend their time on.
struct Identity {
    key: SigningKey,
    node: NodeId,
    admission: Statement,
}

static IDENTITIES: LazyLock<Vec<Identity>> = LazyLock::new(|| (0..32).map(identity).collect());

fn identity(number: u8) -> Identity {
    let key = SigningKey::from_bytes(&[number + 1; 32]);
    let node = NodeId::of_public_key(key.verifying_key().as_bytes());
    let name = format!("host-{number}");
    let admission = admit(&authority(), &key, &name);
    Identity { key, node, admission }
}

/// A statement that admits a node.
pub(crate) fn admit(authority: &SigningKey, key: &SigningKey, name: &str) -> Statement {
    let fact = Fact::Admit { key: key.verifying_key(), name: name.to_owned(), issued_ms: 1_700_000_000_000 };
    Statement::new(MESH, Signer::Authority(authority), &fact).unwrap()
}

/// The key of the `number`-th member.
pub(crate) fn key(number: u8) -> SigningKey {
    IDENTITIES[usize::from(number)].key.clone()
}

pub(crate) fn node(number: u8) -> NodeId {
    IDENTITIES[usize::from(number)].node
}

pub(crate) fn admission(number: u8) -> Statement {
    IDENTITIES[usize::from(number)].admission.clone()
}

/// Takes for bad what says so.
pub(crate) fn check(envelope: &SignedEnvelope) -> Result<(), String> {
    if envelope.change == b"bad" { Err("its bytes say so".to_owned()) } else { Ok(()) }
}

pub(crate) fn config(number: u8) -> Config {
    Config::new(node(number), MESH, roots(), check)
}

pub(crate) fn writer(number: u8, lane: Lane) -> Writer {
    Writer { actor: ActorId([number; 16]), lane }
}

pub(crate) fn dot(number: u8, sequence: u64) -> Dot {
    Dot { writer: writer(number, Lane::API), sequence }
}

pub(crate) fn document(name: &str) -> DocumentId {
    DocumentId::new(name).unwrap()
}

/// An unsigned change of the `number`-th member.
pub(crate) fn envelope(number: u8, document_name: &str, dot: Dot, dependencies: &[Dot], change: &[u8]) -> Envelope {
    Envelope {
        level: 1,
        document: document(document_name),
        generation: Generation::default(),
        set: None,
        author: node(number),
        dot,
        time_ms: 1_700_000_000_000,
        dependencies: dependencies.to_vec(),
        user: String::new(),
        message: String::new(),
        change: change.to_vec(),
    }
}

/// The `sequence`-th change of the `number`-th member to a document, after all of `dependencies`.
pub(crate) fn change(number: u8, document_name: &str, sequence: u64, dependencies: &[Dot]) -> SignedEnvelope {
    envelope(number, document_name, dot(number, sequence), dependencies, b"x").sign(MESH, &key(number))
}

/// An engine with its randomness, which knows the first `members` members.
pub(crate) struct Node {
    pub(crate) engine: Engine,
    pub(crate) rng: ChaCha8Rng,
}

impl Node {
    pub(crate) fn new(number: u8, members: u8) -> Self {
        Self::with(config(number), members)
    }

    pub(crate) fn with(config: Config, members: u8) -> Self {
        let engine = Engine::new(config, Duration::ZERO);
        let mut node = Self { engine, rng: ChaCha8Rng::seed_from_u64(1) };
        for member in 0..members {
            node.handle(0, Event::LoadedStatement(admission(member)));
        }
        node
    }

    pub(crate) fn handle(&mut self, now_ms: u64, event: Event) -> Vec<murmurate_protocol::Effect> {
        self.engine.handle(Duration::from_millis(now_ms), &mut self.rng, event)
    }
}
