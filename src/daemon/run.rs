//! Putting the daemon together, and taking it apart.
//!
//! ```text
//!  data/identity/   who this host is: keys, certificates, the authority's admission of it
//!  data/store/      changes and state
//!  data/kept/       files that a folder held when the mesh had others
//!  runtime/         how far the store was acknowledged; empty after a reboot
//! ```

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::VerifyingKey;
use murmurate_client::types::Converged;
use murmurate_crdt::change;
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_net::identity::{self, DirectoryError};
use murmurate_net::{Environment, Identity, NetworkConfig, PeerAddress, StartError};
use murmurate_protocol::{Admission, Config, Engine};
use tokio::sync::watch;

use super::core::{self, Core, Inputs, Parts};
use super::platform::{Platform, SystemPlatform};
use super::request::{self, CoreHandle};
use super::store::{LogOptions, LogStore, StoreError};

/// The file in the identity directory that holds the authority's admission of this node.
const ADMISSION: &str = "admission";

/// What a daemon needs to know; the settings file says it.
#[derive(Debug, Clone)]
pub struct DaemonConfig {
    /// Where everything that lasts is kept.
    pub data_dir: PathBuf,
    /// Where is kept what must not outlive a reboot; on a tmpfs.
    pub runtime_dir: PathBuf,
    /// The UDP address for the other hosts.
    pub listen: SocketAddr,
    /// Where the other hosts are dialled.
    pub peers: Vec<PeerAddress>,
}

/// The daemon didn't start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Who this host is, isn't known.
    #[error("reading this host's identity: {0}")]
    Identity(#[from] DirectoryError),
    /// The admission isn't there or isn't this node's.
    #[error("reading {path}: {why}; the identity directory comes whole from the mesh's authority")]
    Admission {
        /// The file.
        path: PathBuf,
        /// Why it can't be used.
        why: String,
    },
    /// The store can't be opened.
    #[error("opening the store: {0}")]
    Store(#[from] StoreError),
    /// The network can't be started.
    #[error("joining the network: {0}")]
    Network(#[from] StartError),
}

/// A running daemon.
pub struct Daemon {
    /// The door to its core.
    pub core: CoreHandle,
    /// The address that it listens on.
    pub address: SocketAddr,
    shutdown: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Daemon {
    /// Opens the store, joins the network and starts the core.
    ///
    /// # Errors
    /// See [`DaemonError`].
    pub fn start(config: &DaemonConfig, environment: &Environment) -> Result<Self, DaemonError> {
        Self::start_on(&SystemPlatform, config, environment)
    }

    /// The same on another platform, for simulations.
    ///
    /// # Errors
    /// See [`DaemonError`].
    pub fn start_on(
        platform: &dyn Platform,
        config: &DaemonConfig,
        environment: &Environment,
    ) -> Result<Self, DaemonError> {
        let identity_dir = config.data_dir.join("identity");
        let identity = identity::load(&identity_dir)?;
        let admission = read_admission(&identity_dir, &identity)?;
        let disk = platform.disk(&config.data_dir.join("store"))?;
        let store = Arc::new(LogStore::open(disk, LogOptions::default(), &mut environment.rng())?);
        let authority = authority_key(&identity, &identity_dir)?;
        let engine = Engine::new(
            Config::new(identity.node_id(), identity.mesh(), authority, check_change),
            environment.monotonic(),
        );
        let network_config = NetworkConfig { listen: config.listen, peers: config.peers.clone() };
        let (network, network_events) = platform.network(network_config, identity.clone(), environment.clone())?;
        let address = network.local_address().unwrap_or(config.listen);
        let (files, file_events) = platform.files(environment.clone());
        let (core, end) = request::door(Converged::of(Vec::new()));
        let (requests, converged) = core::split(end);
        let parts = Parts {
            identity: own_identity(&identity, admission, address),
            environment: environment.clone(),
            store,
            engine,
            network,
            files,
            runtime_dir: config.runtime_dir.clone(),
            data_dir: config.data_dir.clone(),
            converged,
        };
        let (state, done) = Core::new(parts)?;
        let (shutdown, shutdown_receiver) = watch::channel(false);
        let inputs = Inputs { requests, network: network_events, files: file_events, shutdown: shutdown_receiver };
        let task = tokio::spawn(state.run(inputs, done));
        Ok(Self { core, address, shutdown, task })
    }

    /// Brings everything that was queued to the disk, says goodbye to the others, and ends.
    pub async fn shut_down(self) {
        // The core may have ended by itself; then there is nobody to tell.
        let _ = self.shutdown.send(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the core ended badly");
        }
    }
}

fn own_identity(identity: &Identity, admission: Admission, address: SocketAddr) -> core::Identity {
    core::Identity {
        mesh: identity.mesh(),
        node: identity.node_id(),
        name: identity.name().into(),
        key: identity.key().clone(),
        admission,
        address: address.to_string(),
    }
}

fn check_change(envelope: &SignedEnvelope) -> Result<(), String> {
    change::check(envelope).map(|_| ()).map_err(|error| error.to_string())
}

fn authority_key(identity: &Identity, path: &Path) -> Result<VerifyingKey, DaemonError> {
    let bad = |why: String| DaemonError::Admission { path: path.join("authority.crt"), why };
    let key = identity.authority_key().map_err(|error| bad(error.to_string()))?;
    VerifyingKey::from_bytes(&key).map_err(|error| bad(error.to_string()))
}

/// Reads the authority's admission of this node.
fn read_admission(directory: &Path, identity: &Identity) -> Result<Admission, DaemonError> {
    let path = directory.join(ADMISSION);
    let bad = |why: String| DaemonError::Admission { path: path.clone(), why };
    let bytes = std::fs::read(&path).map_err(|error| bad(error.to_string()))?;
    let admission = Admission::decode(bytes).map_err(|error| bad(error.to_string()))?;
    match admission.admitted() {
        Some(admitted) if admitted.node() == identity.node_id() => Ok(admission),
        _ => Err(bad("it admits another node".into())),
    }
}

/// Writes an identity directory that a daemon can start with.
///
/// # Errors
/// When the directory exists already or can't be written.
pub fn save_identity(data_dir: &Path, identity: &Identity, admission: &Admission) -> Result<(), DaemonError> {
    let directory = data_dir.join("identity");
    identity::save(&directory, identity)?;
    let path = directory.join(ADMISSION);
    std::fs::write(&path, admission.bytes()).map_err(|error| DaemonError::Admission { path, why: error.to_string() })
}
