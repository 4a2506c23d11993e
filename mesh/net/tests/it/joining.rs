//! A host with nothing but a ticket becomes a member, and whoever has no right to, doesn't.

use std::collections::BTreeSet;
use std::time::Duration;

use murmurate_crdt::id::{MeshId, NodeId};
use murmurate_net::environment::Random;
use murmurate_net::join::{self, JoinError, JoinRefusal, Ticket};
use murmurate_net::{Identity, RefuseReason};
use quinn::{Connection, ConnectionError};
use rand_core::Rng;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::issuing::{IssuingNode, redeem, redeem_as};
use crate::relay::Relay;
use crate::rogue::Rogue;
use crate::support::{DAY_MS, DEADLINE, Mesh, NOW_MS, Node, environment, key, loopback};

const JOIN: &[u8] = b"murmurate-join/1";
/// Joins that one host serves at once.
const AT_ONCE: u32 = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_makes_a_host_a_member() {
    let mesh = Mesh::new(1, 1);
    let issuer = IssuingNode::start(&mesh, 1);
    // More than fits into what a stranger's connection may hold.
    issuer.known().statements = (0..2_000_u16).map(|number| vec![number.to_le_bytes()[0]; 1_000]).collect();
    let text = issuer.ticket(1, 1).to_string();
    let joined = redeem(&text.parse().unwrap(), 7).await.unwrap();
    assert_eq!(joined.name, "node-7");
    assert_eq!(joined.statements, issuer.known().statements);
    let identity = Identity::new(key(7), joined.chain, joined.anchors).unwrap();
    let node = Node::start(identity);
    node.handle.set_peers(vec![issuer.address().into()]);
    node.until("connected", |said| (crate::support::changes(said, &issuer.id).0 > 0).then_some(())).await;
}

