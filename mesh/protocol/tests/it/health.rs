//! Members' health: links lost, probes, suspicion, refutation, death and return.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use murmurate_protocol::message::{Message, Rumour};
use murmurate_protocol::{Effect, Event, Member, MemberState, SUSPECT_LEAST, SUSPECT_MOST, Summary};

use crate::common::{Node, config, node, received, sent};
use crate::mesh::Mesh;

use MemberState::{Alive, Dead, Left, Suspect};

const OTHERS: std::ops::Range<u8> = 1..6;

fn hello(peer: u8, highest: u64) -> Event {
    received(peer, &Message::Hello { lowest: 1, highest, summary: Summary::default() })
}

fn rumour(number: u8, generation: u64, incarnation: u64, state: MemberState, by: u8) -> Rumour {
    Rumour { node: node(number), generation, incarnation, state, by: node(by) }
}

fn rumoured(peer: u8, rumours: &[Rumour]) -> Event {
    received(peer, &Message::Rumours { rumours: rumours.to_vec() })
}

/// A host that has met members 1 to 5, each in its first life.
fn host() -> Node {
    let mut host = Node::new(0, 6);
    for peer in OTHERS {
        host.handle(10, Event::PeerConnected { peer: node(peer) });
        host.handle(10, hello(peer, 2));
        host.handle(10, rumoured(peer, &[rumour(peer, 7, 0, Alive, peer)]));
    }
    host
}

fn member(host: &Node, number: u8, now_ms: u64) -> Member {
    let members = host.engine.members(Duration::from_millis(now_ms));
    members.into_iter().find(|member| member.node == node(number)).unwrap()
}

fn state(host: &Node, number: u8, now_ms: u64) -> MemberState {
    member(host, number, now_ms).state
}

/// Who is asked whether it reaches a member, with which request.
fn probes(effects: &[Effect]) -> BTreeMap<u8, u64> {
    let probes = sent(effects).into_iter().filter_map(|(peer, message)| match message {
        Message::Probe { request, .. } => Some((OTHERS.into_iter().find(|&number| node(number) == peer)?, request)),
        _ => None,
    });
    probes.collect()
}

/// What is rumoured to whom.
fn rumours(effects: &[Effect]) -> BTreeMap<u8, Vec<Rumour>> {
    let told = sent(effects).into_iter().filter_map(|(peer, message)| match message {
        Message::Rumours { rumours } => Some((OTHERS.into_iter().find(|&number| node(number) == peer)?, rumours)),
        _ => None,
    });
    told.collect()
}

/// Ticks every 10 ms; gives all effects.
fn pass(host: &mut Node, from_ms: u64, to_ms: u64) -> Vec<Effect> {
    (from_ms..to_ms).step_by(10).flat_map(|now_ms| host.handle(now_ms, Event::Tick)).collect()
}

fn lose(host: &mut Node, number: u8, now_ms: u64) -> Vec<Effect> {
    host.handle(now_ms, Event::PeerDisconnected { peer: node(number) })
}

#[test]
fn a_member_whose_link_is_lost_and_that_nobody_reaches_is_suspect_and_then_dead() {
    let mut host = host();
    pass(&mut host, 20, 5_000);
    let asked = probes(&lose(&mut host, 1, 5_000));
    assert!(asked.len() == 3 && !asked.contains_key(&1));
    assert_eq!(state(&host, 1, 5_000), Alive);
    let mut effects = Vec::new();
    for (&peer, &request) in &asked {
        effects = host.handle(5_010, received(peer, &Message::Probed { request, is_reached: false }));
    }
    let told = rumours(&effects);
    assert_eq!(told.keys().copied().collect::<BTreeSet<_>>(), BTreeSet::from([2, 3, 4, 5]));
    assert!(told.values().all(|rumours| rumours[..] == [rumour(1, 7, 0, Suspect, 0)]));
    assert_eq!(state(&host, 1, 5_010), Suspect);

    let alone = u64::try_from(SUSPECT_MOST.as_millis()).unwrap();
    let effects = pass(&mut host, 5_020, 5_010 + alone);
    assert!(rumours(&effects).values().flatten().all(|rumour| rumour.state != Dead));
    let effects = host.handle(5_010 + alone, Event::Tick);
    assert!(rumours(&effects)[&2].contains(&rumour(1, 7, 0, Dead, 0)));
    assert_eq!(state(&host, 1, 60_000), Dead);
    let history: Vec<_> = host.engine.history(node(1)).map(|transition| (transition.state, transition.by)).collect();
    assert_eq!(history, [(Alive, node(0)), (Suspect, node(0)), (Dead, node(0))]);
}

