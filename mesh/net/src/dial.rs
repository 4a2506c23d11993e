//! Keeps a connection over one configured address.
//!
//! Two loops dial each address: one in short attempts, which finds a returned network soon, and one patient, which dials
//! only while nobody answers, for paths of seconds. Both rest while the node at the address is connected.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use murmurate_crdt::id::NodeId;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use tokio::time::{Instant, sleep};

use crate::address::PeerAddress;
use crate::limits;
use crate::network::Shared;
use crate::race::resolve;

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

/// What both loops of an address know of it.
#[derive(Default)]
struct Target {
    node: Mutex<Option<NodeId>>,
    is_own: AtomicBool,
    is_unanswered: AtomicBool,
    named_at: Mutex<Option<Instant>>,
}

impl Target {
    fn node(&self) -> Option<NodeId> {
        *self.node.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, address: &PeerAddress, outcome: &Dialled) {
        self.is_unanswered.store(matches!(outcome, Dialled::Unanswered(_)), Ordering::Relaxed);
        match outcome {
            Dialled::Reached(node) => *self.node.lock().unwrap_or_else(PoisonError::into_inner) = Some(*node),
            Dialled::OwnAddress => self.is_own.store(true, Ordering::Relaxed),
            Dialled::Unanswered(why) => self.name_unanswered(address, why),
            Dialled::Refused => {}
        }
    }

    fn name_unanswered(&self, address: &PeerAddress, why: &str) {
        let mut named_at = self.named_at.lock().unwrap_or_else(PoisonError::into_inner);
        if named_at.is_some_and(|at| at.elapsed() < limits::UNREACHABLE_LOG_INTERVAL) {
            return;
        }
        *named_at = Some(Instant::now());
        tracing::info!(%address, "no connection yet: {why}");
    }
}

/// Dials an address, until dropped.
pub(crate) async fn keep_dialling(shared: Arc<Shared>, address: PeerAddress) {
    let target = Target::default();
    tokio::join!(
        dial_loop(&shared, &address, &target, limits::ATTEMPT_TIMEOUT, false),
        dial_loop(&shared, &address, &target, limits::PATIENT_ATTEMPT_TIMEOUT, true),
    );
}

async fn dial_loop(
    shared: &Arc<Shared>,
    address: &PeerAddress,
    target: &Target,
    attempt_timeout: Duration,
    is_patient: bool,
) {
    let mut rng = shared.environment().rng();
    while !target.is_own.load(Ordering::Relaxed) {
        if is_patient && !target.is_unanswered.load(Ordering::Relaxed) {
            sleep(limits::ATTEMPT_TIMEOUT).await;
            continue;
        }
        if let Some(node) = target.node() {
            wait_until_disconnected(shared, node).await;
        }
        let outcome = attempt(shared, address, attempt_timeout).await;
        let pause = match &outcome {
            Dialled::Refused => limits::REFUSED_RETRY_MS,
            _ => limits::RETRY_MS,
        };
        target.note(address, &outcome);
        sleep(jittered(&mut rng, pause)).await;
    }
}

fn jittered(rng: &mut ChaCha20Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(range.start + rng.next_u64() % (range.end - range.start))
}

async fn wait_until_disconnected(shared: &Shared, node: NodeId) {
    let mut changes = shared.registry().changes();
    while shared.registry().is_connected(&node) {
        if changes.changed().await.is_err() {
            return;
        }
    }
}

async fn attempt(shared: &Arc<Shared>, address: &PeerAddress, attempt_timeout: Duration) -> Dialled {
    let addresses = match resolve(address).await {
        Ok(addresses) => addresses,
        Err(why) => return Dialled::Unanswered(why),
    };
    let mut outcome = Dialled::Unanswered("the name has no address".to_owned());
    for address in addresses {
        outcome = shared.dial(address, attempt_timeout).await;
        if !matches!(outcome, Dialled::Unanswered(_)) {
            break;
        }
    }
    outcome
}
