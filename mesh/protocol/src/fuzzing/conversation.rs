//! A member that says anything, in any order, and signs what it likes: the engine answers, and holds its invariants.

use std::collections::BTreeSet;
use std::time::Duration;

use murmurate_crdt::clock::{Dot, VersionVector};
use murmurate_crdt::envelope::{Envelope, SignedEnvelope};
use murmurate_crdt::id::{ActorId, DocumentId, Generation, Lane, NodeId, Writer};
use murmurate_crdt::wire::Decoder;
use rand_core::{Infallible, TryRng};

use super::roster::{MESH, admission, key, node, roots};
use crate::message::Message;
use crate::{Config, Effect, Engine, Event};

/// The engine's own node, a member that behaves in any way, another that only listens.
const OWN: u8 = 1;
const PEER: u8 = 2;
const LISTENER: u8 = 3;
/// Small, so that few changes fill it.
const WAITING_BYTES: usize = 8 << 10;
/// What one change may add before the limit is looked at again.
const LARGEST_CHANGE_BYTES: usize = 4 << 10;
/// Steps of one conversation.
const STEPS: usize = 64;

/// A run of steps, each a byte that says what happens and what that needs.
pub fn conversation(data: &[u8]) {
    let mut conversation = Conversation::new();
    let mut decoder = Decoder::new(data);
    for _ in 0..STEPS {
        if conversation.step(&mut decoder).is_err() {
            return;
        }
    }
}

struct Conversation {
    engine: Engine,
    rng: Counter,
    now: Duration,
    applied: BTreeSet<(DocumentId, Dot)>,
    version: std::collections::BTreeMap<DocumentId, VersionVector>,
}

impl Conversation {
    fn new() -> Self {
        let mut config = Config::new(node(OWN), MESH, roots(), |_| Ok(()));
        config.waiting_bytes_per_peer = WAITING_BYTES;
        config.waiting_bytes = WAITING_BYTES;
        let now = Duration::from_secs(1);
        let engine = Engine::new(config, now);
        let mut conversation =
            Self { engine, rng: Counter(1), now, applied: BTreeSet::new(), version: Default::default() };
        for number in [OWN, PEER, LISTENER] {
            conversation.handle(Event::LoadedStatement(admission(number)));
        }
        for number in [PEER, LISTENER] {
            conversation.handle(Event::PeerConnected { peer: node(number) });
        }
        conversation
    }

    /// Takes one step; an error is the end of the input.
    fn step(&mut self, d: &mut Decoder<'_>) -> Result<(), murmurate_crdt::wire::DecodeError> {
        let peer = node(PEER);
        match d.u8("step")? {
            0..=63 => {
                let frame = d.bytes(4 << 10, "frame")?.into();
                self.handle(Event::Received { peer, frame });
            }
            64..=199 => {
                let count = usize::from(d.u8("count")? % 4) + 1;
                let envelopes = (0..count).map(|_| change(d)).collect::<Result<Vec<_>, _>>()?;
                let request = u64::from(d.u8("request")? % 4);
                let envelopes = envelopes.iter().map(|envelope| envelope.bytes().clone()).collect();
                self.handle(Event::Received { peer, frame: Message::Changes { request, envelopes }.encode() });
            }
            200..=219 => {
                self.now += Duration::from_millis(u64::from(d.u8("time")?) * 50);
                self.handle(Event::Tick);
            }
            220..=229 => self.handle(Event::PeerDisconnected { peer }),
            230..=239 => self.handle(Event::PeerConnected { peer }),
            240..=244 => self.handle(Event::SendQueueFull { peer }),
            _ => {
                for (document, vector) in self.version.clone() {
                    self.handle(Event::Durable { document, vector });
                }
            }
        }
        Ok(())
    }

    fn handle(&mut self, event: Event) {
        let effects = self.engine.handle(self.now, &mut self.rng, event);
        for effect in effects {
            self.check(effect);
        }
        let held = self.engine.held();
        assert!(held.waiting_bytes <= WAITING_BYTES + LARGEST_CHANGE_BYTES, "{held:?}");
        drop(self.engine.members(self.now));
    }

    fn check(&mut self, effect: Effect) {
        match effect {
            Effect::Apply { envelope, .. } => {
                let Envelope { document, dot, dependencies, .. } = Envelope::clone(&envelope);
                let version = self.version.entry(document.clone()).or_default();
                assert!(version.is_next(dot), "{dot} isn't next in {document}");
                assert!(dependencies.iter().all(|needed| version.includes(*needed)), "{dot} comes too early");
                version.include(dot);
                assert!(self.applied.insert((document, dot)), "{dot} comes twice");
            }
            Effect::Send { frame, .. } => assert!(Message::decode(&frame).is_ok_and(|message| message.is_some())),
            Effect::WakeAt(at) => assert!(at > Duration::ZERO),
            _ => {}
        }
    }
}

/// A change as the input chooses it, signed by its author.
fn change(d: &mut Decoder<'_>) -> Result<SignedEnvelope, murmurate_crdt::wire::DecodeError> {
    let author = [PEER, LISTENER, 9][usize::from(d.u8("author")? % 3)];
    let count = d.u8("dependencies")? % 4;
    let document = ["f/a", "f/b", "g/a"][usize::from(d.u8("document")? % 3)];
    let dot = dot(d)?;
    let dependencies = (0..count).map(|_| self::dot(d)).collect::<Result<Vec<_>, _>>()?;
    let envelope = Envelope {
        level: 1 + u64::from(d.u8("level")? / 255),
        document: DocumentId::new(document)?,
        generation: Generation::default(),
        set: None,
        author: NodeId::of_public_key(key(author).verifying_key().as_bytes()),
        dot,
        time_ms: 0,
        dependencies,
        user: String::new(),
        message: String::new(),
        change: vec![d.u8("change")?; usize::from(d.u8("size")?)],
    };
    Ok(envelope.sign(MESH, &key(author)))
}

fn dot(d: &mut Decoder<'_>) -> Result<Dot, murmurate_crdt::wire::DecodeError> {
    let actor = ActorId([d.u8("actor")? % 3; 16]);
    Ok(Dot { writer: Writer { actor, lane: Lane::API }, sequence: u64::from(d.u8("sequence")? % 16) + 1 })
}

/// Numbers that are as good as random here.
struct Counter(u64);

impl TryRng for Counter {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.try_next_u64()?.to_le_bytes()[..4].iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Ok(self.0.rotate_left(29))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.iter_mut().for_each(|byte| *byte = self.try_next_u64().unwrap().to_le_bytes()[3]);
        Ok(())
    }
}
