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
use murmurate_net::environment::Random;
use murmurate_net::identity::{self, DirectoryError, NewDirectory, generate_key};
use murmurate_net::{Environment, Identity, Network, NetworkConfig, Peer, PeerAddress, StartError};
use murmurate_protocol::{Admission, Config, Engine};
use tokio::sync::watch;

use super::core::{self, Core, Inputs, Parts};
use super::files::FileService;
use super::request::{self, CoreHandle};
use super::store::{Directory, LogOptions, LogStore, Store, StoreError};

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
        let identity_dir = config.data_dir.join("identity");
        let identity = identity::load(&identity_dir)?;
        let admission = read_admission(&identity_dir, &identity)?;
        let store = open_store(&config.data_dir.join("store"), environment)?;
        let authority = authority_key(&identity, &identity_dir)?;
        let engine = Engine::new(
            Config::new(identity.node_id(), identity.mesh(), authority, check_change),
            environment.monotonic(),
        );
        let network_config =
            NetworkConfig { listen: config.listen, peers: config.peers.iter().cloned().map(Peer::from).collect() };
        let (network, network_events) = Network::start(network_config, identity.clone(), environment.clone())?;
        let address = network.local_address().unwrap_or(config.listen);
        let (files, file_events) = FileService::start(environment.clone());
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

fn open_store(path: &Path, environment: &Environment) -> Result<Arc<dyn Store>, StoreError> {
    let directory = Directory::open(path)?;
    let store = LogStore::open(Arc::new(directory), LogOptions::default(), &mut environment.rng())?;
    Ok(Arc::new(store))
}

fn check_change(envelope: &SignedEnvelope) -> Result<(), String> {
    change::check(envelope).map(|_| ()).map_err(|error| error.to_string())
}

fn authority_key(identity: &Identity, path: &Path) -> Result<VerifyingKey, DaemonError> {
    let bad = |why: String| DaemonError::Admission { path: path.join("anchors.crt"), why };
    let key = identity.anchors().authority_key().map_err(|error| bad(error.to_string()))?;
    VerifyingKey::from_bytes(&key).map_err(|error| bad(error.to_string()))
}

/// Reads the authority's admission of this node.
fn read_admission(directory: &Path, identity: &Identity) -> Result<Admission, DaemonError> {
    let statements = identity::load_statements(directory)?;
    let bad = |why: String| DaemonError::Admission { path: directory.join("statements"), why };
    for bytes in statements {
        let admission = Admission::decode(bytes).map_err(|error| bad(error.to_string()))?;
        if admission.admitted().is_some_and(|admitted| admitted.node() == identity.node_id()) {
            return Ok(admission);
        }
    }
    Err(bad("it doesn't admit this node".into()))
}

/// Writes an identity directory that a daemon can start with.
///
/// # Errors
/// When the directory exists already or can't be written.
pub fn save_identity(data_dir: &Path, identity: &Identity, admission: &Admission) -> Result<(), DaemonError> {
    let new = NewDirectory {
        identity,
        issuer_key: &generate_key(&mut Random::system().rng()),
        issuer_certificate: None,
        authority_key: None,
        statements: &[admission.bytes().to_vec()],
    };
    Ok(identity::save(&data_dir.join("identity"), &new)?)
}
