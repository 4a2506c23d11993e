//! One machine: its disk, its clock, its network card, and the daemon that runs on it.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use murmurate::daemon::files::{FileCommand, FileEvent, FileService, HintAt, Hints, HostFileSystem, Watch};
use murmurate::daemon::request::CoreHandle;
use murmurate::daemon::store::{Disk, StoreError};
use murmurate::daemon::{Daemon, DaemonConfig, Platform};
use murmurate_net::environment::SimulatedClock;
use murmurate_net::{Environment, Identity, Network, NetworkConfig, NetworkEvents, NetworkHandle, StartError};
use quinn::TokioRuntime;
use tokio::sync::mpsc;
use turmoil::net::UdpSocket;

use crate::network;
use crate::simulated::disk::SimulatedDisk;

/// When the simulated world begins: some day.
pub(crate) const WALL_MS: u64 = 1_780_000_000_000;

/// A machine, on or off.
pub(crate) struct Machine {
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    pub(crate) config: DaemonConfig,
    pub(crate) disk: SimulatedDisk,
    network: network::Network,
    seed: u64,
    boots: AtomicU64,
    core: Mutex<Option<CoreHandle>>,
}

impl Machine {
    pub(crate) fn new(
        name: String,
        address: IpAddr,
        config: DaemonConfig,
        disk: SimulatedDisk,
        network: network::Network,
        seed: u64,
    ) -> Self {
        Self { name, address, config, disk, network, seed, boots: AtomicU64::new(0), core: Mutex::default() }
    }

    /// The door to the daemon, while one is up.
    pub(crate) fn core(&self) -> Option<CoreHandle> {
        self.core.lock().unwrap().clone()
    }

    /// Nothing runs here any more.
    pub(crate) fn went_down(&self) {
        self.core.lock().unwrap().take();
    }

    /// What the machine runs: one daemon, until the machine is switched off.
    pub(crate) async fn run(self: Arc<Self>) -> turmoil::Result {
        let boot = self.boots.fetch_add(1, Ordering::Relaxed);
        let clock = Arc::new(SimulatedClock::new(WALL_MS));
        let environment = Environment::seeded(self.seed.wrapping_add(boot.wrapping_mul(1_000_003)), clock);
        let daemon = Daemon::start_on(&*self, &self.config, &environment)?;
        *self.core.lock().unwrap() = Some(daemon.core.clone());
        daemon.core.gone().await;
        Err(format!("{}: the core ended by itself", self.name).into())
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
        let socket = self.network.socket(self.address, socket);
        Network::start_on(socket, Arc::new(TokioRuntime), config.peers, identity, environment)
    }

    fn files(&self, environment: Environment) -> (mpsc::Sender<FileCommand>, mpsc::Receiver<FileEvent>) {
        let (_, receiver) = mpsc::channel::<HintAt>(1);
        let hints = Hints { watch: Arc::new(NoWatch), receiver, lost: Arc::default() };
        FileService::start_with(environment, Arc::new(HostFileSystem), hints)
    }
}

#[derive(Debug)]
struct NoWatch;

impl Watch for NoWatch {
    fn watch(&self, _: &Path) -> Result<(), String> {
        Ok(())
    }

    fn unwatch(&self, _: &Path) {}
}

/// Where a machine keeps what no test needs to lose: its identity, and its runtime directory, which a reboot empties.
pub(crate) fn directory(base: &Path, name: &str) -> PathBuf {
    base.join(name)
}
