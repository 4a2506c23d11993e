//! Pings of people, and clocks that are compared by the way.

use std::time::Duration;

use murmurate_protocol::message::Message;
use murmurate_protocol::{ClockDifference, Effect, Event, MEASURE_AGAIN, PINGS, Pinged, RequestId, Summary};

use crate::common::{Node, node, received, sent};

const WITHIN: Duration = Duration::from_secs(2);

fn hello(peer: u8) -> Event {
    received(peer, &Message::Hello { lowest: 1, highest: 2, summary: Summary::default() })
}

/// Host 0 of four, linked with 1 and 2.
fn host(wall_ms: Option<u64>) -> Node {
    let mut host = Node::new(0, 4);
    if let Some(now_ms) = wall_ms {
        host.handle(0, Event::WallClock { now_ms });
    }
    for peer in [1, 2] {
        host.handle(10, Event::PeerConnected { peer: node(peer) });
        host.handle(10, hello(peer));
    }
    host
}

fn ping(ping: u64, of: u8) -> Event {
    Event::Ping { ping: RequestId(ping), node: node(of), within: WITHIN }
}

fn outcomes(effects: &[Effect]) -> Vec<(u64, Pinged)> {
    let outcomes = effects.iter().filter_map(|effect| match effect {
        Effect::Pinged { ping, outcome } => Some((ping.0, outcome.clone())),
        _ => None,
    });
    outcomes.collect()
}

/// The numbers of the pings to a peer.
fn pings(effects: &[Effect], to: u8) -> Vec<u64> {
    let pings = sent(effects).into_iter().filter_map(|(peer, message)| match message {
        Message::Ping { request } if peer == node(to) => Some(request),
        _ => None,
    });
    pings.collect()
}

fn probes(effects: &[Effect]) -> Vec<(u8, u64)> {
    let probes = sent(effects).into_iter().filter_map(|(peer, message)| match message {
        Message::Probe { request, .. } => Some(((1..4).find(|of| node(*of) == peer)?, request)),
        _ => None,
    });
    probes.collect()
}

#[test]
fn a_linked_member_answers_or_is_silent() {
    let mut host = host(None);
    let request = pings(&host.handle(100, ping(7, 1)), 1)[0];
    assert!(outcomes(&host.handle(101, received(2, &Message::Pong { request, wall_ms: 0 }))).is_empty());
    let answered = Pinged::Answered { round_trip: Duration::from_millis(4) };
    assert_eq!(outcomes(&host.handle(104, received(1, &Message::Pong { request, wall_ms: 0 }))), [(7, answered)]);
    assert!(outcomes(&host.handle(105, received(1, &Message::Pong { request, wall_ms: 0 }))).is_empty());

    host.handle(200, ping(8, 1));
    assert!(outcomes(&host.handle(2_199, Event::Tick)).is_empty());
    assert_eq!(outcomes(&host.handle(2_200, Event::Tick)), [(8, Pinged::Silent)]);
}

#[test]
fn for_a_member_without_a_link_peers_are_asked() {
    let mut host = host(None);
    let asked = probes(&host.handle(100, ping(7, 3)));
    assert_eq!(asked.len(), 2);
    let ((first, request), (second, _)) = (asked[0], asked[1]);
    let answer = |is_reached| Message::Probed { request, is_reached };
    assert!(outcomes(&host.handle(101, received(first, &answer(false)))).is_empty());
    let reached = Pinged::Reached { through: node(second), after: Duration::from_millis(3) };
    assert_eq!(outcomes(&host.handle(103, received(second, &answer(true)))), [(7, reached)]);

    let asked: Vec<u8> = probes(&host.handle(200, ping(8, 3))).into_iter().map(|(peer, _)| peer).collect();
    let unreached = Pinged::Unreached { asked: asked.into_iter().map(node).collect() };
    assert_eq!(outcomes(&host.handle(700, Event::Tick)), [(8, unreached)]);

    let mut alone = Node::new(0, 4);
    assert_eq!(outcomes(&alone.handle(10, ping(9, 3))), [(9, Pinged::Unreached { asked: Vec::new() })]);
}

#[test]
fn pings_are_counted() {
    let mut host = host(None);
    for number in 0..PINGS as u64 {
        assert!(outcomes(&host.handle(100, ping(number, 1))).is_empty());
    }
    assert_eq!(outcomes(&host.handle(100, ping(99, 1))), [(99, Pinged::TooMany)]);
    assert_eq!(outcomes(&host.handle(3_000, Event::Tick)).len(), PINGS);
    assert!(outcomes(&host.handle(3_000, ping(100, 1))).is_empty());
}

#[test]
fn clocks_are_compared_when_hosts_meet_and_again() {
    const NOON_MS: u64 = 1_700_000_000_000;
    let mut host = Node::new(0, 4);
    host.handle(0, Event::WallClock { now_ms: NOON_MS });
    host.handle(10, Event::PeerConnected { peer: node(1) });
    let request = pings(&host.handle(10, hello(1)), 1)[0];
    host.handle(14, received(1, &Message::Pong { request, wall_ms: NOON_MS + 60_012 }));
    let clock = |host: &Node, now_ms| {
        let members = host.engine.members(Duration::from_millis(now_ms));
        members.into_iter().find(|member| member.node == node(1)).unwrap().clock
    };
    assert_eq!(clock(&host, 20), Some(ClockDifference { ahead_ms: 60_000, within_ms: 2 }));

    let answered = sent(&host.handle(1_000, received(1, &Message::Ping { request: 5 })));
    assert!(answered.contains(&(node(1), Message::Pong { request: 5, wall_ms: NOON_MS + 1_000 })), "{answered:?}");
    let again = MEASURE_AGAIN.as_secs();
    let all: Vec<Effect> = (2..again + 10).flat_map(|second| host.handle(1_000 * second, Event::Tick)).collect();
    assert_eq!(pings(&all, 1).len(), 1, "once in {again} s");
    let request = pings(&all, 1)[0];
    host.handle(80_000, received(1, &Message::Pong { request, wall_ms: 0 }));
    assert!(clock(&host, 80_000).is_some(), "one that tells no clock changes nothing");
    host.handle(90_000, Event::PeerDisconnected { peer: node(1) });
    assert_eq!(clock(&host, 90_000), None);
}

#[test]
fn who_was_told_no_clock_tells_none() {
    let mut host = Node::new(0, 4);
    host.handle(10, Event::PeerConnected { peer: node(1) });
    host.handle(10, hello(1));
    let answered = sent(&host.handle(20, received(1, &Message::Ping { request: 5 })));
    assert!(answered.contains(&(node(1), Message::Pong { request: 5, wall_ms: 0 })), "{answered:?}");
}
