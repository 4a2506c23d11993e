//! Keeps a connection with one peer, over any of its addresses.
//!
//! ```text
//!  addresses ──resolve──▶ ways ──race──▶ the first handshake ──greeting──▶ the peer; or another way, where somebody else is
//! ```
//! Two loops dial each peer: one in short attempts, which finds a returned network soon, and one patient, which dials
//! only while nobody answers, for paths of seconds. Both rest while the node is connected.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use murmurate_crdt::id::NodeId;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use tokio::time::{Instant, sleep};

use crate::limits;
use crate::network::Shared;
use crate::peer::Peer;
use crate::race::{Way, find_ways, race};

/// What came of one attempt.
#[derive(Debug)]
pub(crate) enum Dialled {
    /// This node is there, and connected, over this attempt or another.
    Reached(NodeId),
    /// Somebody answered, and one of the sides refused.
    Refused,
    /// This node itself is there.
    OwnAddress,
    /// Nobody answered, or the network failed.
    Unanswered(String),
}

/// What both loops of a peer know of it.
#[derive(Default)]
struct Target {
    node: Mutex<Option<NodeId>>,
    own: Mutex<BTreeSet<SocketAddr>>,
    is_unanswered: AtomicBool,
    named_at: Mutex<Option<Instant>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Target {
    fn new(peer: &Peer) -> Self {
        Self { node: Mutex::new(peer.node), ..Self::default() }
    }

    fn node(&self) -> Option<NodeId> {
        *lock(&self.node)
    }

    fn note(&self, peer: &Peer, outcome: &Dialled) {
        self.is_unanswered.store(matches!(outcome, Dialled::Unanswered(_)), Ordering::Relaxed);
        match outcome {
            Dialled::Reached(node) => *lock(&self.node) = Some(*node),
            // The next time, whatever is own by then is found anew: addresses move.
            Dialled::OwnAddress => lock(&self.own).clear(),
            Dialled::Unanswered(why) => self.name_unanswered(peer, why),
            Dialled::Refused => {}
        }
    }

    fn name_unanswered(&self, peer: &Peer, why: &str) {
        let mut named_at = lock(&self.named_at);
        if named_at.is_some_and(|at| at.elapsed() < limits::UNREACHABLE_LOG_INTERVAL) {
            return;
        }
        *named_at = Some(Instant::now());
        tracing::info!(address = %peer, "no connection yet: {why}");
    }
}

/// Dials a peer, until dropped.
pub(crate) async fn keep_dialling(shared: Arc<Shared>, peer: Peer) {
    if peer.node == Some(shared.tls.node_id()) {
        return;
    }
    let target = Target::new(&peer);
    tokio::join!(
        dial_loop(&shared, &peer, &target, limits::ATTEMPT_TIMEOUT, false),
        dial_loop(&shared, &peer, &target, limits::PATIENT_ATTEMPT_TIMEOUT, true),
    );
}

async fn dial_loop(shared: &Arc<Shared>, peer: &Peer, target: &Target, attempt_timeout: Duration, is_patient: bool) {
    let mut rng = shared.environment.rng();
    loop {
        if is_patient && !target.is_unanswered.load(Ordering::Relaxed) {
            sleep(limits::ATTEMPT_TIMEOUT).await;
            continue;
        }
        if let Some(node) = target.node() {
            wait_until_disconnected(shared, node).await;
        }
        let outcome = attempt(shared, peer, target, attempt_timeout).await;
        let pause = match &outcome {
            Dialled::Refused => limits::REFUSED_RETRY_MS,
            Dialled::OwnAddress => limits::OWN_ADDRESS_RETRY_MS,
            _ => limits::RETRY_MS,
        };
        target.note(peer, &outcome);
        sleep(jittered(&mut rng, pause)).await;
    }
}

fn jittered(rng: &mut ChaCha20Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(range.start + rng.next_u64() % (range.end - range.start))
}

async fn wait_until_disconnected(shared: &Shared, node: NodeId) {
    loop {
        let changed = shared.registry().changed();
        if !shared.registry().is_connected(&node) {
            return;
        }
        changed.await;
    }
}

/// Tries all ways side by side; and again those that are left, where somebody else answered than the one who is meant.
async fn attempt(shared: &Arc<Shared>, peer: &Peer, target: &Target, attempt_timeout: Duration) -> Dialled {
    let (mut ways, mut failures) = ways_to(peer).await;
    let count = ways.len();
    ways.retain(|way| !lock(&target.own).contains(&way.address));
    if ways.is_empty() && count > 0 {
        return Dialled::OwnAddress;
    }
    while !ways.is_empty() {
        let connect = |way: Way| async move {
            let connected = shared.connect(way.address, attempt_timeout).await;
            connected.map(|connection| (way.address, connection))
        };
        let (address, connection) = match race(ways.clone(), connect).await {
            Ok(connected) => connected,
            Err(more) => {
                failures.extend(more);
                break;
            }
        };
        match shared.greet(connection, address, true).await {
            Dialled::OwnAddress => {
                lock(&target.own).insert(address);
                failures.push(Dialled::OwnAddress);
            }
            Dialled::Reached(node) if peer.node.is_some_and(|expected| expected != node) => {
                failures.push(Dialled::Unanswered(format!("node {node} is at {address}")));
            }
            outcome => return outcome,
        }
        ways.retain(|way| way.address != address);
    }
    combined(failures)
}

async fn ways_to(peer: &Peer) -> (Vec<Way>, Vec<Dialled>) {
    let (ways, unresolved) = find_ways(&peer.addresses).await;
    let failures = unresolved.into_iter().map(|(given, why)| Dialled::Unanswered(format!("{given}: {why}")));
    (ways, failures.collect())
}

/// What several failures come to. One address where somebody may still answer is worth being tried soon.
fn combined(failures: Vec<Dialled>) -> Dialled {
    let mut unanswered = Vec::new();
    let mut is_refused = false;
    for failure in failures {
        match failure {
            Dialled::Unanswered(why) => unanswered.push(why),
            Dialled::Refused => is_refused = true,
            Dialled::Reached(_) | Dialled::OwnAddress => {}
        }
    }
    unanswered.dedup();
    match (unanswered.is_empty(), is_refused) {
        (false, _) => Dialled::Unanswered(unanswered.join("; ")),
        (true, true) => Dialled::Refused,
        (true, false) => Dialled::OwnAddress,
    }
}
