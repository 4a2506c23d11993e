//! Partitions, kills and garbage.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use murmurate_crdt::id::NodeId;
use murmurate_net::environment::Random;
use murmurate_net::{Class, Identity, NetworkEvent};
use rand_core::Rng;
use tokio::runtime::{Builder, Runtime};

use crate::relay::Relay;
use crate::rogue::Rogue;
use crate::support::{Mesh, NOW_MS, Node, changes, connected_pair, loopback, start_unread};

/// Two nodes that dial each other over a relay each.
async fn relayed_pair() -> (Node, Node, [Relay; 2]) {
    let mesh = Mesh::new(1, 1);
    let (one, two) = (Node::start(mesh.identity(1)), Node::start(mesh.identity(2)));
    let (to_one, to_two) = (Relay::start(one.address()).await, Relay::start(two.address()).await);
    one.dial(&[to_two.address]);
    two.dial(&[to_one.address]);
    one.connected(&two, 1).await;
    two.connected(&one, 1).await;
    (one, two, [to_one, to_two])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_partition_of_any_kind_nodes_find_each_other() {
    // (from one to two, from two to one)
    for (number, cut) in (1..).zip([(true, true), (true, false), (false, true)]) {
        let (one, two, [to_one, to_two]) = relayed_pair().await;
        let started = Instant::now();
        to_two.cut(cut.0, cut.1);
        to_one.cut(cut.1, cut.0);
        one.disconnected(&two, 1).await;
        two.disconnected(&one, 1).await;
        println!("partition {number} {cut:?}: seen by both after {:?}", started.elapsed());
        let healed = Instant::now();
        to_two.cut(false, false);
        to_one.cut(false, false);
        one.connected(&two, 2).await;
        two.connected(&one, 2).await;
        println!("partition {number} {cut:?}: connected {:?} after it healed", healed.elapsed());
        one.reaches(&two, "again").await;
        two.reaches(&one, "again").await;
    }
}

/// A node in a runtime of its own, so that it can be killed without a word.
struct Process {
    runtime: Runtime,
    address: SocketAddr,
}

impl Process {
    fn start(identity: Identity, listen: SocketAddr, peers: &[SocketAddr]) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let guard = runtime.enter();
        let (handle, mut events) = start_unread(identity, listen, NOW_MS);
        handle.set_peers(peers.iter().map(|peer| (*peer).into()).collect());
        let address = handle.local_address().unwrap();
        runtime.spawn(async move {
            let _alive = handle;
            while events.recv().await.is_some() {}
        });
        drop(guard);
        Self { runtime, address }
    }

    /// Ends it between two instructions: nothing is closed, nobody is told.
    async fn kill(self) {
        tokio::task::spawn_blocking(move || drop(self.runtime)).await.unwrap();
    }
}

