//! Gossip over links of the tests' own, in time that is simulated.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use murmurate_crdt::id::{MeshId, NodeId};
use tokio::time::{Instant, timeout};

use super::incarnation::Incarnation;
use super::message::{Known, Message};
use super::{Gossip, GossipConfig, Heard, Keys, Life, Links, codec};
use crate::environment::{Environment, SimulatedClock};
use crate::event::{NetworkEvent, NetworkEvents, channel};
use crate::limits;

/// Longest wait for what should happen, in simulated time.
const DEADLINE: Duration = Duration::from_secs(3_600);
const GENERATION: u64 = 1_780_000_000_000;

/// A frame: when, from whom, to whom, what.
type Sent = (Duration, NodeId, NodeId, Bytes);

/// Carries frames between the nodes of a test, at once.
struct Hub {
    started: Instant,
    nodes: Mutex<BTreeMap<NodeId, Arc<Gossip>>>,
    links: BTreeSet<(NodeId, NodeId)>,
    sent: Mutex<Vec<Sent>>,
    /// Makes the next send panic, in the task that sends.
    panics: AtomicBool,
}

struct HubLinks {
    own: NodeId,
    hub: Arc<Hub>,
}

impl Links for HubLinks {
    fn linked(&self) -> Vec<NodeId> {
        let nodes = self.hub.nodes.lock().unwrap();
        nodes.keys().copied().filter(|peer| self.hub.is_link(self.own, *peer)).collect()
    }

    fn send(&self, peer: &NodeId, frame: Bytes) {
        assert!(!self.hub.panics.swap(false, Ordering::Relaxed), "on purpose");
        let sent = (self.hub.started.elapsed(), self.own, *peer, frame.clone());
        self.hub.sent.lock().unwrap().push(sent);
        let gossip = self.hub.nodes.lock().unwrap().get(peer).cloned();
        gossip.inspect(|gossip| gossip.received(self.own, frame));
    }
}

fn node(number: u8) -> NodeId {
    NodeId([number; 32])
}

impl Hub {
    fn new(links: impl IntoIterator<Item = (u8, u8)>) -> Arc<Self> {
        let links = links.into_iter().map(|(a, b)| (node(a.min(b)), node(a.max(b)))).collect();
        Arc::new(Self {
            started: Instant::now(),
            nodes: Mutex::default(),
            links,
            sent: Mutex::default(),
            panics: AtomicBool::new(false),
        })
    }

    fn is_link(&self, a: NodeId, b: NodeId) -> bool {
        self.links.contains(&(a.min(b), a.max(b)))
    }

    /// Starts a node, in place of what ran under its id before.
    fn start(self: &Arc<Self>, number: u8, generation: u64, members: u8) -> Node {
        let (events, receiver) = channel(Arc::default());
        let own = node(number);
        let environment = Environment::seeded(u64::from(number), Arc::new(SimulatedClock::new(GENERATION)));
        let links = Arc::new(HubLinks { own, hub: Arc::clone(self) });
        let gossip = Arc::new(Gossip::new(own, links, environment, events));
        gossip.set_members(&(1..=members).map(node).collect());
        if let Some(former) = self.nodes.lock().unwrap().insert(own, Arc::clone(&gossip)) {
            former.stop();
        }
        let keys = Keys::from([("name".to_owned(), format!("node-{number}"))]);
        gossip.start(GossipConfig { mesh: MeshId([1; 16]), generation, keys, interval: limits::GOSSIP_INTERVAL });
        Node { gossip, events: receiver, heard: BTreeMap::new() }
    }

    fn end(&self, number: u8) {
        self.nodes.lock().unwrap().remove(&node(number)).expect("it runs").stop();
    }
}

struct Node {
    gossip: Arc<Gossip>,
    events: NetworkEvents,
    heard: BTreeMap<NodeId, Heard>,
}

impl Node {
    /// Waits until what was last heard of a node is so.
    async fn hears(&mut self, number: u8, what: impl Fn(&Heard) -> bool) {
        let heard = async {
            while !self.heard.get(&node(number)).is_some_and(&what) {
                match self.events.recv().await {
                    Some(NetworkEvent::Heard(heard)) => drop(self.heard.insert(heard.node, heard)),
                    other => panic!("{other:?}"),
                }
            }
        };
        if timeout(DEADLINE, heard).await.is_err() {
            panic!("node {number} wasn't heard of as it should be: {:?}", self.heard);
        }
    }

