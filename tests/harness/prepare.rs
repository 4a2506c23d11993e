//! Hosts made by the test itself: to end and start them one by one, and with certificates that `dev` never gives.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};

use murmurate::daemon::save_identity;
use murmurate_crdt::id::MeshId;
use murmurate_net::identity::{ThrowawayMesh, generate_key};
use murmurate_net::{Environment, Identity};
use murmurate_protocol::Admission;

use super::Host;

const HOUR_MS: u64 = 60 * 60 * 1_000;

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
    let begins_ms = environment.wall_ms() - 3 * HOUR_MS;
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
    let folder = own.join("config");
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(own.join("data")).unwrap();
    let (identity, admission) = identity(authority, name, certificate);
    save_identity(&own.join("data"), &identity, &admission).unwrap();
    let peers: Vec<String> = peers.iter().map(SocketAddr::to_string).collect();
    let settings = format!(
        "name = {name:?}\ndata_dir = \"data\"\nruntime_dir = \"run\"\nsocket = \"murmurate.sock\"\n\
         listen = \"{address}\"\npeers = {peers:?}\n"
    );
    fs::write(own.join("daemon.toml"), settings).unwrap();
    let socket = own.join("murmurate.sock");
    Host { name: name.to_owned(), directory: own, folder, socket, address, pid: 0, namespace: None, daemon: None }
}

fn identity(mesh: &ThrowawayMesh, name: &str, certificate: Certificate) -> (Identity, Admission) {
    let environment = Environment::system();
    let now_ms = environment.wall_ms();
    let key = generate_key(&mut environment.rng());
    let end_ms = match certificate {
        Certificate::Valid => now_ms + 24 * HOUR_MS,
        Certificate::Expired => now_ms - HOUR_MS,
    };
    let authority = mesh.authority();
    let admission = Admission::admit(authority.mesh(), authority.key(), &key.verifying_key(), name, now_ms).unwrap();
    (mesh.member(key, name, now_ms - 2 * HOUR_MS, end_ms).unwrap(), admission)
}
