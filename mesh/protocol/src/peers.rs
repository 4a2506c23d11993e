//! What is known of each member: whether it is there, whom it is connected to, and what it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use murmurate_crdt::id::NodeId;

use crate::health::{ClockDifference, Record, RoundTrip};
use crate::message::{DocumentRanges, ItemId, TREES_VERSION};
use crate::revocation::Vouching;
use crate::roster::Roster;
use crate::summary::{FolderSummary, Hash, Summary};

/// A member of which nothing was heard yet is taken for dead after this time: a host that starts hears of the others within
/// a second or two, unless there is none.
pub const UNSEEN_FOR: Duration = Duration::from_secs(10);
/// A peer whose queue was full gets nothing for this long: a full queue of some MiB drains in it on a slow line.
const CONGESTED_FOR: Duration = Duration::from_secs(1);

/// An answer with statements comes within this time, mostly.
const STATEMENTS_WITHIN: Duration = Duration::from_secs(5);

/// Whether a member is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberState {
    /// It has a link to this host, or others say that it is there.
    Alive,
    /// Some host doesn't reach it, and nobody whom that one asked. Or nothing was heard of it yet, for less than [`UNSEEN_FOR`].
    Suspect,
    /// It was suspect and didn't refute it.
    Dead,
    /// It said that it leaves.
    Left,
}

/// What is known of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub node: NodeId,
    /// What people call it; `None` until its admission is known.
    pub name: Option<String>,
    /// Whether it is there.
    pub state: MemberState,
    /// Since when it is in that state.
    pub since: Duration,
    /// Whether there is a connection to it now.
    pub connected: bool,
    /// While there is none: the connected peers that say to have one.
    pub through: Vec<NodeId>,
    /// Whether what is durable there, as far as was heard last, is exactly what is durable here: by its summary where there is
    /// a link, else by the hash of its state that [`crate::Event::Heard`] brought. Unknown isn't in step.
    pub in_step: bool,
    /// Whether it said last to hold the very roster that is held here.
    pub has_roster: bool,
    /// Since when it isn't in step; `None` while it is or when it isn't connected.
    pub out_of_step_since: Option<Duration>,
    /// At least how many durable changes it lacks; exactly, if it holds none that this node doesn't.
    pub lag_changes: u64,
    /// Which life of the node is known of; 0 if none is.
    pub generation: u64,
    /// Whether it was suspected more often than usual lately. It is suspected longer before it is taken for dead.
    pub is_flapping: bool,
    /// How its wall clock differs from this host's, as it was measured last over the link that there is.
    pub clock: Option<ClockDifference>,
}

/// A peer's question for changes.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) request: u64,
    pub(crate) wants: Vec<DocumentRanges>,
}

/// What lasts as long as a connection.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Whom it said to be connected to.
    pub(crate) neighbours: BTreeSet<NodeId>,
    /// What it said last of its durable state.
    pub(crate) summary: Option<Summary>,
    pub(crate) out_of_step_since: Option<Duration>,
    /// When to look whether it has something to fetch.
    pub(crate) check_at: Option<Duration>,
    /// Its state when a whole comparison last found nothing to fetch.
    pub(crate) settled: Option<BTreeMap<String, FolderSummary>>,
    pub(crate) congested_until: Option<Duration>,
    /// What it was told last.
    pub(crate) told: Option<Summary>,
    /// When to look whether its roster is another one.
    pub(crate) roster_check_at: Option<Duration>,
    /// When its whole roster was asked for last.
    pub(crate) roster_asked_at: Option<Duration>,
    /// When it was asked for statements last.
    pub(crate) statements_asked_at: Option<Duration>,
    /// What is left with it because it doesn't know of a revocation.
    pub(crate) vouching: Vouching,
    /// Its last question for changes, until it is served.
    pub(crate) question: Option<Question>,
    /// Whether changes are being read for it.
    pub(crate) is_reading: bool,
    /// The newest protocol version that both speak; 0 until its Hello.
    pub(crate) version: u64,
    /// What is to be announced to it.
    pub(crate) announcing: Vec<ItemId>,
    /// Whether it was told that this node chose the link.
    pub(crate) told_wanted: Option<bool>,
    /// Whether it chose the link.
    pub(crate) is_wanted_there: Option<bool>,
    /// Since when neither side chose it.
    pub(crate) spare_since: Option<Duration>,
    /// When to compare with it what is believed of members' health.
    pub(crate) compare_at: Option<Duration>,
    /// The ping that measures the line, until it is answered: its number, and when it was sent.
    pub(crate) measuring: Option<(u64, Duration)>,
    /// When the line was measured last.
    pub(crate) measured_at: Option<Duration>,
    /// When it was told all that is believed.
    pub(crate) table_told_at: Option<Duration>,
    /// How its clock differs.
    pub(crate) clock: Option<ClockDifference>,
}

