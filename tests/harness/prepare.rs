//! Hosts made by the test itself: to end and start them one by one, and with certificates that `dev` never gives.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};

use murmurate::daemon::save_identity;
use murmurate_crdt::id::MeshId;
use murmurate_net::identity::generate_key;
use murmurate_net::{Authority, Environment, Identity};
use murmurate_protocol::{Fact, Signer, Statement};

use super::Host;

const HOUR_MS: u64 = 60 * 60 * 1_000;

/// What a host's certificate is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Certificate {
    Valid,
    /// Until an hour ago.
    Expired,
}

/// A new authority over the mesh with this id.
pub(crate) fn authority(mesh: MeshId) -> Authority {
    let environment = Environment::system();
    let begins_ms = environment.wall_ms() - 3 * HOUR_MS;
    Authority::throwaway(mesh, &mut environment.rng(), begins_ms).unwrap()
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
    authority: &Authority,
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

fn identity(authority: &Authority, name: &str, certificate: Certificate) -> (Identity, Statement) {
    let environment = Environment::system();
    let now_ms = environment.wall_ms();
    let key = generate_key(&mut environment.rng());
    let public_key = key.verifying_key();
    let end_ms = match certificate {
        Certificate::Valid => now_ms + 24 * HOUR_MS,
        Certificate::Expired => now_ms - HOUR_MS,
    };
    let certificate = authority.issue(public_key.as_bytes(), name, now_ms - 2 * HOUR_MS, end_ms).unwrap();
    let fact = Fact::Admit { key: public_key, name: name.to_owned(), issued_ms: now_ms };
    let admission = Statement::new(authority.mesh(), Signer::Authority(authority.key()), &fact).unwrap();
    (Identity::new(key, certificate, authority.certificate().clone()).unwrap(), admission)
}
