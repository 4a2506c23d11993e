//! Putting the daemon together, and taking it apart.
//!
//! ```text
//!  data/identity/   who this host is: keys, certificates, the statements that it joined with
//!  data/store/      changes and state
//!  data/kept/       files that a folder held when the mesh had others
//!  runtime/         how far the store was acknowledged; empty after a reboot
//! ```

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::VerifyingKey;
use murmurate_client::types::Converged;
use murmurate_crdt::change;
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::MeshId;
use murmurate_crdt::overlay::Overlay;
use murmurate_net::identity::{self, CertificateError, DirectoryError};
use murmurate_net::{Environment, Identity, NetworkConfig, PeerAddress, StartError};
use murmurate_protocol::{Config, Engine, Roots, Statement};
use tokio::sync::watch;

use super::checks::Rules;
use super::core::membership::{Advertise, Ended, Standing, left, set_aside};
use super::core::{self, Core, Inputs, Parts};
use super::founding::{Claim, claim};
use super::generation;
use super::platform::{Platform, SystemPlatform};
use super::request::{self, CoreHandle};
use super::store::{LogOptions, LogStore, Store, StoreError};

/// What a daemon needs to know; the settings file says it.
#[derive(Debug, Clone)]
pub struct DaemonConfig {
    /// Where this host is, in the people's own words; empty for nowhere in particular.
    pub zone: String,
    /// Where everything that lasts is kept.
    pub data_dir: PathBuf,
    /// Where is kept what must not outlive a reboot; on a tmpfs.
    pub runtime_dir: PathBuf,
    /// The UDP address for the other hosts.
    pub listen: SocketAddr,
    /// Where others reach this host, if that is set; else it is found out.
    pub advertise: Vec<PeerAddress>,
    /// Hosts that are dialled besides the members.
    pub peers: Vec<PeerAddress>,
    /// For how long the certificates that this host issues are valid.
    pub certificate_validity: Duration,
    /// For how long a host that is dead or left is still among the members.
    pub forget_after: Duration,
    /// This host's roles: it has the values of their overlays, a later one's before an earlier one's.
    pub roles: Vec<Overlay>,
    /// What is checked and reloaded.
    pub rules: Arc<Rules>,
}

