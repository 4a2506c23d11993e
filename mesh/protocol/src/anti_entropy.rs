//! Anti-entropy, the asking side: when to tell a peer one's state, when to compare, and what to do with the answers.
//!
//! Who sees that a peer holds something else fetches what is missing; the peer does the same for its part. Only durable
//! state is told, so an answer can always be given.

use std::time::Duration;

use murmurate_crdt::clock::Dot;
use murmurate_crdt::id::{DocumentId, NodeId};

use crate::context::Context;
use crate::effect::{Class, Effect, Trouble};
use crate::engine::Engine;
use crate::message::{DocumentVector, Message, NEIGHBOURS, PROTOCOL_VERSIONS};
use crate::peers::Session;
use crate::pull::Pull;
use crate::summary::{EMPTY, Summary};

/// After a change of what is durable, peers are told within this time: changes come in bursts, and a summary for each
/// would cost more than the change. Short enough that `in step` is known before a person looks.
const ANNOUNCE_LEAST: Duration = Duration::from_millis(50);
const ANNOUNCE_MOST: Duration = Duration::from_millis(100);
/// The same in a large mesh, where what isn't pushed is announced and grafted: there a summary goes over each link of each
/// host after each change anywhere, and costs as much as the changes do.
const ANNOUNCE_TREE_LEAST: Duration = Duration::from_millis(200);
const ANNOUNCE_TREE_MOST: Duration = Duration::from_millis(400);
/// A differing summary is looked at after this time: the difference is mostly a push still on its way, or not yet on disk.
const CHECK_LEAST: Duration = Duration::from_millis(50);
const CHECK_MOST: Duration = Duration::from_millis(150);
/// The same just after connecting, when a difference is most likely real. Spread, so that a host that returns doesn't
/// ask all its peers in one moment.
const CHECK_NEW_MOST: Duration = Duration::from_millis(20);
/// The same while another pull fetches what differs.
const CHECK_CLAIMED: Duration = Duration::from_millis(500);
/// The same after a peer didn't answer at all.
const CHECK_SILENT: Duration = Duration::from_secs(5);
/// Between exchanges with a random peer, half of it to one and a half: it repairs what a lost message left behind.
const ROUND: Duration = Duration::from_secs(5);
/// The same while a connected peer isn't in step.
const ROUND_OUT_OF_STEP: Duration = Duration::from_secs(2);
/// Peers of one round, while some aren't in step.
const ROUND_PEERS: usize = 3;
/// Answered comparisons at one time: enough to fill a line, few enough that answers don't crowd out pushes.
const PULLS: usize = 4;
/// A host that lacks so many changes is far behind: it fetches from one peer at a time, which costs the others nothing and
/// brings nothing twice; from the next one, when that doesn't answer.
const FAR_BEHIND: u64 = 1_000;
/// A peer's whole roster is asked for at most this often: it is some 500 kB at 500 members.
pub(crate) const ROSTER_AGAIN: Duration = Duration::from_secs(1);

impl Engine {
    /// This node's durable state.
    pub(crate) fn own_summary(&self) -> Summary {
        Summary {
            reply_wanted: false,
            keeps_only_listed: false,
            roster: self.roster.hash(),
            revoked: self.roster.revoked_hash(),
            folders: self.index.folder_summaries(),
            neighbours: Some(self.peers.neighbours().into_iter().take(NEIGHBOURS).collect()),
        }
    }

    pub(crate) fn say_hello(&mut self, ctx: &mut Context<'_>, peer: NodeId) {
        let summary = self.own_summary();
        let (lowest, highest) = (*PROTOCOL_VERSIONS.start(), *PROTOCOL_VERSIONS.end());
        ctx.send(peer, Class::Control, &Message::Hello { lowest, highest, summary: summary.clone() });
        self.note_told(peer, summary);
    }