impl Session {
    /// Looks at the peer at `at`, or earlier if that was planned.
    pub(crate) fn check_by(&mut self, at: Duration) {
        self.check_at = Some(self.check_at.map_or(at, |planned| planned.min(at)));
    }

    /// Whether it said last to have the roster with this hash.
    pub(crate) fn has_roster(&self, hash: Hash) -> bool {
        self.summary.as_ref().is_some_and(|summary| summary.roster == hash)
    }

    /// Whether statements that it sends may be an answer.
    pub(crate) fn is_asked_for_statements(&self, now: Duration) -> bool {
        self.statements_asked_at.is_some_and(|at| now < at + STATEMENTS_WITHIN)
    }

    /// Whether its build knows nothing of trees and rumours.
    pub(crate) fn is_older(&self) -> bool {
        self.version > 0 && self.version < TREES_VERSION
    }

    /// Whether neither side needs this link: that it ends means nothing.
    pub(crate) fn is_spare(&self) -> bool {
        self.is_wanted_there == Some(false) && self.told_wanted == Some(false)
    }

    /// Whether it knows the messages of trees, links and rumours.
    pub(crate) fn speaks_trees(&self) -> bool {
        self.version >= TREES_VERSION
    }

    pub(crate) fn is_congested(&self) -> bool {
        self.congested_until.is_some()
    }
}

#[derive(Debug)]
struct Peer {
    known_since: Duration,
    session: Option<Box<Session>>,
    record: Record,
    /// The hash of its state, where it was heard of without a link.
    heard: Option<Hash>,
    /// Of the link with it, or of the last one.
    round_trip: RoundTrip,
}

impl Peer {
    fn new(now: Duration) -> Self {
        Self {
            known_since: now,
            session: None,
            record: Record::default(),
            heard: None,
            round_trip: RoundTrip::default(),
        }
    }

    fn state(&self, now: Duration, has_left: bool) -> (MemberState, Duration) {
        let since = self.record.since().unwrap_or(self.known_since);
        match self.record.told() {
            _ if self.session.is_some() => (MemberState::Alive, since),
            _ if has_left => (MemberState::Left, since),
            Some(told) => (told.state, since),
            None if now < self.known_since + UNSEEN_FOR => (MemberState::Suspect, self.known_since),
            None => (MemberState::Dead, self.known_since + UNSEEN_FOR),
        }
    }
}

/// All known members but this node.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    peers: BTreeMap<NodeId, Peer>,
}

impl Peers {
    /// A member became known.
    pub(crate) fn know(&mut self, node: NodeId, now: Duration) {
        self.peers.entry(node).or_insert_with(|| Peer::new(now));
    }

    pub(crate) fn connected(&mut self, node: NodeId, now: Duration) {
        self.peers.entry(node).or_insert_with(|| Peer::new(now)).session = Some(Box::default());
    }

