//! A mesh whose authority is forgotten once its hosts are made: for `dev` and for tests.

use murmurate_crdt::id::MeshId;
use murmurate_net::identity::{ThrowawayMesh, generate_key};
use murmurate_net::{Environment, Identity};
use murmurate_protocol::Admission;
use rand_core::Rng;

/// How long the hosts' certificates hold: a mesh for trying things out isn't kept for longer.
const VALID_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
/// Certificates begin a little in the past: clocks differ.
const CLOCK_SLACK_MS: u64 = 60 * 60 * 1_000;

/// A host of a throwaway mesh, ready to be saved with [`super::save_identity`].
#[derive(Debug)]
pub struct ThrowawayHost {
    /// Its key and certificate.
    pub identity: Identity,
    /// The authority's statement that it is a member.
    pub admission: Admission,
}

/// Makes a mesh of hosts with these names.
///
/// # Errors
/// When a name can't be a host's, in words.
pub fn throwaway_mesh(environment: &Environment, names: &[String]) -> Result<Vec<ThrowawayHost>, String> {
    let mut rng = environment.rng();
    let mut mesh = MeshId::default();
    rng.fill_bytes(&mut mesh.0);
    let now_ms = environment.wall_ms();
    let keys =
        ThrowawayMesh::new(mesh, &mut rng, now_ms.saturating_sub(CLOCK_SLACK_MS)).map_err(|error| error.to_string())?;
    names.iter().map(|name| host(&keys, name, now_ms, environment)).collect()
}

fn host(keys: &ThrowawayMesh, name: &str, now_ms: u64, environment: &Environment) -> Result<ThrowawayHost, String> {
    let key = generate_key(&mut environment.rng());
    let authority = keys.authority();
    let admission = Admission::admit(authority.mesh(), authority.key(), &key.verifying_key(), name, now_ms)
        .map_err(|error| error.to_string())?;
    let identity = keys
        .member(key, name, now_ms.saturating_sub(CLOCK_SLACK_MS), now_ms + VALID_MS)
        .map_err(|error| error.to_string())?;
    Ok(ThrowawayHost { identity, admission })
}
