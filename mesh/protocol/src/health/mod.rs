//! Who is alive, suspect, dead or gone: what is believed of members, with a link to them or without one.
//!
//! ```text
//!  link lost, not reached,   ──▶ 3 peers probe it ──▶ one reaches it: nothing
//!  or gossip says so                    │ none
//!                                       ▼
//!                              suspect, told to all ──▶ it hears of it, and refutes: a higher incarnation
//!                                       │ not refuted; sooner, the more hosts suspect it for themselves
//!                                       ▼
//!                                dead, told to all  ──▶ it returns: refuted, or in a new life
//! ```
//! The order and the refutation are SWIM's (Das, Gupta, Motivala, 2002); the shrinking timeout and the self-doubt are
//! Lifeguard's (Dadgar, Phillips, Currey, 2018). What a host says of another it says over authenticated links: rumours
//! aren't signed, and the blame for a wrong one falls on a member.
//!
//! - A member with a link to this host is alive here, whatever is told.
//! - Rumours go to all peers at once, each new one once: they are small, and their way must not depend on trees.
//! - Peers compare hashes of what they believe when they meet and now and then; where they differ they tell all of it.
//! - A peer of an older protocol version can't refute: who has a link with it does it on its behalf.

mod doubt;
mod pings;
mod probes;
mod record;
mod round_trip;
mod suspicion;

use std::collections::BTreeMap;
use std::time::Duration;

use murmurate_crdt::id::NodeId;
use sha2::{Digest, Sha256};

pub use self::pings::{ClockDifference, MEASURE_AGAIN, PINGS, Pinged};
pub use self::record::{HISTORY, Transition};
pub(crate) use self::record::{Record, Told};
pub(crate) use self::round_trip::RoundTrip;
pub use self::suspicion::{CONFIRMATIONS, SUSPECT_LEAST, SUSPECT_MOST, suspect_for};

use self::doubt::Doubt;
use self::pings::Pings;
use self::probes::{Asked, Probe, Probes};
use self::suspicion::refutation;
use crate::context::Context;
use crate::effect::Class;
use crate::engine::{Engine, Filled};
use crate::message::{Message, RUMOURS_PER_MESSAGE, Rumour};
use crate::peers::MemberState;
use crate::summary::Hash;

/// Peers that are asked whether they reach a member; SWIM's k.
const PROBERS: usize = 3;
/// They answer within this time: several round trips on a usual line, and a retransmission.
const ANSWER_WITHIN: Duration = Duration::from_millis(400);
/// And are waited for a little longer.
const PROBE_WITHIN: Duration = Duration::from_millis(500);
/// On a slow line a ping gets this many round trips: it may be lost once.
const ANSWER_ROUND_TRIPS: u32 = 2;
/// And the question before it, with its answer, as many again.
const PROBE_ROUND_TRIPS: u32 = 2 * ANSWER_ROUND_TRIPS;
/// Who only heard of a suspicion waits so many times as long: those who suspect the member themselves say that it is dead, if
/// it is; and if a refutation was lost on the way here, a comparison may still bring it.
const BYSTANDER: u32 = 2;
/// Peers compare what they believe this long after they met, when what each has to tell of itself has gone round.
const COMPARE_AFTER: Duration = Duration::from_secs(1);
/// All that is believed, some 45 bytes a member, is told to one peer at most this often.
const TABLE_AGAIN: Duration = Duration::from_secs(2);

/// What this host knows of all members' health, but for their records.
#[derive(Debug)]
pub(crate) struct Health {
    /// What it says of itself.
    own: Told,
    doubt: Doubt,
    probes: Probes,
    pings: Pings,
    /// Members that are suspect, and until when.
    suspects: BTreeMap<NodeId, Duration>,
    /// Members that are to be doubted once this host has rested.
    postponed: BTreeMap<NodeId, Duration>,
}

