//! One host: an engine, its documents in memory, its disk.

use std::collections::BTreeMap;
use std::time::Duration;

use murmurate_crdt::clock::{Dot, VersionVector};
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::{ActorId, DocumentId, Lane, Writer};
use murmurate_protocol::{Engine, Event};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::disk::{Disk, RosterWrite};
use super::invariants::causality;
use super::register::Register;
use super::scenario::Scenario;
use crate::common;

/// Who may admit, renew and revoke.
pub(crate) const ISSUERS: std::ops::Range<u8> = 0..2;

/// A host. Down, it has no engine.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) number: u8,
    pub(crate) engine: Option<Engine>,
    pub(crate) rng: ChaCha8Rng,
    /// Counts its starts: what was planned in an earlier life doesn't happen.
    pub(crate) life: u64,
    pub(crate) actor: ActorId,
    pub(crate) documents: BTreeMap<DocumentId, Register>,
    /// What the file lane last rendered: its writes are made at these heads.
    pub(crate) rendered: BTreeMap<DocumentId, Register>,
    /// In the order of applying; not on disk.
    pub(crate) pending: Vec<SignedEnvelope>,
    /// On its way to the disk.
    pub(crate) committing: Vec<SignedEnvelope>,
    pub(crate) disk: Disk,
    /// The same of the roster.
    pub(crate) pending_roster: Vec<RosterWrite>,
    pub(crate) committing_roster: Vec<RosterWrite>,
    /// Counts what it states of itself.
    pub(crate) own_sequence: u64,
    pub(crate) wake_at: Option<Duration>,
}

impl Host {
    pub(crate) fn new(number: u8, scenario: &Scenario) -> Self {
        let mut disk = Disk::default();
        let known = if number == 0 || !scenario.roster_spreads { 0..scenario.hosts } else { number..number + 1 };
        for statement in known.map(common::admission).chain(ISSUERS.map(common::grant)) {
            disk.write(RosterWrite::Put(statement));
        }
        Self {
            number,
            engine: None,
            rng: ChaCha8Rng::seed_from_u64(scenario.seed ^ (u64::from(number) << 32)),
            life: 0,
            actor: ActorId::default(),
            documents: BTreeMap::new(),
            rendered: BTreeMap::new(),
            pending: Vec::new(),
            committing: Vec::new(),
            disk,
            pending_roster: Vec::new(),
            committing_roster: Vec::new(),
            own_sequence: 0,
            wake_at: None,
        }
    }

    /// Starts from what is on disk. Gives the events that tell a new engine of it.
    pub(crate) fn start(&mut self, now: Duration, scenario: &Scenario) -> Vec<Event> {
        self.life += 1;
        if self.life == 1 || self.rng.next_u64().is_multiple_of(2) {
            self.rng.fill_bytes(&mut self.actor.0);
        }
        let mut config = common::config(self.number);
        config.waiting_bytes_per_peer = scenario.waiting_bytes;
        config.generation = self.life;
        config.waiting_bytes = 2 * scenario.waiting_bytes;
        self.engine = Some(Engine::new(config, now));
        self.wake_at = None;
        for (document, envelopes) in &self.disk.documents {
            let register = self.documents.entry(document.clone()).or_default();
            envelopes.iter().for_each(|envelope| register.apply(envelope));
        }
        self.rendered = self.documents.clone();
        let statements = self.disk.statements.values().cloned().map(Event::LoadedStatement);
        let vectors = self.disk.vectors.iter().map(|(document, vector)| Event::Loaded {
            document: document.clone(),
            generation: Default::default(),
            vector: vector.clone(),
        });
        statements.chain(vectors).collect()
    }

    /// Ends without notice. A commit under way reaches the disk or not.
    pub(crate) fn crash(&mut self) {
        self.engine = None;
        let committing = std::mem::take(&mut self.committing);
        if self.rng.next_u64().is_multiple_of(2) {
            committing.into_iter().for_each(|envelope| self.disk.append(envelope));
            std::mem::take(&mut self.committing_roster).into_iter().for_each(|write| self.disk.write(write));
        }
        self.pending.clear();
        self.pending_roster.clear();
        self.committing_roster.clear();
        self.documents.clear();
        self.rendered.clear();
    }

    /// Applies a change, its own or a received one.
    pub(crate) fn apply(&mut self, envelope: SignedEnvelope) {
        let register = self.documents.entry(envelope.document.clone()).or_default();
        causality::check(self.number, &register.vector, &envelope);
        register.apply(&envelope);
        self.pending.push(envelope);
    }

    /// Writes a change: by the file lane at what was last rendered, or by the API's at the current state.
    pub(crate) fn write(
        &mut self,
        document: DocumentId,
        by_file: bool,
        (key, value): (u64, Vec<u8>),
        time_ms: u64,
    ) -> VersionVector {
        let current = self.documents.entry(document.clone()).or_default().clone();
        let lane = if by_file { Lane::FILE } else { Lane::API };
        let writer = Writer { actor: self.actor, lane };
        let base = if by_file { self.rendered.entry(document.clone()).or_default() } else { &current };
        let dot = Dot { writer, sequence: current.vector.get(writer) + 1 };
        let dependencies: Vec<Dot> = base.heads.iter().copied().collect();
        let change = base.write(key, value).encode();
        let saw = base.vector.clone();
        let mut envelope = common::envelope(self.number, document.as_str(), dot, &dependencies, &change);
        envelope.time_ms = time_ms;
        let envelope = envelope.sign(common::MESH, &common::key(self.number));
        if by_file {
            self.rendered.entry(document).or_default().apply(&envelope);
        }
        self.apply(envelope);
        saw
    }

    /// Renders a document: the file lane writes at this state from now on.
    pub(crate) fn render(&mut self, document: &DocumentId) {
        if let Some(register) = self.documents.get(document) {
            self.rendered.insert(document.clone(), register.clone());
        }
    }
}