    /// Waits until a key of a node has this value.
    async fn hears_key(&mut self, number: u8, key: &str, value: &str) {
        self.hears(number, |heard| heard.keys.get(key).is_some_and(|heard| heard == value)).await;
    }
}

/// A line of nodes, each linked with the next.
fn line(nodes: u8) -> Vec<(u8, u8)> {
    (1..nodes).map(|number| (number, number + 1)).collect()
}

fn keys(key: &str, value: &str) -> Keys {
    Keys::from([(key.to_owned(), value.to_owned())])
}

fn is_live(heard: &Heard) -> bool {
    heard.life == Life::Live
}

#[tokio::test(start_paused = true)]
async fn what_a_host_says_reaches_those_without_a_link_and_the_dead_fall_silent() {
    let hub = Hub::new(line(5));
    let mut nodes: Vec<Node> = (1..=5).map(|number| hub.start(number, GENERATION, 5)).collect();
    nodes[0].gossip.set_keys(keys("zone", "eu"));
    for (index, node) in nodes.iter_mut().enumerate().skip(1) {
        node.hears_key(1, "name", "node-1").await;
        node.hears_key(1, "zone", "eu").await;
        node.hears(1, is_live).await;
        assert_eq!(node.heard[&super::tests::node(1)].generation, GENERATION, "node {}", index + 1);
    }
    nodes[4].hears_key(2, "name", "node-2").await;
    nodes[0].hears(5, is_live).await;
    hub.end(5);
    nodes[0].hears(5, |heard| heard.life == Life::Silent).await;
    assert!(is_live(&nodes[0].heard[&node(2)]));
}

#[tokio::test(start_paused = true)]
async fn a_later_generation_replaces_an_earlier_one_that_is_heard_of_no_more() {
    let hub = Hub::new(line(3));
    let mut nodes: Vec<Node> = (1..=3).map(|number| hub.start(number, GENERATION, 3)).collect();
    nodes[2].hears(1, is_live).await;
    nodes[0].gossip.set_keys(keys("zone", "old"));
    nodes[2].hears_key(1, "zone", "old").await;
    nodes[0] = hub.start(1, GENERATION + 1, 3);
    nodes[2].hears(1, |heard| heard.generation == GENERATION + 1 && is_live(heard)).await;
    assert_eq!(nodes[2].heard[&node(1)].keys, keys("name", "node-1"));
    // The older one's silence isn't told of the host.
    let silent = nodes[2].hears(1, |heard| heard.life == Life::Silent || heard.generation == GENERATION);
    assert!(timeout(2 * limits::GOSSIP_FORGETS, silent).await.is_err());
    assert_eq!(nodes[2].gossip.health().nodes, 3);
}

