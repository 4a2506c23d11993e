//! Statements and revocations in the engine, one small scene a promise.

use std::collections::BTreeMap;
use std::time::Duration;

use murmurate_crdt::clock::VersionVector;
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::Generation;
use murmurate_protocol::message::{DocumentVector, Message};
use murmurate_protocol::{Effect, Event, FolderSummary, Held, MemberState, Summary};

use crate::common::{self, Node, applied, change, connect, document, dot, node, pushed, received, sent, troubles};
use crate::mesh::Mesh;

const APP: &str = "web/app.toml";

fn revocation(number: u8) -> Event {
    Event::Statement(common::state(&common::revoke(number)))
}

/// The links over which statements went unasked, each as often as they did.
fn pushes_of_statements(mesh: &Mesh) -> Vec<(u8, u8)> {
    let pushes = mesh.log.iter().filter(|(_, _, message)| matches!(message, Message::Statements { .. }));
    pushes.map(|&(from, to, _)| (from, to)).collect()
}

#[test]
fn a_new_statement_is_known_to_all_at_once_and_crosses_no_link_twice() {
    let everybody = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];
    for (links, expected) in
        [(&everybody[..], [(0, 1), (0, 2), (0, 3)]), (&[(0, 1), (1, 2), (2, 3)], [(0, 1), (1, 2), (2, 3)])]
    {
        let mut mesh = Mesh::new(4, links);
        mesh.tell([(0, Event::Statement(common::own(0, 1, false)))]);
        assert!(mesh.hosts.iter().all(|host| host.engine.roster().own(node(0)).is_some()));
        assert_eq!(pushes_of_statements(&mesh), expected);
        let all_say_so = |mesh: &Mesh| {
            let members = mesh.hosts.iter().flat_map(|host| host.engine.members(Duration::from_millis(mesh.now_ms)));
            members.filter(|member| member.connected).all(|member| member.has_roster)
        };
        assert!(!all_say_so(&mesh));
        mesh.advance(200);
        assert!(all_say_so(&mesh));
        mesh.advance(10_000);
        assert_eq!(pushes_of_statements(&mesh), expected, "and nothing has to be repaired");
    }
}

#[test]
fn a_statement_that_a_push_missed_is_found_by_the_rosters_hash() {
    let mut mesh = Mesh::new(3, &[(0, 1)]);
    mesh.tell([(2, revocation(1))]);
    mesh.connect(0, 2);
    mesh.advance(500);
    assert!(mesh.hosts[0].engine.roster().is_revoked(node(1)));
}

#[test]
fn a_revoked_nodes_connection_is_closed_it_gets_no_answers_and_is_no_member() {
    let mut host = Node::new(0, 3);
    connect(&mut host, 1);
    connect(&mut host, 2);
    let is_closed = |effects: &[Effect]| {
        effects.iter().any(|effect| matches!(effect, Effect::Disconnect { peer, .. } if *peer == node(1)))
    };
    let effects = host.handle(1, revocation(1));
    assert!(is_closed(&effects));
    assert!(sent(&effects).iter().all(|(peer, _)| *peer == node(2)), "nor is it told");
    assert!(matches!(sent(&effects)[..], [(_, Message::Statements { .. })]), "the others are");
    let ask = received(1, &Message::Summary(Summary { reply_wanted: true, ..Summary::default() }));
    assert!(sent(&host.handle(2, ask.clone())).is_empty());
    let effects = host.handle(3, Event::PeerConnected { peer: node(1) });
    assert!(is_closed(&effects) && sent(&effects).is_empty());
    assert!(sent(&host.handle(4, ask)).is_empty());
    assert!(applied(&host.handle(5, pushed(1, &[&change(1, APP, 1, &[])]))).is_empty());
    let members: Vec<_> = host.engine.members(Duration::from_secs(1)).into_iter().map(|member| member.node).collect();
    assert_eq!(members, [node(2)]);
}

/// A peer that answers questions with one change of the stolen node 2, and says which revocations it knows.
struct Peer {
    host: Node,
    change: SignedEnvelope,
    now_ms: u64,
    wants: usize,
    applied: usize,
}