impl Health {
    pub(crate) fn new(generation: u64) -> Self {
        Self {
            own: Told { generation, incarnation: 0, state: MemberState::Alive },
            doubt: Doubt::default(),
            probes: Probes::default(),
            pings: Pings::default(),
            suspects: BTreeMap::new(),
            postponed: BTreeMap::new(),
        }
    }

    /// A tick came late by so much; says whether that is a reason for doubt.
    pub(crate) fn ticked(&mut self, now: Duration, late: Duration) -> bool {
        self.doubt.note(now, late)
    }

    /// Others' questions, with their limit.
    pub(crate) fn probes_filled(&self) -> Filled {
        self.probes.filled()
    }

    /// What the wall clock says now.
    pub(crate) fn set_wall(&mut self, now: Duration, wall_ms: u64) {
        self.pings.set_wall(now, wall_ms);
    }

    pub(crate) fn generation(&self) -> u64 {
        self.own.generation
    }

    /// Members that are dialled because others ask for them.
    pub(crate) fn dialled(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.probes.dialled()
    }
}

impl Rumour {
    pub(crate) fn told(&self) -> Told {
        Told { generation: self.generation, incarnation: self.incarnation, state: self.state }
    }

    fn of(node: NodeId, told: Told, by: NodeId) -> Self {
        let Told { generation, incarnation, state } = told;
        Self { node, generation, incarnation, state, by }
    }
}

impl Engine {
    /// A member that should be linked isn't, or is said to be gone: finds out whether others reach it.
    pub(crate) fn doubt_member(&mut self, ctx: &mut Context<'_>, node: NodeId) {
        let Some(record) = self.peers.record(node).filter(|_| self.peers.session(node).is_none()) else { return };
        if record.is(MemberState::Suspect) {
            return self.suspect(ctx, node);
        }
        let is_asked = self.health.probes.own.contains_key(&node);
        if !record.is(MemberState::Alive) || is_asked {
            return;
        }
        if let Some(until) = self.health.doubt.rest_until().filter(|&until| until > ctx.now) {
            self.health.postponed.insert(node, until);
            return;
        }
        let probers = self.probers(ctx, node);
        if probers.is_empty() {
            return self.suspect(ctx, node);
        }
        let request = self.new_request();
        let within = PROBE_WITHIN.max(self.slowest_line(node) * PROBE_ROUND_TRIPS);
        let until = ctx.now + within * self.health.doubt.multiplier(ctx.now);
        self.health.probes.own.insert(node, Probe { request, waiting: probers.len(), until });
        for peer in probers {
            ctx.send(peer, Class::Control, &Message::Probe { request, node });
        }
    }

    /// Some random peers that can be asked: first of those that say to have a link with it.
    fn probers(&self, ctx: &mut Context<'_>, node: NodeId) -> Vec<NodeId> {
        let can = self.peers.sessions().filter(|(_, session)| session.speaks_trees() && !session.is_congested());
        let (mut linked, mut others): (Vec<NodeId>, Vec<NodeId>) =
            can.map(|(peer, _)| peer).partition(|&peer| self.reaches(peer, node));
        let mut probers = Vec::new();
        while probers.len() < PROBERS {
            let pool = if linked.is_empty() { &mut others } else { &mut linked };
            if pool.is_empty() {
                break;
            }
            let at = usize::try_from(ctx.below(pool.len() as u64)).unwrap_or(0);
            probers.push(pool.swap_remove(at));
        }
        probers
    }

    /// A peer asks whether this host reaches a member.
    pub(crate) fn receive_probe(&mut self, ctx: &mut Context<'_>, by: NodeId, request: u64, node: NodeId) {
        let within = ANSWER_WITHIN.max(self.peers.round_trip(node) * ANSWER_ROUND_TRIPS);
        let (number, until) = (self.new_request(), ctx.now + within);
        let session = self.peers.session(node);
        let can_answer = session.map(|session| session.speaks_trees());
        let is_lost = self.health.probes.own.contains_key(&node)
            || self.peers.record(node).is_none_or(|record| !record.is(MemberState::Alive));
        let asked = Asked { by, request, node, is_pinged: session.is_some(), until };
        match can_answer {
            _ if node == self.config.node => self.answer_probe(ctx, &asked, true),
            // An older peer knows no pings: the link has to do.
            Some(false) => self.answer_probe(ctx, &asked, true),
            None if is_lost => self.answer_probe(ctx, &asked, false),
            _ if !self.health.probes.ask(number, asked) => ctx.counts.probes_ignored += 1,
            Some(true) => ctx.send(node, Class::Control, &Message::Ping { request: number }),
            None => self.review_links_soon(ctx.now),
        }
    }