/// A ticket whose only address is that of a relay to the issuer.
fn over(relay: &Relay, ticket: &Ticket) -> Ticket {
    Ticket { addresses: vec![relay.address.into()], ..ticket.clone() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_path_that_carries_only_the_smallest_datagrams_is_enough_to_join() {
    let mesh = Mesh::new(1, 1);
    let issuer = IssuingNode::start(&mesh, 1);
    issuer.known().statements = vec![vec![7; 1_000]; 20];
    let relay = Relay::start_slow(issuer.handle.local_address().unwrap(), Duration::from_millis(300)).await;
    relay.lose_above(1_200);
    let joined = redeem(&over(&relay, &issuer.ticket(1, 1)), 7).await.unwrap();
    assert_eq!(joined.statements.len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_joins_that_never_finish_keeps_nobody_from_joining() {
    let mesh = Mesh::new(1, 1);
    let issuer = IssuingNode::start(&mesh, 1);
    let address = issuer.handle.local_address().unwrap();
    // Answers never come back, as with forged source addresses.
    let relay = Relay::start(address).await;
    relay.cut(false, true);
    let rogue = Rogue::new(None, JOIN);
    let flood: Vec<_> = (0..400).map(|_| rogue.dial(relay.address)).collect();
    relay.saw_retry().await;
    redeem(&issuer.ticket(1, 1), 7).await.unwrap();
    drop(flood);
}

/// What is said to a person who can't join.
fn told(result: Result<join::Joined, JoinError>) -> (JoinError, String) {
    let error = result.unwrap_err();
    let text = format!("{error}: {}", error.advice());
    (error, text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_is_good_for_as_many_hosts_as_it_says_and_no_more() {
    let mesh = Mesh::new(1, 1);
    let issuer = IssuingNode::start(&mesh, 1);
    let ticket = issuer.ticket(1, 2);
    redeem(&ticket, 7).await.unwrap();
    redeem(&ticket, 8).await.unwrap();
    let (error, text) = told(redeem(&ticket, 9).await);
    assert_eq!(error, JoinError::Refused(JoinRefusal::Used));
    assert!(text.contains("used already") && text.contains("murmurate ticket create"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_or_unknown_ticket_and_a_wrong_secret_are_told_apart() {
    let mesh = Mesh::new(1, 1);
    let issuer = IssuingNode::start(&mesh, 1);
    let ticket = issuer.ticket(1, 1);
    let (error, _) = told(redeem(&Ticket { id: [9; 8], ..ticket.clone() }, 7).await);
    assert_eq!(error, JoinError::Refused(JoinRefusal::UnknownTicket));
    let (error, _) = told(redeem(&Ticket { secret: [0; 16], ..ticket.clone() }, 7).await);
    assert_eq!(error, JoinError::Refused(JoinRefusal::WrongSecret));
    let (error, _) = told(redeem_as(&ticket, &key(7), "a\nb").await);
    assert_eq!(error, JoinError::Refused(JoinRefusal::BadName));
    issuer.known().tickets.get_mut(&ticket.id).unwrap().expires_ms = NOW_MS - 1;
    let (error, text) = told(redeem(&ticket, 7).await);
    assert_eq!(error, JoinError::Refused(JoinRefusal::Expired));
    assert!(text.contains("has expired"), "{text}");
    assert_eq!(issuer.known().tickets[&ticket.id].uses, 1, "none of them used it up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_is_redeemed_only_at_its_issuer_and_mesh() {
    let (mesh, elsewhere) = (Mesh::new(1, 1), Mesh::new(2, 2));
    let (issuer, other) = (IssuingNode::start(&mesh, 1), IssuingNode::start(&mesh, 2));
    let stranger = IssuingNode::start(&elsewhere, 3);
    let ticket = issuer.ticket(1, 1);
    let at = |addresses: &[&IssuingNode]| Ticket {
        addresses: addresses.iter().map(|node| node.address()).collect(),
        ..ticket.clone()
    };
    let (error, text) = told(redeem(&at(&[&other]), 7).await);
    assert_eq!(error, JoinError::AnotherHost { address: other.address().to_string() });
    assert!(text.contains("redeemed only at the host that made it"), "{text}");
    let (error, text) = told(redeem(&at(&[&stranger]), 7).await);
    assert!(matches!(error, JoinError::AnotherMesh { theirs: MeshId([2, ..]), .. }), "{error}");
    assert!(text.contains("member of another mesh"), "{text}");
    // What says the most is told; and one right address is enough.
    let (error, _) = told(redeem(&at(&[&stranger, &other]), 7).await);
    assert!(matches!(error, JoinError::AnotherHost { .. }), "{error}");
    redeem(&at(&[&stranger, &other, &issuer]), 7).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anchors_that_the_ticket_does_not_name_are_not_taken() {
    let mesh = Mesh::new(1, 1);
    let issuer = IssuingNode::start(&mesh, 1);
    let ticket = Ticket { fingerprint: [7; 32], ..issuer.ticket(1, 1) };
    let (error, text) = told(redeem(&ticket, 7).await);
    assert!(matches!(error, JoinError::Answer(_)) && text.contains("anchors"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_answers_every_address_is_named_with_its_reason() {
    let mesh = Mesh::new(1, 1);
    let issuer = IssuingNode::start(&mesh, 1);
    let silent = UdpSocket::bind(loopback(0)).await.unwrap();
    let silent = silent.local_addr().unwrap();
    let unresolved = "nobody.invalid:7946";
    let addresses = vec![unresolved.parse().unwrap(), silent.into()];
    let (error, text) = told(redeem(&Ticket { addresses, ..issuer.ticket(1, 1) }, 7).await);
    assert!(matches!(&error, JoinError::Unreachable { attempts } if attempts.len() == 2), "{error}");
    for words in [unresolved, "resolve", &silent.to_string(), "no answer", "firewall"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_joiner_whose_clock_is_wrong_is_told_so_and_the_ticket_is_not_used_up() {
    let mesh = Mesh::new(1, 1);
    let issuer = IssuingNode::start(&mesh, 1);
    let ticket = issuer.ticket(1, 1);
    for wall_ms in [0, NOW_MS + 4_000 * DAY_MS] {
        let (error, text) = told(join::redeem(&ticket, &key(7), "a", &environment(wall_ms).0).await);
        assert!(matches!(error, JoinError::Clock { now_ms, .. } if now_ms / DAY_MS == wall_ms / DAY_MS), "{error}");
        assert!(text.contains("check the clock"), "{text}");
    }
    redeem(&ticket, 7).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_has_run_out_is_renewed_with_the_nodes_key_alone() {
    let mesh = Mesh::new(1, 1);
    let issuer = IssuingNode::start(&mesh, 1);
    let validities = [(0, NOW_MS - DAY_MS), (NOW_MS + DAY_MS, NOW_MS + 2 * DAY_MS), (0, NOW_MS + DAY_MS)];
    for (seed, (from_ms, until_ms)) in (10..).zip(validities) {
        let node = Node::start(mesh.identity_valid(seed, from_ms, until_ms));
        let addresses = [issuer.address()];
        let renew = || node.handle.renew(&addresses, issuer.id);
        assert_eq!(renew().await.unwrap_err(), JoinError::Refused(JoinRefusal::NotMember));
        issuer.known().members.insert(node.id);
        let renewed = renew().await.unwrap();
        let identity = Identity::new(key(seed), renewed.chain, mesh.keys.anchors().clone()).unwrap();
        assert_eq!(identity.validity().not_after_ms, NOW_MS + 30 * DAY_MS);
        node.handle.set_identity(identity).unwrap();
        node.handle.set_peers(vec![issuer.address().into()]);
        node.until("connected", |said| (crate::support::changes(said, &issuer.id).0 > 0).then_some(())).await;
        issuer.known().revoked.insert(node.id);
        assert_eq!(renew().await.unwrap_err(), JoinError::Refused(JoinRefusal::Revoked));
        // Another host than the one that is meant isn't asked.
        let error = node.handle.renew(&addresses, NodeId([9; 32])).await.unwrap_err();
        assert!(matches!(error, JoinError::AnotherHost { .. }), "{error}");
    }
}

async fn joiner(rogue: &Rogue, issuer: &IssuingNode) -> Connection {
    let connecting = rogue.dial(issuer.handle.local_address().unwrap());
    timeout(DEADLINE, connecting).await.expect("no answer").unwrap()
}

/// The code with which the issuer closed.
async fn closed(connection: &Connection) -> u64 {
    match timeout(DEADLINE, connection.closed()).await.expect("not closed") {
        ConnectionError::ApplicationClosed(close) => close.error_code.into_inner(),
        error => panic!("{error}"),
    }
}

/// Sends a request, whole or not, and gives the code with which that ends.
async fn ends_with(issuer: &IssuingNode, request: &[u8], is_ended: bool) -> u64 {
    let rogue = Rogue::new(None, JOIN);
    let connection = joiner(&rogue, issuer).await;
    let (mut send, _receive) = connection.open_bi().await.unwrap();
    // The other side may have had enough before the end.
    let _ = send.write_all(request).await;
    if is_ended {
        let _ = send.finish();
    }
    closed(&connection).await
}

const TOO_LARGE: u64 = 7;
const BAD_PROTOCOL: u64 = 8;
const SILENT: u64 = 9;
const BUSY: u64 = 11;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_requests_are_sent_away_and_harm_nobody() {
    let mesh = Mesh::new(1, 1);
    let issuer = IssuingNode::start(&mesh, 1);
    let mut rng = Random::seeded(3).rng();
    for round in 0..20_usize {
        let mut garbage = vec![0; round * 20];
        rng.fill_bytes(&mut garbage);
        // Some begin as requests do.
        if let (true, Some(start)) = (round % 2 == 0, garbage.first_chunk_mut::<2>()) {
            *start = [1, 1 + u8::try_from(round % 3).unwrap()];
        }
        assert_eq!(ends_with(&issuer, &garbage, true).await, BAD_PROTOCOL, "round {round}");
    }
    assert_eq!(ends_with(&issuer, &[1; 4_000], true).await, TOO_LARGE);
    redeem(&issuer.ticket(1, 1), 7).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_joiner_that_says_nothing_is_sent_away() {
    let mesh = Mesh::new(1, 1);
    let issuer = IssuingNode::start(&mesh, 1);
    assert_eq!(ends_with(&issuer, &[1, 1], false).await, SILENT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_too_many_joiners_the_last_is_told_to_wait_and_all_get_in() {
    let mesh = Mesh::new(1, 1);
    let issuer = IssuingNode::start(&mesh, 1);
    issuer.known().is_silent = true;
    let ticket = issuer.ticket(1, AT_ONCE + 1);
    let join = |seed| {
        let ticket = ticket.clone();
        tokio::spawn(async move { redeem(&ticket, seed).await })
    };
    let mut joins: Vec<_> = (0..AT_ONCE).map(|number| join(100 + u64::from(number))).collect();
    issuer.asked(AT_ONCE).await;
    let rogue = Rogue::new(None, JOIN);
    assert_eq!(closed(&joiner(&rogue, &issuer).await).await, BUSY);
    joins.push(join(99));
    issuer.speak();
    for join in joins {
        join.await.unwrap().unwrap();
    }
    assert_eq!(issuer.known().members.len(), usize::try_from(AT_ONCE).unwrap() + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_joiner_never_reaches_what_members_reach() {
    let mesh = Mesh::new(1, 1);
    let issuer = IssuingNode::start(&mesh, 1);
    // Frames on streams as members open them, and a greeting.
    let rogue = Rogue::new(None, JOIN);
    let connection = joiner(&rogue, &issuer).await;
    for class in 0..3 {
        let mut stream = connection.open_uni().await.unwrap();
        stream.write_all(&[class, 0, 0, 0, 1, 7]).await.unwrap();
        let _ = stream.finish();
    }
    let (mut send, _receive) = connection.open_bi().await.unwrap();
    send.write_all(&[[0, 18, 1].as_slice(), &[0xee; 16], &[0]].concat()).await.unwrap();
    let _ = send.finish();
    assert_eq!(closed(&connection).await, BAD_PROTOCOL);
    assert_eq!(issuer.known().said_by_members, 0);
    // Who offers the members' protocol too, has to show a certificate.
    let node = Node::start(mesh.identity(5));
    Rogue::offering(None, &[JOIN, b"murmurate/1"]).refused(node.address()).await;
    assert_eq!(node.refused(|_| true).await, RefuseReason::NoCertificate);
    assert!(!node.has_ever_connected());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_before_the_answer_is_named_as_such() {
    let mesh = Mesh::new(1, 1);
    let issuer = IssuingNode::start(&mesh, 1);
    issuer.known().is_silent = true;
    let ticket = issuer.ticket(1, 1);
    let waiting = tokio::spawn(async move { redeem(&ticket, 7).await });
    issuer.asked(1).await;
    issuer.handle.shutdown().await;
    let (error, text) = told(timeout(DEADLINE, waiting).await.expect("still waiting").unwrap());
    assert!(matches!(error, JoinError::Lost(_)) && text.contains("shut down"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_certificates_are_shown_from_the_next_handshake_on_and_open_connections_stay() {
    let mesh = Mesh::new(1, 1);
    let (node, old_friend) = (Node::start(mesh.identity(1)), Node::start(mesh.identity(2)));
    old_friend.dial(&[node.address()]);
    node.connected(&old_friend, 1).await;
    old_friend.connected(&node, 1).await;
    // For this one, the node's certificate has run out.
    let late = Node::start_at(mesh.identity_valid(3, 0, NOW_MS + 9 * DAY_MS), loopback(0), NOW_MS + 2 * DAY_MS);
    late.dial(&[node.address()]);
    late.refused(|reason| matches!(reason, RefuseReason::Expired { .. })).await;
    let error = node.handle.set_identity(mesh.identity(2)).unwrap_err().to_string();
    assert!(error.contains("nothing was changed"), "{error}");
    node.handle.set_identity(mesh.identity_valid(1, 0, NOW_MS + 9 * DAY_MS)).unwrap();
    late.connected(&node, 1).await;
    node.reaches(&old_friend, "still there").await;
    assert_eq!(node.changes(&old_friend.id), (1, 0), "{}", node.summary());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_an_issuer_go_all_whom_it_certified() {
    let mesh = Mesh::new(1, 1);
    let (one, two) = (Node::start(mesh.identity(1)), Node::start(mesh.identity(2)));
    one.dial(&[two.address()]);
    two.connected(&one, 1).await;
    let issuer = mesh.keys.issuer().node();
    two.handle.set_revoked(BTreeSet::from([issuer]));
    two.disconnected(&one, 1).await;
    assert_eq!(two.refused(|_| true).await, RefuseReason::IssuerRevoked { issuer });
    // With a certificate of another issuer it is back.
    let other = mesh.keys.issuer_at(NodeId([4; 32]), &mut Random::seeded(8).rng()).unwrap();
    let public_key = key(1).verifying_key().to_bytes();
    let chain = other.issue(&public_key, "node-1", 0, NOW_MS + DAY_MS).unwrap();
    one.handle.set_identity(Identity::new(key(1), chain, mesh.keys.anchors().clone()).unwrap()).unwrap();
    // The one that dials checks too, and two still shows what the revoked one issued; to it, that is nobody yet.
    two.connected(&one, 2).await;
}
