//! A mesh above the size of a full one: trees form, are repaired, and peers of older builds get all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use murmurate_protocol::message::Message;
use murmurate_protocol::{Effect, Event};

use crate::common::{Node, change, config, connect, dot, node, pushed, received, sent};
use crate::mesh::Mesh;

const APP: &str = "web/app.toml";

/// A ring of six with all its diagonals: three links a host.
const LINKS: [(u8, u8); 9] = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5), (0, 3), (1, 4), (2, 5)];

fn tree_mesh(links: &[(u8, u8)]) -> Mesh {
    Mesh::with(6, links, |config| config.full_mesh = 1)
}

/// A member of a mesh without links between all, connected with members 1 to 3, which know the messages of trees.
fn host() -> Node {
    let mut config = config(0);
    config.full_mesh = 1;
    let mut host = Node::with(config, 5);
    host.handle(20, Event::Tick);
    for peer in 1..4 {
        connect(&mut host, peer);
        host.handle(21, received(peer, &Message::Hello { lowest: 1, highest: 2, summary: Default::default() }));
    }
    host
}

fn announced(effects: &[Effect]) -> Vec<(u8, [u8; 16])> {
    let messages = sent(effects).into_iter().filter_map(|(peer, message)| match message {
        Message::Announce { items } => Some((peer, items[0])),
        _ => None,
    });
    messages.map(|(peer, item)| ((0..5).find(|&number| node(number) == peer).unwrap(), item)).collect()
}

fn pushes(effects: &[Effect]) -> BTreeSet<u8> {
    let messages = sent(effects).into_iter();
    let peers = messages.filter(|(_, message)| matches!(message, Message::Changes { request: 0, .. }));
    peers.map(|(peer, _)| (0..5).find(|&number| node(number) == peer).unwrap()).collect()
}

#[test]
fn after_its_first_change_an_authors_changes_cross_as_many_links_as_there_are_other_hosts() {
    let mut mesh = tree_mesh(&LINKS);
    for author in [0, 3] {
        mesh.write(author, vec![change(author, APP, 1, &[])]);
        mesh.advance(1_000);
        for sequence in 2..5 {
            mesh.log.clear();
            mesh.write(author, vec![change(author, APP, sequence, &[])]);
            assert!((0..6).all(|number| mesh.has_applied(number, APP, dot(author, sequence))), "at once");
            mesh.advance(1_000);
            assert_eq!(mesh.pushes().len(), 5, "author {author}: {:?}", mesh.pushes());
            assert!(!mesh.log.iter().any(|(_, _, message)| matches!(message, Message::Graft { .. })));
        }
    }
    assert!(mesh.converged_among_linked());
}

#[test]
fn when_hosts_die_their_subtrees_are_grafted_within_a_second() {
    let mut grafts = 0;
    for dead in 1..6 {
        let mut mesh = tree_mesh(&LINKS);
        mesh.write(0, vec![change(0, APP, 1, &[])]);
        mesh.advance(1_000);
        mesh.log.clear();
        // It still holds its connections, as a host does that stopped a moment ago.
        mesh.deaf.insert(dead);
        mesh.write(0, vec![change(0, APP, 2, &[])]);
        mesh.advance(500);
        let others = (1..6).filter(|&number| number != dead);
        assert!(others.clone().all(|number| mesh.has_applied(number, APP, dot(0, 2))), "without {dead}");
        grafts += mesh.log.iter().filter(|(_, _, message)| matches!(message, Message::Graft { .. })).count();
        mesh.log.clear();
        mesh.write(0, vec![change(0, APP, 3, &[])]);
        assert!(others.clone().all(|number| mesh.has_applied(number, APP, dot(0, 3))), "the tree is whole again");
    }
    assert!(grafts > 0);
}