    fn answer_probe(&self, ctx: &mut Context<'_>, asked: &Asked, is_reached: bool) {
        ctx.send(asked.by, Class::Control, &Message::Probed { request: asked.request, is_reached });
    }

    pub(crate) fn receive_pong(&mut self, ctx: &mut Context<'_>, peer: NodeId, number: u64, wall_ms: u64) {
        self.ponged(ctx, peer, number, wall_ms);
        if let Some(asked) = self.health.probes.answered(number, peer) {
            self.answer_probe(ctx, &asked, true);
        }
    }

    /// A peer says whether it reaches a member. If none does, the member is suspect.
    pub(crate) fn receive_probed(&mut self, ctx: &mut Context<'_>, peer: NodeId, request: u64, is_reached: bool) {
        self.pinged_through(ctx, peer, request, is_reached);
        let mut own = self.health.probes.own.iter_mut();
        let Some((&node, probe)) = own.find(|(_, probe)| probe.request == request) else { return };
        probe.waiting = probe.waiting.saturating_sub(1);
        let is_last = probe.waiting == 0;
        if is_reached || is_last {
            self.health.probes.own.remove(&node);
        }
        if is_last && !is_reached {
            self.suspect(ctx, node);
        }
        self.review_links_soon(ctx.now);
    }

    /// A link with a member is up.
    pub(crate) fn member_linked(&mut self, ctx: &mut Context<'_>, node: NodeId) {
        self.health.probes.own.remove(&node);
        self.health.suspects.remove(&node);
        for asked in self.health.probes.reached(node) {
            self.answer_probe(ctx, &asked, true);
        }
        let own = self.config.node;
        if let Some(record) = self.peers.record_mut(node) {
            record.note(MemberState::Alive, own, ctx.now);
            if record.told().is_none() {
                let first = Told { generation: 0, incarnation: 0, state: MemberState::Alive };
                record.hear(&Rumour::of(node, first, own), ctx.now);
            }
        }
    }

    /// A link with a member is lost. As long as it stood, the member wasn't gone, whatever others suspected.
    pub(crate) fn member_unlinked(&mut self, ctx: &mut Context<'_>, node: NodeId) {
        if let Some(record) = self.peers.record_mut(node) {
            record.suspect_anew(ctx.now);
        }
        self.doubt_member(ctx, node);
    }

    /// What a peer can do is known since its Hello: it hears what this host says of itself, and what is said of it, to
    /// refute it.
    pub(crate) fn meet(&mut self, ctx: &mut Context<'_>, peer: NodeId) {
        let told = self.peers.record(peer).and_then(Record::told);
        let accused = told.filter(|told| told.state != MemberState::Alive);
        let own = self.config.node;
        let Some(session) = self.peers.session_mut(peer) else { return };
        if !session.speaks_trees() {
            if let Some(told) = accused {
                self.believe(ctx, Rumour::of(peer, told.refuted(), own), None);
            }
            return;
        }
        session.compare_at = Some(ctx.now + COMPARE_AFTER);
        ctx.rumour(peer, Rumour::of(own, self.health.own, own));
        if let Some(told) = accused {
            ctx.rumour(peer, Rumour::of(peer, told, own));
        }
        self.measure(ctx, peer);
    }