    fn note_told(&mut self, peer: NodeId, summary: Summary) {
        if let Some(session) = self.peers.session_mut(peer) {
            session.told = Some(summary);
        }
    }

    fn tell(&mut self, ctx: &mut Context<'_>, peer: NodeId, reply_wanted: bool) {
        let summary = self.own_summary();
        ctx.send(peer, Class::Control, &Message::Summary(Summary { reply_wanted, ..summary.clone() }));
        self.note_told(peer, summary);
    }

    /// Plans to tell all peers of a change.
    pub(crate) fn announce_soon(&mut self, ctx: &mut Context<'_>) {
        if self.announce_at.is_none() {
            let is_tree = self.topology.is_tree();
            let (least, most) =
                if is_tree { (ANNOUNCE_TREE_LEAST, ANNOUNCE_TREE_MOST) } else { (ANNOUNCE_LEAST, ANNOUNCE_MOST) };
            self.announce_at = Some(ctx.within(least, most));
        }
    }

    /// Tells all peers what changed since they were told last.
    pub(crate) fn announce(&mut self, ctx: &mut Context<'_>) {
        let summary = self.own_summary();
        self.note_steps(ctx.now);
        for (peer, session) in self.peers.sessions_mut().filter(|(_, session)| !session.is_congested()) {
            if session.told.as_ref() == Some(&summary) {
                continue;
            }
            let told = session.told.replace(summary.clone());
            let same_neighbours = told.is_some_and(|told| told.neighbours == summary.neighbours);
            let neighbours = if same_neighbours { None } else { summary.neighbours.clone() };
            ctx.send(peer, Class::Control, &Message::Summary(Summary { neighbours, ..summary.clone() }));
        }
    }

    /// Notes since when each peer isn't in step.
    fn note_steps(&mut self, now: Duration) {
        let index = &self.index;
        for (_, session) in self.peers.sessions_mut() {
            let in_step = session.summary.as_ref().is_some_and(|summary| index.is_in_step(summary));
            session.out_of_step_since = if in_step { None } else { session.out_of_step_since.or(Some(now)) };
        }
        self.note_agreement(now);
    }

    pub(crate) fn receive_hello(
        &mut self,
        ctx: &mut Context<'_>,
        peer: NodeId,
        (lowest, highest): (u64, u64),
        summary: Summary,
    ) {
        if highest < *PROTOCOL_VERSIONS.start() || lowest > *PROTOCOL_VERSIONS.end() {
            let trouble = Trouble::Incompatible { peer, lowest, highest };
            ctx.effect(Effect::Disconnect { peer, reason: trouble.to_string() });
            return ctx.trouble(trouble);
        }
        let Some(session) = self.peers.session_mut(peer) else { return };
        if session.version > 0 {
            // It goes on greeting because it hasn't heard this node's.
            self.say_hello(ctx, peer);
        } else {
            session.version = highest.min(*PROTOCOL_VERSIONS.end());
        }
        self.tell_wanted(ctx);
        self.meet(ctx, peer);
        self.receive_summary(ctx, peer, summary);
        let at = ctx.within(Duration::ZERO, CHECK_NEW_MOST);
        self.check_roster_by(at, peer);
        if let Some(session) = self.peers.session_mut(peer) {
            session.check_by(at);
        }
    }

    pub(crate) fn receive_summary(&mut self, ctx: &mut Context<'_>, peer: NodeId, mut summary: Summary) {
        let Some(session) = self.peers.session_mut(peer) else { return };
        if let Some(neighbours) = summary.neighbours.take() {
            session.neighbours = neighbours;
        }
        let reply_wanted = summary.reply_wanted;
        session.summary = Some(summary);
        self.note_steps(ctx.now);
        self.check_soon(ctx, peer);
        if reply_wanted {
            self.tell(ctx, peer, false);
        }
        self.look_who_vouches(ctx);
        let at = ctx.within(CHECK_LEAST, CHECK_MOST);
        self.check_roster_by(at, peer);
    }