    /// Ends a session, and gives it back if there was one.
    pub(crate) fn disconnected(&mut self, node: NodeId) -> Option<Box<Session>> {
        self.peers.get_mut(&node)?.session.take()
    }

    /// The node is no member any more.
    pub(crate) fn forget(&mut self, node: NodeId) {
        self.peers.remove(&node);
    }

    /// What is told of a member's health.
    pub(crate) fn record(&self, node: NodeId) -> Option<&Record> {
        self.peers.get(&node).map(|peer| &peer.record)
    }

    pub(crate) fn record_mut(&mut self, node: NodeId) -> Option<&mut Record> {
        self.peers.get_mut(&node).map(|peer| &mut peer.record)
    }

    /// All members' records, in the order of their ids.
    pub(crate) fn records(&self) -> impl Iterator<Item = (NodeId, &Record)> {
        self.peers.iter().map(|(&node, peer)| (node, &peer.record))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.peers.len()
    }

    /// The round trip of the link with a member, or of the last one; zero, if it isn't known.
    pub(crate) fn round_trip(&self, node: NodeId) -> Duration {
        self.peers.get(&node).map_or(Duration::ZERO, |peer| peer.round_trip.get())
    }

    /// A ping was answered: if it was the one that measures the line, its time is known.
    pub(crate) fn measured(&mut self, node: NodeId, number: u64, now: Duration) -> Option<Duration> {
        let peer = self.peers.get_mut(&node)?;
        let (_, at) = peer.session.as_mut()?.measuring.take_if(|(request, _)| *request == number)?;
        let time = now.saturating_sub(at);
        peer.round_trip.took(time);
        Some(time)
    }

    /// The hash of a member's state came, or isn't known any more.
    pub(crate) fn set_heard(&mut self, node: NodeId, state_hash: Option<Hash>) {
        if let Some(peer) = self.peers.get_mut(&node) {
            peer.heard = state_hash;
        }
    }

    /// The hash of a member's state, if it was heard.
    pub(crate) fn heard(&self, node: NodeId) -> Option<Hash> {
        self.peers.get(&node).and_then(|peer| peer.heard)
    }

    pub(crate) fn congested(&mut self, node: NodeId, now: Duration) {
        if let Some(session) = self.session_mut(node) {
            session.congested_until = Some(now + CONGESTED_FOR);
        }
    }

    /// The session with a connected peer.
    pub(crate) fn session(&self, node: NodeId) -> Option<&Session> {
        self.peers.get(&node).and_then(|peer| peer.session.as_deref())
    }

    pub(crate) fn session_mut(&mut self, node: NodeId) -> Option<&mut Session> {
        self.peers.get_mut(&node).and_then(|peer| peer.session.as_deref_mut())
    }

    /// The connected peers with their sessions, in the order of their ids.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = (NodeId, &Session)> {
        self.peers.iter().filter_map(|(&node, peer)| Some((node, peer.session.as_deref()?)))
    }

    pub(crate) fn sessions_mut(&mut self) -> impl Iterator<Item = (NodeId, &mut Session)> {
        self.peers.iter_mut().filter_map(|(&node, peer)| Some((node, peer.session.as_deref_mut()?)))
    }

    /// Whom this node is connected to.
    pub(crate) fn neighbours(&self) -> BTreeSet<NodeId> {
        self.sessions().map(|(node, _)| node).collect()
    }

    /// The connected peers that say to be connected to this node.
    pub(crate) fn neighbours_of(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        self.sessions().filter(move |(_, session)| session.neighbours.contains(&node)).map(|(peer, _)| peer)
    }

    /// Each member with its state and since when. Who said before it went that it leaves, has left.
    pub(crate) fn states(
        &self,
        now: Duration,
        roster: &Roster,
    ) -> impl Iterator<Item = (NodeId, MemberState, Duration)> {
        self.peers.iter().map(move |(&node, peer)| {
            let (state, since) = peer.state(now, roster.has_left(node));
            (node, state, since)
        })
    }
}
