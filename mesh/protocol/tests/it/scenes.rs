//! The engine's behaviour, one small scene a promise.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use murmurate_crdt::clock::{Dot, VersionVector};
use murmurate_crdt::id::Generation;
use murmurate_protocol::message::Message;
use murmurate_protocol::{Effect, Event, Held, MemberState, Trouble};

use crate::common::{
    self, Node, applied, change, config, connect, document, dot, node, pushed, received, sent, troubles,
};
use crate::mesh::Mesh;

const APP: &str = "web/app.toml";

fn equivocated(effects: &[Effect]) -> Vec<usize> {
    let found = effects.iter().filter_map(|effect| match effect {
        Effect::Equivocation { envelopes, .. } => Some(envelopes.len()),
        _ => None,
    });
    found.collect()
}

#[test]
fn in_a_full_mesh_a_change_crosses_each_link_from_its_author_once() {
    let mut mesh = Mesh::new(4, &[(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]);
    mesh.write(1, vec![change(1, APP, 1, &[])]);
    assert_eq!(BTreeSet::from_iter(mesh.pushes()), BTreeSet::from([(1, 0), (1, 2), (1, 3)]));
    assert_eq!(mesh.pushes().len(), 3);
    mesh.advance(200);
    assert!(mesh.converged());
    assert_eq!(mesh.pushes().len(), 3);
    assert!(!mesh.log.iter().any(|(_, _, message)| matches!(message, Message::Buckets { .. })), "nothing to compare");
}

#[test]
fn where_links_are_missing_a_change_takes_further_hops_at_once() {
    let mut mesh = Mesh::new(4, &[(0, 1), (1, 2), (2, 3)]);
    mesh.write(0, vec![change(0, APP, 1, &[])]);
    assert!((1..4).all(|number| mesh.has_applied(number, APP, dot(0, 1))));
    assert_eq!(mesh.pushes(), [(0, 1), (1, 2), (2, 3)]);
}

#[test]
fn changes_of_one_group_travel_in_one_frame_per_peer() {
    let mut mesh = Mesh::new(3, &[(0, 1), (0, 2), (1, 2)]);
    mesh.write(0, (1..=20).map(|sequence| change(0, APP, sequence, &[])).collect());
    assert_eq!(mesh.pushes().len(), 2);
    assert!(mesh.has_applied(2, APP, dot(0, 20)));
}

#[test]
fn a_host_that_connects_later_fetches_all_pages() {
    let mut mesh = Mesh::new(2, &[]);
    let large = vec![7; 100_000];
    for sequence in 1..=8 {
        let envelope = common::envelope(0, APP, dot(0, sequence), &[], &large);
        mesh.write(0, vec![envelope.sign(common::MESH, &common::key(0))]);
    }
    for number in 0..300 {
        mesh.write(0, vec![change(0, &format!("web/{number:0>900}"), 1, &[])]);
    }
    mesh.tell([(0, Event::PeerConnected { peer: node(1) }), (1, Event::PeerConnected { peer: node(0) })]);
    mesh.advance(1_000);
    assert!(mesh.converged());
    let count = |is: fn(&Message) -> bool| mesh.log.iter().filter(|(_, _, message)| is(message)).count();
    assert!(count(|message| matches!(message, Message::Vectors { .. })) > 1, "vectors come in pages");
    assert!(count(|message| matches!(message, Message::Changes { .. })) > 4, "changes come in pages");
    assert!(mesh.log.iter().all(|(_, _, message)| message.encode().len() < 300 * 1024));
}

#[test]
fn lag_and_step_follow_what_the_peer_says() {
    let mut mesh = Mesh::new(2, &[(0, 1)]);
    mesh.write(0, vec![change(0, APP, 1, &[]), change(0, APP, 2, &[])]);
    let now = Duration::from_millis(mesh.now_ms);
    let member = mesh.hosts[0].engine.members(now).remove(0);
    assert!(!member.in_step && member.lag_changes == 2 && member.name.as_deref() == Some("host-1"));
    assert!(!mesh.converged());
    mesh.advance(200);
    let member = mesh.hosts[0].engine.members(Duration::from_millis(mesh.now_ms)).remove(0);
    assert!(member.in_step && member.lag_changes == 0 && member.out_of_step_since.is_none());
    assert!(mesh.converged());
}

#[test]
fn only_what_is_durable_is_told_to_peers() {
    let mut host = Node::new(0, 3);
    connect(&mut host, 1);
    host.handle(1, pushed(1, &[&change(1, APP, 1, &[])]));
    let ask = received(1, &Message::Summary(murmurate_protocol::Summary { reply_wanted: true, ..Default::default() }));
    let folders = |effects: &[Effect]| {
        sent(effects).into_iter().find_map(|(_, message)| match message {
            Message::Summary(summary) => Some(summary.folders.len()),
            _ => None,
        })
    };
    assert_eq!(folders(&host.handle(2, ask.clone())), Some(0));
    let vector = VersionVector::from_iter([dot(1, 1)]);
    host.handle(3, Event::Durable { document: document(APP), vector });
    assert_eq!(folders(&host.handle(4, ask)), Some(1));
}

#[test]
fn changes_wait_for_what_they_build_on_and_come_out_in_causal_order() {
    let mut host = Node::new(0, 4);
    connect(&mut host, 1);
    let (a, b) = (change(1, APP, 1, &[]), change(1, APP, 2, &[]));
    let (c, d) = (change(2, APP, 1, &[dot(1, 2), dot(3, 1)]), change(3, APP, 1, &[dot(1, 1)]));
    assert!(applied(&host.handle(1, pushed(1, &[&c, &b, &d]))).is_empty());
    assert_eq!(host.engine.held().waiting_changes, 3);
    let order = applied(&host.handle(2, pushed(1, &[&a])));
    let place = |dot: Dot| order.iter().position(|&other| other == dot).unwrap();
    assert_eq!(order.len(), 4);
    assert!(place(dot(1, 1)) < place(dot(1, 2)) && place(dot(1, 1)) < place(dot(3, 1)));
    assert!(place(dot(2, 1)) == 3);
    assert_eq!(host.engine.held(), Held::default());
    assert!(applied(&host.handle(3, pushed(1, &[&a, &b, &c, &d]))).is_empty(), "nothing is applied twice");
}

#[test]
fn the_waiting_buffer_is_bounded_and_drops_the_farthest() {
    let mut small = config(0);
    (small.waiting_bytes_per_peer, small.waiting_bytes) = (20_000, 20_000);
    let mut host = Node::with(small, 2);
    connect(&mut host, 1);
    let changes: Vec<_> = (1..=100).map(|sequence| change(1, APP, sequence, &[])).collect();
    let far: Vec<_> = changes[1..].iter().rev().collect();
    let effects = host.handle(1, pushed(1, &far));
    assert!(matches!(troubles(&effects)[..], [Trouble::WaitingFull { dropped: 1, .. }, ..]));
    let waiting = host.engine.held().waiting_changes;
    assert!(host.engine.held().waiting_bytes <= 20_000 && waiting > 5);
    assert_eq!(applied(&host.handle(2, pushed(1, &[&changes[0]]))).len(), waiting + 1, "the nearest were kept");
}

#[test]
fn an_unknown_author_waits_until_its_admission_comes_from_who_sent_the_change() {
    let mut host = Node::new(0, 2);
    connect(&mut host, 1);
    let effects = host.handle(1, pushed(1, &[&change(2, APP, 1, &[])]));
    assert!(applied(&effects).is_empty() && troubles(&effects).is_empty());
    assert!(sent(&effects).iter().any(|(peer, message)| {
        *peer == node(1) && matches!(message, Message::WantStatements { nodes, .. } if *nodes == [node(2)])
    }));
    assert_eq!(host.engine.held().unknown_authors, 1);
    let statements = vec![common::admission(2).bytes().clone()];
    let effects = host.handle(2, received(1, &Message::Statements { next: None, statements }));
    assert_eq!(applied(&effects), [dot(2, 1)]);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Stated { .. })));
    assert_eq!(host.engine.held(), Held::default());
}