impl Peer {
    /// Says its state, which holds a change that the host lacks.
    fn says(&mut self, revoked: [u8; 32]) {
        let folders = BTreeMap::from([("web".to_owned(), FolderSummary { root: [1; 32], changes: 1 })]);
        let roster = self.host.engine.roster().hash();
        let summary = Summary { roster, revoked, folders, ..Summary::default() };
        let effects = self.host.handle(self.now_ms, received(1, &Message::Summary(summary)));
        self.carry_out(effects);
    }

    fn answers_for(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.now_ms += 10;
            let effects = self.host.handle(self.now_ms, Event::Tick);
            self.carry_out(effects);
        }
    }

    fn carry_out(&mut self, mut effects: Vec<Effect>) {
        while let Some(effect) = effects.pop() {
            self.applied += usize::from(matches!(effect, Effect::Apply { .. }));
            if let Effect::Send { frame, .. } = effect
                && let Some(answer) = self.answer(Message::decode(&frame).unwrap().unwrap())
            {
                effects.extend(self.host.handle(self.now_ms, received(1, &answer)));
            }
        }
    }

    fn answer(&mut self, message: Message) -> Option<Message> {
        match message {
            Message::Buckets { query, .. } => {
                let vector = VersionVector::from_iter([dot(2, 1)]);
                let documents =
                    vec![DocumentVector { document: document(APP), generation: Generation::default(), vector }];
                Some(Message::Vectors { query, complete: true, documents })
            }
            Message::Want { request, .. } => {
                self.wants += 1;
                Some(Message::Changes { request, envelopes: vec![self.change.bytes().clone()] })
            }
            _ => None,
        }
    }
}

#[test]
fn what_a_peer_doesnt_vouch_for_is_asked_for_once_and_taken_when_it_does() {
    let mut host = Node::new(0, 3);
    host.handle(0, revocation(2));
    connect(&mut host, 1);
    let mut peer = Peer { host, change: change(2, APP, 1, &[]), now_ms: 0, wants: 0, applied: 0 };
    let effects = peer.host.handle(1, pushed(1, &[&peer.change]));
    assert!(applied(&effects).is_empty() && troubles(&effects).is_empty());
    peer.says([0; 32]);
    peer.answers_for(30_000);
    assert_eq!((peer.wants, peer.applied, peer.host.engine.held()), (0, 0, Held::default()), "the push was noted");

    let known = peer.host.engine.roster().revoked_hash();
    peer.says(known);
    peer.answers_for(500);
    assert_eq!((peer.wants, peer.applied), (1, 1));
}

#[test]
fn what_isnt_vouched_for_and_came_as_an_answer_isnt_asked_for_again() {
    let mut host = Node::new(0, 3);
    host.handle(0, revocation(2));
    connect(&mut host, 1);
    let mut peer = Peer { host, change: change(2, APP, 1, &[]), now_ms: 0, wants: 0, applied: 0 };
    peer.says([0; 32]);
    peer.answers_for(30_000);
    assert_eq!((peer.wants, peer.applied), (1, 0));
    peer.says([9; 32]);
    peer.answers_for(5_000);
    assert_eq!((peer.wants, peer.applied), (1, 0), "it knows of other revocations: that isn't enough");
    let known = peer.host.engine.roster().revoked_hash();
    peer.says(known);
    peer.answers_for(500);
    assert_eq!((peer.wants, peer.applied), (2, 1));
}

#[test]
fn what_waited_when_the_revocation_came_was_never_received() {
    let mut host = Node::new(0, 3);
    connect(&mut host, 1);
    host.handle(1, pushed(1, &[&change(2, APP, 2, &[])]));
    host.handle(1, pushed(1, &[&change(1, "web/b", 1, &[dot(2, 1)])]));
    assert_eq!(host.engine.held().waiting_changes, 2);
    host.handle(2, revocation(2));
    assert_eq!(host.engine.held().waiting_changes, 1, "what others wrote goes on waiting");

    let mut host = Node::new(0, 2);
    connect(&mut host, 1);
    host.handle(1, pushed(1, &[&change(2, APP, 1, &[])]));
    assert_eq!(host.engine.held().unknown_authors, 1);
    host.handle(2, revocation(2));
    assert_eq!(host.engine.held(), Held::default());
    let statements = vec![common::admission(2).bytes().clone()];
    let effects = host.handle(3, received(1, &Message::Statements { next: None, statements }));
    assert!(applied(&effects).is_empty());
    assert!(host.engine.members(Duration::ZERO).iter().all(|member| member.node != node(2)));
    assert!(applied(&host.handle(4, pushed(1, &[&change(2, APP, 1, &[])]))).is_empty());
    let summary = Summary { revoked: host.engine.roster().revoked_hash(), ..Summary::default() };
    host.handle(5, received(1, &Message::Summary(summary)));
    assert_eq!(applied(&host.handle(6, pushed(1, &[&change(2, APP, 1, &[])]))), [dot(2, 1)]);
}

