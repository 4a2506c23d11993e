//! What the network counts.

use bytes::Bytes;
use murmurate_crdt::limits::FRAME_BYTES;
use murmurate_net::{Class, ClassCounts, NetworkHandle, SendOutcome};

use crate::support::{Mesh, NOW_MS, connected_pair, loopback, start_unread};

fn counts(handle: &NetworkHandle, class: Class) -> ClassCounts {
    let counts = handle.counts();
    counts.classes.into_iter().find(|(other, _)| *other == class).map(|(_, counts)| counts).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_are_counted_at_both_ends_by_class() {
    let (one, two) = connected_pair().await;
    let before = counts(&one.handle, Class::Push);
    for length in [10, 5_000] {
        assert_eq!(one.handle.send(&two.id, Class::Push, vec![1; length]), SendOutcome::Queued);
    }
    two.until("both frames", |said| (crate::support::frames(said, &one.id).len() >= 2).then_some(())).await;
    let (sent, received) = (counts(&one.handle, Class::Push), counts(&two.handle, Class::Push));
    assert_eq!((sent.sent_frames - before.sent_frames, sent.sent_bytes - before.sent_bytes), (2, 5_010));
    assert_eq!((received.received_frames, received.received_bytes), (2, 5_010));
    assert_eq!(counts(&two.handle, Class::Repair), ClassCounts::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_dropped_is_counted_with_its_reason_and_the_queue_shows_how_full_it_is() {
    let mesh = Mesh::new(1, 1);
    let one = crate::support::Node::start(mesh.identity(1));
    let unread = mesh.identity(2);
    let id = unread.node_id();
    let stranger = mesh.identity(3).node_id();
    let (unread, _events) = start_unread(unread, loopback(0), NOW_MS);
    one.dial(&[unread.local_address().unwrap()]);
    one.until("connected", |said| (crate::support::changes(said, &id).0 > 0).then_some(())).await;
    let large = Bytes::from(vec![1; 4 << 20]);
    // Queue, windows and what waits for the core: some 50 MiB.
    let outcomes = (0..64).map(|_| one.handle.send(&id, Class::Push, large.clone()));
    let full = outcomes.filter(|outcome| *outcome == SendOutcome::QueueFull).count() as u64;
    assert!(full > 0);
    assert_eq!(one.handle.send(&id, Class::Push, vec![1; FRAME_BYTES + 1]), SendOutcome::TooLarge);
    assert_eq!(one.handle.send(&stranger, Class::Push, vec![1]), SendOutcome::NotConnected);
    let dropped = counts(&one.handle, Class::Push);
    assert_eq!((dropped.dropped_full, dropped.dropped_too_large, dropped.dropped_unconnected), (full, 1, 1));
    let depths = one.handle.depths();
    let (_, depth) = depths.send_bytes.into_iter().find(|(class, _)| *class == Class::Push).unwrap();
    assert!(depth.held > 0 && depth.held <= depth.limit, "{depth:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_traffic_of_connections_that_ended_is_not_forgotten() {
    let (one, two) = connected_pair().await;
    one.reaches(&two, "mark").await;
    let before = one.handle.counts();
    assert!(before.traffic.sent_bytes > 0 && before.traffic.received_datagrams > 0);
    assert_eq!((before.connections_opened, before.connections_ended), (1, 0));
    two.handle.disconnect(&one.id, "for a test");
    one.connected(&two, 2).await;
    let after = one.handle.counts();
    assert!(after.traffic.sent_bytes > before.traffic.sent_bytes);
    assert!(after.traffic.received_datagrams > before.traffic.received_datagrams);
    assert_eq!((after.connections_opened, after.connections_ended), (2, 1));
    assert_eq!((after.connections_refused, after.handshakes_ignored), (0, 0));
}
