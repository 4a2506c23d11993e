//! Keeps chitchat running: a task that ended, whyever, begins anew as a later incarnation.

use std::sync::Arc;

use chitchat::{ChitchatConfig, ChitchatHandle, FailureDetectorConfig, spawn_chitchat};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::incarnation::{Incarnation, NO_ADDRESS};
use super::transport::LinkTransport;
use super::view::{View, heard, held};
use super::{GossipConfig, Shared, lock};
use crate::environment::Environment;
use crate::event::{EventSender, NetworkEvent};
use crate::limits;

/// Whom chitchat takes for a seed: nobody, so that it begins each round with a Syn even where it knows of no one.
const NOBODY: &str = "0.0.0.0:1";

/// Runs chitchat.
pub(super) struct Supervisor {
    pub(super) shared: Arc<Shared>,
    pub(super) config: GossipConfig,
    pub(super) environment: Environment,
    pub(super) events: EventSender,
}

/// chitchat's handle, whose task ends with it.
struct Running(ChitchatHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Supervisor {
    /// Runs until it is aborted, or nobody listens.
    pub(super) async fn run(self) {
        let mut view = View::default();
        let mut backoff = limits::GOSSIP_BACKOFF;
        for restarts in 0..=u16::MAX {
            let started = Instant::now();
            let Some(why) = self.run_once(restarts, &mut view).await else { return };
            {
                let mut health = lock(&self.shared.health);
                health.restarts += 1;
                health.ended = Some(why.clone());
            }
            if started.elapsed() >= limits::GOSSIP_BACKOFF_MAX {
                backoff = limits::GOSSIP_BACKOFF;
            }
            tracing::error!(%why, "gossip ended; it begins anew in {backoff:?}");
            sleep(backoff).await;
            backoff = (backoff * 2).min(limits::GOSSIP_BACKOFF_MAX);
        }
        tracing::error!("gossip was started anew too often; start the daemon again");
    }

    /// Runs one incarnation; says why it ended. `None`: nobody listens any more.
    async fn run_once(&self, restarts: u16, view: &mut View) -> Option<String> {
        let own = Incarnation::new(&self.shared.own, self.config.generation, restarts);
        self.shared.admission().begin(own);
        self.shared.set_syn(None);
        self.shared.inbox.clear();
        let transport = LinkTransport {
            shared: Arc::clone(&self.shared),
            interval: self.config.interval,
            rng: self.environment.rng(),
        };
        let running = match spawn_chitchat(self.chitchat_config(own), Vec::new(), &transport).await {
            Ok(handle) => Running(handle),
            Err(error) => return Some(error.to_string()),
        };
        self.set_keys(&running).await;
        let ended = running.0.termination_watcher();
        tokio::pin!(ended);
        let begun = Instant::now();
        let mut looks = interval_at(begun + self.config.interval / 2, self.config.interval);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                result = &mut ended => {
                    return Some(result.err().map_or_else(|| "it stopped".to_owned(), |error| error.to_string()));
                }
                () = self.shared.keys_changed.notified() => self.set_keys(&running).await,
                _ = looks.tick() => self.look(&running, begun, view).await?,
            }
        }
    }

    fn chitchat_config(&self, own: Incarnation) -> ChitchatConfig {
        ChitchatConfig {
            chitchat_id: own.chitchat_id(),
            cluster_id: self.config.mesh.to_string(),
            gossip_interval: self.config.interval,
            listen_addr: NO_ADDRESS,
            seed_nodes: vec![NOBODY.to_owned()],
            failure_detector_config: FailureDetectorConfig {
                phi_threshold: limits::GOSSIP_PHI,
                sampling_window_size: limits::GOSSIP_SAMPLES,
                max_interval: limits::GOSSIP_LONGEST_PAUSE,
                initial_interval: self.config.interval * 2,
                dead_node_grace_period: limits::GOSSIP_FORGETS,
            },
            // Nothing is ever deleted.
            marked_for_deletion_grace_period: limits::GOSSIP_FORGETS,
            catchup_callback: None,
            extra_liveness_predicate: None,
        }
    }

    /// Tells chitchat what this host says of itself; values that stay count as no change.
    async fn set_keys(&self, running: &Running) {
        let keys = lock(&self.shared.keys).clone();
        let fits = |(key, value): &(String, String)| {
            let is_plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
            is_plain && key.len() <= limits::GOSSIP_KEY_BYTES && value.len() <= limits::GOSSIP_VALUE_BYTES
        };
        let keys: Vec<_> = keys.into_iter().filter(fits).take(limits::GOSSIP_KEYS).collect();
        let set = |chitchat: &mut chitchat::Chitchat| {
            for (key, value) in &keys {
                chitchat.self_node_state().set(key, value);
            }
        };
        running.0.with_chitchat(set).await;
    }

    /// Tells the core what changed. `None`: it takes no more.
    async fn look(&self, running: &Running, begun: Instant, view: &mut View) -> Option<()> {
        let heard = {
            let chitchat = running.0.chitchat();
            let chitchat = chitchat.lock().await;
            let mut admission = self.shared.admission();
            admission.set_held(held(&chitchat));
            heard(&chitchat, self.shared.own, &admission)
        };
        let has_just_begun = begun.elapsed() < self.config.interval * limits::GOSSIP_FIRST_ROUNDS;
        for heard in view.changes(heard, has_just_begun) {
            self.events.send(NetworkEvent::Heard(heard)).await.ok()?;
        }
        Some(())
    }
}
