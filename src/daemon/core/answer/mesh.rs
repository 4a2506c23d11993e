//! What is wrong in the mesh: links, members that lag, versions and clocks that differ, limits that are near.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use murmurate_client::types::{ErrorCode, Problem};
use murmurate_crdt::id::NodeId;
use murmurate_protocol::message::FOLDERS;
use murmurate_protocol::{Member as Peer, MemberState as PeerState};

use crate::daemon::core::Core;

/// A member that is linked and lacks something for longer than this is in trouble: a change takes milliseconds, a newcomer's
/// whole history some seconds.
const LAGGING_AFTER: Duration = Duration::from_secs(30);
/// Wall clocks that differ by more show wrong times to people, and certificates that begin in the future.
const CLOCKS_APART_MS: u64 = 5_000;
/// Of a limit, in percent, from which on it is near.
const NEAR_PERCENT: usize = 80;
/// Hosts that one line names.
const NAMED_HOSTS: usize = 8;

impl Core {
    pub(super) fn mesh_problems(&self) -> Vec<Problem> {
        let peers = self.peers();
        let links = peers.iter().filter_map(|peer| self.missing_link(peer));
        let lagging = peers.iter().filter_map(|peer| self.lagging_long(peer));
        let clocks = peers.iter().filter_map(|peer| self.clock_apart(peer));
        links.chain(lagging).chain(clocks).chain(self.other_versions(&peers)).chain(self.limits_near()).collect()
    }

    /// A host that others reach, and this one doesn't that should: a link is broken, in one direction or in both.
    fn missing_link(&self, peer: &Peer) -> Option<Problem> {
        let is_missing = !peer.connected && !peer.through.is_empty() && self.engine.links().contains(&peer.node);
        is_missing.then(|| Problem {
            code: ErrorCode::NoLink,
            what: format!("no connection with {}", self.node_name(peer.node)),
            why: format!(
                "it is connected with {}, so it is up; data takes the way over there",
                self.names(peer.through.iter().copied())
            ),
            try_: "let UDP through in both directions between the two hosts, and check their addresses".into(),
        })
    }

    /// A member with a link that still isn't in step.
    fn lagging_long(&self, peer: &Peer) -> Option<Problem> {
        let since = peer.out_of_step_since.filter(|_| peer.connected)?;
        let time = self.environment.monotonic().saturating_sub(since);
        let name = self.node_name(peer.node);
        let why = match peer.lag_changes {
            0 => format!("for {} s it has held other changes than this host", time.as_secs()),
            lag => format!("for {} s it has lacked changes, now {lag} of them", time.as_secs()),
        };
        (time >= LAGGING_AFTER).then(|| Problem {
            code: ErrorCode::Lagging,
            what: format!("{name} isn't in step"),
            why,
            try_: format!(
                "`murmurate status` on {name}: its disk may be full or slow, or a document frozen; `murmurate ping {name}`"
            ),
        })
    }

    /// A member whose clock is certainly another one.
    fn clock_apart(&self, peer: &Peer) -> Option<Problem> {
        let clock = peer.clock?;
        let apart_ms = clock.ahead_ms.unsigned_abs();
        let name = self.node_name(peer.node);
        let side = if clock.ahead_ms > 0 { "ahead of" } else { "behind" };
        let why = format!("it is {:.1} s {side} this host's", Duration::from_millis(apart_ms).as_secs_f64());
        (apart_ms.saturating_sub(clock.within_ms) > CLOCKS_APART_MS).then(|| Problem {
            code: ErrorCode::Clock,
            what: format!("the clock of {name} differs"),
            why,
            try_: "set the one that is wrong, and let chrony or systemd-timesyncd keep both".into(),
        })
    }

    /// The version of a member's daemon: what it says now, or said in the roster.
    pub(super) fn version_of(&self, node: NodeId) -> Option<String> {
        let said = self.gossip.said(node, "version");
        said.or_else(|| self.engine.roster().version(node)).map(str::to_owned)
    }

    /// That members which are up run other versions than this host.
    fn other_versions(&self, peers: &[Peer]) -> Option<Problem> {
        let own = env!("CARGO_PKG_VERSION");
        let mut others: BTreeMap<String, BTreeSet<NodeId>> = BTreeMap::new();
        for peer in peers.iter().filter(|peer| peer.state == PeerState::Alive) {
            if let Some(version) = self.version_of(peer.node).filter(|version| version != own) {
                others.entry(version).or_default().insert(peer.node);
            }
        }
        let other = |(version, nodes): (&String, &BTreeSet<NodeId>)| {
            format!("{version} on {}", self.names(nodes.iter().copied()))
        };
        let list: Vec<String> = others.iter().map(other).collect();
        (!list.is_empty()).then(|| Problem {
            code: ErrorCode::Versions,
            what: "hosts run different versions".into(),
            why: format!("{own} here, {}", list.join(", ")),
            try_: "update all hosts to one version: newer ones use what older ones don't know only when all are new"
                .into(),
        })
    }

    /// What is close to as much as there may be.
    fn limits_near(&self) -> Vec<Problem> {
        let held = self.engine.held();
        let folders: BTreeSet<&str> = self.durable.keys().map(|document| document.folder()).collect();
        let watches = self.watches.open();
        let near = [
            ("bytes of changes that wait for others", held.waiting_bytes, self.engine.waiting_bytes_limit()),
            ("folders in the mesh", folders.len(), FOLDERS),
            ("open watches", watches, crate::daemon::core::limits::WATCHES),
        ];
        let near = near.into_iter().filter(|(_, count, limit)| count * 100 >= limit * NEAR_PERCENT);
        near.map(|(what, count, limit)| Problem {
            code: ErrorCode::Limit,
            what: format!("a limit is near: {what}"),
            why: format!("there are {count} of at most {limit}"),
            try_: "do with fewer; what goes beyond is refused, or fetched anew later".into(),
        })
        .collect()
    }

    /// Names for people, not too many.
    fn names(&self, nodes: impl Iterator<Item = NodeId>) -> String {
        let mut names: Vec<String> = nodes.map(|node| self.node_name(node)).collect();
        if names.len() > NAMED_HOSTS {
            let more = names.len() - NAMED_HOSTS;
            names.truncate(NAMED_HOSTS);
            names.push(format!("and {more} more"));
        }
        names.join(", ")
    }
}
