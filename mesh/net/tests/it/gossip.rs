//! What members say of themselves reaches all, over real connections.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use murmurate_crdt::id::{MeshId, NodeId};
use murmurate_net::{Class, GossipConfig, Heard, Keys, Life, NetworkEvent};

use crate::support::{Mesh, Node};

const INTERVAL: Duration = Duration::from_millis(50);

fn keys(key: &str, value: &str) -> Keys {
    Keys::from([(key.to_owned(), value.to_owned())])
}

/// Starts a node's gossip.
fn gossip(node: &Node, members: &BTreeSet<NodeId>, generation: u64, zone: &str) {
    node.handle.gossip().set_members(members);
    let keys = keys("zone", zone);
    node.handle.gossip().start(GossipConfig { mesh: MeshId([1; 16]), generation, keys, interval: INTERVAL });
}

/// What was last heard of each node.
fn heard(said: &[NetworkEvent]) -> BTreeMap<NodeId, Heard> {
    let heard = said.iter().filter_map(|event| match event {
        NetworkEvent::Heard(heard) => Some((heard.node, heard.clone())),
        _ => None,
    });
    heard.collect()
}

impl Node {
    async fn hears(&self, of: &NodeId, what: &str, is_so: impl Fn(&Heard) -> bool) {
        self.until(what, |said| heard(said).get(of).is_some_and(&is_so).then_some(())).await;
    }

    async fn hears_zone(&self, of: &NodeId, zone: &str) {
        self.hears(of, zone, |heard| heard.keys.get("zone").is_some_and(|heard| heard == zone)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_hear_of_each_other_and_of_a_restart() {
    let mesh = Mesh::new(1, 1);
    let (one, two) = (Node::start(mesh.identity(10)), Node::start(mesh.identity(20)));
    let members = BTreeSet::from([one.id, two.id]);
    gossip(&one, &members, 1, "eu");
    gossip(&two, &members, 1, "us");
    one.dial(&[two.address()]);
    one.hears_zone(&two.id, "us").await;
    two.hears_zone(&one.id, "eu").await;
    two.hears(&one.id, "alive", |heard| heard.life == Life::Live).await;
    one.handle.gossip().set_keys(keys("zone", "asia"));
    two.hears_zone(&one.id, "asia").await;
    one.handle.shutdown().await;
    let again = Node::start(mesh.identity(10));
    gossip(&again, &members, 2, "africa");
    again.dial(&[two.address()]);
    two.hears_zone(&one.id, "africa").await;
    two.hears(&one.id, "the later life", |heard| heard.generation == 2 && heard.life == Life::Live).await;
    again.hears_zone(&two.id, "us").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_nodes_in_a_line_hear_of_all_and_of_one_that_ends() {
    let mesh = Mesh::new(1, 1);
    let nodes: Vec<Node> = (1..=5).map(|seed| Node::start(mesh.identity(seed))).collect();
    let members: BTreeSet<NodeId> = nodes.iter().map(|node| node.id).collect();
    for (index, node) in nodes.iter().enumerate() {
        gossip(node, &members, 7, &format!("zone-{index}"));
        if let Some(next) = nodes.get(index + 1) {
            node.dial(&[next.address()]);
        }
    }
    for node in &nodes {
        for (index, other) in nodes.iter().enumerate().filter(|(_, other)| other.id != node.id) {
            node.hears_zone(&other.id, &format!("zone-{index}")).await;
            node.hears(&other.id, "alive", |heard| heard.life == Life::Live && heard.generation == 7).await;
        }
    }
    nodes[4].handle.shutdown().await;
    nodes[0].hears(&nodes[4].id, "silent", |heard| heard.life == Life::Silent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_floods_with_garbage_changes_nothing() {
    let mesh = Mesh::new(1, 1);
    let nodes: Vec<Node> = (1..=3).map(|seed| Node::start(mesh.identity(seed))).collect();
    let members: BTreeSet<NodeId> = nodes.iter().map(|node| node.id).collect();
    gossip(&nodes[0], &members, 1, "eu");
    gossip(&nodes[1], &members, 1, "us");
    nodes[0].dial(&[nodes[1].address(), nodes[2].address()]);
    nodes[0].connected(&nodes[2], 1).await;
    nodes[2].connected(&nodes[0], 1).await;
    // The third one has no gossip of its own.
    let flood = async {
        for number in 0_u32.. {
            let garbage = Bytes::from(number.to_le_bytes().repeat(1 + number as usize % 5_000));
            nodes[2].handle.send(&nodes[0].id, Class::Gossip, garbage);
            tokio::task::yield_now().await;
            if number % 64 == 0 && nodes[0].handle.gossip().health().unusable > 0 {
                return;
            }
        }
    };
    tokio::time::timeout(crate::support::DEADLINE, flood).await.expect("no frame arrived");
    nodes[1].handle.gossip().set_keys(keys("zone", "asia"));
    nodes[0].hears_zone(&nodes[1].id, "asia").await;
    let health = nodes[0].handle.gossip().health();
    assert_eq!((health.restarts, health.nodes), (0, 2), "{health:?}");
    // Nor is anything of it the core's.
    assert_eq!(nodes[0].frames(&nodes[2].id), Vec::<Bytes>::new());
}
