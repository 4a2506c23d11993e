//! One machine: its disk, its file system, its clock, its network card, and the daemon that runs on it.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use murmurate::daemon::checks::{CheckCommand, CheckEvent, Rules};
use murmurate::daemon::files::{FileCommand, FileEvent, FileService};
use murmurate::daemon::request::CoreHandle;
use murmurate::daemon::store::{Disk, LogOptions, LogStore, Store, StoreError};
use murmurate::daemon::{Daemon, DaemonConfig, Platform};
use murmurate_net::environment::SimulatedClock;
use murmurate_net::{Environment, Identity, Network, NetworkConfig, NetworkEvents, NetworkHandle, StartError};
use quinn::TokioRuntime;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tokio::sync::mpsc;
use turmoil::net::UdpSocket;

use crate::network;
use crate::simulated::disk::SimulatedDisk;
use crate::simulated::file_system::SimulatedFileSystem;
use crate::simulated::hints::Watches;
use crate::simulated::switch::Switch;

/// When the simulated world begins: some day.
pub(crate) const WALL_MS: u64 = 1_780_000_000_000;
/// Where the folder lies on each machine.
pub(crate) const ROOT: &str = "/srv/config";

/// A machine, on or off.
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    config: DaemonConfig,
    pub(crate) disk: SimulatedDisk,
    pub(crate) files: SimulatedFileSystem,
    pub(crate) watches: Watches,
    /// Off as soon as the daemon stops, by a fault or by force.
    pub(crate) switch: Switch,
    network: network::Network,
    seed: u64,
    boots: AtomicU64,
    clock_ahead_ms: AtomicI64,
    running: Mutex<Option<Running>>,
}

/// What the world holds of a daemon that is up.
#[derive(Clone)]
struct Running {
    core: CoreHandle,
    clock: Arc<SimulatedClock>,
}

impl Machine {
    pub(crate) fn new(
        name: String,
        address: IpAddr,
        config: DaemonConfig,
        network: network::Network,
        seed: u64,
        clock_ahead_ms: i64,
    ) -> Self {
        let random = |number: u64| ChaCha20Rng::seed_from_u64(seed.wrapping_add(number << 32));
        let switch = Switch::default();
        let watches = Watches::new(random(1));
        let files = SimulatedFileSystem::new(random(2), watches.clone(), switch.clone());
        files.make_directories(ROOT);
        Self {
            name,
            address,
            config,
            disk: SimulatedDisk::with_switch(random(3), switch.clone()),
            files,
            watches,
            switch,
            network,
            seed,
            boots: AtomicU64::new(0),
            clock_ahead_ms: AtomicI64::new(clock_ahead_ms),
            running: Mutex::default(),
        }
    }

    /// The door to the daemon, while one is up.
    pub(crate) fn core(&self) -> Option<CoreHandle> {
        self.running.lock().unwrap().as_ref().map(|running| running.core.clone())
    }

    /// The folder's files, without those that only editors know.
    pub(crate) fn shown_files(&self) -> BTreeMap<String, String> {
        let files = self.files.files(ROOT).into_iter();
        let shown = files.filter(|(path, _)| !path.ends_with('~') && !path.contains(".goutputstream-"));
        shown.map(|(path, bytes)| (path, String::from_utf8_lossy(&bytes).into_owned())).collect()
    }

    /// What the machine's wall clock says.
    pub(crate) fn wall_ms(&self, now: Duration) -> u64 {
        let elapsed = WALL_MS + u64::try_from(now.as_millis()).unwrap();
        elapsed.saturating_add_signed(self.clock_ahead_ms.load(Ordering::Relaxed))
    }

    /// The wall clock jumps.
    pub(crate) fn set_clock(&self, ahead_ms: i64) {
        let before_ms = self.clock_ahead_ms.swap(ahead_ms, Ordering::Relaxed);
        if let Some(running) = &*self.running.lock().unwrap() {
            running.clock.jump_ms(ahead_ms - before_ms);
        }
    }

    /// Time went on: hints come, files get newer stamps.
    pub(crate) fn advance(&self, now: Duration) {
        self.files.set_wall_ms(self.wall_ms(now));
        self.watches.advance(now);
    }

    /// Nothing runs here any more.
    pub(crate) fn went_down(&self) {
        self.switch.off();
        self.running.lock().unwrap().take();
    }

    /// The daemon's process is gone; the machine is there.
    pub(crate) fn prepare_process(&self) {
        self.disk.restart_process();
        self.files.restart_process();
    }

    /// The power went. What wasn't synced is there with a likelihood of `percent`; the runtime directory is empty.
    pub(crate) fn lose_power(&self, percent: u32) {
        self.disk.restart_machine(percent);
        self.files.restart_machine(percent);
        self.switch.off();
        drop(std::fs::remove_dir_all(&self.config.runtime_dir));
    }

    /// What the machine runs: one daemon, until it is stopped by force.
    pub(crate) async fn run(self: Arc<Self>) -> turmoil::Result {
        let boot = self.boots.fetch_add(1, Ordering::Relaxed);
        let now = turmoil::sim_elapsed().unwrap_or_default();
        let clock = Arc::new(SimulatedClock::new(self.wall_ms(now)));
        let environment = Environment::seeded(self.seed.wrapping_add(boot.wrapping_mul(1_000_003)), clock.clone());
        let daemon = match Daemon::start_on(&*self, &self.config, &environment) {
            Ok(daemon) => daemon,
            // It stopped while it was starting.
            Err(_) if self.switch.is_off() => return std::future::pending().await,
            Err(error) => return Err(format!("{}: {error}", self.name).into()),
        };
        *self.running.lock().unwrap() = Some(Running { core: daemon.core.clone(), clock });
        daemon.core.gone().await;
        if self.switch.is_off() {
            return std::future::pending().await;
        }
        Err(format!("{}: the core ended by itself", self.name).into())
    }

    /// Whether the store, once the daemon is down, has no change in quarantine.
    pub(crate) fn store_has_nothing_aside(&self) -> bool {
        self.store().quarantined().unwrap().is_empty()
    }

    /// What the daemon's store holds, once the daemon is down.
    pub(crate) fn store(&self) -> LogStore {
        let mut random = ChaCha20Rng::seed_from_u64(0);
        LogStore::open(Arc::new(self.disk.clone()), LogOptions::default(), &mut random).unwrap()
    }
}

impl Platform for Machine {
    fn disk(&self, _: &Path) -> Result<Arc<dyn Disk>, StoreError> {
        Ok(Arc::new(self.disk.clone()))
    }

    fn network(
        &self,
        config: NetworkConfig,
        identity: Identity,
        environment: Environment,
    ) -> Result<(NetworkHandle, NetworkEvents), StartError> {
        let bind = |source| StartError::Bind { address: config.listen, source };
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, config.listen.port())).now_or_never();
        let socket = socket.unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into())).map_err(bind)?;
        let socket = self.network.socket(self.address, socket, self.switch.clone());
        Network::start_on(socket, Arc::new(TokioRuntime), config.peers, identity, environment)
    }

    fn files(&self, environment: Environment) -> (mpsc::Sender<FileCommand>, mpsc::Receiver<FileEvent>) {
        FileService::start_with(environment, Arc::new(self.files.clone()), self.watches.hints())
    }

    /// Nobody answers: the simulated hosts have no rules, since commands would run in the real world.
    fn checks(&self, _: Environment, _: Arc<Rules>) -> (mpsc::Sender<CheckCommand>, mpsc::Receiver<CheckEvent>) {
        (mpsc::channel(1).0, mpsc::channel(1).1)
    }
}
