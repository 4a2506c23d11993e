//! The engine: dissemination, anti-entropy and the peers' health, as a function of time, randomness and events.
//!
//! ```text
//!               Local ───────────────────────────────┐                        ┌──▶ Send (push)
//!                                                     ▼                        │
//!  Received ─▶ message ─┬▶ ingest ─▶ author known? ─▶ fit? ─▶ next? ─▶ Apply ──┴──▶ relay
//!                       │            │ no                     │ no       │
//!                       │            ▼                        ▼          ▼
//!                       │         strangers                waiting     index ◀── Durable, Loaded
//!                       │                                                │ roots, buckets, vectors
//!                       ├▶ summary, vectors, changes ─▶ pull ◀───────────┤
//!                       ├▶ buckets, want ─▶ serve ◀─▶ ReadChanges        │
//!                       ├▶ statements ─▶ roster ─▶ Stated, push          ▼
//!                       ├▶ announce, graft, prune ─▶ plumtree ─▶ Send (push)
//!                       ├▶ rumours, probes, pings, Heard ─▶ health ─▶ Send (control)
//!                       └▶ link ─▶ topology ─▶ Links
//!  Tick ─▶ timers: announce, check, retry, round ────────────────▶ Send (control, repair), WakeAt
//! ```
//! Invariants:
//! - `Apply` comes once for each dot, in causal order, and only for changes signed by a member.
//! - What is told to peers is durable here; what is asked for isn't applied here.
//! - Every buffer has a limit; what doesn't fit is dropped and found again by anti-entropy.
//! - Of a node whose revocation is known here, only what a member held before it knew is taken: see `revocation`.
//! - Nothing waits for one peer: each has its own questions, and at most one read under way.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::time::Duration;

use murmurate_crdt::clock::VersionVector;
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::{DocumentId, NodeId};
use rand_core::Rng;

use crate::agreement::Agreement;
use crate::allowance::Allowance;
use crate::config::Config;
use crate::context::Context;
use crate::counts::Counts;
use crate::effect::{Class, Effect, Trouble};
use crate::event::{Event, RequestId};
use crate::flows::Flows;
use crate::health::{Health, Record};
use crate::index::Index;
use crate::limits;
use crate::message::{Message, PAGE_BYTES};
use crate::peers::{Member, MemberState, Peers, Session};
use crate::plumtree::Plumtree;
use crate::pull::Pull;
use crate::recent::RecentDigests;
use crate::roster::Roster;
use crate::serve::Read;
use crate::strangers::Strangers;
use crate::summary::{self, Hash};
use crate::topology::{self, Topology};
use crate::waiting::Waiting;

/// How much is held back, for `status` and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Verified changes that wait for what they depend on.
    pub waiting_changes: usize,
    /// About how much memory these take.
    pub waiting_bytes: usize,
    /// Authors of changes whose admission isn't known yet.
    pub unknown_authors: usize,
    /// About how much memory their changes take.
    pub unknown_bytes: usize,
}

/// How full a buffer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filled {
    /// What it holds.
    pub held: usize,
    /// What it has room for.
    pub limit: usize,
}

/// How full all buffers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Buffers {
    /// Bytes of changes that wait for what they depend on. Beyond, the farthest are dropped, and asked for again.
    pub waiting_bytes: Filled,
    /// Bytes of changes whose author's admission isn't known. Beyond, they are dropped, and asked for again.
    pub unknown_bytes: Filled,
    /// Their authors. Beyond, changes of others are dropped, and asked for again.
    pub unknown_authors: Filled,
    /// Bytes of announced items that peers may fetch. Beyond, the oldest go, and are left to anti-entropy.
    pub kept_bytes: Filled,
    /// Items that were announced and haven't come. Beyond, they are left to anti-entropy.
    pub missing: Filled,
    /// Trees that are remembered. Beyond, the least used is forgotten, which costs a few copies.
    pub trees: Filled,
    /// Questions of other hosts whether this one reaches a member. Beyond, they aren't answered.
    pub probes: Filled,
    /// Connected peers. Beyond, only those that this host chose are taken.
    pub links: Filled,
}

