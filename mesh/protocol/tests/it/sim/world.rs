//! The world: virtual time, what happens when, and the carrying out of effects.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use murmurate_crdt::clock::{Dot, VersionVector};
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::{DocumentId, NodeId};
use murmurate_protocol::{Class, DocumentRanges, Effect, Event, RequestId, Trouble};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::disk::RosterWrite;
use super::host::Host;
use super::invariants::{bounds, revocation, sequences};
use super::network::{Network, QUEUE_BYTES, pair};
use super::scenario::Scenario;
use crate::common;

/// What is going to happen.
#[derive(Debug)]
pub(super) enum Happening {
    Arrive {
        from: u8,
        to: u8,
        connection: u64,
        class: Class,
        frame: Arc<[u8]>,
    },
    Tick {
        host: u8,
        life: u64,
    },
    Committed {
        host: u8,
        life: u64,
    },
    Read {
        host: u8,
        life: u64,
        request: RequestId,
        wants: Vec<DocumentRanges>,
        budget_bytes: usize,
    },
    Write,
    /// The thief writes.
    WriteStolen,
    State,
    Revoke,
    Partition,
    Render,
    Fault,
    /// Another gossip, which needs no links, tells every host of every other.
    Gossip,
    TryConnect {
        a: u8,
        b: u8,
    },
    NoticeDown {
        host: u8,
        peer: u8,
        connection: u64,
    },
    Restart {
        host: u8,
    },
    Unblock {
        pairs: Vec<(u8, u8)>,
    },
    Heal,
}

/// A write as an observer outside sees it.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) author: u8,
    pub(crate) at: Duration,
    /// All that its author had seen in the document.
    pub(crate) saw: VersionVector,
    pub(crate) change: Vec<u8>,
    /// It reached a disk.
    pub(crate) durable: bool,
    /// Its author was told that it is durable.
    pub(crate) acknowledged: bool,
}

/// Between two rounds of gossip.
const GOSSIP_EVERY: Duration = Duration::from_secs(1);

/// The simulated world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) now: Duration,
    pub(crate) hosts: Vec<Host>,
    pub(crate) network: Network,
    /// Whom each host dials, in worlds where hosts choose.
    pub(crate) wanted: BTreeSet<(u8, u8)>,
    pub(crate) history: BTreeMap<(DocumentId, Dot), Written>,
    pub(crate) sequences: sequences::Used,
    pub(crate) revocation: revocation::Watch,
    pub(super) numbers: BTreeMap<NodeId, u8>,
    rng: ChaCha8Rng,
    planned: BTreeMap<(Duration, u64), Happening>,
    pub(super) plans: u64,
    pub(super) healed: bool,
    frames: u64,
    frame_bytes: u64,
}

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

