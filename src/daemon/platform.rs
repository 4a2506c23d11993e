//! What a daemon stands on: a network, a disk and a file system, of the operating system or of a simulation.

use std::path::Path;
use std::sync::Arc;

use murmurate_net::{Environment, Identity, Network, NetworkConfig, NetworkEvents, NetworkHandle, StartError};
use tokio::sync::mpsc;

use super::checks::{CheckCommand, CheckEvent, CheckService, Rules};
use super::files::{FileCommand, FileEvent, FileService, HostFileSystem};
use super::store::{Directory, Disk, StoreError};

/// Opens the ways out of a daemon. Time, randomness and blocking work have a door of their own: [`Environment`].
pub trait Platform: Send + Sync {
    /// The disk that the store in this directory lies on.
    ///
    /// # Errors
    /// When it is in use or can't be opened.
    fn disk(&self, directory: &Path) -> Result<Arc<dyn Disk>, StoreError>;

    /// Joins the network. Called within a tokio runtime.
    ///
    /// # Errors
    /// When the address can't be listened on or the identity can't be used.
    fn network(
        &self,
        config: NetworkConfig,
        identity: Identity,
        environment: Environment,
    ) -> Result<(NetworkHandle, NetworkEvents), StartError>;

    /// Starts the service for watched folders. Called within a tokio runtime.
    fn files(&self, environment: Environment) -> (mpsc::Sender<FileCommand>, mpsc::Receiver<FileEvent>);

    /// Starts the service that runs checks and reloads. Called within a tokio runtime. Without rules it is never asked for
    /// anything.
    fn checks(
        &self,
        environment: Environment,
        rules: Arc<Rules>,
    ) -> (mpsc::Sender<CheckCommand>, mpsc::Receiver<CheckEvent>);
}

/// The operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemPlatform;

impl Platform for SystemPlatform {
    fn disk(&self, directory: &Path) -> Result<Arc<dyn Disk>, StoreError> {
        Ok(Arc::new(Directory::open(directory)?))
    }

    fn network(
        &self,
        config: NetworkConfig,
        identity: Identity,
        environment: Environment,
    ) -> Result<(NetworkHandle, NetworkEvents), StartError> {
        Network::start(config, identity, environment)
    }

    fn files(&self, environment: Environment) -> (mpsc::Sender<FileCommand>, mpsc::Receiver<FileEvent>) {
        FileService::start(environment)
    }

    fn checks(
        &self,
        environment: Environment,
        rules: Arc<Rules>,
    ) -> (mpsc::Sender<CheckCommand>, mpsc::Receiver<CheckEvent>) {
        CheckService::start(environment, rules, Arc::new(HostFileSystem))
    }
}
