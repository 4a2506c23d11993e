//! Frames arrive whole, in order per class, and never too large.

use std::collections::BTreeMap;

use bytes::Bytes;
use murmurate_crdt::limits::FRAME_BYTES;
use murmurate_net::{Class, NetworkEvent, SendOutcome};
use tokio::time::timeout;

use crate::rogue::Rogue;
use crate::support::{DEADLINE, Mesh, NOW_MS, Node, connected_pair, frames, loopback, start_unread};

const CLASSES: [Class; 3] = [Class::Push, Class::Repair, Class::Control];

/// A frame that says its class and number, if it has room for that.
fn frame(class: Class, number: u8, length: usize) -> Bytes {
    let mut bytes = vec![number; length];
    if let Some(first) = bytes.first_mut() {
        *first = CLASSES.iter().position(|c| *c == class).unwrap().to_le_bytes()[0];
    }
    bytes.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_all_sizes_arrive_complete_and_in_order_per_class() {
    let (one, two) = connected_pair().await;
    let lengths = [2, 100, 4_096, 4_097, 65_536, 1 << 20, 3, FRAME_BYTES, 2, 12 << 20, 5_000];
    let sent: Vec<(Class, Bytes)> = lengths
        .iter()
        .enumerate()
        .flat_map(|(number, length)| CLASSES.map(|class| (class, frame(class, number.to_le_bytes()[0], *length))))
        .collect();
    for (class, frame) in &sent {
        let attempt = async {
            while one.handle.send(&two.id, *class, frame.clone()) == SendOutcome::QueueFull {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, attempt).await.expect("the queue never had room");
    }
    let sender = one.id;
    let arrived = two
        .until("all frames", |said| {
            let arrived = frames(said, &sender);
            (arrived.len() == sent.len()).then_some(arrived)
        })
        .await;
    let mut by_class: BTreeMap<u8, Vec<Bytes>> = BTreeMap::new();
    arrived.into_iter().for_each(|frame| by_class.entry(frame[0]).or_default().push(frame));
    for (number, class) in (0..).zip(CLASSES) {
        let expected: Vec<Bytes> = sent.iter().filter(|(c, _)| *c == class).map(|(_, frame)| frame.clone()).collect();
        assert!(by_class[&number] == expected, "{class:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn empty_frames_arrive_and_oversized_ones_are_not_sent() {
    let (one, two) = connected_pair().await;
    for class in CLASSES {
        assert_eq!(one.handle.send(&two.id, class, Bytes::new()), SendOutcome::Queued);
        assert_eq!(one.handle.send(&two.id, class, vec![0; FRAME_BYTES + 1]), SendOutcome::TooLarge);
    }
    let sender = one.id;
    two.until("three empty frames", |said| (frames(said, &sender).len() == 3).then_some(())).await;
    assert_eq!(one.handle.send(&one.id, Class::Push, Bytes::new()), SendOutcome::NotConnected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_peer_sends_closes_the_connection_with_a_reason() {
    let rows: [(&[u8], u32, &str); 4] = [
        (&[0, 0xff, 0xff, 0xff, 0xff], 7, "4294967295 bytes"),
        (&[1, 0x00, 0xff, 0xff, 0xff], 7, "16777215 bytes"),
        (&[9], 8, "unknown class 9"),
        (&[2, 0, 0, 0, 5, 1], 8, "ends inside a frame"),
    ];
    let mesh = Mesh::new(1, 1);
    let node = Node::start(mesh.identity(1));
    for (seed, (bytes, code, why)) in (100..).zip(rows) {
        let identity = mesh.identity(seed);
        let rogue = Rogue::member(&identity);
        let connection = rogue.greeted(node.address(), &identity, node.id).await;
        let mut stream = connection.open_uni().await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.finish().unwrap();
        let peer = identity.node_id();
        let reason = node
            .until(why, |said| {
                said.iter().find_map(|event| match event {
                    NetworkEvent::Disconnected { peer: p, reason } if *p == peer => Some(reason.to_string()),
                    _ => None,
                })
            })
            .await;
        assert!(reason.contains(why), "{reason}");
        match timeout(DEADLINE, connection.closed()).await.unwrap() {
            quinn::ConnectionError::ApplicationClosed(close) => {
                assert_eq!(close.error_code, quinn::VarInt::from_u32(code), "{why}");
            }
            error => panic!("{why}: {error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_loses_frames_and_slows_nobody() {
    let mesh = Mesh::new(1, 1);
    let (one, quick) = (Node::start(mesh.identity(1)), Node::start(mesh.identity(2)));
    let slow_id = mesh.identity(3).node_id();
    let (slow_handle, slow_events) = start_unread(mesh.identity(3), loopback(0), NOW_MS);
    one.dial(&[quick.address(), slow_handle.local_address().unwrap()]);
    one.connected(&quick, 1).await;
    one.until("connected to the slow one", |said| {
        said.iter().any(|e| matches!(e, NetworkEvent::Connected { peer, .. } if *peer == slow_id)).then_some(())
    })
    .await;
    let megabyte = Bytes::from(vec![1; 1 << 20]);
    let mut is_full = false;
    // Queue, windows and what waits for the core: some 50 MiB.
    for round in 0..400 {
        is_full |= one.handle.send(&slow_id, Class::Push, megabyte.clone()) == SendOutcome::QueueFull;
        one.reaches(&quick, &format!("round {round}")).await;
    }
    assert!(is_full);
    let fulls =
        |said: &[NetworkEvent]| said.iter().filter(|e| **e == NetworkEvent::SendQueueFull { peer: slow_id }).count();
    one.until("told that the queue is full", |said| (fulls(said) > 0).then_some(())).await;
    // Told once per overflow, not once per frame.
    one.until("few of them", |said| (fulls(said) < 40).then_some(())).await;
    assert!(!one.summary().contains(&format!("SendQueueFull {{ peer: {:?}", quick.id)));
    // It reads at last: there is room again, and frames arrive.
    let slow = Node::of(slow_id, slow_handle, slow_events);
    let room = async {
        while one.handle.send(&slow_id, Class::Push, megabyte.clone()) != SendOutcome::Queued {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, room).await.expect("the queue never had room again");
    one.reaches(&slow, "at last").await;
}