/// The daemon didn't start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Who this host is, isn't known.
    #[error("reading this host's identity: {0}")]
    Identity(#[from] DirectoryError),
    /// The store holds another mesh's history.
    #[error("{path} holds the history of mesh {other}, and this host belongs to another")]
    OtherMesh {
        /// The store.
        path: PathBuf,
        /// Whose history it is.
        other: MeshId,
    },
    /// The mesh's certificates are unusable.
    #[error("reading the mesh's anchors: {0}")]
    Anchors(#[from] CertificateError),
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
    /// This host's name in the mesh.
    pub name: String,
    shutdown: watch::Sender<bool>,
    task: tokio::task::JoinHandle<Ended>,
    data_dir: PathBuf,
    environment: Environment,
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
        let statements = identity::load_statements(&identity_dir)?;
        let store = open_store(platform, &config.data_dir.join("store"), identity.mesh(), environment)?;
        let generation = generation::next(&*store, environment.wall_ms())?;
        let engine_config =
            Config { generation, ..Config::new(identity.node_id(), identity.mesh(), roots(&identity)?, check_change) };
        let engine = Engine::new(engine_config, environment.monotonic());
        let network_config = NetworkConfig { listen: config.listen, peers: Vec::new() };
        let (network, network_events) = platform.network(network_config, identity.clone(), environment.clone())?;
        let address = network.local_address().unwrap_or(config.listen);
        let (files, file_events) = platform.files(environment.clone());
        let rules = Arc::clone(&config.rules);
        let (checks, check_events) = platform.checks(environment.clone(), Arc::clone(&rules));
        let (core, end) = request::door(Converged::of(Vec::new()));
        let (requests, converged, events) = core::split(end);
        let name = identity.name().to_owned();
        let parts = Parts {
            identity: own_identity(&identity, config, address),
            generation,
            statements: statements.into_iter().filter_map(readable).collect(),
            standing: Standing {
                issuer_key: identity::load_issuer_key(&identity_dir)?,
                authority: identity::load_authority(&identity_dir)?,
                identity_dir: Some(identity_dir),
                advertise: Advertise { fixed: config.advertise.clone(), listen: address },
                peers: config.peers.clone(),
                certificate_validity: config.certificate_validity,
                forget_after: config.forget_after,
                identity,
            },
            environment: environment.clone(),
            store,
            engine,
            network,
            files,
            rules,
            checks,
            runtime_dir: config.runtime_dir.clone(),
            data_dir: config.data_dir.clone(),
            converged,
            events,
        };
        let (state, done, renewals) = Core::new(parts)?;
        let (shutdown, shutdown_receiver) = watch::channel(false);
        let inputs = Inputs {
            requests,
            network: network_events,
            renewals,
            files: file_events,
            checks: check_events,
            shutdown: shutdown_receiver,
        };
        let task = tokio::spawn(state.run(inputs, done));
        let (data_dir, environment) = (config.data_dir.clone(), environment.clone());
        Ok(Self { core, address, name, shutdown, task, data_dir, environment })
    }

    /// Brings everything that was queued to the disk, says goodbye to the others, and ends. Where this host left the mesh,
    /// its keys and its history are put aside, and who asked for it is answered. Says whether the core ended as it should.
    pub async fn shut_down(self) -> bool {
        // The core may have ended by itself; then there is nobody to tell.
        let was_asked = self.shutdown.send(true).is_ok();
        match self.task.await {
            Ok(Ended::Asked) => was_asked,
            Ok(Ended::Left { reply, told }) => {
                let aside = set_aside(&self.data_dir, self.environment.wall_ms());
                drop(reply.send(left(aside, told)));
                true
            }
            Err(error) => {
                tracing::error!(%error, "the core ended badly");
                false
            }
        }
    }
}

fn own_identity(identity: &Identity, config: &DaemonConfig, address: SocketAddr) -> core::Identity {
    core::Identity {
        mesh: identity.mesh(),
        node: identity.node_id(),
        name: identity.name().into(),
        zone: config.zone.clone(),
        key: identity.key().clone(),
        address: address.to_string(),
        roles: config.roles.clone(),
    }
}

fn open_store(
    platform: &dyn Platform,
    path: &Path,
    mesh: MeshId,
    environment: &Environment,
) -> Result<Arc<dyn Store>, DaemonError> {
    let store = LogStore::open(platform.disk(path)?, LogOptions::default(), &mut environment.rng())?;
    claim(&store, mesh).map_err(|error| match error {
        Claim::OtherMesh(other) => DaemonError::OtherMesh { path: path.to_owned(), other },
        Claim::Store(error) => DaemonError::Store(error),
    })?;
    Ok(Arc::new(store))
}

/// The keys by which the roster's statements are checked.
fn roots(identity: &Identity) -> Result<Roots, DaemonError> {
    let key = |bytes: [u8; 32]| VerifyingKey::from_bytes(&bytes).map_err(|_| CertificateError::KeyType);
    let anchors = identity.anchors();
    Ok(Roots { authority: key(anchors.authority_key()?)?, recovery: key(anchors.recovery_key()?)? })
}

/// A statement that this host was given when it joined. One that can't be read is of a newer build, and comes again.
fn readable(bytes: Vec<u8>) -> Option<Statement> {
    let statement = Statement::decode(bytes);
    statement.inspect_err(|error| tracing::warn!(%error, "a statement of the roster can't be read")).ok()
}

fn check_change(envelope: &SignedEnvelope) -> Result<(), String> {
    change::check(envelope).map(|_| ()).map_err(|error| error.to_string())
}