    /// The round trip of this host's slowest line, the one that it had with `node` included: what is said of that node, and
    /// what it answers, may have to take it.
    fn slowest_line(&self, node: NodeId) -> Duration {
        let linked = self.peers.sessions().map(|(peer, _)| self.peers.round_trip(peer));
        linked.chain([self.peers.round_trip(node)]).max().unwrap_or_default()
    }

    /// Whether a member may be gone: its link was lost, and others are being asked, or it is suspect.
    pub(crate) fn is_doubted(&self, node: NodeId) -> bool {
        self.peers.session(node).is_none()
            && (self.health.probes.own.contains_key(&node)
                || self.peers.record(node).is_some_and(|record| record.is(MemberState::Suspect)))
    }

    /// Suspects a member, or confirms that others do.
    fn suspect(&mut self, ctx: &mut Context<'_>, node: NodeId) {
        if self.peers.session(node).is_some() || self.health.doubt.is_resting(ctx.now) {
            return;
        }
        if let Some(told) = self.peers.record(node).and_then(Record::told) {
            ctx.counts.suspicions += u64::from(told.state == MemberState::Alive);
            let told = Told { state: MemberState::Suspect, ..told };
            self.believe(ctx, Rumour::of(node, told, self.config.node), None);
            if let Some(until) = self.suspicion_ends(node, ctx.now) {
                self.health.suspects.insert(node, until);
            }
        }
    }

    pub(crate) fn receive_rumours(&mut self, ctx: &mut Context<'_>, peer: NodeId, rumours: Vec<Rumour>) {
        for rumour in rumours {
            if rumour.node == self.config.node {
                self.hear_of_itself(ctx, peer, rumour.told());
            } else {
                self.believe(ctx, rumour, Some(peer));
            }
        }
    }

    /// What others say of this host. What isn't true is refuted.
    fn hear_of_itself(&mut self, ctx: &mut Context<'_>, peer: NodeId, told: Told) {
        let own = self.config.node;
        if self.health.own.state == MemberState::Left {
            return;
        }
        if told.compare(self.health.own).is_gt() {
            if told.state == MemberState::Alive {
                self.health.own = told;
            } else {
                ctx.counts.refutations += 1;
                self.health.own = told.refuted();
                self.health.doubt.raise(ctx.now);
            }
            self.spread_rumour(ctx, Rumour::of(own, self.health.own, own), None);
        } else if told != self.health.own {
            ctx.rumour(peer, Rumour::of(own, self.health.own, own));
        }
    }

    /// Takes in what is said of another member, and passes on what is new.
    fn believe(&mut self, ctx: &mut Context<'_>, rumour: Rumour, from: Option<NodeId>) {
        let (node, by) = (rumour.node, rumour.by);
        let is_linked = self.peers.session(node).is_some();
        let cannot_refute = self.peers.session(node).is_some_and(|session| session.is_older());
        let Some(record) = self.peers.record_mut(node) else { return };
        let was = record.told();
        if !record.hear(&rumour, ctx.now) {
            return;
        }
        self.spread_rumour(ctx, rumour, from);
        if cannot_refute && rumour.state != MemberState::Alive {
            return self.believe(ctx, Rumour::of(node, rumour.told().refuted(), self.config.node), None);
        }
        if let Some(record) = self.peers.record_mut(node).filter(|_| !is_linked) {
            record.note(rumour.state, by, ctx.now);
        }
        if let Some(until) = self.suspicion_ends(node, ctx.now) {
            if is_linked {
                return;
            }
            self.health.suspects.insert(node, until);
            if self.topology.links().contains(&node) {
                // Another takes its place meanwhile.
                self.review_links_soon(ctx.now);
            }
            // Who lost its own link confirms at once.
            if self.health.probes.own.remove(&node).is_some() {
                self.suspect(ctx, node);
            }
        } else {
            self.health.suspects.remove(&node);
            self.health.probes.own.remove(&node);
            self.health_changed(ctx, &rumour, was);
        }
    }

