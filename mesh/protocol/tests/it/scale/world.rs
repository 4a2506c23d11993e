//! Many engines, their links, and what goes over them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use murmurate_crdt::clock::{Dot, VersionVector};
use murmurate_crdt::envelope::{Envelope, SignedEnvelope};
use murmurate_crdt::id::{ActorId, DocumentId, Generation, Lane, NodeId, Writer};
use murmurate_protocol::message::Message;
use murmurate_protocol::topology::{FULL_MESH, choose};
use murmurate_protocol::{Class, Config, Effect, Engine, Event, Hash, MemberState, RequestId, Statement};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::common;

pub(crate) const SEED: u64 = 1;
/// A lost link is noticed so long after the last word over it, or up to a tick later; the word is up to 500 ms old: as the
/// network does it.
const SILENCE_MS: u64 = 1_500;
const TICK_MS: u64 = 500;
const WORD_EVERY_MS: u64 = 500;
/// Nobody waits longer for a death to be seen.
const DEATH_WITHIN: Duration = Duration::from_secs(30);

const HELLO: u8 = 1;
const SUMMARY: u8 = 2;
const CHANGES: u8 = 6;
const ANNOUNCE: u8 = 10;
const LINK: u8 = 13;
const RUMOURS: u8 = 14;
const HEALTH: u8 = 15;
const PONG: u8 = 19;

/// Bytes sent, by what for.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counted {
    pub(crate) push: u64,
    pub(crate) trees: u64,
    pub(crate) repair: u64,
    pub(crate) health: u64,
}

impl Counted {
    /// A frame's second byte says what it is: see `PROTOCOL.md`.
    fn count(&mut self, class: Class, frame: &[u8]) {
        let bytes = frame.len() as u64;
        match frame[1] {
            CHANGES if class == Class::Push => self.push += bytes,
            ANNOUNCE..=LINK => self.trees += bytes,
            RUMOURS..=PONG => self.health += bytes,
            _ => self.repair += bytes,
        }
    }
}

/// How a change went through the mesh.
#[derive(Debug, Default)]
pub(crate) struct Journey {
    began: Duration,
    /// Each host's distance from the author, and when it was there.
    reached: HashMap<usize, u32>,
    last: Duration,
    pub(crate) most_hops: u32,
    /// How often it arrived anywhere by push.
    pub(crate) copies: u64,
}

impl Journey {
    /// How long it took to all hosts.
    pub(crate) fn last_after(&self, hosts: usize) -> Duration {
        assert_eq!(self.reached.len(), hosts, "a change didn't come by push everywhere");
        self.last - self.began
    }
}

#[derive(Debug)]
enum Happening {
    Tell(usize, Event),
    Arrive { from: usize, to: usize, frame: Arc<[u8]> },
    Tick(usize),
}

