//! Peers with several addresses, of both families, some of which lead nowhere.

use std::net::{Ipv6Addr, SocketAddr, UdpSocket};

use murmurate_net::{Peer, PeerAddress};

use crate::support::{Mesh, NOW_MS, Node, changes, loopback};

/// Whether this system has IPv6; in some containers it is switched off.
fn has_ipv6() -> bool {
    UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

fn peer(node: Option<&Node>, addresses: &[SocketAddr]) -> Peer {
    Peer { node: node.map(|node| node.id), addresses: addresses.iter().copied().map(PeerAddress::from).collect() }
}

/// A socket on which nobody answers.
fn silent() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(loopback(0)).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_address_and_somebody_elses_keep_nobody_from_the_right_one() {
    let (mesh, foreign) = (Mesh::new(1, 1), Mesh::new(2, 2));
    let (one, two, other) =
        (Node::start(mesh.identity(1)), Node::start(mesh.identity(2)), Node::start(mesh.identity(3)));
    let stranger = Node::start(foreign.identity(4));
    let (_dead, dead) = silent();
    let addresses = [dead, stranger.address(), one.address(), other.address(), two.address()];
    one.handle.set_peers(vec![peer(Some(&two), &addresses)]);
    one.connected(&two, 1).await;
    two.connected(&one, 1).await;
    one.reaches(&two, "here").await;
    assert_eq!(one.changes(&two.id), (1, 0), "{}", one.summary());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_whose_address_changes_is_found_and_the_old_address_is_dialled_no_more() {
    let mesh = Mesh::new(1, 1);
    let (one, two) = (Node::start(mesh.identity(1)), Node::start(mesh.identity(2)));
    let (dead_socket, dead) = silent();
    dead_socket.set_nonblocking(true).unwrap();
    let dead_socket = tokio::net::UdpSocket::from_std(dead_socket).unwrap();
    let mut buffer = [0; 2_000];
    one.handle.set_peers(vec![peer(Some(&two), &[dead])]);
    dead_socket.recv(&mut buffer).await.unwrap();
    one.handle.set_peers(vec![peer(Some(&two), &[two.address()])]);
    one.connected(&two, 1).await;
    // What was under way may still come; but while a third that is unreachable is dialled again and again, it ends.
    let (later_socket, later) = silent();
    later_socket.set_nonblocking(true).unwrap();
    let later_socket = tokio::net::UdpSocket::from_std(later_socket).unwrap();
    one.handle.set_peers(vec![peer(Some(&two), &[two.address()]), peer(None, &[later])]);
    for datagram in 0..20 {
        later_socket.recv(&mut buffer).await.unwrap();
        while datagram < 10 && dead_socket.try_recv(&mut buffer).is_ok() {}
    }
    assert!(dead_socket.try_recv(&mut buffer).is_err(), "the old address is still dialled");
    assert_eq!(one.changes(&two.id), (1, 0), "{}", one.summary());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_peer_that_is_connected_is_not_dialled_whoever_dialled() {
    let mesh = Mesh::new(1, 1);
    let (one, two) = (Node::start(mesh.identity(1)), Node::start(mesh.identity(2)));
    two.dial(&[one.address()]);
    one.connected(&two, 1).await;
    let (dead_socket, dead) = silent();
    let (later_socket, later) = silent();
    later_socket.set_nonblocking(true).unwrap();
    let later_socket = tokio::net::UdpSocket::from_std(later_socket).unwrap();
    one.handle.set_peers(vec![peer(Some(&two), &[dead]), peer(None, &[later])]);
    for _ in 0..5 {
        later_socket.recv(&mut [0; 2_000]).await.unwrap();
    }
    dead_socket.set_nonblocking(true).unwrap();
    assert!(dead_socket.recv(&mut [0; 2_000]).is_err(), "a peer that is connected was dialled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_for_all_addresses_serves_both_families() {
    let mesh = Mesh::new(1, 1);
    let everywhere = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    let target = Node::start_at(mesh.identity(1), everywhere, NOW_MS);
    let port = target.address().port();
    let v4 = Node::start(mesh.identity(2));
    v4.dial(&[loopback(port)]);
    v4.connected(&target, 1).await;
    target.connected(&v4, 1).await;
    // The other way round, and named as people know it.
    let dialler = Node::start_at(mesh.identity(3), everywhere, NOW_MS);
    dialler.dial(&[v4.address()]);
    dialler.connected(&v4, 1).await;
    let shown = format!("{:?}", v4.address());
    assert!(dialler.summary().contains(&shown), "{}", dialler.summary());
    if !has_ipv6() {
        println!("skipped in part: this system has no IPv6");
        return;
    }
    let v6 = Node::start_at(mesh.identity(4), (Ipv6Addr::LOCALHOST, 0).into(), NOW_MS);
    v6.dial(&[(Ipv6Addr::LOCALHOST, port).into()]);
    v6.connected(&target, 1).await;
    // A host of IPv4 alone says why it can't follow, and takes the address that it can.
    v4.handle.set_peers(vec![peer(Some(&dialler), &[v6.address(), dialler_address(&dialler)])]);
    v4.until("still connected", |said| (changes(said, &dialler.id) == (1, 0)).then_some(())).await;
}

fn dialler_address(node: &Node) -> SocketAddr {
    loopback(node.address().port())
}