#[test]
fn the_more_hosts_suspect_a_member_the_sooner_it_is_dead() {
    let mut host = host();
    pass(&mut host, 20, 5_000);
    lose(&mut host, 1, 5_000);
    for by in [2, 3, 4, 5] {
        let told = rumours(&host.handle(5_000, rumoured(by, &[rumour(1, 7, 0, Suspect, by)])));
        // The second is this host, which lost its own link.
        assert_eq!(told.is_empty(), by == 5, "three confirmations are passed on, and no more");
    }
    let least = u64::try_from(SUSPECT_LEAST.as_millis()).unwrap();
    pass(&mut host, 5_010, 5_000 + least);
    assert_eq!(state(&host, 1, 5_000 + least), Suspect);
    host.handle(5_000 + least, Event::Tick);
    assert_eq!(state(&host, 1, 5_000 + least), Dead);
}

#[test]
fn a_member_that_a_peer_reaches_or_that_comes_back_in_time_is_not_suspected() {
    for returns in [false, true] {
        let mut host = host();
        pass(&mut host, 20, 5_000);
        let asked = probes(&lose(&mut host, 1, 5_000));
        let (&peer, &request) = asked.first_key_value().unwrap();
        if returns {
            host.handle(5_100, Event::PeerConnected { peer: node(1) });
        } else {
            host.handle(5_100, received(peer, &Message::Probed { request, is_reached: true }));
        }
        let effects = pass(&mut host, 5_110, 7_000);
        assert!(rumours(&effects).values().flatten().all(|rumour| rumour.state == Alive), "returns: {returns}");
        assert_eq!(state(&host, 1, 7_000), Alive);
        assert_eq!(member(&host, 1, 7_000).connected, returns);
    }
}

#[test]
fn who_is_asked_pings_over_its_link_or_dials_and_says_whether_it_was_answered() {
    let mut config = config(0);
    config.full_mesh = 1;
    let mut host = Node::with(config, 6);
    for peer in [1, 2] {
        host.handle(10, Event::PeerConnected { peer: node(peer) });
        host.handle(10, hello(peer, 2));
    }
    host.handle(10, rumoured(1, &[rumour(3, 7, 0, Alive, 3), rumour(4, 7, 0, Dead, 3)]));
    let answers = |effects: &[Effect]| {
        let answers = sent(effects).into_iter().filter(|(peer, _)| *peer == node(1));
        let answers = answers.filter_map(|(_, message)| match message {
            Message::Probed { request, is_reached } => Some((request, is_reached)),
            _ => None,
        });
        answers.collect::<Vec<_>>()
    };
    let probe = |request, number| received(1, &Message::Probe { request, node: node(number) });
    let pings = |effects: &[Effect]| {
        sent(effects).into_iter().find_map(|(peer, message)| match message {
            Message::Ping { request } if peer == node(2) => Some(request),
            _ => None,
        })
    };
    let ping = pings(&host.handle(20, probe(70, 2))).unwrap();
    assert_eq!(answers(&host.handle(30, received(2, &Message::Pong { request: ping, wall_ms: 0 }))), [(70, true)]);
    assert!(answers(&host.handle(31, received(2, &Message::Pong { request: ping, wall_ms: 0 }))).is_empty());
    assert!(pings(&host.handle(40, probe(71, 2))).is_some());
    assert_eq!(answers(&pass(&mut host, 50, 450)), [(71, false)]);

    host.handle(500, probe(72, 3));
    let links = host.handle(510, Event::Tick).into_iter().find_map(|effect| match effect {
        Effect::Links { peers } => Some(peers),
        _ => None,
    });
    assert!(links.unwrap_or_else(|| host.engine.links().clone()).contains(&node(3)));
    assert_eq!(answers(&host.handle(600, Event::PeerConnected { peer: node(3) })), [(72, true)]);
    assert_eq!(answers(&host.handle(610, probe(73, 4))), [(73, false)], "what is known needs no asking");
    assert_eq!(answers(&host.handle(610, Event::PeerConnected { peer: node(4) })), []);
}

#[test]
fn a_host_that_hears_that_it_is_suspect_or_dead_refutes() {
    let mut host = host();
    for (incarnation, state) in [(0, Suspect), (1, Dead), (2, Left)] {
        let told = rumours(&host.handle(20, rumoured(2, &[rumour(0, 1, incarnation, state, 3)])));
        let expected = if state == Left { rumour(0, 2, 0, Alive, 0) } else { rumour(0, 1, incarnation + 1, Alive, 0) };
        assert!(OTHERS.into_iter().all(|peer| told[&peer] == [expected]), "{told:?}");
    }
    let told = rumours(&host.handle(30, rumoured(2, &[rumour(0, 1, 0, Dead, 3)])));
    assert_eq!(told, BTreeMap::from([(2, vec![rumour(0, 2, 0, Alive, 0)])]), "who knows less is told");
    assert_eq!(host.engine.generation(), 2);
    host.handle(40, Event::Leave);
    assert!(rumours(&host.handle(50, rumoured(2, &[rumour(0, 2, 0, Left, 3)]))).is_empty(), "it does leave");
}

