//! A mesh whose authority is forgotten once its hosts are made: for `dev` and for tests.

use std::path::Path;
use std::time::Duration;

use murmurate_net::identity::{DirectoryError, generate_key};
use murmurate_net::{Environment, Identity};

use super::founding::{NewHost, NewMesh};

/// How long the hosts' certificates hold.
const VALIDITY: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A host of a throwaway mesh.
pub struct ThrowawayHost(NewHost);

impl ThrowawayHost {
    /// Its key and certificate.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// Writes the identity directory, so that a daemon can start with this data directory.
    ///
    /// # Errors
    /// When there is one already, or it can't be written.
    pub fn save(&self, data_dir: &Path) -> Result<(), DirectoryError> {
        self.0.save(data_dir, None)
    }
}

/// Makes a mesh of hosts with these names. The first may issue certificates and tickets.
///
/// # Errors
/// When a name can't be a host's, in words.
pub fn throwaway_mesh(environment: &Environment, names: &[String]) -> Result<Vec<ThrowawayHost>, String> {
    let Some((first, others)) = names.split_first() else { return Ok(Vec::new()) };
    let mesh = NewMesh::new(environment)?;
    let (first, issuer) = mesh.first_host(first, VALIDITY, environment)?;
    let grant = first.statements[0].clone();
    let mut hosts = vec![first];
    for name in others {
        let key = generate_key(&mut environment.rng());
        let mut host = mesh.host(&issuer, &grant, key, name, VALIDITY, environment)?;
        host.statements.insert(0, grant.clone());
        hosts.push(host);
    }
    Ok(hosts.into_iter().map(ThrowawayHost).collect())
}