#[test]
fn who_holds_an_admission_gives_it_and_a_foreign_authoritys_is_refused() {
    let mut host = Node::new(0, 3);
    connect(&mut host, 1);
    let ask = Message::WantStatements { after: [0; 32], nodes: vec![node(2)] };
    let (_, answer) = sent(&host.handle(1, received(1, &ask))).remove(0);
    let statements = vec![common::admission(2).bytes().clone()];
    assert_eq!(answer, Message::Statements { next: None, statements });

    let key = common::key(9);
    let forged = common::admit(&key, &key, "thief");
    let statements = vec![forged.bytes().clone()];
    let effects = host.handle(2, received(1, &Message::Statements { next: None, statements }));
    assert!(matches!(troubles(&effects)[..], [Trouble::BadStatement { .. }]));
    assert!(host.engine.roster().key(node(9)).is_none());
}

#[test]
fn a_forged_change_is_dropped_and_the_true_one_taken() {
    let mut host = Node::new(0, 3);
    connect(&mut host, 1);
    let forged = common::envelope(2, APP, dot(2, 1), &[], b"x").sign(common::MESH, &common::key(1));
    let other_mesh =
        common::envelope(2, APP, dot(2, 1), &[], b"x").sign(murmurate_crdt::id::MeshId([9; 16]), &common::key(2));
    let effects = host.handle(1, pushed(1, &[&forged, &other_mesh, &change(2, APP, 1, &[])]));
    assert!(matches!(troubles(&effects)[..], [Trouble::BadSignature { .. }, Trouble::BadSignature { .. }]));
    assert_eq!(applied(&effects), [dot(2, 1)]);
}

