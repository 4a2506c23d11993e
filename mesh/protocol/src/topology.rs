//! Whom this host keeps links with.
//!
//! ```text
//!   up to 16 members     everyone with everyone
//!   above                the successor on the ring of node ids          keeps the graph connected
//!                        + 2 chosen by rendezvous hashing               make it shallow; a change of members moves few links
//!                        + who dials this host                          about 6 links a host in all
//!                        + every few seconds one member that is away    so that healed halves find each other
//! ```
//! Each host chooses for itself among the members that it takes to be there. In place of one whose link was lost it takes the
//! next at once, and goes on trying the first; what it can't reach it leaves to the others. A link that neither side chose is closed after a while, by the side with the lower id.
//!
//! The depth of such a graph grows with the logarithm of its size: a ring with random chords is an expander (Bollobas and
//! Chung, "The diameter of a cycle plus a random matching", 1988). Rendezvous hashing: Thaler and Ravishankar, 1998.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use murmurate_crdt::id::NodeId;

use crate::context::Context;
use crate::effect::{Class, Effect};
use crate::engine::Engine;
use crate::health::Record;
use crate::message::{Message, NEIGHBOURS};
use crate::peers::MemberState;

/// Up to so many members, this one included, everyone is linked with everyone: a change takes one hop, and 15 links cost
/// less than what a tree would save.
pub const FULL_MESH: usize = 16;
/// Members besides the successor that a host dials. With as many that dial it, it has about 6 links: the random overlay
/// of degree 5 to 6 that HyParView (Leitao, Pereira, Rodrigues, 2007) uses for 10,000 hosts.
pub const CHORDS: usize = 2;
/// Links above which only members that this host chose itself are taken in: what a summary can name, and half of what the
/// network admits.
pub(crate) const LINKS: usize = NEIGHBOURS;
/// What changes together is looked at once.
const REVIEW_AFTER: Duration = Duration::from_millis(10);
/// A chosen member that isn't reached in this time is replaced by the next: several handshakes, also on a lossy line.
const UNREACHED_AFTER: Duration = Duration::from_secs(3);
/// Between attempts to reach a random member that is away, half of it to one and a half: after a healed partition of n
/// hosts somebody crosses it n/4 times a second, and a host that is dead costs the mesh as many datagrams.
const SEEK: Duration = Duration::from_secs(4);
/// The same for a host that has no link at all, which looks for several at once.
const SEEK_ALONE: usize = 8;
/// A link that neither side chose lives for this long: choices change while members come and go.
const SPARE_FOR: Duration = Duration::from_secs(30);

