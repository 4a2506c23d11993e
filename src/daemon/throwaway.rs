//! A mesh whose authority is forgotten once its hosts are made: for `dev` and for tests.

use murmurate_crdt::id::MeshId;
use murmurate_net::identity::generate_key;
use murmurate_net::{Authority, Environment, Identity};
use murmurate_protocol::{Fact, Signer, Statement};
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
    pub admission: Statement,
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
    let authority = Authority::throwaway(mesh, &mut rng, now_ms.saturating_sub(CLOCK_SLACK_MS))
        .map_err(|error| error.to_string())?;
    names.iter().map(|name| host(&authority, name, now_ms, environment)).collect()
}

fn host(authority: &Authority, name: &str, now_ms: u64, environment: &Environment) -> Result<ThrowawayHost, String> {
    let key = generate_key(&mut environment.rng());
    let public_key = key.verifying_key();
    let certificate = authority
        .issue(public_key.as_bytes(), name, now_ms.saturating_sub(CLOCK_SLACK_MS), now_ms + VALID_MS)
        .map_err(|error| error.to_string())?;
    let fact = Fact::Admit { key: public_key, name: name.to_owned(), issued_ms: now_ms };
    let admission = Statement::new(authority.mesh(), Signer::Authority(authority.key()), &fact)
        .map_err(|error| error.to_string())?;
    let identity =
        Identity::new(key, certificate, authority.certificate().clone()).map_err(|error| error.to_string())?;
    Ok(ThrowawayHost { identity, admission })
}