/// The engine of one node.
#[derive(Debug)]
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) roster: Roster,
    pub(crate) index: Index,
    pub(crate) waiting: Waiting,
    pub(crate) strangers: Strangers,
    pub(crate) recent: RecentDigests,
    pub(crate) peers: Peers,
    pub(crate) pulls: BTreeMap<NodeId, Pull>,
    pub(crate) reads: BTreeMap<RequestId, Read>,
    pub(crate) flows: Flows,
    /// What may be sent to peers that catch up.
    pub(crate) repairs: Allowance,
    pub(crate) served_last: NodeId,
    /// Whose whole roster was asked for, and until when nobody else's is.
    pub(crate) roster_asked: Option<(NodeId, Duration)>,
    pub(crate) announce_at: Option<Duration>,
    pub(crate) round_at: Duration,
    pub(crate) topology: Topology,
    pub(crate) plumtree: Plumtree,
    pub(crate) health: Health,
    pub(crate) agreement: Agreement,
    counts: Counts,
    last_request: u64,
    wake_at: Option<Duration>,
}

impl Engine {
    /// An engine that knows nothing yet: tell it the store's documents and statements, then the connections.
    #[must_use]
    pub fn new(config: Config, now: Duration) -> Self {
        Self {
            roster: Roster::new(config.mesh, config.roots),
            index: Index::default(),
            waiting: Waiting::new(config.waiting_bytes_per_peer, config.waiting_bytes),
            strangers: Strangers::default(),
            recent: RecentDigests::default(),
            peers: Peers::default(),
            pulls: BTreeMap::new(),
            reads: BTreeMap::new(),
            flows: Flows::default(),
            repairs: Allowance::new(config.repair_bytes_per_second, 4 * PAGE_BYTES as u64),
            served_last: NodeId([0; 32]),
            roster_asked: None,
            announce_at: None,
            round_at: now,
            topology: Topology::new(now),
            plumtree: Plumtree::default(),
            health: Health::new(config.generation),
            agreement: Agreement::default(),
            counts: Counts::default(),
            last_request: 0,
            wake_at: None,
            config,
        }
    }

    /// Takes in what happened at `now`, which never goes back, and says what is to be done, in order.
    pub fn handle(&mut self, now: Duration, rng: &mut impl Rng, event: Event) -> Vec<Effect> {
        let mut ctx = Context::new(now, rng, self.counts);
        let late = self.wake_at.map_or(Duration::ZERO, |at| now.saturating_sub(at));
        ctx.counts.late_ticks += u64::from(self.health.ticked(now, late));
        self.dispatch(&mut ctx, event);
        self.run_timers(&mut ctx);
        self.plan_wake(&mut ctx);
        let (effects, counts) = ctx.finish();
        self.counts = counts;
        effects
    }

    fn dispatch(&mut self, ctx: &mut Context<'_>, event: Event) {
        match event {
            Event::Loaded { document, generation, vector } => self.index.set_durable(&document, generation, &vector),
            Event::LoadedStatement(statement) => self.loaded_statement(ctx, statement),
            Event::Statement(statement) => self.state(ctx, self.config.node, statement),
            Event::PeerConnected { peer } => self.connected(ctx, peer),
            Event::PeerDisconnected { peer } => self.disconnected(ctx, peer),
            Event::Received { peer, frame } => self.received(ctx, peer, &frame),
            Event::Local { envelopes } => envelopes.iter().for_each(|envelope| self.local(ctx, envelope)),
            Event::Durable { document, vector } => self.durable(ctx, &document, &vector),
            Event::ChangesRead { request, envelopes } => self.changes_read(ctx, request, &envelopes),
            Event::Refused { document, dot } => {
                self.index.withdraw(&document, dot);
                self.waiting.remove_document(&document);
            }
            Event::Frozen { document } => {
                let generation = self.index.document(&document).map(crate::index::Document::generation);
                self.index.freeze(&document, generation.unwrap_or_default());
                self.waiting.remove_document(&document);
            }
            Event::Thawed { document } => self.thawed(ctx, &document),
            Event::SendQueueFull { peer } => {
                ctx.counts.congestions += 1;
                self.peers.congested(peer, ctx.now);
            }
            Event::Heard { node, generation, is_live, state_hash } => {
                self.heard(ctx, node, (generation, is_live), state_hash);
            }
            Event::Leave => self.leave(ctx),
            Event::Ping { ping, node, within } => self.ping(ctx, ping, node, within),
            Event::WallClock { now_ms } => self.health.set_wall(ctx.now, now_ms),
            // Whoever waked may have forgotten the time it was asked to.
            Event::Tick => self.wake_at = None,
        }
    }