/// Spreads a pair of node ids evenly. The ids are SHA-256 already: this only has to mix two of them (splitmix64, Steele,
/// Lea and Flood, 2014).
fn weight(own: NodeId, peer: NodeId) -> u64 {
    let word = |node: NodeId| node.0.iter().take(8).fold(0u64, |word, &byte| word << 8 | u64::from(byte));
    let mut mixed = word(own).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ word(peer);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Whom a host links with, of the members that are there: its successor on the ring of ids, and the [`CHORDS`] heaviest of
/// the others.
#[must_use]
pub fn choose(own: NodeId, there: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
    let others = || there.iter().copied().filter(move |&node| node != own);
    let successor = others().find(|&node| node > own).or_else(|| others().next());
    let mut heaviest: Vec<(u64, NodeId)> = Vec::with_capacity(CHORDS + 1);
    for node in others().filter(|&node| Some(node) != successor) {
        heaviest.push((weight(own, node), node));
        heaviest.sort_unstable_by(|a, b| b.cmp(a));
        heaviest.truncate(CHORDS);
    }
    heaviest.into_iter().map(|(_, node)| node).chain(successor).collect()
}

/// What this host wants of its links.
#[derive(Debug, Default)]
pub(crate) struct Topology {
    /// Whom it wants links with, as told to the shell.
    links: BTreeSet<NodeId>,
    /// Of these, who isn't linked, and since when.
    unlinked: BTreeMap<NodeId, Duration>,
    /// Who could not be reached from here.
    unreached: BTreeSet<NodeId>,
    /// Members that are away and are looked for just now.
    sought: BTreeSet<NodeId>,
    is_tree: bool,
    pub(crate) review_at: Option<Duration>,
    pub(crate) seek_at: Option<Duration>,
}

impl Topology {
    /// The member is there, and worth another attempt.
    pub(crate) fn is_back(&mut self, node: NodeId) {
        self.unreached.remove(&node);
    }

    pub(crate) fn new(now: Duration) -> Self {
        Self { seek_at: Some(now + REVIEW_AFTER), ..Self::default() }
    }

    /// Whether the mesh is too large for links between all.
    pub(crate) fn is_tree(&self) -> bool {
        self.is_tree
    }

    /// Whom this host wants links with.
    pub(crate) fn links(&self) -> &BTreeSet<NodeId> {
        &self.links
    }
}

impl Engine {
    /// Plans to choose links anew.
    pub(crate) fn review_links_soon(&mut self, now: Duration) {
        let soon = now + REVIEW_AFTER;
        self.topology.review_at = Some(self.topology.review_at.map_or(soon, |planned| planned.min(soon)));
    }

    /// Whether there is room for one more link that this host didn't ask for.
    pub(crate) fn has_room_for_link(&self, peer: NodeId) -> bool {
        self.topology.links.contains(&peer) || self.peers.sessions().count() < LINKS
    }

    pub(crate) fn run_topology_timers(&mut self, ctx: &mut Context<'_>) {
        if self.topology.seek_at.is_some_and(|at| at <= ctx.now) {
            self.seek(ctx);
            self.review_links(ctx);
        } else if self.topology.review_at.is_some_and(|at| at <= ctx.now) {
            self.review_links(ctx);
        }
    }

    /// Chooses members that are away, to be looked for until the next time.
    fn seek(&mut self, ctx: &mut Context<'_>) {
        self.topology.seek_at = Some(ctx.within(SEEK / 2, SEEK + SEEK / 2));
        let mut away: Vec<NodeId> = self.others().filter(|&node| !self.is_usable(node)).collect();
        let count = if self.peers.sessions().next().is_none() { SEEK_ALONE } else { 1 };
        self.topology.sought.clear();
        while self.topology.sought.len() < count && !away.is_empty() {
            let at = usize::try_from(ctx.below(away.len() as u64)).unwrap_or(0);
            self.topology.sought.insert(away.swap_remove(at));
        }
    }

    /// The other members that didn't leave.
    fn others(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.roster.members().filter(|&node| node != self.config.node && !self.roster.has_left(node))
    }

    /// Whether a member is worth choosing: it is linked, or there and reachable as far as is known.
    fn is_usable(&self, node: NodeId) -> bool {
        let is_gone = |record: &Record| record.is(MemberState::Dead) || record.is(MemberState::Left);
        self.peers.session(node).is_some()
            || !self.topology.unreached.contains(&node) && !self.peers.record(node).is_some_and(is_gone)
    }

    fn review_links(&mut self, ctx: &mut Context<'_>) {
        self.topology.review_at = None;
        for node in self.note_unreached(ctx.now) {
            // Those who have a link with it watch it. In a full mesh that is everybody but this host.
            if self.topology.is_tree && self.peers.neighbours_of(node).next().is_none() {
                self.doubt_member(ctx, node);
            }
        }
        let others: BTreeSet<NodeId> = self.others().collect();
        self.topology.is_tree = others.len() >= self.config.full_mesh;
        let links = if self.topology.is_tree {
            let there: BTreeSet<NodeId> = others.iter().copied().filter(|&node| self.is_usable(node)).collect();
            let sure = there.iter().copied().filter(|&node| !self.is_doubted(node)).collect();
            let asked_for = self.topology.sought.iter().copied().chain(self.health.dialled());
            let asked_for = asked_for.filter(|node| others.contains(node));
            let chosen = [there, sure].into_iter().flat_map(|among| choose(self.config.node, &among));
            chosen.chain(asked_for).collect()
        } else {
            others
        };
        self.set_links(ctx, links);
        self.tell_wanted(ctx);
        self.close_spare(ctx);
    }

    fn set_links(&mut self, ctx: &mut Context<'_>, links: BTreeSet<NodeId>) {
        let unlinked = links.iter().filter(|&&node| self.peers.session(node).is_none());
        self.topology.unlinked =
            unlinked.map(|&node| (node, self.topology.unlinked.get(&node).copied().unwrap_or(ctx.now))).collect();
        if self.topology.links != links {
            ctx.effect(Effect::Links { peers: links.clone() });
            self.topology.links = links;
        }
        let first = self.topology.unlinked.values().min().map(|&since| since + UNREACHED_AFTER);
        if let Some(at) = first {
            self.topology.review_at = Some(at.max(ctx.now + REVIEW_AFTER));
        }
    }

    /// Gives up those that were wanted for long enough, and says who that is.
    fn note_unreached(&mut self, now: Duration) -> Vec<NodeId> {
        let Topology { unlinked, unreached, sought, is_tree, .. } = &mut self.topology;
        let peers = &self.peers;
        let mut late = Vec::new();
        unlinked.retain(|&node, since| {
            let is_late = now >= *since + UNREACHED_AFTER && peers.session(node).is_none();
            if is_late && !sought.contains(&node) {
                late.push(node);
            }
            !is_late
        });
        if *is_tree {
            unreached.extend(&late);
        }
        unreached.retain(|&node| peers.session(node).is_none());
        late
    }

    /// Tells each peer whether this host chose the link, where that changed.
    pub(crate) fn tell_wanted(&mut self, ctx: &mut Context<'_>) {
        for (peer, session) in self.peers.sessions_mut().filter(|(_, session)| session.speaks_trees()) {
            let is_wanted = self.topology.links.contains(&peer);
            if session.told_wanted.replace(is_wanted) != Some(is_wanted) {
                ctx.send(peer, Class::Control, &Message::Link { is_wanted });
            }
        }
    }

    pub(crate) fn receive_link(&mut self, peer: NodeId, is_wanted: bool) {
        if let Some(session) = self.peers.session_mut(peer) {
            session.is_wanted_there = Some(is_wanted);
        }
    }

    /// Closes the links that neither side chose for a while.
    fn close_spare(&mut self, ctx: &mut Context<'_>) {
        let (own, links) = (self.config.node, &self.topology.links);
        for (peer, session) in self.peers.sessions_mut() {
            let is_spare = session.is_wanted_there == Some(false) && !links.contains(&peer);
            session.spare_since = if is_spare { session.spare_since.or(Some(ctx.now)) } else { None };
            if own < peer && session.spare_since.is_some_and(|since| ctx.now >= since + SPARE_FOR) {
                let reason = "neither side needs this link: there are others".to_owned();
                ctx.effect(Effect::Disconnect { peer, reason });
            }
        }
    }

    /// Whom this host wants links with: the last [`Effect::Links`].
    #[must_use]
    pub fn links(&self) -> &BTreeSet<NodeId> {
        self.topology.links()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn members(count: u32) -> BTreeSet<NodeId> {
        (0..count).map(|number| NodeId(Sha256::digest(number.to_le_bytes()).into())).collect()
    }

    fn graph(there: &BTreeSet<NodeId>) -> BTreeMap<NodeId, BTreeSet<NodeId>> {
        let mut graph: BTreeMap<NodeId, BTreeSet<NodeId>> = BTreeMap::new();
        for &node in there {
            for peer in choose(node, there) {
                graph.entry(node).or_default().insert(peer);
                graph.entry(peer).or_default().insert(node);
            }
        }
        graph
    }

    /// How many hops the farthest is from `from`; `None` if not all are reached.
    fn depth(graph: &BTreeMap<NodeId, BTreeSet<NodeId>>, from: NodeId) -> Option<usize> {
        let mut reached = BTreeSet::from([from]);
        let mut edge = vec![from];
        let mut depth = 0;
        while reached.len() < graph.len() {
            edge = edge.iter().flat_map(|node| &graph[node]).copied().filter(|&node| reached.insert(node)).collect();
            if edge.is_empty() {
                return None;
            }
            depth += 1;
        }
        Some(depth)
    }

    #[test]
    fn links_connect_all_within_few_hops_and_are_about_six_a_host() {
        for (count, most_hops) in [(17, 4), (100, 6), (1_000, 9)] {
            let there = members(count);
            let graph = graph(&there);
            let hops = there.iter().take(20).map(|&from| depth(&graph, from).expect("all are reached")).max();
            assert!(hops <= Some(most_hops), "{count} hosts: {hops:?} hops");
            let links: usize = graph.values().map(BTreeSet::len).sum();
            assert!((5..=6).contains(&(links / there.len())), "{count} hosts: {links} ends of links");
            let most = graph.values().map(BTreeSet::len).max();
            assert!(most <= Some(20), "{count} hosts: {most:?} links of one");
        }
    }

    #[test]
    fn one_member_that_goes_moves_few_links() {
        let there = members(300);
        let gone = *there.iter().nth(100).unwrap();
        let fewer: BTreeSet<NodeId> = there.iter().copied().filter(|&node| node != gone).collect();
        let moved = fewer.iter().filter(|&&node| choose(node, &there) != choose(node, &fewer));
        let touched = there.iter().filter(|&&node| choose(node, &there).contains(&gone)).count();
        assert!(moved.count() <= touched, "who wasn't linked with it keeps its links");
    }

    #[test]
    fn of_few_members_all_are_chosen_and_of_none_nobody() {
        let there = members(3);
        let own = *there.first().unwrap();
        assert_eq!(choose(own, &there), there.iter().copied().skip(1).collect());
        assert!(choose(own, &BTreeSet::from([own])).is_empty());
    }
}
