//! Who is connected with whom, and how often.

use crate::relay::Relay;
use crate::support::{Mesh, Node, connected_pair, loopback};
use murmurate_net::{Class, DisconnectReason, NetworkEvent};

/// Rounds of both sides dialling at once; each crosses in another way.
const ROUNDS: u64 = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_connect_and_know_each_others_names() {
    let (one, two) = connected_pair().await;
    let named = |said: &[NetworkEvent], name: &str| {
        said.iter().any(|e| matches!(e, NetworkEvent::Connected { name: n, .. } if n == name)).then_some(())
    };
    one.until("name", |said| named(said, "node-20")).await;
    two.until("name", |said| named(said, "node-10")).await;
    one.reaches(&two, "there").await;
    two.reaches(&one, "back").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_dials_at_once_exactly_one_connection_stays() {
    let mesh = Mesh::new(1, 1);
    for round in 0..ROUNDS {
        let (one, two) = (Node::start(mesh.identity(2 * round)), Node::start(mesh.identity(2 * round + 1)));
        // Over two addresses each, as on hosts with two networks.
        let (to_one, to_two) = (Relay::start(one.address()).await, Relay::start(two.address()).await);
        one.dial(&[two.address(), to_two.address]);
        two.dial(&[one.address(), to_one.address]);
        one.connected(&two, 1).await;
        two.connected(&one, 1).await;
        for exchange in 0..20 {
            one.reaches(&two, &format!("{exchange}")).await;
            two.reaches(&one, &format!("{exchange}")).await;
        }
        assert_eq!(one.changes(&two.id), (1, 0), "round {round}: {}", one.summary());
        assert_eq!(two.changes(&one.id), (1, 0), "round {round}: {}", two.summary());
        one.handle.shutdown().await;
        two.handle.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_that_all_know_all_addresses_and_their_own_connect_once_each() {
    let mesh = Mesh::new(1, 1);
    let nodes: Vec<Node> = (0..3).map(|seed| Node::start(mesh.identity(seed))).collect();
    let addresses: Vec<_> = nodes.iter().map(Node::address).collect();
    nodes.iter().for_each(|node| node.dial(&addresses));
    for one in &nodes {
        for other in nodes.iter().filter(|other| other.id != one.id) {
            one.connected(other, 1).await;
        }
    }
    for one in &nodes {
        for other in nodes.iter().filter(|other| other.id != one.id) {
            one.reaches(other, "hello").await;
            assert_eq!(one.changes(&other.id), (1, 0), "{}", one.summary());
        }
        assert_eq!(one.handle.connected().len(), 2);
        assert!(!one.summary().contains("Refused"), "{}", one.summary());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_queued_before_a_shutdown_arrive_and_the_peer_knows_why_it_ended() {
    let (one, two) = connected_pair().await;
    for _ in 0..100 {
        one.handle.send(&two.id, Class::Push, vec![7; 10_000]);
    }
    one.handle.send(&two.id, Class::Control, "leaving");
    one.handle.shutdown().await;
    two.disconnected(&one, 1).await;
    assert_eq!(two.frames(&one.id).len(), 101);
    let reason = DisconnectReason::PeerShutdown;
    two.until("reason", |said| {
        said.contains(&NetworkEvent::Disconnected { peer: one.id, reason: reason.clone() }).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_was_disconnected_is_dialled_again() {
    let (one, two) = connected_pair().await;
    two.handle.disconnect(&one.id, "for a test");
    one.disconnected(&two, 1).await;
    assert!(one.summary().contains("for a test"), "{}", one.summary());
    one.connected(&two, 2).await;
    two.connected(&one, 2).await;
    one.reaches(&two, "again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_is_named() {
    let mesh = Mesh::new(1, 1);
    let one = Node::start(mesh.identity(1));
    let config = murmurate_net::NetworkConfig { listen: loopback(one.address().port()), peers: Vec::new() };
    let error = murmurate_net::Network::start(config, mesh.identity(2), murmurate_net::Environment::system());
    let text = error.err().unwrap().to_string();
    assert!(text.contains(&one.address().to_string()), "{text}");
}
