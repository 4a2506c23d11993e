//! What this host says of itself by gossip, and what it heard of the others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use data_encoding::HEXLOWER;
use murmurate_client::types::{ErrorCode, Problem};
use murmurate_crdt::id::NodeId;
use murmurate_net::limits::GOSSIP_INTERVAL;
use murmurate_net::{GossipConfig, Heard, Keys, Life};
use murmurate_protocol::{Event, Hash};

use super::Core;
use super::limits::STATE_DELAY;

/// The key under which a host says what it holds, as one hash in hexadecimal.
const STATE_KEY: &str = "state";

/// The core's part about gossip.
#[derive(Debug, Default)]
pub(super) struct Gossip {
    heard: BTreeMap<NodeId, Heard>,
    members: BTreeSet<NodeId>,
    /// When to tell what this host holds.
    state_due: Option<Duration>,
}

impl Gossip {
    /// What a member says of itself.
    pub(super) fn said(&self, node: NodeId, key: &str) -> Option<&str> {
        self.heard.get(&node)?.keys.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The roles that a member says it has.
    pub(super) fn roles(&self, node: NodeId) -> Vec<String> {
        self.said(node, "roles").map_or_else(Vec::new, |roles| roles.split(',').map(str::to_owned).collect())
    }

    /// Whether a member's signs of life come over others; `None` if none was heard of.
    pub(super) fn is_live(&self, node: NodeId) -> Option<bool> {
        match self.heard.get(&node)?.life {
            Life::Unknown => None,
            Life::Live => Some(true),
            Life::Silent => Some(false),
        }
    }
}

impl Core {
    /// Starts to tell and to hear.
    pub(super) fn start_gossip(&mut self) {
        let mesh = self.identity.mesh;
        let config =
            GossipConfig { mesh, generation: self.generation, keys: self.own_keys(), interval: GOSSIP_INTERVAL };
        self.network.gossip().start(config);
        self.gossip.state_due = Some(self.environment.monotonic());
    }

    /// What this host says of itself, apart from what it holds.
    fn own_keys(&self) -> Keys {
        let pairs = [
            ("name", self.identity.name.clone()),
            ("zone", self.identity.zone.clone()),
            ("roles", self.overlays.roles().join(",")),
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("status", "up".to_owned()),
        ];
        pairs.map(|(key, value)| (key.to_owned(), value)).into()
    }

    /// Tells the others that this host is about to leave the mesh.
    pub(super) fn gossip_leaving(&self) {
        self.network.gossip().set_keys(Keys::from([("status".to_owned(), "leaving".to_owned())]));
    }

    /// What is unknown by gossip may be well known by others: the engine is told of life and silence alone.
    pub(super) async fn take_heard(&mut self, heard: Heard) {
        let Heard { node, generation, life, .. } = heard;
        tracing::debug!(%node, generation, ?life, "heard of by gossip");
        let state_hash = heard.keys.get(STATE_KEY).and_then(|digits| state_hash(digits));
        self.gossip.heard.insert(node, heard);
        if life != Life::Unknown {
            self.tell(Event::Heard { node, generation, is_live: life == Life::Live, state_hash }).await;
        }
    }

    /// Nobody is heard of but members.
    pub(super) fn gossip_members_changed(&mut self) {
        let roster = self.engine.roster();
        let members: BTreeSet<NodeId> = roster.members().filter(|node| !roster.has_left(*node)).collect();
        if members != self.gossip.members {
            self.network.gossip().set_members(&members);
            self.gossip.heard.retain(|node, _| members.contains(node));
            self.gossip.members = members;
        }
    }

    /// What this host holds changed: it is told with what else changes soon.
    pub(super) fn gossip_state_changed(&mut self) {
        let now = self.environment.monotonic();
        self.gossip.state_due.get_or_insert(now + STATE_DELAY);
    }

    /// What is due by time. When it is next, [`Core::gossip_wakes`] says.
    pub(super) fn gossip_time(&mut self) {
        if self.gossip.state_due.is_some_and(|due| due <= self.environment.monotonic()) {
            self.gossip.state_due = None;
            let state = HEXLOWER.encode(&self.engine.state_hash());
            self.network.gossip().set_keys(Keys::from([(STATE_KEY.to_owned(), state)]));
        }
    }

    pub(super) fn gossip_wakes(&self) -> Option<Duration> {
        self.gossip.state_due
    }

    /// What is wrong with gossip, or will be.
    pub(super) fn gossip_problems(&self) -> Vec<Problem> {
        let health = self.network.gossip().health();
        let problem = |code, what: String, why: String, try_: &str| Problem { code, what, why, try_: try_.into() };
        let mut problems = Vec::new();
        if health.is_near_limit() {
            let why = format!(
                "it holds {} of at most {} starts of members, and refused {}",
                health.nodes, health.limit, health.refused
            );
            let try_ = "take hosts that are gone out of the mesh with `murmurate revoke`, or divide the mesh";
            problems.push(problem(ErrorCode::Limit, "gossip is near its limit of members".into(), why, try_));
        }
        for node in &health.alike {
            let what = format!("what {} says of itself isn't heard", self.node_name(*node));
            let why = "its id begins like another member's";
            let try_ = "let it leave, and join anew: it gets another id";
            problems.push(problem(ErrorCode::Limit, what, why.into(), try_));
        }
        if let Some(why) = health.ended {
            let why = format!("it ended {} times, the last time with: {why}", health.restarts);
            let try_ = "update all hosts to one version; report the bug with `murmurate debug bundle`";
            problems.push(problem(ErrorCode::Internal, "gossip was started anew".into(), why, try_));
        }
        problems
    }
}

/// Reads what a member says that it holds; nothing if it isn't a hash.
fn state_hash(digits: &str) -> Option<Hash> {
    HEXLOWER.decode(digits.as_bytes()).ok()?.try_into().ok()
}