impl World {
    pub(crate) fn new(scenario: Scenario) -> Self {
        let mut world = Self {
            now: Duration::ZERO,
            hosts: (0..scenario.hosts).map(|number| Host::new(number, &scenario)).collect(),
            network: Network::default(),
            wanted: BTreeSet::new(),
            history: BTreeMap::new(),
            sequences: sequences::Used::default(),
            revocation: revocation::Watch::default(),
            numbers: (0..scenario.hosts).map(|number| (common::node(number), number)).collect(),
            rng: ChaCha8Rng::seed_from_u64(scenario.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            planned: BTreeMap::new(),
            plans: 0,
            healed: false,
            frames: 0,
            frame_bytes: 0,
            scenario,
        };
        world.plan_everything();
        world
    }

    fn plan_everything(&mut self) {
        for host in 0..self.scenario.hosts {
            let late = self.scenario.theft.filter(|theft| theft.late == host);
            self.plan(ms(late.map_or(0, |theft| theft.late_ms)), Happening::Restart { host });
        }
        self.plan_statements();
        if !self.scenario.hosts_choose_links() {
            for (a, b) in self.scenario.links.clone() {
                let at = self.below(500);
                self.plan(ms(at), Happening::TryConnect { a, b });
            }
        }
        for _ in 0..self.scenario.writes {
            let at = self.below(self.scenario.stormy_ms);
            // Some writes come in bursts.
            for _ in 0..1 + self.below(4).saturating_sub(2) * 5 {
                self.plan(ms(at), Happening::Write);
            }
            let at = self.below(self.scenario.stormy_ms);
            self.plan(ms(at), Happening::Render);
        }
        for _ in 0..self.scenario.faults {
            let at = self.below(self.scenario.stormy_ms);
            self.plan(ms(at), Happening::Fault);
        }
        self.plan(ms(500), Happening::Gossip);
        self.plan(ms(self.scenario.stormy_ms), Happening::Heal);
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }

    pub(super) fn any_host(&mut self) -> u8 {
        u8::try_from(self.below(self.scenario.hosts.into())).unwrap()
    }

    pub(super) fn plan(&mut self, at: Duration, happening: Happening) {
        self.plans += 1;
        self.planned.insert((at.max(self.now), self.plans), happening);
    }

    pub(super) fn plan_in(&mut self, least_ms: u64, most_ms: u64, happening: Happening) {
        let delay_us = least_ms * 1_000 + self.below((most_ms - least_ms) * 1_000);
        self.plan(self.now + Duration::from_micros(delay_us), happening);
    }

    pub(crate) fn host(&mut self, number: u8) -> &mut Host {
        &mut self.hosts[usize::from(number)]
    }

    pub(crate) fn run_until_healed(&mut self) {
        while !self.healed {
            self.step();
        }
    }

    /// Lets the next thing happen.
    pub(crate) fn step(&mut self) {
        let ((at, _), happening) = self.planned.pop_first().expect("hosts always plan to wake");
        self.now = at;
        match happening {
            Happening::Arrive { from, to, connection, class, frame } => {
                self.arrive((from, to), connection, class, frame)
            }
            Happening::Tick { host, life } => {
                if self.host(host).life == life && self.host(host).wake_at == Some(at) {
                    self.tell(host, Event::Tick);
                }
            }
            Happening::Committed { host, life } => self.committed(host, life),
            Happening::Read { host, life, request, wants, budget_bytes } => {
                if self.host(host).life == life {
                    let envelopes = self.host(host).disk.read(&wants, budget_bytes);
                    self.tell(host, Event::ChangesRead { request, envelopes });
                }
            }
            Happening::Write => {
                let host = self.any_host();
                self.write(host);
            }
            Happening::WriteStolen => self.write_stolen(),
            Happening::State => self.state(),
            Happening::Revoke => self.revoke(),
            Happening::Partition => self.partition(),
            Happening::Render => {
                let (host, document) = (self.any_host(), self.any_document());
                self.host(host).render(&document);
            }
            Happening::Fault => self.fault(),
            Happening::Gossip => self.gossip(),
            Happening::TryConnect { a, b } => self.try_connect(a, b),
            Happening::NoticeDown { host, peer, connection } => self.notice_down(host, peer, connection),
            Happening::Restart { host } => self.restart(host),
            Happening::Unblock { pairs } => self.unblock(&pairs),
            Happening::Heal => self.heal(),
        }
    }

    fn gossip(&mut self) {
        let up = self.hosts.iter().filter_map(|host| Some((host, host.engine.as_ref()?)));
        let told: Vec<_> = up.map(|(host, engine)| (host.number, engine.generation(), engine.state_hash())).collect();
        for &(host, ..) in &told {
            for &(peer, generation, state_hash) in told.iter().filter(|(peer, ..)| *peer != host) {
                if !self.network.is_blocked(host, peer) {
                    let (node, state_hash) = (common::node(peer), Some(state_hash));
                    self.tell(host, Event::Heard { node, generation, is_live: true, state_hash });
                }
            }
        }
        self.plan(self.now + GOSSIP_EVERY, Happening::Gossip);
    }

    fn any_document(&mut self) -> DocumentId {
        let number = self.below(self.scenario.documents);
        common::document(&format!("folder{}/document{number}", number % 2))
    }

    pub(super) fn write(&mut self, host: u8) {
        let document = self.any_document();
        if self.host(host).engine.is_none() {
            return;
        }
        let (by_file, key) = (self.below(3) == 0, self.below(4));
        let mut value = self.plans.to_le_bytes().to_vec();
        value.resize(8 + usize::try_from(self.below(self.scenario.value_bytes)).unwrap(), 7);
        // A thief's clock says what the thief wants.
        let time_ms = if self.scenario.is_thief(host) { 0 } else { 1_700_000_000_000 };
        let saw = self.host(host).write(document, by_file, (key, value), time_ms);
        let envelope = self.host(host).pending.last().unwrap().clone();
        let at = self.now;
        let written =
            Written { author: host, at, saw, change: envelope.change.clone(), durable: false, acknowledged: false };
        self.history.insert((envelope.document.clone(), envelope.dot), written);
        self.commit(host);
    }

    /// Begins a commit of all that waits for one, unless one is under way.
    fn commit(&mut self, number: u8) {
        let host = self.host(number);
        let is_busy = !host.committing.is_empty() || !host.committing_roster.is_empty();
        let has_work = !host.pending.is_empty() || !host.pending_roster.is_empty();
        if has_work && !is_busy {
            host.committing = std::mem::take(&mut host.pending);
            host.committing_roster = std::mem::take(&mut host.pending_roster);
            let life = host.life;
            let disk_ms = self.scenario.disk_ms;
            self.plan_in(disk_ms, disk_ms * 4, Happening::Committed { host: number, life });
        }
    }

    fn committed(&mut self, number: u8, life: u64) {
        if self.host(number).life != life || self.host(number).engine.is_none() {
            return;
        }
        let host = self.host(number);
        let committed = std::mem::take(&mut host.committing);
        committed.iter().for_each(|envelope| host.disk.append(envelope.clone()));
        std::mem::take(&mut host.committing_roster).into_iter().for_each(|write| host.disk.write(write));
        self.note_who_knows();
        let (own, foreign): (Vec<_>, Vec<_>) =
            committed.into_iter().partition(|envelope| envelope.author == common::node(number));
        let mut documents: Vec<DocumentId> = foreign.iter().map(|envelope| envelope.document.clone()).collect();
        documents.dedup();
        for document in documents {
            let vector = self.host(number).disk.vectors[&document].clone();
            self.tell(number, Event::Durable { document, vector });
        }
        self.acknowledge(number, own);
        self.commit(number);
    }

    fn acknowledge(&mut self, number: u8, own: Vec<SignedEnvelope>) {
        if own.is_empty() {
            return;
        }
        for envelope in &own {
            self.sequences.check(envelope);
            let written = self.history.get_mut(&(envelope.document.clone(), envelope.dot)).unwrap();
            (written.durable, written.acknowledged) = (true, true);
        }
        self.tell(number, Event::Local { envelopes: own });
    }

    /// Gives a host's engine an event, and carries out what it wants.
    pub(super) fn tell(&mut self, number: u8, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let (now, waiting_bytes, theft) = (self.now, self.scenario.waiting_bytes, self.scenario.theft);
            let host = self.host(number);
            let Some(engine) = &mut host.engine else { return };
            let knew = theft.is_some_and(|theft| engine.roster().is_revoked(common::node(theft.thief)));
            let effects = engine.handle(now, &mut host.rng, event);
            bounds::check(host, waiting_bytes);
            self.watch_revocation(number, knew, &effects);
            for effect in effects {
                events.extend(self.carry_out(number, effect));
            }
        }
        self.commit(number);
    }