    /// Plans to look whether the peer has something to fetch.
    pub(crate) fn check_soon(&mut self, ctx: &mut Context<'_>, peer: NodeId) {
        let at = ctx.within(CHECK_LEAST, CHECK_MOST);
        if let Some(session) = self.peers.session_mut(peer) {
            session.check_by(at);
        }
    }

    /// Plans to ask for the peer's roster, if it is another one: the difference is mostly a push still on its way.
    fn check_roster_by(&mut self, at: Duration, peer: NodeId) {
        let own = self.roster.hash();
        let Some(session) = self.peers.session_mut(peer) else { return };
        if session.has_roster(own) {
            return;
        }
        let at = session.roster_asked_at.map_or(at, |asked| at.max(asked + ROSTER_AGAIN));
        session.roster_check_at = Some(session.roster_check_at.map_or(at, |planned| planned.min(at)));
    }

    /// Asks for the peer's roster, if it is another one still.
    pub(crate) fn check_roster(&mut self, ctx: &mut Context<'_>, peer: NodeId) {
        let own = self.roster.hash();
        let Some(session) = self.peers.session_mut(peer) else { return };
        session.roster_check_at = None;
        if session.has_roster(own) {
            return;
        }
        if self.roster_asked.is_some_and(|(asked, until)| asked != peer && ctx.now < until) {
            // Most of it comes from there; what is left is asked for then.
            session.roster_check_at = Some(ctx.within(CHECK_LEAST, CHECK_MOST));
        } else {
            session.roster_asked_at = Some(ctx.now);
            self.roster_asked = Some((peer, ctx.now + ROSTER_AGAIN));
            self.ask_statements(ctx, peer, EMPTY, Vec::new());
        }
    }

    /// Starts to fetch from the peer what it has and this node hasn't, if anything.
    pub(crate) fn check(&mut self, ctx: &mut Context<'_>, peer: NodeId) {
        let Some(session) = self.peers.session_mut(peer) else { return };
        session.check_at = None;
        let Some(summary) = &session.summary else { return };
        let settled = session.settled.as_ref() == Some(&summary.folders);
        if settled || session.is_congested() || self.pulls.contains_key(&peer) {
            return;
        }
        let folders = self.index.folders_to_pull(summary);
        if folders.is_empty() {
            return;
        }
        let is_far_behind = self.index.lack_of(summary) >= FAR_BEHIND;
        let answered = self.pulls.values().filter(|pull| pull.is_answered()).count();
        if is_far_behind && answered > 0 {
            return session.check_by(ctx.now + CHECK_CLAIMED);
        }
        if answered >= PULLS {
            return self.check_soon(ctx, peer);
        }
        ctx.counts.pulls += 1;
        let pull = Pull::new(summary.folders.clone(), folders);
        self.go_on(ctx, peer, pull);
    }

    /// Asks the pull's next question, or ends it.
    fn go_on(&mut self, ctx: &mut Context<'_>, peer: NodeId, mut pull: Pull) {
        let id = self.new_request();
        if let Some(session) = self.peers.session(peer) {
            pull.leave_out(|document, writer| session.vouching.is_left(document, writer));
        }
        match pull.ask(&self.index, id, ctx.now) {
            Some(frame) => {
                ctx.effect(Effect::Send { peer, class: Class::Control, frame });
                self.pulls.insert(peer, pull);
            }
            None => self.end(ctx, peer, pull),
        }
    }

    fn end(&mut self, ctx: &mut Context<'_>, peer: NodeId, pull: Pull) {
        let soon = ctx.within(CHECK_LEAST, CHECK_MOST);
        let Some(session) = self.peers.session_mut(peer) else { return };
        if pull.brought > 0 {
            session.check_by(soon);
        } else if pull.left_some_out {
            session.check_by(ctx.now + CHECK_CLAIMED);
        } else {
            session.settled = Some(pull.of);
        }
    }