struct Planned(Duration, u64, Happening);

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Planned {}
impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Planned {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

struct Host {
    engine: Engine,
    rng: ChaCha8Rng,
    wake_at: Option<Duration>,
    links: BTreeSet<usize>,
    is_up: bool,
}

/// The mesh.
pub(crate) struct World {
    now: Duration,
    hosts: Vec<Host>,
    /// The hashes of their rosters.
    rosters: Vec<Hash>,
    keys: Vec<SigningKey>,
    nodes: Vec<NodeId>,
    numbers: HashMap<NodeId, usize>,
    writers: Vec<usize>,
    victims: Vec<usize>,
    written: u64,
    store: BTreeMap<DocumentId, Vec<SignedEnvelope>>,
    planned: BinaryHeap<Reverse<Planned>>,
    plans: u64,
    last_arrival: HashMap<(usize, usize, Class), Duration>,
    rng: ChaCha8Rng,
    pub(crate) counted: Counted,
    pub(crate) journeys: HashMap<Dot, Journey>,
}

/// A roster's hash is behind the versions and the flags of a hello, and behind the flags of a summary.
fn as_if_rosters_were_equal(mut frame: Arc<[u8]>, roster: Hash) -> Arc<[u8]> {
    let at = match frame[1] {
        HELLO => 5,
        SUMMARY => 3,
        _ => return frame,
    };
    Arc::make_mut(&mut frame)[at..at + roster.len()].copy_from_slice(&roster);
    frame
}

fn identity(number: usize) -> (SigningKey, Statement) {
    let mut seed = [0x5c; 32];
    seed[..8].copy_from_slice(&(number as u64).to_le_bytes());
    let key = SigningKey::from_bytes(&seed);
    let admission = common::admit(&common::authority(), &key, &format!("host-{number}"));
    (key, admission)
}

impl World {
    pub(crate) fn new(count: usize, writers: usize, victims: usize) -> Self {
        let (keys, admissions): (Vec<_>, Vec<_>) = (0..count).map(identity).unzip();
        let nodes: Vec<NodeId> = keys.iter().map(|key| NodeId::of_public_key(key.verifying_key().as_bytes())).collect();
        let numbers: HashMap<NodeId, usize> = nodes.iter().enumerate().map(|(number, &node)| (node, number)).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(SEED);
        let mut some = |least: usize| -> Vec<usize> {
            let mut chosen = BTreeSet::new();
            while chosen.len() < least.min(count) {
                chosen.insert(usize::try_from(rng.next_u64() % count as u64).unwrap());
            }
            chosen.into_iter().collect()
        };
        let (writers, victims) = (some(writers), some(victims));
        let mut world = Self {
            now: Duration::ZERO,
            hosts: Vec::new(),
            rosters: Vec::new(),
            writers,
            victims,
            written: 0,
            store: BTreeMap::new(),
            planned: BinaryHeap::new(),
            plans: 0,
            last_arrival: HashMap::new(),
            rng,
            counted: Counted::default(),
            journeys: HashMap::new(),
            keys,
            nodes,
            numbers,
        };
        let links = world.choose_links();
        for (number, linked) in links.into_iter().enumerate() {
            world.start(number, linked, &admissions);
        }
        world.connect_all();
        world.run_for(Duration::from_secs(5));
        world
    }

    fn choose_links(&self) -> Vec<BTreeSet<usize>> {
        let all: BTreeSet<NodeId> = self.nodes.iter().copied().collect();
        let mut links = vec![BTreeSet::new(); self.nodes.len()];
        for (number, &node) in self.nodes.iter().enumerate() {
            let chosen = if all.len() <= FULL_MESH { all.clone() } else { choose(node, &all) };
            for peer in chosen.iter().map(|peer| self.numbers[peer]).filter(|&peer| peer != number) {
                links[number].insert(peer);
                links[peer].insert(number);
            }
        }
        links
    }

    fn start(&mut self, number: usize, links: BTreeSet<usize>, admissions: &[Statement]) {
        let mut config = Config::new(self.nodes[number], common::MESH, common::roots(), common::check);
        config.full_mesh = if self.nodes.len() <= FULL_MESH { FULL_MESH } else { 1 };
        let mut host = Host {
            engine: Engine::new(config, self.now),
            rng: ChaCha8Rng::seed_from_u64(SEED ^ ((number as u64) << 32)),
            wake_at: None,
            links,
            is_up: true,
        };
        let matters = host.links.iter().chain(&self.writers).chain(&self.victims).chain([&number]);
        for known in matters.copied().collect::<BTreeSet<usize>>() {
            host.engine.handle(self.now, &mut host.rng, Event::LoadedStatement(admissions[known].clone()));
        }
        self.rosters.push(host.engine.roster().hash());
        self.hosts.push(host);
        self.plan(self.now + Duration::from_millis(20), Happening::Tick(number));
        self.hosts[number].wake_at = Some(self.now + Duration::from_millis(20));
    }

    fn connect_all(&mut self) {
        for number in 0..self.hosts.len() {
            for peer in self.hosts[number].links.clone() {
                let at = self.now + Duration::from_micros(30_000 + self.rng.next_u64() % 1_000_000);
                let is_first = number < peer;
                if is_first {
                    self.plan(at, Happening::Tell(number, Event::PeerConnected { peer: self.nodes[peer] }));
                    self.plan(at, Happening::Tell(peer, Event::PeerConnected { peer: self.nodes[number] }));
                }
            }
        }
    }

    pub(crate) fn hosts(&self) -> usize {
        self.hosts.len()
    }

    pub(crate) fn links(&self) -> usize {
        self.hosts.iter().map(|host| host.links.len()).sum::<usize>() / 2
    }

    fn plan(&mut self, at: Duration, happening: Happening) {
        self.plans += 1;
        self.planned.push(Reverse(Planned(at, self.plans, happening)));
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        while self.planned.peek().is_some_and(|Reverse(next)| next.0 <= until) {
            let Some(Reverse(Planned(at, _, happening))) = self.planned.pop() else { break };
            self.now = at;
            self.happen(happening);
        }
        self.now = until;
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Tell(number, event) => self.tell(number, event),
            Happening::Tick(number) => {
                if self.hosts[number].wake_at == Some(self.now) {
                    self.hosts[number].wake_at = None;
                    self.tell(number, Event::Tick);
                }
            }
            Happening::Arrive { from, to, frame } => {
                if self.hosts[from].is_up || self.hosts[to].is_up {
                    self.note_arrival(from, to, &frame);
                    self.tell(to, Event::Received { peer: self.nodes[from], frame });
                }
            }
        }
    }

    fn note_arrival(&mut self, from: usize, to: usize, frame: &Arc<[u8]>) {
        if frame[1] != CHANGES {
            return;
        }
        let Ok(Some(Message::Changes { request: 0, envelopes })) = Message::decode(frame) else { return };
        for envelope in envelopes.into_iter().filter_map(|bytes| SignedEnvelope::decode(bytes).ok()) {
            let now = self.now;
            let Some(journey) = self.journeys.get_mut(&envelope.dot) else { continue };
            journey.copies += 1;
            let hops = journey.reached.get(&from).map_or(0, |hops| hops + 1);
            journey.reached.entry(to).or_insert_with(|| {
                journey.last = now;
                journey.most_hops = journey.most_hops.max(hops);
                hops
            });
        }
    }

    fn tell(&mut self, number: usize, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let host = &mut self.hosts[number];
            if !host.is_up {
                return;
            }
            for effect in host.engine.handle(self.now, &mut host.rng, event) {
                self.carry_out(number, effect);
            }
        }
    }

    fn carry_out(&mut self, number: usize, effect: Effect) {
        match effect {
            Effect::Send { peer, class, frame } => self.send(number, self.numbers[&peer], class, frame),
            Effect::Apply { envelope, .. } => self.store_soon(number, &envelope),
            Effect::ReadChanges { request, wants, .. } => {
                let held = |want: &murmurate_protocol::DocumentRanges| {
                    let ranges = want.ranges.clone();
                    let all = self.store.get(&want.document).cloned().unwrap_or_default();
                    all.into_iter().filter(move |envelope| {
                        let Dot { writer, sequence } = envelope.dot;
                        ranges.iter().any(|r| r.writer == writer && (r.first..=r.last).contains(&sequence))
                    })
                };
                let envelopes = wants.iter().flat_map(held).collect();
                self.answer(number, request, envelopes);
            }
            Effect::WakeAt(at) => {
                self.hosts[number].wake_at = Some(at.max(self.now));
                self.plan(at.max(self.now), Happening::Tick(number));
            }
            _ => {}
        }
    }

    fn answer(&mut self, number: usize, request: RequestId, envelopes: Vec<SignedEnvelope>) {
        let event = Event::ChangesRead { request, envelopes };
        self.plan(self.now + Duration::from_millis(1), Happening::Tell(number, event));
    }

    fn store_soon(&mut self, number: usize, envelope: &SignedEnvelope) {
        let document = envelope.document.clone();
        let vector = VersionVector::from_iter([envelope.dot]);
        let at = self.now + Duration::from_micros(1_000 + self.rng.next_u64() % 3_000);
        self.plan(at, Happening::Tell(number, Event::Durable { document, vector }));
    }

    fn send(&mut self, from: usize, to: usize, class: Class, frame: Arc<[u8]>) {
        if !self.hosts[from].links.contains(&to) {
            return;
        }
        self.counted.count(class, &frame);
        if !self.hosts[to].is_up || frame[1] == HEALTH {
            return;
        }
        let frame = as_if_rosters_were_equal(frame, self.rosters[to]);
        let at = self.now + Duration::from_micros(500 + self.rng.next_u64() % 1_000);
        let last = self.last_arrival.entry((from, to, class)).or_default();
        *last = at.max(*last);
        let at = *last;
        self.plan(at, Happening::Arrive { from, to, frame });
    }

    /// Each writer writes once, spread over a second, to a document of its own.
    pub(crate) fn write_all(&mut self) {
        self.written += 1;
        for (place, &number) in self.writers.clone().iter().enumerate() {
            let writer = Writer { actor: ActorId([u8::try_from(place).unwrap() + 1; 16]), lane: Lane::API };
            let dot = Dot { writer, sequence: self.written };
            let envelope = Envelope {
                level: 1,
                document: common::document(&format!("web/{place}.toml")),
                generation: Generation::default(),
                set: None,
                author: self.nodes[number],
                dot,
                time_ms: 1_700_000_000_000,
                dependencies: Vec::new(),
                user: String::new(),
                message: String::new(),
                change: vec![7; 1_024],
            };
            let envelope = envelope.sign(common::MESH, &self.keys[number]);
            self.store.entry(envelope.document.clone()).or_default().push(envelope.clone());
            let at = self.now + Duration::from_millis(1 + 80 * place as u64);
            let journey = Journey { began: at, last: at, reached: HashMap::from([(number, 0)]), ..Journey::default() };
            self.journeys.insert(dot, journey);
            self.plan(at, Happening::Tell(number, Event::Local { envelopes: vec![envelope] }));
        }
    }

    /// Kills a victim, and says how long it took until it was dead to all others.
    pub(crate) fn kill_and_wait(&mut self, place: usize) -> Option<Duration> {
        let (victim, began) = (self.victims[place], self.now);
        self.hosts[victim].is_up = false;
        for peer in self.hosts[victim].links.clone() {
            let (tick, word) = (self.rng.next_u64() % (TICK_MS * 1_000), self.rng.next_u64() % (WORD_EVERY_MS * 1_000));
            let after = SILENCE_MS * 1_000 + tick - word;
            let event = Event::PeerDisconnected { peer: self.nodes[victim] };
            self.plan(self.now + Duration::from_micros(after), Happening::Tell(peer, event));
        }
        while self.now < began + DEATH_WITHIN {
            self.run_for(Duration::from_millis(10));
            if self.is_dead_to_all(victim) {
                return Some(self.now - began);
            }
        }
        None
    }

    fn is_dead_to_all(&self, victim: usize) -> bool {
        let up = self.hosts.iter().filter(|host| host.is_up);
        let is_dead = |host: &Host| {
            let state = host.engine.history(self.nodes[victim]).last().map(|transition| transition.state);
            // Of who never heard of it before, the history begins with its death.
            state == Some(MemberState::Dead)
        };
        up.into_iter().all(is_dead)
    }

    /// Who is taken for dead, and isn't.
    pub(crate) fn falsely_dead(&self) -> Vec<usize> {
        let is_dead = |&number: &usize| {
            let others = self.hosts.iter().filter(|host| host.is_up);
            others.into_iter().any(|host| {
                let last = host.engine.history(self.nodes[number]).last();
                last.is_some_and(|transition| transition.state == MemberState::Dead)
            })
        };
        (0..self.hosts.len()).filter(|number| self.hosts[*number].is_up).filter(is_dead).collect()
    }
}