async fn until_changed(node: &Node, peer: NodeId, connected: usize, disconnected: usize) {
    let what = format!("{connected} connects and {disconnected} disconnects");
    node.until(&what, |said| {
        let (up, down) = changes(said, &peer);
        (up >= connected && down >= disconnected).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_killed_and_started_again_is_connected_again() {
    let mesh = Mesh::new(1, 1);
    // Whoever has the lower id decides; both ways are tried, and either side dials.
    for (seed, restarted_dials) in [(2, false), (3, true), (4, false), (5, true)] {
        let node = Node::start(mesh.identity(1));
        let peer = mesh.identity(seed).node_id();
        let peers: &[SocketAddr] = if restarted_dials { &[node.address()] } else { &[] };
        let process = Process::start(mesh.identity(seed), loopback(0), peers);
        let address = process.address;
        if !restarted_dials {
            node.dial(&[address]);
        }
        until_changed(&node, peer, 1, 0).await;
        process.kill().await;
        let restarted = Instant::now();
        let process = Process::start(mesh.identity(seed), address, peers);
        until_changed(&node, peer, 2, 1).await;
        println!("restarted with seed {seed}: connected after {:?}", restarted.elapsed());
        assert!(!node.summary().contains("Refused"), "{}", node.summary());
        process.kill().await;
        until_changed(&node, peer, 2, 2).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_harmless() {
    let (one, two) = connected_pair().await;
    let mut rng = Random::seeded(4).rng();
    let socket = std::net::UdpSocket::bind(loopback(0)).unwrap();
    for round in 0..3_000 {
        let mut bytes = vec![0; usize::try_from(rng.next_u32() % 1_500).unwrap()];
        rng.fill_bytes(&mut bytes);
        // Some look like first packets of version 1.
        if let (true, Some(start)) = (round % 2 == 0, bytes.first_chunk_mut::<5>()) {
            *start = [0xc0 | start[0], 0, 0, 0, 1];
        }
        socket.send_to(&bytes, two.address()).unwrap();
        if round % 100 == 0 {
            one.reaches(&two, &format!("round {round}")).await;
        }
    }
    one.handle.send(&two.id, Class::Push, vec![0; 1 << 20]);
    two.until("a large frame", |said| {
        said.iter().any(|e| matches!(e, NetworkEvent::Frame { bytes, .. } if bytes.len() == 1 << 20)).then_some(())
    })
    .await;
    assert_eq!(one.changes(&two.id), (1, 0), "{}", one.summary());
    assert_eq!(two.changes(&one.id), (1, 0), "{}", two.summary());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_is_slower_than_an_attempt_is_still_used() {
    let mesh = Mesh::new(1, 1);
    let (one, two) = (Node::start(mesh.identity(1)), Node::start(mesh.identity(2)));
    let relay = Relay::start_slow(two.address(), Duration::from_millis(800)).await;
    let started = Instant::now();
    one.dial(&[relay.address]);
    one.connected(&two, 1).await;
    println!("round trips of 1.6 s: connected after {:?}", started.elapsed());
    for exchange in 0..3 {
        one.reaches(&two, &format!("{exchange}")).await;
        two.reaches(&one, &format!("{exchange}")).await;
    }
    assert_eq!(one.changes(&two.id), (1, 0), "{}", one.summary());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_that_carries_only_the_smallest_datagrams_carries_everything() {
    let mesh = Mesh::new(1, 1);
    let large = |said: &[NetworkEvent], count| {
        let is_large = |e: &&NetworkEvent| matches!(e, NetworkEvent::Frame { bytes, .. } if bytes.len() == 2 << 20);
        (said.iter().filter(is_large).count() == count).then_some(())
    };
    // From the start, and when larger ones got through before.
    for frames_before in [0, 1] {
        let (one, two) = (Node::start(mesh.identity(1)), Node::start(mesh.identity(2)));
        let relay = Relay::start(two.address()).await;
        if frames_before == 0 {
            relay.lose_above(1_200);
        }
        one.dial(&[relay.address]);
        one.connected(&two, 1).await;
        for frame in 0..=frames_before {
            one.handle.send(&two.id, Class::Repair, vec![0; 2 << 20]);
            two.until("a large frame", |said| large(said, frame + 1)).await;
            relay.lose_above(1_200);
        }
        assert_eq!(one.changes(&two.id), (1, 0), "{}", one.summary());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_dials_that_never_finish_keeps_no_member_out() {
    let mesh = Mesh::new(1, 1);
    let (one, two) = (Node::start(mesh.identity(1)), Node::start(mesh.identity(2)));
    // Answers never come back, as with forged source addresses.
    let relay = Relay::start(two.address()).await;
    relay.cut(false, true);
    let rogue = Rogue::member(&mesh.identity(3));
    let flood: Vec<_> = (0..400).map(|_| rogue.dial(relay.address)).collect();
    relay.saw_retry().await;
    let path = Relay::start(two.address()).await;
    one.dial(&[path.address]);
    one.connected(&two, 1).await;
    path.saw_retry().await;
    one.reaches(&two, "here").await;
    drop(flood);
}