    fn carry_out(&mut self, number: u8, effect: Effect) -> Option<Event> {
        let life = self.host(number).life;
        match effect {
            Effect::Send { peer, class, frame } => return self.send(number, self.numbers[&peer], class, frame),
            Effect::Apply { envelope, .. } => self.host(number).apply(envelope),
            Effect::ReadChanges { request, wants, budget_bytes } => {
                self.plan_in(0, 2, Happening::Read { host: number, life, request, wants, budget_bytes });
            }
            Effect::CompareDuplicate { envelope } => {
                let host = self.host(number);
                let pending = host.pending.iter().chain(&host.committing);
                let mut held = pending.chain(host.disk.get(&envelope.document, envelope.dot));
                assert!(held.any(|held| *held == envelope), "a dot was used twice");
            }
            Effect::Stated { statement } => self.host(number).pending_roster.push(RosterWrite::Put(statement)),
            Effect::Superseded { digest } => self.host(number).pending_roster.push(RosterWrite::Remove(digest)),
            Effect::Disconnect { peer, .. } => return self.disconnect(number, self.numbers[&peer]),
            Effect::WakeAt(at) => {
                self.host(number).wake_at = Some(at.max(self.now));
                self.plan(at, Happening::Tick { host: number, life });
            }
            Effect::Links { peers } => self.choose_links(number, &peers),
            Effect::Trouble(Trouble::WaitingFull { .. }) => {}
            effect @ (Effect::Equivocation { .. } | Effect::Pinged { .. } | Effect::Trouble(_)) => {
                panic!("host {number} at {:?}: {effect:?}", self.now);
            }
        }
        None
    }

    fn send(&mut self, from: u8, to: u8, class: Class, frame: Arc<[u8]>) -> Option<Event> {
        let (blocked, harsh) = (self.network.blocked.contains(&(from, to)), self.scenario.harsh);
        let connection = self.network.alive(from, to)?;
        let direction = connection.directions.get_mut(&(from, to)).unwrap();
        if direction.bytes + frame.len() > QUEUE_BYTES {
            return Some(Event::SendQueueFull { peer: common::node(to) });
        }
        self.frames += 1;
        self.frame_bytes += frame.len() as u64;
        if blocked && harsh {
            return None;
        }
        direction.bytes += frame.len();
        if blocked {
            direction.stalled.push_back((class, frame));
            return None;
        }
        self.put_on_wire(from, to, class, frame);
        None
    }

