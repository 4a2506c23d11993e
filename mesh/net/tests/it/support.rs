//! Meshes of a few nodes in one process, and waiting for what they say.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use murmurate_crdt::id::{MeshId, NodeId};
use murmurate_net::environment::{Random, SimulatedClock};
use murmurate_net::identity::{ThrowawayMesh, generate_key};
use murmurate_net::{
    Class, Environment, Identity, Network, NetworkConfig, NetworkEvent, NetworkEvents, NetworkHandle, RefuseReason,
    SendOutcome,
};
use tokio::sync::watch;
use tokio::time::timeout;

/// What nodes take for the time when they start.
pub(crate) const NOW_MS: u64 = 1_780_000_000_000;
pub(crate) const DAY_MS: u64 = 86_400_000;
/// Longest wait for anything that should happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(40);

pub(crate) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// All keys of a mesh.
pub(crate) struct Mesh {
    pub(crate) keys: ThrowawayMesh,
}

impl Mesh {
    pub(crate) fn new(id: u8, seed: u64) -> Self {
        let mut rng = Random::seeded(seed).rng();
        Self { keys: ThrowawayMesh::new(MeshId([id; 16]), &mut rng, 0).unwrap() }
    }

    pub(crate) fn identity(&self, seed: u64) -> Identity {
        self.identity_valid(seed, NOW_MS - DAY_MS, NOW_MS + DAY_MS)
    }

    pub(crate) fn identity_valid(&self, seed: u64, not_before_ms: u64, not_after_ms: u64) -> Identity {
        self.keys.member(key(seed), &format!("node-{seed}"), not_before_ms, not_after_ms).unwrap()
    }
}

/// The node key that [`Mesh::identity`] gives with this seed.
pub(crate) fn key(seed: u64) -> SigningKey {
    generate_key(&mut Random::seeded(seed).rng())
}

pub(crate) fn environment(wall_ms: u64) -> (Environment, Arc<SimulatedClock>) {
    let clock = Arc::new(SimulatedClock::new(wall_ms));
    (Environment { clock: clock.clone(), ..Environment::system() }, clock)
}

/// A running node whose events nobody takes.
pub(crate) fn start_unread(identity: Identity, listen: SocketAddr, wall_ms: u64) -> (NetworkHandle, NetworkEvents) {
    let config = NetworkConfig { listen, peers: Vec::new() };
    Network::start(config, identity, environment(wall_ms).0).unwrap()
}

/// A running node, and all it said so far.
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) handle: NetworkHandle,
    said: Arc<Mutex<Vec<NetworkEvent>>>,
    count: watch::Receiver<usize>,
}

impl Node {
    pub(crate) fn start(identity: Identity) -> Self {
        Self::start_at(identity, loopback(0), NOW_MS)
    }

    pub(crate) fn start_at(identity: Identity, listen: SocketAddr, wall_ms: u64) -> Self {
        let id = identity.node_id();
        let (handle, events) = start_unread(identity, listen, wall_ms);
        Self::of(id, handle, events)
    }

    pub(crate) fn of(id: NodeId, handle: NetworkHandle, mut events: NetworkEvents) -> Self {
        let said = Arc::<Mutex<Vec<NetworkEvent>>>::default();
        let (counter, count) = watch::channel(0);
        let log = Arc::clone(&said);
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                log.lock().unwrap().push(event);
                counter.send_modify(|count| *count += 1);
            }
        });
        Self { id, handle, said, count }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.handle.local_address().unwrap()
    }

    pub(crate) fn dial(&self, addresses: &[SocketAddr]) {
        self.handle.set_peers(addresses.iter().map(|address| (*address).into()).collect());
    }

    /// Waits until what was said gives something.
    pub(crate) async fn until<T>(&self, what: &str, find: impl Fn(&[NetworkEvent]) -> Option<T>) -> T {
        let mut count = self.count.clone();
        let wait = async {
            loop {
                if let Some(found) = find(&self.said.lock().unwrap()) {
                    return found;
                }
                count.changed().await.expect("the network ended");
            }
        };
        match timeout(DEADLINE, wait).await {
            Ok(found) => found,
            Err(_) => panic!("{what}: not within {DEADLINE:?}; said: {}", self.summary()),
        }
    }

    /// What was said, without the frames' bytes.
    pub(crate) fn summary(&self) -> String {
        let said = self.said.lock().unwrap();
        let not_frames = said.iter().filter(|event| !matches!(event, NetworkEvent::Frame { .. }));
        not_frames.map(|event| format!("{event:?}")).collect::<Vec<_>>().join("\n")
    }

    /// How often the peer was connected and disconnected so far.
    pub(crate) fn changes(&self, of: &NodeId) -> (usize, usize) {
        changes(&self.said.lock().unwrap(), of)
    }

    pub(crate) async fn connected(&self, to: &Node, times: usize) {
        self.until(&format!("connected {times} times"), |said| (changes(said, &to.id).0 >= times).then_some(())).await;
    }

    pub(crate) async fn disconnected(&self, from: &Node, times: usize) {
        self.until(&format!("disconnected {times} times"), |said| (changes(said, &from.id).1 >= times).then_some(()))
            .await;
    }

    pub(crate) async fn refused(&self, is_expected: impl Fn(&RefuseReason) -> bool) -> RefuseReason {
        self.until("refused", |said| {
            said.iter().find_map(|event| match event {
                NetworkEvent::Refused { reason, .. } if is_expected(reason) => Some(reason.clone()),
                _ => None,
            })
        })
        .await
    }

    pub(crate) fn has_ever_connected(&self) -> bool {
        self.said.lock().unwrap().iter().any(|event| matches!(event, NetworkEvent::Connected { .. }))
    }

    pub(crate) fn frames(&self, from: &NodeId) -> Vec<Bytes> {
        frames(&self.said.lock().unwrap(), from)
    }

    /// Sends a marked frame and waits until the other has it.
    pub(crate) async fn reaches(&self, other: &Node, mark: &str) {
        assert_eq!(self.handle.send(&other.id, Class::Control, mark.to_owned()), SendOutcome::Queued);
        let sender = self.id;
        other
            .until(&format!("frame {mark}"), |said| {
                frames(said, &sender).iter().any(|frame| frame == mark.as_bytes()).then_some(())
            })
            .await;
    }
}

/// How often the peer was connected and disconnected.
pub(crate) fn changes(said: &[NetworkEvent], of: &NodeId) -> (usize, usize) {
    let connected = said.iter().filter(|e| matches!(e, NetworkEvent::Connected { peer, .. } if peer == of)).count();
    let gone = said.iter().filter(|e| matches!(e, NetworkEvent::Disconnected { peer, .. } if peer == of)).count();
    (connected, gone)
}

pub(crate) fn frames(said: &[NetworkEvent], from: &NodeId) -> Vec<Bytes> {
    let frame = |event: &NetworkEvent| match event {
        NetworkEvent::Frame { peer, bytes } if peer == from => Some(bytes.clone()),
        _ => None,
    };
    said.iter().filter_map(frame).collect()
}

/// Two nodes of one mesh, connected because the first dialled the second.
pub(crate) async fn connected_pair() -> (Node, Node) {
    let mesh = Mesh::new(1, 1);
    let (one, two) = (Node::start(mesh.identity(10)), Node::start(mesh.identity(20)));
    one.dial(&[two.address()]);
    one.connected(&two, 1).await;
    two.connected(&one, 1).await;
    (one, two)
}
