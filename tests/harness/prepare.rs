//! Hosts made by the test itself: to end and start them one by one, and with certificates that `dev` never gives.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};

use murmurate_crdt::id::MeshId;
use murmurate_net::Environment;
use murmurate_net::identity::{NewDirectory, ThrowawayMesh, generate_key, save};
use murmurate_protocol::{Fact, Signer, Statement};

use super::Host;

const HOUR_MS: u64 = 60 * 60 * 1_000;
/// Certificates hold from so long ago: a clock that is a day behind must not matter to them.
const VALID_SINCE_MS: u64 = 10 * 24 * HOUR_MS;
/// And for so long from now. Less than half of their time is over, so none is renewed.
const VALID_MS: u64 = 30 * 24 * HOUR_MS;

/// What a host's certificate is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Certificate {
    Valid,
    /// Until an hour ago.
    Expired,
}

/// New keys for the mesh with this id.
pub(crate) fn authority(mesh: MeshId) -> ThrowawayMesh {
    let environment = Environment::system();
    let begins_ms = environment.wall_ms() - VALID_SINCE_MS;
    ThrowawayMesh::new(mesh, &mut environment.rng(), begins_ms).unwrap()
}

static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

/// An address on which nobody listens, and that nobody gets from the system by chance: it is below the range for that.
pub(crate) fn free_address() -> SocketAddr {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 10_000;
    // Runs at the same time begin at different places.
    let own = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap();
    let ports = std::iter::repeat_with(|| NEXT_PORT.fetch_add(1, Ordering::Relaxed));
    let addresses = ports.map(|next| SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST + (own + next) % COUNT)));
    addresses.take(COUNT.into()).find(|address| UdpSocket::bind(address).is_ok()).unwrap()
}

/// Makes a host with everything that a daemon needs to start, laid out as `dev` does it.
pub(crate) fn prepare(
    directory: &Path,
    authority: &ThrowawayMesh,
    name: &str,
    certificate: Certificate,
    address: SocketAddr,
    peers: &[SocketAddr],
) -> Host {
    let own = directory.join(name);
    fs::create_dir_all(own.join("config")).unwrap();
    fs::create_dir_all(own.join("data")).unwrap();
    save_identity(&own.join("data/identity"), authority, name, certificate);
    let peers: Vec<String> = peers.iter().map(SocketAddr::to_string).collect();
    let settings = format!(
        "name = {name:?}\ndata_dir = \"data\"\nruntime_dir = \"run\"\nsocket = \"murmurate.sock\"\n\
         listen = \"{address}\"\npeers = {peers:?}\n"
    );
    fs::write(own.join("daemon.toml"), settings).unwrap();
    Host::in_directory(name, own, address)
}

fn save_identity(directory: &Path, mesh: &ThrowawayMesh, name: &str, certificate: Certificate) {
    let environment = Environment::system();
    let now_ms = environment.wall_ms();
    let mut rng = environment.rng();
    let key = generate_key(&mut rng);
    let ends_ms = match certificate {
        Certificate::Valid => now_ms + VALID_MS,
        Certificate::Expired => now_ms - HOUR_MS,
    };
    let admit = Fact::Admit { key: key.verifying_key(), name: name.to_owned(), issued_ms: now_ms };
    let authority = mesh.authority();
    let admission = Statement::new(authority.mesh(), Signer::Authority(authority.key()), &admit).unwrap();
    let new = NewDirectory {
        identity: &mesh.member(key, name, now_ms - VALID_SINCE_MS, ends_ms).unwrap(),
        issuer_key: &generate_key(&mut rng),
        issuer_certificate: None,
        authority_key: None,
        statements: &[admission.bytes().to_vec()],
    };
    save(directory, &new).unwrap();
}
