//! Members, keys and changes for tests.

use ed25519_dalek::SigningKey;
use murmurate_crdt::clock::Dot;
use murmurate_crdt::envelope::{Envelope, SignedEnvelope};
use murmurate_crdt::id::{ActorId, DocumentId, Generation, Lane, MeshId, NodeId, Writer};
use murmurate_protocol::message::Message;
use murmurate_protocol::{Config, Effect, Engine, Event, Fact, Own, Roots, Signer, Statement, Trouble};
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

/// What the authority states.
pub(crate) fn state(fact: &Fact) -> Statement {
    Statement::new(MESH, Signer::Authority(&authority()), fact).unwrap()
}

/// The key with which the `number`-th member signs if it is an issuer.
pub(crate) fn issuer_key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number + 100; 32])
}

/// The statement that makes the `number`-th member an issuer.
pub(crate) fn grant(number: u8) -> Statement {
    let (node, key) = (node(number), issuer_key(number).verifying_key());
    state(&Fact::Issuer { node, key, certificate: b"certificate".to_vec(), issued_ms: 1_700_000_000_000 })
}

/// What the `number`-th member states as an issuer.
pub(crate) fn issue(number: u8, fact: &Fact) -> Statement {
    let (key, grant) = (issuer_key(number), grant(number));
    Statement::new(MESH, Signer::Issuer { key: &key, grant: &grant }, fact).unwrap()
}

/// The revocation of the `number`-th member.
pub(crate) fn revoke(number: u8) -> Fact {
    Fact::Revoke { node: node(number), reason: "stolen".to_owned(), issued_ms: 1_700_000_000_000 }
}

/// What the `number`-th member says of itself.
pub(crate) fn own(number: u8, sequence: u64, left: bool) -> Statement {
    let own = Own {
        key: key(number).verifying_key(),
        sequence,
        addresses: vec![format!("host-{number}:{}", 7_000 + sequence % 1_000)],
        issuer_key: issuer_key(number).verifying_key(),
        left,
        version: "0.2.0".to_owned(),
    };
    Statement::new(MESH, Signer::Own(&key(number)), &Fact::Own(own)).unwrap()
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

    pub(crate) fn handle(&mut self, now_ms: u64, event: Event) -> Vec<Effect> {
        self.engine.handle(Duration::from_millis(now_ms), &mut self.rng, event)
    }
}

pub(crate) fn received(peer: u8, message: &Message) -> Event {
    Event::Received { peer: node(peer), frame: message.encode() }
}

pub(crate) fn pushed(peer: u8, envelopes: &[&SignedEnvelope]) -> Event {
    let envelopes = envelopes.iter().map(|envelope| envelope.bytes().clone()).collect();
    received(peer, &Message::Changes { request: 0, envelopes })
}

pub(crate) fn applied(effects: &[Effect]) -> Vec<Dot> {
    let dots = effects.iter().filter_map(|effect| match effect {
        Effect::Apply { envelope, .. } => Some(envelope.dot),
        _ => None,
    });
    dots.collect()
}

/// What is sent, in order.
pub(crate) fn sent(effects: &[Effect]) -> Vec<(NodeId, Message)> {
    let frames = effects.iter().filter_map(|effect| match effect {
        Effect::Send { peer, frame, .. } => Some((*peer, Message::decode(frame).unwrap().unwrap())),
        _ => None,
    });
    frames.collect()
}

pub(crate) fn troubles(effects: &[Effect]) -> Vec<&Trouble> {
    let troubles = effects.iter().filter_map(|effect| match effect {
        Effect::Trouble(trouble) => Some(trouble),
        _ => None,
    });
    troubles.collect()
}

pub(crate) fn connect(host: &mut Node, peer: u8) -> Vec<Effect> {
    host.handle(0, Event::PeerConnected { peer: node(peer) })
}
