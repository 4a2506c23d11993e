//! What is known of each member: whether it is there, whom it is connected to, and what it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use murmurate_crdt::id::NodeId;

use crate::message::{DocumentRanges, ItemId, OVERLAY_VERSION};
use crate::revocation::Vouching;
use crate::roster::Roster;
use crate::summary::{FolderSummary, Hash, Summary};

/// Without a connection for this long a member is suspect: longer than a reconnect after a lost route takes, so that a
/// blink isn't shown.
pub const SUSPECT_AFTER: Duration = Duration::from_secs(2);
/// Without a connection for this long a member is taken for dead: longer than a host's restart of its daemon.
pub const DEAD_AFTER: Duration = Duration::from_secs(10);
/// A peer whose queue was full gets nothing for this long: a full queue of some MiB drains in it on a slow line.
const CONGESTED_FOR: Duration = Duration::from_secs(1);

/// An answer with statements comes within this time, mostly.
const STATEMENTS_WITHIN: Duration = Duration::from_secs(5);

/// Whether a member is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberState {
    /// Connected, or disconnected for less than [`SUSPECT_AFTER`].
    Alive,
    /// Not connected; it may come back.
    Suspect,
    /// Not connected for [`DEAD_AFTER`].
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
    /// Whether what it said last to be durable there is exactly what is durable here.
    pub in_step: bool,
    /// Whether it said last to hold the very roster that is held here.
    pub has_roster: bool,
    /// Since when it isn't in step; `None` while it is or when it isn't connected.
    pub out_of_step_since: Option<Duration>,
    /// At least how many durable changes it lacks; exactly, if it holds none that this node doesn't.
    pub lag_changes: u64,
}

#[derive(Debug, Clone, Copy)]
enum Link {
    Unseen { since: Duration },
    Up { since: Duration },
    Down { up_since: Duration, since: Duration },
    Left { since: Duration },
}

impl Link {
    fn state(self, now: Duration, has_left: bool) -> (MemberState, Duration) {
        match self {
            Self::Up { since } => (MemberState::Alive, since),
            Self::Left { since } => (MemberState::Left, since),
            Self::Unseen { since } | Self::Down { since, .. } if has_left => (MemberState::Left, since),
            Self::Unseen { since } if now < since + DEAD_AFTER => (MemberState::Suspect, since),
            Self::Unseen { since } => (MemberState::Dead, since + DEAD_AFTER),
            Self::Down { up_since, since } if now < since + SUSPECT_AFTER => (MemberState::Alive, up_since),
            Self::Down { since, .. } if now < since + DEAD_AFTER => (MemberState::Suspect, since + SUSPECT_AFTER),
            Self::Down { since, .. } => (MemberState::Dead, since + DEAD_AFTER),
        }
    }
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

    /// Whether it knows the messages of an overlay.
    pub(crate) fn speaks_overlay(&self) -> bool {
        self.version >= OVERLAY_VERSION
    }

    pub(crate) fn is_congested(&self) -> bool {
        self.congested_until.is_some()
    }
}

#[derive(Debug)]
struct Peer {
    link: Link,
    session: Session,
}

/// All known members but this node.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    peers: BTreeMap<NodeId, Peer>,
}

impl Peers {
    /// A member became known.
    pub(crate) fn know(&mut self, node: NodeId, now: Duration) {
        let link = Link::Unseen { since: now };
        self.peers.entry(node).or_insert_with(|| Peer { link, session: Session::default() });
    }

    pub(crate) fn connected(&mut self, node: NodeId, now: Duration) {
        self.peers.insert(node, Peer { link: Link::Up { since: now }, session: Session::default() });
    }

    pub(crate) fn disconnected(&mut self, node: NodeId, now: Duration) {
        let Some(peer) = self.peers.get_mut(&node) else { return };
        peer.session = Session::default();
        if let Link::Up { since } = peer.link {
            peer.link = Link::Down { up_since: since, since: now };
        }
    }

    /// The member said that it leaves. Nothing more is sent to it.
    pub(crate) fn left(&mut self, node: NodeId, now: Duration) {
        if let Some(peer) = self.peers.get_mut(&node) {
            *peer = Peer { link: Link::Left { since: now }, session: Session::default() };
        }
    }

    /// The node is no member any more.
    pub(crate) fn forget(&mut self, node: NodeId) {
        self.peers.remove(&node);
    }

    pub(crate) fn congested(&mut self, node: NodeId, now: Duration) {
        if let Some(session) = self.session_mut(node) {
            session.congested_until = Some(now + CONGESTED_FOR);
        }
    }

    /// The session with a connected peer.
    pub(crate) fn session(&self, node: NodeId) -> Option<&Session> {
        self.peers.get(&node).filter(|peer| matches!(peer.link, Link::Up { .. })).map(|peer| &peer.session)
    }

    pub(crate) fn session_mut(&mut self, node: NodeId) -> Option<&mut Session> {
        self.peers.get_mut(&node).filter(|peer| matches!(peer.link, Link::Up { .. })).map(|peer| &mut peer.session)
    }

    /// The connected peers with their sessions, in the order of their ids.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = (NodeId, &Session)> {
        self.peers.keys().filter_map(|&node| Some((node, self.session(node)?)))
    }

    pub(crate) fn sessions_mut(&mut self) -> impl Iterator<Item = (NodeId, &mut Session)> {
        let up = self.peers.iter_mut().filter(|(_, peer)| matches!(peer.link, Link::Up { .. }));
        up.map(|(&node, peer)| (node, &mut peer.session))
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
            let (state, since) = peer.link.state(now, roster.has_left(node));
            (node, state, since)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use murmurate_crdt::id::MeshId;

    #[test]
    fn a_member_is_suspect_then_dead_after_its_connection_is_lost_and_alive_again_after_it_returns() {
        let node = NodeId([1; 32]);
        let ms = Duration::from_millis;
        let mut peers = Peers::default();
        let key = ed25519_dalek::SigningKey::from_bytes(&[1; 32]).verifying_key();
        let nobody = Roster::new(MeshId::default(), crate::roster::Roots { authority: key, recovery: key });
        peers.know(node, ms(0));
        let check = |peers: &Peers, now, state, since| {
            assert_eq!(peers.states(ms(now), &nobody).next(), Some((node, state, ms(since))), "at {now} ms");
        };
        check(&peers, 9_999, MemberState::Suspect, 0);
        check(&peers, 10_000, MemberState::Dead, 10_000);
        peers.connected(node, ms(20_000));
        check(&peers, 90_000, MemberState::Alive, 20_000);
        peers.disconnected(node, ms(100_000));
        check(&peers, 101_999, MemberState::Alive, 20_000);
        check(&peers, 102_000, MemberState::Suspect, 102_000);
        check(&peers, 109_999, MemberState::Suspect, 102_000);
        check(&peers, 110_000, MemberState::Dead, 110_000);
        peers.connected(node, ms(120_000));
        peers.left(node, ms(130_000));
        peers.disconnected(node, ms(131_000));
        check(&peers, 200_000, MemberState::Left, 130_000);
        peers.connected(node, ms(210_000));
        check(&peers, 210_000, MemberState::Alive, 210_000);
    }
}