    fn connected(&mut self, ctx: &mut Context<'_>, peer: NodeId) {
        self.end_session(ctx, peer);
        if self.roster.is_revoked(peer) {
            return self.refuse_revoked(ctx, peer);
        }
        if !self.has_room_for_link(peer) {
            ctx.counts.links_refused += 1;
            let reason = "this host has as many links as it takes".to_owned();
            return ctx.effect(Effect::Disconnect { peer, reason });
        }
        self.peers.connected(peer, ctx.now);
        self.member_linked(ctx, peer);
        self.review_links_soon(ctx.now);
        self.say_hello(ctx, peer);
    }

    fn disconnected(&mut self, ctx: &mut Context<'_>, peer: NodeId) {
        let is_lost = self.end_session(ctx, peer).is_some_and(|session| !session.is_spare());
        if is_lost {
            self.member_unlinked(ctx, peer);
        }
    }

    /// Forgets all that lasts as long as a connection.
    pub(crate) fn end_session(&mut self, ctx: &mut Context<'_>, peer: NodeId) -> Option<Box<Session>> {
        let session = self.peers.disconnected(peer);
        self.pulls.remove(&peer);
        self.roster_asked.take_if(|(asked, _)| *asked == peer);
        self.forget_reads(peer);
        self.plumtree.forget(peer);
        self.review_links_soon(ctx.now);
        self.announce_soon(ctx);
        session
    }

    fn received(&mut self, ctx: &mut Context<'_>, peer: NodeId, frame: &[u8]) {
        if self.peers.session(peer).is_none() {
            return;
        }
        match Message::decode(frame) {
            Ok(Some(message)) => {
                ctx.counts.received(&message);
                self.message(ctx, peer, message);
            }
            Ok(None) => {}
            Err(error) => {
                let trouble = Trouble::BadFrame { peer, error };
                ctx.effect(Effect::Disconnect { peer, reason: trouble.to_string() });
                ctx.trouble(trouble);
            }
        }
    }

    fn message(&mut self, ctx: &mut Context<'_>, peer: NodeId, message: Message) {
        match message {
            Message::Hello { lowest, highest, summary } => self.receive_hello(ctx, peer, (lowest, highest), summary),
            Message::Summary(summary) => self.receive_summary(ctx, peer, summary),
            Message::Buckets { query, folder, after, hashes } => {
                self.answer_buckets(ctx, peer, query, (&folder, &after), &hashes);
            }
            Message::Vectors { query, complete, documents } => {
                self.receive_vectors(ctx, peer, (query, complete), &documents);
            }
            Message::Want { request, wants } => self.receive_want(ctx, peer, request, wants),
            Message::Changes { request, envelopes } => self.receive_changes(ctx, peer, request, envelopes),
            Message::Statements { next, statements } => self.receive_statements(ctx, peer, next, statements),
            Message::WantStatements { after, nodes } => self.answer_statements(ctx, peer, after, &nodes),
            Message::Leaving => {
                self.end_session(ctx, peer);
                self.member_left(ctx, peer);
            }
            Message::Announce { items } => self.receive_announce(ctx, peer, items),
            Message::Graft { items } => self.receive_graft(ctx, peer, items),
            Message::Prune { trees } => self.receive_prune(ctx, peer, &trees),
            Message::Link { is_wanted } => self.receive_link(peer, is_wanted),
            Message::Rumours { rumours } => self.receive_rumours(ctx, peer, rumours),
            Message::Health { hash } => self.receive_health(ctx, peer, hash),
            Message::Probe { request, node } => self.receive_probe(ctx, peer, request, node),
            Message::Probed { request, is_reached } => self.receive_probed(ctx, peer, request, is_reached),
            Message::Ping { request } => self.answer_ping(ctx, peer, request),
            Message::Pong { request, wall_ms } => self.receive_pong(ctx, peer, request, wall_ms),
        }
    }

    fn local(&mut self, ctx: &mut Context<'_>, envelope: &SignedEnvelope) {
        ctx.counts.changes_local += 1;
        self.agreement.changed(ctx.now);
        let reached = VersionVector::from_iter([envelope.dot]);
        self.index.set_durable(&envelope.document, envelope.generation, &reached);
        self.recent.remember(envelope);
        self.push_own(ctx, envelope);
        self.announce_soon(ctx);
    }