#[tokio::test(start_paused = true)]
async fn who_is_no_member_is_not_heard_of() {
    let hub = Hub::new(line(3));
    let mut nodes: Vec<Node> = (1..=3).map(|number| hub.start(number, GENERATION, 3)).collect();
    nodes[0].hears(3, is_live).await;
    nodes[0].gossip.set_members(&[node(1), node(2)].into());
    nodes[0].hears(3, |heard| heard.life == Life::Silent).await;
    nodes[2].gossip.set_keys(keys("zone", "new"));
    nodes[1].hears_key(3, "zone", "new").await;
    let told = nodes[0].hears_key(3, "zone", "new");
    assert!(timeout(Duration::from_secs(60), told).await.is_err());
    nodes[0].gossip.set_members(&(1..=3).map(node).collect());
    nodes[0].hears_key(3, "zone", "new").await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_a_restart_as_a_later_incarnation_and_nobody_is_told_to_be_silent() {
    let hub = Hub::new(line(2));
    let mut one = hub.start(1, GENERATION, 2);
    let mut two = hub.start(2, GENERATION, 2);
    one.hears(2, is_live).await;
    two.hears(1, is_live).await;
    for restarts in 1..=3 {
        hub.panics.store(true, Ordering::Relaxed);
        tokio::time::sleep(limits::GOSSIP_BACKOFF_MAX).await;
        let (first, second) = (one.gossip.health(), two.gossip.health());
        assert_eq!(first.restarts + second.restarts, restarts);
        assert!(first.ended.or(second.ended).is_some_and(|why| why.contains("panic")));
        for (of, node) in [(2, &mut one), (1, &mut two)] {
            let zone = format!("zone-{restarts}");
            hub.nodes.lock().unwrap()[&super::tests::node(of)].set_keys(keys("zone", &zone));
            node.hears_key(of, "zone", &zone).await;
            node.hears(of, is_live).await;
            assert_eq!(node.heard[&super::tests::node(of)].generation, GENERATION);
        }
    }
    while let Some(event) = one.events.try_recv().or_else(|| two.events.try_recv()) {
        assert!(!matches!(event, NetworkEvent::Heard(Heard { life: Life::Silent, .. })), "{event:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_and_floods_are_dropped_and_the_rest_goes_on() {
    let hub = Hub::new(line(3));
    let mut one = hub.start(1, GENERATION, 4);
    let two = hub.start(2, GENERATION, 4);
    let garbage: [&[u8]; 4] = [b"", b"\x05hello", &[0xff; 64], &[0; 64]];
    let mut bomb = vec![0x80, 0x80, 0x40];
    bomb.extend(zstd::bulk::compress(&vec![0; 64 << 20], 3).unwrap());
    for round in 0..2_000_u32 {
        let frame =
            garbage.get(round as usize % 5).map_or_else(|| Bytes::from(bomb.clone()), |frame| frame.to_vec().into());
        one.gossip.received(node(4), frame);
        let (frames, _) = one.gossip.shared.inbox.held();
        assert!(frames <= 2 * limits::GOSSIP_INBOX_FRAMES);
        if round % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    two.gossip.set_keys(keys("zone", "eu"));
    one.hears_key(2, "zone", "eu").await;
    let health = one.gossip.health();
    assert!(health.unusable > 0 && health.dropped > 1_000, "{health:?}");
    assert_eq!(health.restarts, 0);
}

#[tokio::test(start_paused = true)]
async fn at_the_limit_an_alarm_is_given_and_gossip_goes_on() {
    let members: BTreeSet<NodeId> = (1..=5_000_u16)
        .map(|number| {
            let mut id = [0; 32];
            id[..2].copy_from_slice(&number.to_be_bytes());
            NodeId(id)
        })
        .collect();
    let hub = Hub::new(line(2));
    let mut one = hub.start(1, GENERATION, 2);
    let two = hub.start(2, GENERATION, 2);
    one.hears(2, is_live).await;
    assert!(!one.gossip.health().is_near_limit());
    one.gossip.set_members(&members.iter().copied().chain([node(1), node(2)]).collect());
    let digest = members.iter().map(|node| Known { of: Incarnation::new(node, 1, 0), heartbeat: 1, version: 0 });
    let digest: Vec<Known> = digest.collect();
    for (index, digest) in digest.chunks(240).enumerate() {
        let message = Message::Syn { mesh: MeshId([1; 16]).to_string(), digest: digest.to_vec() };
        one.gossip.received(node(2), codec::to_frame(&message).unwrap());
        tokio::time::sleep(limits::GOSSIP_INTERVAL).await;
        // 960 is 80 % of it.
        assert_eq!(one.gossip.health().is_near_limit(), index >= 3, "{:?}", one.gossip.health());
    }
    let health = one.gossip.health();
    assert_eq!((health.nodes, health.restarts), (limits::GOSSIP_NODES, 0));
    assert!(health.refused > 3_000);
    two.gossip.set_keys(keys("zone", "eu"));
    one.hears_key(2, "zone", "eu").await;
}

/// Runs a test in a runtime of its own, whose time is simulated.
fn simulated<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(test)
}

/// All frames of some minutes in which nodes come, go and say things.
async fn some_minutes() -> Vec<Sent> {
    let hub = Hub::new((1..=6).flat_map(|a| (1..a).map(move |b| (a, b))));
    let mut nodes: Vec<Node> = (1..=5).map(|number| hub.start(number, GENERATION, 6)).collect();
    nodes[0].hears(5, is_live).await;
    nodes.push(hub.start(6, GENERATION, 6));
    for (number, node) in (1..).zip(&nodes) {
        node.gossip.set_keys(keys("zone", &format!("zone-{number}")));
    }
    nodes[0].hears(6, is_live).await;
    hub.end(3);
    nodes[0].hears(3, |heard| heard.life == Life::Silent).await;
    nodes[2] = hub.start(3, GENERATION + 9, 6);
    nodes[0].hears(3, is_live).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let sent = std::mem::take(&mut *hub.sent.lock().unwrap());
    (1..=6).for_each(|number| hub.end(number));
    sent
}

#[test]
fn equal_seeds_give_equal_frames_at_equal_times() {
    let first = simulated(some_minutes());
    assert!(first.len() > 500);
    for _ in 0..4 {
        let again = simulated(some_minutes());
        let parted = first.iter().zip(&again).position(|(first, again)| first != again);
        assert_eq!((parted, first.len()), (None, again.len()));
    }
}