#[test]
fn a_change_that_cant_be_taken_blocks_its_writer_and_nobody_else() {
    let sign = |envelope: murmurate_crdt::envelope::Envelope| envelope.sign(common::MESH, &common::key(1));
    let envelope = |dependencies: &[Dot], change: &[u8]| common::envelope(1, APP, dot(1, 1), dependencies, change);
    let mut newer = envelope(&[], b"x");
    newer.level = 99;
    let mut other_life = envelope(&[], b"x");
    other_life.generation = Generation { number: 1, cut: [1; 32] };
    let rows = [
        ("a failed guard", envelope(&[], b"bad")),
        ("a dependency on itself", envelope(&[dot(1, 1)], b"x")),
        ("a newer level", newer),
        ("another generation", other_life),
    ];
    for (what, envelope) in rows {
        let mut host = Node::new(0, 3);
        connect(&mut host, 1);
        host.handle(1, pushed(1, &[&change(2, APP, 1, &[])]));
        let effects = host.handle(2, pushed(1, &[&sign(envelope), &change(1, APP, 2, &[]), &change(2, APP, 2, &[])]));
        assert!(matches!(troubles(&effects)[..], [Trouble::BadChange { .. }]), "{what}");
        assert_eq!(applied(&effects), [dot(2, 2)], "{what}");
        assert_eq!(host.engine.held(), Held::default(), "{what}: nothing waits for what never comes");
    }
}

#[test]
fn a_frame_that_cant_be_read_ends_the_connection_and_a_bad_envelope_doesnt() {
    let mut host = Node::new(0, 2);
    connect(&mut host, 1);
    let envelopes = vec![[1u8; 9].into(), change(1, APP, 1, &[]).bytes().clone()];
    let effects = host.handle(1, received(1, &Message::Changes { request: 0, envelopes }));
    assert!(matches!(troubles(&effects)[..], [Trouble::BadEnvelope { .. }]));
    assert_eq!(applied(&effects), [dot(1, 1)]);
    let effects = host.handle(2, Event::Received { peer: node(1), frame: [7, 7].into() });
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Disconnect { .. })));
}

#[test]
fn a_peer_without_a_common_version_is_sent_away() {
    let mut host = Node::new(0, 2);
    connect(&mut host, 1);
    let hello = Message::Hello { lowest: 3, highest: 4, summary: Default::default() };
    let effects = host.handle(1, received(1, &hello));
    assert!(matches!(troubles(&effects)[..], [Trouble::Incompatible { lowest: 3, highest: 4, .. }]));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Disconnect { .. })));
}

#[test]
fn two_changes_with_one_dot_freeze_the_document_whether_one_is_applied_or_both_wait() {
    let other = |sequence| {
        let envelope = common::envelope(1, APP, dot(1, sequence), &[], b"other");
        envelope.sign(common::MESH, &common::key(1))
    };
    let mut host = Node::new(0, 3);
    connect(&mut host, 1);
    host.handle(1, pushed(1, &[&change(1, APP, 1, &[])]));
    assert_eq!(equivocated(&host.handle(2, pushed(1, &[&other(1)]))), [1]);
    assert!(applied(&host.handle(3, pushed(1, &[&change(2, APP, 1, &[])]))).is_empty(), "the document is frozen");
    assert_eq!(applied(&host.handle(3, pushed(1, &[&change(2, "web/b", 1, &[])]))).len(), 1, "others aren't");
    host.handle(4, Event::Thawed { document: document(APP) });
    assert_eq!(applied(&host.handle(5, pushed(1, &[&change(2, APP, 1, &[])]))).len(), 1);

    let mut host = Node::new(0, 3);
    connect(&mut host, 1);
    let effects = host.handle(1, pushed(1, &[&change(1, APP, 2, &[]), &other(2)]));
    assert_eq!(equivocated(&effects), [2]);
    assert_eq!(host.engine.held(), Held::default());
}