    /// A refuted suspicion changes nothing for the links; a return from the dead, or another life, does.
    fn health_changed(&mut self, ctx: &mut Context<'_>, rumour: &Rumour, was: Option<Told>) {
        let is_same_life = |was: Told| {
            was.generation == rumour.generation && !matches!(was.state, MemberState::Dead | MemberState::Left)
        };
        if rumour.state == MemberState::Alive && !was.is_some_and(is_same_life) {
            self.topology.is_back(rumour.node);
        }
        self.review_links_soon(ctx.now);
    }

    /// Tells a rumour to all peers but those who have it from the same host; to whom it is about in any case.
    fn spread_rumour(&mut self, ctx: &mut Context<'_>, rumour: Rumour, from: Option<NodeId>) {
        let is_tree = self.topology.is_tree();
        for (peer, session) in self.peers.sessions() {
            let is_reached = |from| !is_tree && peer != rumour.node && self.reaches(from, peer);
            let has_it = from.is_some_and(|from| from == peer || is_reached(from));
            if session.speaks_trees() && !has_it {
                ctx.rumour(peer, rumour);
            }
        }
    }

    /// The member said that it leaves.
    pub(crate) fn member_left(&mut self, ctx: &mut Context<'_>, node: NodeId) {
        if let Some(told) = self.peers.record(node).and_then(Record::told) {
            let told = Told { state: MemberState::Left, ..told };
            self.believe(ctx, Rumour::of(node, told, node), None);
        }
    }

    /// This host leaves on purpose: what others say of it from now on is true.
    pub(crate) fn leave_health(&mut self) {
        self.health.own.state = MemberState::Left;
    }

    /// Another membership service, which needs no link, heard of a member.
    pub(crate) fn heard(
        &mut self,
        ctx: &mut Context<'_>,
        node: NodeId,
        (generation, is_live): (u64, bool),
        state_hash: Option<Hash>,
    ) {
        let own = self.config.node;
        let Some(record) = self.peers.record(node) else { return };
        let is_later = record.told().is_none_or(|told| generation > told.generation);
        self.peers.set_heard(node, state_hash.filter(|_| is_live));
        if is_live && is_later {
            let told = Told { generation, incarnation: 0, state: MemberState::Alive };
            self.believe(ctx, Rumour::of(node, told, own), None);
        } else if !is_live && !is_later && self.peers.neighbours_of(node).next().is_none() {
            self.doubt_member(ctx, node);
        }
    }

    /// Ends questions and suspicions that are due, and compares with peers.
    pub(crate) fn run_health_timers(&mut self, ctx: &mut Context<'_>) {
        self.end_pings(ctx);
        for asked in self.health.probes.overdue(ctx.now) {
            self.answer_probe(ctx, &asked, false);
        }
        for node in self.health.probes.unanswered(ctx.now) {
            self.suspect(ctx, node);
        }
        let rested = self.health.postponed.extract_if(.., |_, until| *until <= ctx.now).map(|(node, _)| node);
        for node in rested.collect::<Vec<_>>() {
            self.doubt_member(ctx, node);
        }
        let is_due = |(&node, &until): (&NodeId, &Duration)| (until <= ctx.now).then_some(node);
        for node in self.health.suspects.iter().filter_map(is_due).collect::<Vec<_>>() {
            match self.suspicion_ends(node, ctx.now).filter(|&until| until > ctx.now) {
                // This host came to doubt itself meanwhile.
                Some(until) => {
                    self.health.suspects.insert(node, until);
                }
                None => self.end_suspicion(ctx, node),
            }
        }
        let due = self.peers.sessions().filter(|(_, session)| session.compare_at.is_some_and(|at| at <= ctx.now));
        for peer in due.map(|(peer, _)| peer).collect::<Vec<_>>() {
            self.compare_health(ctx, peer);
        }
    }

    /// When the engine has to look at members' health again.
    pub(crate) fn health_wakes(&self) -> Option<Duration> {
        let planned = self.health.suspects.values().chain(self.health.postponed.values()).copied();
        planned.chain(self.health.probes.wakes()).chain(self.health.pings.wakes()).min()
    }