    pub(crate) fn receive_vectors(
        &mut self,
        ctx: &mut Context<'_>,
        peer: NodeId,
        (query, complete): (u64, bool),
        documents: &[DocumentVector],
    ) {
        let Some(mut pull) = self.pulls.remove(&peer) else { return };
        let claimed = |document: &DocumentId| self.pulls.values().any(|other| other.claims(document));
        if pull.vectors(query, complete, documents, &self.index, claimed) {
            self.go_on(ctx, peer, pull);
        } else {
            self.pulls.insert(peer, pull);
        }
    }

    /// An answer with these changes was taken in; `brought` of them brought this node on.
    pub(crate) fn wanted_came(
        &mut self,
        ctx: &mut Context<'_>,
        peer: NodeId,
        request: u64,
        dots: &[(DocumentId, Dot)],
        brought: u64,
    ) {
        let Some(mut pull) = self.pulls.remove(&peer) else { return };
        if pull.changes(request, dots, brought) {
            self.go_on(ctx, peer, pull);
        } else {
            self.pulls.insert(peer, pull);
        }
    }

    /// Asks again what wasn't answered in time.
    pub(crate) fn retry(&mut self, ctx: &mut Context<'_>, peer: NodeId) {
        let Some(pull) = self.pulls.get_mut(&peer) else { return };
        match pull.ask_again(ctx.now) {
            Some(frame) => ctx.effect(Effect::Send { peer, class: Class::Control, frame }),
            None => {
                ctx.counts.pulls_given_up += 1;
                self.pulls.remove(&peer);
                if let Some(session) = self.peers.session_mut(peer) {
                    session.check_by(ctx.now + CHECK_SILENT);
                }
            }
        }
    }

    /// The exchange with random peers, out-of-step ones first.
    pub(crate) fn round(&mut self, ctx: &mut Context<'_>) {
        self.note_steps(ctx.now);
        let sessions = || self.peers.sessions().filter(|(_, session)| !session.is_congested());
        let roster = self.roster.hash();
        let is_behind = |session: &Session| session.out_of_step_since.is_some() || !session.has_roster(roster);
        let behind = sessions().filter(|(_, session)| is_behind(session));
        let mut candidates: Vec<NodeId> = behind.map(|(peer, _)| peer).collect();
        let (mean, count) = if candidates.is_empty() { (ROUND, 1) } else { (ROUND_OUT_OF_STEP, ROUND_PEERS) };
        if candidates.is_empty() {
            candidates = sessions().map(|(peer, _)| peer).collect();
        }
        self.round_at = ctx.within(mean / 2, mean + mean / 2);
        self.measure_links(ctx);
        for _ in 0..count.min(candidates.len()) {
            let at = usize::try_from(ctx.below(candidates.len() as u64)).unwrap_or(0);
            self.exchange(ctx, candidates.swap_remove(at));
        }
    }

    fn exchange(&mut self, ctx: &mut Context<'_>, peer: NodeId) {
        ctx.counts.exchanges += 1;
        if let Some(session) = self.peers.session_mut(peer) {
            session.settled = None;
        }
        if self.peers.session(peer).is_some_and(|session| session.version == 0) {
            self.say_hello(ctx, peer);
        }
        self.tell(ctx, peer, true);
        self.compare_health(ctx, peer);
        let nodes = self.strangers.authors();
        if !nodes.is_empty() {
            self.ask_statements(ctx, peer, EMPTY, nodes);
        }
    }

    /// A peer's queue has had time to drain: serve it, and find out what it missed.
    pub(crate) fn congestion_ended(&mut self, ctx: &mut Context<'_>, peer: NodeId) {
        if let Some(session) = self.peers.session_mut(peer) {
            session.congested_until = None;
        }
        self.tell(ctx, peer, true);
        self.serve(ctx, peer);
    }
}