#[test]
fn a_second_copy_prunes_its_link_and_what_is_announced_there_can_be_fetched() {
    let mut host = host();
    let (first, second) = (change(4, APP, 1, &[]), change(4, APP, 2, &[]));
    assert_eq!(pushes(&host.handle(30, pushed(1, &[&first]))), BTreeSet::from([2, 3]));
    let prunes = sent(&host.handle(31, pushed(2, &[&first])));
    assert_eq!(prunes, [(node(2), Message::Prune { trees: vec![node(4)] })]);
    assert_eq!(pushes(&host.handle(32, pushed(1, &[&second]))), BTreeSet::from([3]));
    let announcements = announced(&host.handle(90, Event::Tick));
    assert!(matches!(announcements[..], [(2, _)]));
    let item = announcements[0].1;
    let effects = host.handle(100, received(2, &Message::Graft { items: vec![item, item, [9; 16]] }));
    assert_eq!(pushes(&effects), BTreeSet::from([2]));
    let third = change(4, APP, 3, &[]);
    assert_eq!(pushes(&host.handle(101, pushed(1, &[&third]))), BTreeSet::from([2, 3]), "the link is eager again");
    let prune = Message::Prune { trees: vec![node(4)] };
    host.handle(102, received(3, &prune));
    assert_eq!(pushes(&host.handle(103, pushed(1, &[&change(4, APP, 4, &[])]))), BTreeSet::from([2]));
    assert_eq!(
        pushes(&host.handle(104, pushed(1, &[&change(3, APP, 1, &[])]))),
        BTreeSet::from([2]),
        "not to the author"
    );
}

#[test]
fn who_announces_what_doesnt_come_is_asked_one_after_the_other() {
    let mut host = host();
    let item = [7; 16];
    for peer in [1, 2] {
        host.handle(30, received(peer, &Message::Announce { items: vec![item] }));
    }
    let mut asked = BTreeMap::new();
    for now_ms in 30..3_000 {
        for (peer, message) in sent(&host.handle(now_ms, Event::Tick)) {
            if message == (Message::Graft { items: vec![item] }) {
                asked.insert(now_ms, peer);
            }
        }
    }
    assert_eq!(asked, BTreeMap::from([(130, node(1)), (630, node(2))]));
}

#[test]
fn a_peer_of_an_older_build_is_pushed_everything_and_told_nothing_else() {
    let mut host = host();
    connect(&mut host, 3);
    host.handle(25, received(3, &Message::Hello { lowest: 1, highest: 1, summary: Default::default() }));
    let first = change(4, APP, 1, &[]);
    host.handle(30, pushed(1, &[&first]));
    assert!(sent(&host.handle(31, pushed(3, &[&first]))).is_empty(), "no prune");
    host.handle(32, received(3, &Message::Prune { trees: vec![node(4)] }));
    assert_eq!(pushes(&host.handle(33, pushed(1, &[&change(4, APP, 2, &[])]))), BTreeSet::from([2, 3]));
    for now_ms in 34..40_000 {
        for (peer, message) in sent(&host.handle(now_ms, Event::Tick)) {
            let is_old = matches!(message, Message::Summary(_) | Message::WantStatements { .. });
            assert!(peer != node(3) || is_old, "{message:?}");
        }
    }
}

#[test]
fn a_link_that_neither_side_chose_is_closed_after_a_while_and_others_are_not() {
    let mut chosen = BTreeSet::new();
    let mut config = config(0);
    config.full_mesh = 1;
    let mut host = Node::with(config, 12);
    let mut closed = BTreeSet::new();
    for now_ms in 20..60_000 {
        if now_ms == 30 {
            for peer in 1..12 {
                host.handle(now_ms, Event::PeerConnected { peer: node(peer) });
                let hello = Message::Hello { lowest: 1, highest: 2, summary: Default::default() };
                host.handle(now_ms, received(peer, &hello));
                host.handle(now_ms, received(peer, &Message::Link { is_wanted: peer == 1 }));
            }
        }
        for effect in host.handle(now_ms, Event::Tick) {
            match effect {
                Effect::Links { peers } => chosen = peers,
                Effect::Disconnect { peer, .. } => {
                    assert!(now_ms > 30_000, "not at once");
                    closed.insert(peer);
                    host.handle(now_ms, Event::PeerDisconnected { peer });
                }
                _ => {}
            }
        }
    }
    assert_eq!(chosen.len(), 3);
    let spare = (2..12).map(node).filter(|peer| !chosen.contains(peer) && *peer > node(0));
    assert_eq!(closed, spare.collect());
}