    fn suspicion_ends(&self, node: NodeId, now: Duration) -> Option<Duration> {
        let record = self.peers.record(node)?;
        let suspicion = record.suspicion()?;
        let refutation = refutation(self.slowest_line(node), self.peers.count() + 1);
        let time = suspect_for(suspicion.by.len().saturating_sub(1)) + refutation.saturating_sub(SUSPECT_LEAST);
        let bystander = if suspicion.by.contains(&self.config.node) { 1 } else { BYSTANDER };
        let patience = self.health.doubt.multiplier(now) * record.patience(suspicion.since) * bystander;
        let rest = self.health.doubt.rest_until().unwrap_or_default();
        Some(rest.max(suspicion.since + time * patience))
    }

    /// Nobody refuted: the member is dead. One with a link to this host isn't, and will say so.
    fn end_suspicion(&mut self, ctx: &mut Context<'_>, node: NodeId) {
        self.health.suspects.remove(&node);
        let told = self.peers.record(node).and_then(Record::told);
        if let Some(told) = told.filter(|_| self.peers.session(node).is_none()) {
            ctx.counts.deaths += 1;
            let told = Told { state: MemberState::Dead, ..told };
            self.believe(ctx, Rumour::of(node, told, self.config.node), None);
        }
    }

    /// Tells a peer the hash of what is believed here.
    pub(crate) fn compare_health(&mut self, ctx: &mut Context<'_>, peer: NodeId) {
        let hash = self.health_hash();
        let is_measured = !self.peers.round_trip(peer).is_zero();
        if let Some(session) = self.peers.session_mut(peer) {
            session.compare_at = None;
            if session.speaks_trees() {
                ctx.send(peer, Class::Control, &Message::Health { hash });
                if !is_measured {
                    // The ping at the start was lost.
                    self.measure(ctx, peer);
                }
            }
        }
    }

    /// A peer believes something else: it is told all that is believed here, and asked for the same.
    pub(crate) fn receive_health(&mut self, ctx: &mut Context<'_>, peer: NodeId, hash: Hash) {
        let own = self.health_hash();
        let Some(session) = self.peers.session_mut(peer) else { return };
        if own == hash || session.table_told_at.is_some_and(|at| ctx.now < at + TABLE_AGAIN) {
            return;
        }
        session.table_told_at = Some(ctx.now);
        let all: Vec<Rumour> = self.believed().collect();
        for rumours in all.chunks(RUMOURS_PER_MESSAGE) {
            ctx.send(peer, Class::Control, &Message::Rumours { rumours: rumours.to_vec() });
        }
        ctx.send(peer, Class::Control, &Message::Health { hash: own });
    }

    /// All that is believed, in the order of the nodes' ids.
    fn believed(&self) -> impl Iterator<Item = Rumour> + '_ {
        let own = self.config.node;
        let others = self.peers.records().filter(|(node, _)| *node != own && self.roster.is_admitted(*node));
        let others = others.filter_map(move |(node, record)| {
            let by = record.suspicion().and_then(|suspicion| suspicion.by.first().copied()).unwrap_or(own);
            Some(Rumour::of(node, record.told()?, by))
        });
        let mut all: Vec<Rumour> = others.chain([Rumour::of(own, self.health.own, own)]).collect();
        all.sort_unstable_by_key(|rumour| rumour.node);
        all.into_iter()
    }

    fn health_hash(&self) -> Hash {
        let mut hash = Sha256::new();
        for Rumour { node, generation, incarnation, state, .. } in self.believed() {
            hash.update(node.0);
            hash.update(generation.to_be_bytes());
            hash.update(incarnation.to_be_bytes());
            hash.update([crate::message::state_code(state)]);
        }
        hash.finalize().into()
    }

    /// What was seen of a member, the latest last: at most [`HISTORY`] changes of its state.
    pub fn history(&self, node: NodeId) -> impl Iterator<Item = &Transition> {
        self.peers.record(node).into_iter().flat_map(Record::history)
    }
}