    fn durable(&mut self, ctx: &mut Context<'_>, document: &DocumentId, vector: &VersionVector) {
        let generation = self.index.document(document).map(crate::index::Document::generation);
        self.index.set_durable(document, generation.unwrap_or_default(), vector);
        self.announce_soon(ctx);
    }

    fn thawed(&mut self, ctx: &mut Context<'_>, document: &DocumentId) {
        self.index.thaw(document);
        let at = ctx.now;
        for (_, session) in self.peers.sessions_mut() {
            session.settled = None;
            session.check_by(at);
        }
    }

    fn leave(&mut self, ctx: &mut Context<'_>) {
        self.leave_health();
        for peer in self.peers.neighbours() {
            ctx.send(peer, Class::Control, &Message::Leaving);
        }
    }

    fn run_timers(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now;
        if self.announce_at.take_if(|at| *at <= now).is_some() {
            self.announce(ctx);
        }
        let is_due = |at: Option<Duration>| at.is_some_and(|at| at <= now);
        let is_peer_due = |(peer, session): &(NodeId, &Session)| {
            is_due(session.congested_until)
                || is_due(session.check_at)
                || is_due(session.roster_check_at)
                || is_due(self.pulls.get(peer).map(|pull| pull.retry_at))
        };
        let due: Vec<NodeId> = self.peers.sessions().filter(is_peer_due).map(|(peer, _)| peer).collect();
        for peer in due {
            let Some(session) = self.peers.session(peer) else { continue };
            let (congested_until, check_at) = (session.congested_until, session.check_at);
            let roster_check_at = session.roster_check_at;
            if congested_until.is_some_and(|at| at <= now) {
                self.congestion_ended(ctx, peer);
            }
            if self.pulls.get(&peer).is_some_and(|pull| pull.retry_at <= now) {
                self.retry(ctx, peer);
            }
            if check_at.is_some_and(|at| at <= now) {
                self.check(ctx, peer);
            }
            if roster_check_at.is_some_and(|at| at <= now) {
                self.check_roster(ctx, peer);
            }
        }
        if self.round_at <= now {
            self.round(ctx);
        }
        self.serve_waiting(ctx);
        self.run_plumtree_timers(ctx);
        self.run_health_timers(ctx);
        self.run_topology_timers(ctx);
    }

    /// Asks to be woken at the next timer, if that isn't what was asked for last.
    fn plan_wake(&mut self, ctx: &mut Context<'_>) {
        let of_peers = self.peers.sessions().flat_map(|(_, session)| {
            [session.congested_until, session.check_at, session.roster_check_at, session.compare_at]
        });
        let of_pulls = self.pulls.values().map(|pull| pull.retry_at);
        let of_links = [self.topology.review_at, self.topology.seek_at, self.plumtree.wakes(), self.announce_at];
        let of_health = [self.health_wakes(), self.repair_wakes()];
        let next =
            of_peers.chain(of_links).chain(of_health).flatten().chain(of_pulls).fold(self.round_at, Duration::min);
        if self.wake_at != Some(next) {
            self.wake_at = Some(next);
            ctx.effect(Effect::WakeAt(next));
        }
    }

    pub(crate) fn new_request(&mut self) -> u64 {
        self.last_request += 1;
        self.last_request
    }

    /// What is known of the other members, in the order of their ids. Revoked nodes aren't among them.
    #[must_use]
    pub fn members(&self, now: Duration) -> Vec<Member> {
        let own_hash = OnceCell::new();
        let states = self.peers.states(now, &self.roster);
        states.map(|(node, state, since)| self.member(node, (state, since), now, &own_hash)).collect()
    }

    /// The states of the other members, in the order of their ids; cheaper than [`Engine::members`].
    pub fn states(&self, now: Duration) -> impl Iterator<Item = (NodeId, MemberState)> {
        self.peers.states(now, &self.roster).map(|(node, state, _)| (node, state))
    }