#[test]
fn a_new_host_gets_the_whole_history_and_nothing_that_the_thief_wrote_since() {
    let mut mesh = Mesh::new(4, &[(0, 1), (0, 2)]);
    mesh.write(1, vec![change(1, APP, 1, &[])]);
    mesh.tell([(0, revocation(1))]);
    mesh.write(1, vec![change(1, APP, 2, &[])]);
    mesh.connect(1, 0);
    mesh.connect(3, 2);
    mesh.advance(1_000);
    assert!(mesh.hosts[3].engine.roster().is_revoked(node(1)));
    for number in [0, 2, 3] {
        assert!(mesh.has_applied(number, APP, dot(1, 1)), "host {number}");
        assert!(!mesh.has_applied(number, APP, dot(1, 2)), "host {number}");
    }
    mesh.advance(12_000);
    mesh.gossip();
    assert!([0, 2, 3].iter().all(|&number| mesh.hosts[number].engine.converged(Duration::from_millis(mesh.now_ms))));
}

#[test]
fn who_said_that_it_leaves_is_shown_as_left_once_it_is_gone() {
    let state = |host: &Node, now_ms| host.engine.members(Duration::from_millis(now_ms)).remove(0).state;
    let mut host = Node::new(0, 2);
    connect(&mut host, 1);
    let says = |sequence, left| {
        let statements = vec![common::own(1, sequence, left).bytes().clone()];
        received(1, &Message::Statements { next: None, statements })
    };
    host.handle(1, says(1, true));
    assert_eq!(state(&host, 1), MemberState::Alive);
    host.handle(2, Event::PeerDisconnected { peer: node(1) });
    assert_eq!(state(&host, 3), MemberState::Left);
    host.handle(60_000, Event::PeerConnected { peer: node(1) });
    assert_eq!(state(&host, 60_000), MemberState::Alive);
    host.handle(60_001, says(2, false));
    host.handle(60_002, Event::PeerDisconnected { peer: node(1) });
    assert_eq!(state(&host, 65_000), MemberState::Suspect);

    let mut restarted = Node::new(0, 2);
    restarted.handle(0, Event::LoadedStatement(common::own(1, 1, true)));
    assert_eq!(state(&restarted, 0), MemberState::Left);
}

#[test]
fn the_shell_is_told_what_to_store_and_what_to_forget() {
    let told = |effects: Vec<Effect>| -> Vec<(bool, [u8; 32])> {
        let told = effects.into_iter().filter_map(|effect| match effect {
            Effect::Stated { statement } => Some((true, statement.digest())),
            Effect::Superseded { digest } => Some((false, digest)),
            _ => None,
        });
        told.collect()
    };
    let [first, second, third] = [1, 2, 3].map(|sequence| common::own(1, sequence, false));
    let mut host = Node::new(0, 0);
    assert!(told(host.handle(0, Event::LoadedStatement(second.clone()))).is_empty(), "its admission is read later");
    assert!(told(host.handle(0, Event::LoadedStatement(common::admission(1)))).is_empty());
    assert!(host.engine.roster().own(node(1)).is_some());
    assert_eq!(told(host.handle(0, Event::LoadedStatement(first.clone()))), [(false, first.digest())]);
    assert!(told(host.handle(0, Event::LoadedStatement(second.clone()))).is_empty(), "it counts, told twice or not");
    let expected = [(true, third.digest()), (false, second.digest())];
    assert_eq!(told(host.handle(1, Event::Statement(third.clone()))), expected, "first stored, then forgotten");
    assert!(told(host.handle(2, Event::Statement(third))).is_empty());
    assert!(told(host.handle(3, Event::Statement(second))).is_empty());
}