/// Connects whoever wants a link, as the network does within some milliseconds; who is deaf can't be reached.
fn dial(mesh: &mut Mesh, links: &mut BTreeSet<(u8, u8)>) {
    let hosts = u8::try_from(mesh.hosts.len()).unwrap();
    for (a, b) in (0..hosts).flat_map(|a| (0..hosts).map(move |b| (a, b))) {
        let wants = mesh.hosts[usize::from(a)].engine.links().contains(&node(b));
        if wants && !mesh.deaf.contains(&a) && !mesh.deaf.contains(&b) && links.insert((a.min(b), a.max(b))) {
            mesh.connect(a, b);
        }
    }
}

/// What a host says of the others, for a person.
fn seen(mesh: &Mesh, host: u8) -> String {
    let members = mesh.hosts[usize::from(host)].engine.members(Duration::from_millis(mesh.now_ms));
    let number = |id| (0..20).find(|&number| node(number) == id).unwrap_or(u8::MAX);
    members.iter().map(|m| format!("{} {:?} {}; ", number(m.node), m.state, m.connected)).collect()
}

#[test]
fn who_loses_neighbours_has_new_links_within_a_second() {
    for dead in [[0, 1], [5, 12], [18, 19]] {
        let (mut mesh, mut links) = (Mesh::with(20, &[], |config| config.full_mesh = 1), BTreeSet::new());
        for _ in 0..300 {
            dial(&mut mesh, &mut links);
            mesh.advance(10);
        }
        mesh.deaf.extend(dead);
        let of_dead = |&(a, b): &(u8, u8)| dead.contains(&a) || dead.contains(&b);
        let lost: Vec<(u8, u8)> = links.extract_if(.., |link| of_dead(link)).collect();
        let ends = lost.iter().flat_map(|&(a, b)| [(a, b), (b, a)]).filter(|(host, _)| !dead.contains(host));
        let ends: Vec<(u8, u8)> = ends.collect();
        let chose = |mesh: &Mesh, host: u8, peer| mesh.hosts[usize::from(host)].engine.links().contains(&node(peer));
        let choosers: BTreeSet<u8> =
            ends.iter().filter(|&&(host, peer)| chose(&mesh, host, peer)).map(|end| end.0).collect();
        let began = mesh.now_ms;
        mesh.tell(ends.iter().map(|&(host, peer)| (host, Event::PeerDisconnected { peer: node(peer) })));
        let is_repaired = |links: &BTreeSet<(u8, u8)>, mesh: &Mesh, host: u8| {
            let own =
                (0..20).filter(|&peer| chose(mesh, host, peer) && links.contains(&(host.min(peer), host.max(peer))));
            own.count() >= 3
        };
        while let Some(&host) = choosers.iter().find(|&&host| !is_repaired(&links, &mesh, host)) {
            let wanted: Vec<u8> = (0..20).filter(|&peer| chose(&mesh, host, peer)).collect();
            assert!(
                mesh.now_ms < began + 1_000,
                "without {dead:?} host {host} wants {wanted:?}: {}",
                seen(&mesh, host)
            );
            mesh.advance(10);
            dial(&mut mesh, &mut links);
        }
        println!(
            "{dead:?} died: {} hosts that had chosen them have others after {} ms",
            choosers.len(),
            mesh.now_ms - began
        );
    }
}
