//! Ten minutes of connections over a network that loses one datagram of five, in simulated time.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use murmurate_net::environment::{Random, SimulatedClock};
use murmurate_net::{Environment, Identity, Network};
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, TokioRuntime, UdpPoller};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep};

use crate::support::{Mesh, NOW_MS, Node, loopback};

type Datagram = (Vec<u8>, SocketAddr);

/// What is between the hosts.
struct Air {
    random: Mutex<ChaCha20Rng>,
    lost_percent: u32,
    delay: Duration,
    inboxes: Mutex<BTreeMap<SocketAddr, UnboundedSender<Datagram>>>,
}

impl Air {
    fn new(seed: u64, lost_percent: u32, delay: Duration) -> Arc<Self> {
        let random = Mutex::new(Random::seeded(seed).rng());
        Arc::new(Self { random, lost_percent, delay, inboxes: Mutex::default() })
    }

    fn socket(self: &Arc<Self>, own: SocketAddr) -> Arc<dyn AsyncUdpSocket> {
        let (sender, received) = unbounded_channel();
        self.inboxes.lock().unwrap().insert(own, sender);
        Arc::new(Socket { own, received: Mutex::new(received), air: Arc::clone(self) })
    }

    /// A host is gone without a word: nothing reaches it, and nothing comes of it.
    fn unplug(&self, address: SocketAddr) {
        self.inboxes.lock().unwrap().remove(&address);
    }

    fn carry(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let is_lost = self.random.lock().unwrap().next_u32() % 100 < self.lost_percent;
        let inboxes = self.inboxes.lock().unwrap();
        let Some(inbox) = inboxes.get(&to).filter(|_| !is_lost && inboxes.contains_key(&from)) else { return };
        let (inbox, datagram, delay) = (inbox.clone(), (bytes.to_vec(), from), self.delay);
        tokio::spawn(async move {
            sleep(delay).await;
            let _ = inbox.send(datagram);
        });
    }
}

struct Socket {
    own: SocketAddr,
    received: Mutex<UnboundedReceiver<Datagram>>,
    air: Arc<Air>,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket").field(&self.own).finish()
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(AlwaysWritable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.air.carry(self.own, transmit.destination, transmit.contents);
        Ok(())
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let Some((bytes, addr)) = ready!(self.received.lock().unwrap().poll_recv(context)) else {
            return Poll::Pending;
        };
        let len = bytes.len().min(buffers[0].len());
        buffers[0][..len].copy_from_slice(&bytes[..len]);
        meta[0] = RecvMeta { addr, len, stride: len, ecn: None, dst_ip: None };
        Poll::Ready(Ok(1))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.own)
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct AlwaysWritable;

impl UdpPoller for AlwaysWritable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn start(air: &Arc<Air>, identity: Identity, address: SocketAddr, peers: &[SocketAddr]) -> Node {
    let environment = Environment::seeded(u64::from(address.port()), Arc::new(SimulatedClock::new(NOW_MS)));
    let (id, peers) = (identity.node_id(), peers.iter().map(|peer| (*peer).into()).collect());
    let started = Network::start_on(air.socket(address), Arc::new(TokioRuntime), peers, identity, environment);
    let (handle, events) = started.unwrap();
    Node::of(id, handle, events)
}

/// Three hosts, all linked.
async fn linked(air: &Arc<Air>) -> Vec<Node> {
    let (mesh, addresses) = (Mesh::new(1, 1), [1, 2, 3].map(loopback));
    let nodes: Vec<Node> =
        (0..3).map(|at| start(air, mesh.identity(10 + at as u64), addresses[at], &addresses[at + 1..])).collect();
    for node in &nodes {
        for peer in nodes.iter().filter(|peer| peer.id != node.id) {
            node.connected(peer, 1).await;
        }
    }
    nodes
}

/// How often a connection ended.
fn ended(nodes: &[Node]) -> usize {
    nodes.iter().flat_map(|node| nodes.iter().map(|peer| node.changes(&peer.id).1)).sum()
}

#[tokio::test(start_paused = true)]
async fn links_live_through_ten_minutes_of_loss_and_end_within_two_seconds_of_a_death() {
    for (seed, delay_ms) in [(1, 1), (2, 1), (3, 10), (4, 10)] {
        let air = Air::new(seed, 20, Duration::from_millis(delay_ms));
        let nodes = linked(&air).await;
        sleep(Duration::from_secs(600)).await;
        assert_eq!(ended(&nodes), 0, "seed {seed}, {delay_ms} ms");
        let killed = Instant::now();
        air.unplug(loopback(3));
        for node in &nodes[..2] {
            node.disconnected(&nodes[2], 1).await;
            let took = killed.elapsed();
            println!("seed {seed}, {delay_ms} ms: the end of the third is seen after {took:?}");
            assert!(took <= Duration::from_millis(2_000 + 2 * delay_ms), "{took:?}");
        }
    }
}