    pub(super) fn put_on_wire(&mut self, from: u8, to: u8, class: Class, frame: Arc<[u8]>) {
        if self.scenario.harsh && !self.healed {
            match self.below(10) {
                0..3 => {
                    let connection = self.network.connections.get_mut(&pair(from, to)).unwrap();
                    connection.directions.get_mut(&(from, to)).unwrap().bytes -= frame.len();
                    return;
                }
                3 => self.plan_arrival(from, to, class, frame.clone(), false),
                _ => {}
            }
        }
        self.plan_arrival(from, to, class, frame, true);
    }

    fn plan_arrival(&mut self, from: u8, to: u8, class: Class, frame: Arc<[u8]>, first: bool) {
        let delay_us = self.scenario.delay_ms * 500 + self.below(self.scenario.delay_ms * 1_000);
        let (mut at, harsh) = (self.now + Duration::from_micros(delay_us), self.scenario.harsh && !self.healed);
        let connection = self.network.connections.get_mut(&pair(from, to)).unwrap();
        let number = connection.number;
        let direction = connection.directions.get_mut(&(from, to)).unwrap();
        direction.bytes += if first { 0 } else { frame.len() };
        if !harsh {
            let last = direction.last_arrival.entry(class).or_default();
            at = at.max(*last);
            *last = at;
        }
        self.plan(at, Happening::Arrive { from, to, connection: number, class, frame });
    }

    fn arrive(&mut self, (from, to): (u8, u8), number: u64, _class: Class, frame: Arc<[u8]>) {
        let Some(connection) = self.network.connections.get_mut(&pair(from, to)) else { return };
        if connection.number != number {
            return;
        }
        connection.directions.get_mut(&(from, to)).unwrap().bytes -= frame.len();
        if connection.alive_at.contains(&to) {
            let frame = if self.scenario.is_thief(to) { self.hide_revocation(frame) } else { frame };
            self.tell(to, Event::Received { peer: common::node(from), frame });
        }
    }

    /// A host says whom it dials. In worlds with few hosts the scenario says which links there are.
    fn choose_links(&mut self, host: u8, peers: &BTreeSet<NodeId>) {
        if !self.scenario.hosts_choose_links() {
            return;
        }
        let before: Vec<_> = self.wanted.range((host, 0)..=(host, u8::MAX)).copied().collect();
        self.wanted.retain(|pair| !before.contains(pair));
        let peers: Vec<u8> = peers.iter().map(|peer| self.numbers[peer]).collect();
        for peer in peers {
            self.wanted.insert((host, peer));
            if !before.contains(&(host, peer)) {
                self.plan_in(0, 100, Happening::TryConnect { a: host, b: peer });
            }
        }
    }

    /// Whether somebody dials.
    fn is_wanted(&self, a: u8, b: u8) -> bool {
        let dials = |from, to| self.hosts[usize::from(from)].engine.is_some() && self.wanted.contains(&(from, to));
        dials(a, b) || dials(b, a)
    }

    fn try_connect(&mut self, a: u8, b: u8) {
        let both_up = self.host(a).engine.is_some() && self.host(b).engine.is_some();
        let is_gone = !self.network.connections.contains_key(&pair(a, b));
        if self.scenario.hosts_choose_links() && (!is_gone || !self.is_wanted(a, b)) {
            return;
        }
        if !is_gone || !both_up || self.network.is_blocked(a, b) {
            return self.plan_in(100, 1_000, Happening::TryConnect { a, b });
        }
        self.network.connect(a, b);
        self.tell(a, Event::PeerConnected { peer: common::node(b) });
        self.tell(b, Event::PeerConnected { peer: common::node(a) });
    }

    fn notice_down(&mut self, host: u8, peer: u8, number: u64) {
        let Some(connection) = self.network.alive(host, peer).filter(|connection| connection.number == number) else {
            return;
        };
        connection.alive_at.remove(&host);
        if connection.alive_at.is_empty() {
            self.network.connections.remove(&pair(host, peer));
            self.plan_in(100, 1_000, Happening::TryConnect { a: host, b: peer });
        } else {
            self.plan_in(0, 500, Happening::NoticeDown { host: peer, peer: host, connection: number });
        }
        self.tell(host, Event::PeerDisconnected { peer: common::node(peer) });
    }

    /// The hosts that belong to the mesh in the end.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| !self.scenario.is_thief(host.number))
    }

    /// Whether a write has to be kept: a thief's need not.
    pub(crate) fn is_kept(&self, written: &Written) -> bool {
        !self.scenario.is_thief(written.author)
    }

    /// What it took, for a person.
    pub(crate) fn tally(&self) -> String {
        format!("{} changes, {} frames, {} kB", self.history.len(), self.frames, self.frame_bytes / 1_000)
    }
}