#[test]
fn for_an_older_peer_who_has_a_link_with_it_refutes() {
    let mut host = Node::new(0, 4);
    for (peer, version) in [(1, 1), (2, 2), (3, 2)] {
        host.handle(10, Event::PeerConnected { peer: node(peer) });
        host.handle(10, hello(peer, version));
    }
    let told = rumours(&host.handle(20, rumoured(2, &[rumour(1, 0, 0, Suspect, 2)])));
    assert!(told[&2].contains(&rumour(1, 0, 1, Alive, 0)) && told[&3].contains(&rumour(1, 0, 1, Alive, 0)));
    assert!(!told.contains_key(&1), "it is told nothing that it doesn't know");
    let asked = host.handle(30, received(2, &Message::Probe { request: 5, node: node(1) }));
    assert!(sent(&asked).contains(&(node(2), Message::Probed { request: 5, is_reached: true })));
}

#[test]
fn a_host_that_stood_still_blames_itself() {
    let mut host = host();
    pass(&mut host, 20, 5_000);
    for peer in OTHERS {
        assert!(probes(&lose(&mut host, peer, 65_000)).is_empty(), "after a minute of standstill");
    }
    for peer in 2..6 {
        host.handle(65_100, Event::PeerConnected { peer: node(peer) });
        host.handle(65_100, hello(peer, 2));
    }
    let mut first_probe = None;
    for now_ms in (65_110..80_000).step_by(10) {
        let effects = host.handle(now_ms, Event::Tick);
        if !probes(&effects).is_empty() {
            first_probe.get_or_insert(now_ms);
        }
    }
    assert!(first_probe >= Some(68_000), "{first_probe:?}: who is still away is asked for in the end");
    assert_ne!(state(&host, 1, 80_000), Alive);
}

#[test]
fn who_left_has_left_everywhere_until_its_next_life() {
    let mut host = host();
    let told = rumours(&host.handle(20, received(1, &Message::Leaving)));
    assert!(told[&2] == [rumour(1, 7, 0, Left, 1)]);
    host.handle(30, Event::PeerDisconnected { peer: node(1) });
    host.handle(30, rumoured(2, &[rumour(1, 7, 9, Alive, 1)]));
    assert_eq!(state(&host, 1, 30), Left);
    host.handle(40, rumoured(2, &[rumour(1, 8, 0, Alive, 1)]));
    assert_eq!((state(&host, 1, 40), member(&host, 1, 40).generation), (Alive, 8));
}

#[test]
fn peers_that_believe_otherwise_tell_each_other_all() {
    let links = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];
    let mut mesh = Mesh::with(6, &links, |config| config.full_mesh = 1);
    mesh.tell([(0, rumoured(1, &[rumour(4, 3, 0, Alive, 4), rumour(5, 3, 0, Dead, 1)]))]);
    mesh.advance(100);
    for host in 0..4 {
        assert_eq!((state(&mesh.hosts[host], 4, mesh.now_ms), state(&mesh.hosts[host], 5, mesh.now_ms)), (Alive, Dead));
    }
    mesh.connect(4, 0);
    mesh.advance(3_000);
    let newcomer = &mesh.hosts[4];
    assert!((0..4).all(|number| state(newcomer, number, mesh.now_ms) == Alive));
    assert_eq!(state(newcomer, 5, mesh.now_ms), Dead);
    assert_eq!(newcomer.engine.generation(), 3, "what others heard of it counts");
    mesh.connect(5, 4);
    mesh.advance(3_000);
    for host in 0..5 {
        assert_eq!(state(&mesh.hosts[host], 5, mesh.now_ms), Alive, "host {host}");
    }
}

#[test]
fn where_there_is_no_link_what_another_gossip_heard_counts() {
    let mut host = Node::new(0, 4);
    for peer in [1, 2] {
        host.handle(10, Event::PeerConnected { peer: node(peer) });
        host.handle(10, hello(peer, 2));
    }
    let heard = |generation, is_live, state_hash| Event::Heard { node: node(3), generation, is_live, state_hash };
    assert_eq!((state(&host, 3, 20), state(&host, 3, 20_000)), (Suspect, Dead), "nothing was heard");
    host.handle(20, heard(4, true, Some([1; 32])));
    assert_eq!((state(&host, 3, 20_000), member(&host, 3, 20).in_step), (Alive, false));
    let own = host.engine.state_hash();
    host.handle(30, heard(4, true, Some(own)));
    assert!(member(&host, 3, 30).in_step);
    let asked = probes(&host.handle(40, heard(4, false, None)));
    assert_eq!((asked.len(), member(&host, 3, 30).in_step), (2, false), "it is asked for");
    pass(&mut host, 50, 600);
    assert_eq!(state(&host, 3, 600), Suspect);
    host.handle(600, heard(5, true, None));
    assert_eq!(state(&host, 3, 600), Alive);
}