    /// Whether all members are there that haven't left, and hold exactly what is durable here; cheaper than to look at
    /// [`Engine::members`].
    #[must_use]
    pub fn is_converged(&self, now: Duration) -> bool {
        let own_hash = OnceCell::new();
        self.peers.states(now, &self.roster).all(|(node, state, _)| match state {
            MemberState::Alive => self.is_in_step_with(node, &own_hash),
            MemberState::Left => true,
            MemberState::Suspect | MemberState::Dead => false,
        })
    }

    /// Whether a member holds exactly what is durable here: by its summary, or where there is no link, by hearsay.
    fn is_in_step_with(&self, node: NodeId, own_hash: &OnceCell<Hash>) -> bool {
        match self.peers.session(node) {
            Some(session) => session.summary.as_ref().is_some_and(|summary| self.index.is_in_step(summary)),
            None => {
                let heard = self.peers.heard(node);
                heard.is_some_and(|heard| heard == *own_hash.get_or_init(|| self.state_hash()))
            }
        }
    }

    fn member(
        &self,
        node: NodeId,
        (state, since): (MemberState, Duration),
        now: Duration,
        own_hash: &OnceCell<Hash>,
    ) -> Member {
        let session = self.peers.session(node);
        let record = self.peers.record(node);
        let summary = session.and_then(|session| session.summary.as_ref());
        let in_step = self.is_in_step_with(node, own_hash);
        let out_of_step_since = session.filter(|_| !in_step).map(|session| session.out_of_step_since.unwrap_or(now));
        Member {
            node,
            name: self.roster.name(node).map(str::to_owned),
            state,
            since,
            connected: session.is_some(),
            through: if session.is_some() { Vec::new() } else { self.peers.neighbours_of(node).collect() },
            in_step,
            has_roster: session.is_some_and(|session| session.has_roster(self.roster.hash())),
            out_of_step_since,
            lag_changes: summary.filter(|_| !in_step).map_or(0, |summary| self.index.lag_of(summary)),
            generation: record.and_then(Record::told).map_or(0, |told| told.generation),
            is_flapping: record.is_some_and(|record| record.patience(now) > 1),
            clock: session.and_then(|session| session.clock),
        }
    }

    /// Whether everything received is applied and durable here, and every member that isn't dead or gone says to hold
    /// exactly the same.
    #[must_use]
    pub fn converged(&self, now: Duration) -> bool {
        let is_live = |member: &Member| matches!(member.state, MemberState::Alive | MemberState::Suspect);
        self.index.is_durable()
            && self.held() == Held::default()
            && self.members(now).iter().all(|member| !is_live(member) || member.in_step)
    }

    /// One hash of all that is durable here, the same on all hosts that hold the same: for a gossip that reaches also those
    /// without a link, see [`Event::Heard`].
    #[must_use]
    pub fn state_hash(&self) -> Hash {
        summary::state_hash(&self.index.folder_summaries())
    }

    /// Which life of this node this is, as others are told: higher than configured if they knew of a later one.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.health.generation()
    }

    /// How much is held back.
    #[must_use]
    pub fn held(&self) -> Held {
        Held {
            waiting_changes: self.waiting.len(),
            waiting_bytes: self.waiting.bytes(),
            unknown_authors: self.strangers.authors().len(),
            unknown_bytes: self.strangers.bytes(),
        }
    }

    /// What was counted since this engine was made.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How full each buffer is.
    #[must_use]
    pub fn buffers(&self) -> Buffers {
        let filled = |held, limit| Filled { held, limit };
        let (kept_bytes, missing, trees) = self.plumtree.filled();
        Buffers {
            waiting_bytes: filled(self.waiting.bytes(), self.config.waiting_bytes),
            unknown_bytes: filled(self.strangers.bytes(), limits::UNKNOWN_BYTES),
            unknown_authors: filled(self.strangers.authors().len(), limits::UNKNOWN_AUTHORS),
            kept_bytes,
            missing,
            trees,
            probes: self.health.probes_filled(),
            links: filled(self.peers.sessions().count(), topology::LINKS),
        }
    }

    /// How many bytes of changes may wait for what they depend on.
    #[must_use]
    pub fn waiting_bytes_limit(&self) -> usize {
        self.config.waiting_bytes
    }

    /// Who belongs to the mesh.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The changes of a document that were handed out or are durable.
    #[must_use]
    pub fn applied(&self, document: &DocumentId) -> Option<&VersionVector> {
        self.index.document(document).map(crate::index::Document::applied)
    }
}