#[test]
fn a_duplicate_of_a_change_from_before_the_start_is_given_to_the_shell_to_compare() {
    let mut host = Node::new(0, 2);
    let vector = VersionVector::from_iter([dot(1, 5)]);
    host.handle(0, Event::Loaded { document: document(APP), generation: Generation::default(), vector });
    connect(&mut host, 1);
    let effects = host.handle(1, pushed(1, &[&change(1, APP, 3, &[])]));
    assert!(applied(&effects).is_empty());
    assert!(effects.iter().any(|effect| matches!(effect, Effect::CompareDuplicate { .. })));
}

#[test]
fn a_refused_change_is_as_if_never_received_and_isnt_taken_again() {
    let mut host = Node::new(0, 2);
    connect(&mut host, 1);
    host.handle(1, pushed(1, &[&change(1, APP, 1, &[]), &change(1, APP, 2, &[])]));
    host.handle(2, Event::Durable { document: document(APP), vector: VersionVector::from_iter([dot(1, 1)]) });
    host.handle(3, Event::Refused { document: document(APP), dot: dot(1, 2) });
    assert_eq!(host.engine.applied(&document(APP)), Some(&VersionVector::from_iter([dot(1, 1)])));
    assert!(applied(&host.handle(4, pushed(1, &[&change(1, APP, 2, &[]), &change(1, APP, 3, &[])]))).is_empty());
}

#[test]
fn a_slow_peer_gets_nothing_for_a_while_and_then_learns_what_it_missed() {
    let mut host = Node::new(0, 3);
    connect(&mut host, 1);
    connect(&mut host, 2);
    host.handle(1, Event::SendQueueFull { peer: node(1) });
    let effects = host.handle(2, Event::Local { envelopes: vec![change(0, APP, 1, &[])] });
    assert!(sent(&effects).iter().all(|(peer, _)| *peer == node(2)));
    let effects = host.handle(200, Event::Tick);
    assert!(sent(&effects).iter().all(|(peer, _)| *peer == node(2)), "nor is it told of anything");
    let effects = host.handle(1_100, Event::Tick);
    let told = |message: &Message| matches!(message, Message::Summary(summary) if summary.folders.len() == 1);
    assert!(sent(&effects).iter().any(|(peer, message)| *peer == node(1) && told(message)));
}

#[test]
fn a_silent_peer_is_asked_again_and_given_up_in_the_end() {
    let mut host = Node::new(0, 2);
    connect(&mut host, 1);
    let folders = BTreeMap::from([("web".to_owned(), murmurate_protocol::FolderSummary { root: [1; 32], changes: 1 })]);
    let summary = murmurate_protocol::Summary { folders, ..Default::default() };
    host.handle(1, received(1, &Message::Summary(summary)));
    let mut asked = Vec::new();
    for now_ms in (2..33_000).step_by(10) {
        let messages = sent(&host.handle(now_ms, Event::Tick)).into_iter();
        asked.extend(messages.filter_map(|(_, message)| match message {
            Message::Buckets { query, .. } => Some(query),
            _ => None,
        }));
    }
    assert_eq!(asked.len(), 5);
    assert_eq!(BTreeSet::from_iter(asked).len(), 1, "it is the same question");
}

#[test]
fn who_leaves_is_shown_as_left_and_gets_nothing_more() {
    let mut host = Node::new(0, 3);
    connect(&mut host, 1);
    connect(&mut host, 2);
    host.handle(1, received(1, &Message::Leaving));
    let effects = host.handle(2, Event::Local { envelopes: vec![change(0, APP, 1, &[])] });
    assert!(sent(&effects).iter().all(|(peer, _)| *peer == node(2)));
    let states: BTreeMap<_, _> =
        host.engine.members(Duration::from_secs(1)).into_iter().map(|member| (member.node, member.state)).collect();
    assert_eq!(states, BTreeMap::from([(node(1), MemberState::Left), (node(2), MemberState::Alive)]));
    let goodbye = sent(&host.handle(3, Event::Leave));
    assert!(goodbye.contains(&(node(2), Message::Leaving)));
}

#[test]
fn waking_at_the_time_asked_for_is_enough_and_the_time_is_always_ahead() {
    let mut host = Node::new(0, 2);
    connect(&mut host, 1);
    let mut effects = host.handle(0, Event::Tick);
    let mut now = Duration::ZERO;
    for _ in 0..100 {
        let wake_at = effects.iter().rev().find_map(|effect| match effect {
            Effect::WakeAt(at) => Some(*at),
            _ => None,
        });
        let wake_at = wake_at.expect("each waking plans the next");
        assert!(wake_at > now);
        now = wake_at;
        effects = host.engine.handle(now, &mut host.rng, Event::Tick);
    }
}
