//! The hosts' directories, settings and identities.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

use murmurate_client::types::{ApiError, ErrorCode};
use murmurate_net::Environment;
use serde::Serialize;

use super::super::failure;
use super::FOLDER;
use crate::daemon::{ThrowawayHost, throwaway_mesh};

/// One host of the mesh.
#[derive(Debug)]
pub(in crate::cli) struct Host {
    pub(in crate::cli) name: String,
    pub(in crate::cli) dir: PathBuf,
    pub(in crate::cli) address: SocketAddr,
}

/// The settings file, as `settings::Settings` reads it.
#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    data_dir: PathBuf,
    runtime_dir: PathBuf,
    socket: PathBuf,
    listen: SocketAddr,
    peers: Vec<SocketAddr>,
}

impl Host {
    pub(in crate::cli) fn folder(&self) -> PathBuf {
        self.dir.join(FOLDER)
    }

    pub(in crate::cli) fn socket(&self) -> PathBuf {
        self.dir.join("murmurate.sock")
    }

    pub(in crate::cli) fn log(&self) -> PathBuf {
        self.dir.join("daemon.log")
    }

    pub(in crate::cli) fn settings(&self) -> PathBuf {
        self.dir.join("daemon.toml")
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn has_identity(&self) -> bool {
        self.data().join("identity").exists()
    }
}

/// Prepares hosts `host-1` to `host-N`. A directory that a former mesh of as many hosts left is used again.
pub(in crate::cli) fn prepare_all(dir: &Path, nodes: u16) -> Result<Vec<Host>, ApiError> {
    let addresses = free_addresses(nodes).map_err(|error| failure::io("find free UDP ports on loopback", &error))?;
    let host = |(index, address)| {
        let name = format!("host-{}", index + 1);
        Host { dir: dir.join(&name), name, address }
    };
    let hosts: Vec<_> = addresses.iter().copied().enumerate().map(host).collect();
    let with_identity = hosts.iter().filter(|host| host.has_identity()).count();
    if with_identity == hosts.len() && !dir.join(format!("host-{}", hosts.len() + 1)).exists() {
        hosts.iter().try_for_each(|host| write_settings(host, &addresses))?;
        return Ok(hosts);
    }
    if with_identity != 0 {
        return Err(other_mesh(dir));
    }
    let names: Vec<_> = hosts.iter().map(|host| host.name.clone()).collect();
    let members = throwaway_mesh(&Environment::system(), &names);
    let members = members.map_err(|why| ApiError::internal("make the mesh's certificates", why))?;
    for (host, member) in hosts.iter().zip(&members) {
        prepare_host(host, member, &addresses)?;
    }
    Ok(hosts)
}

/// Makes a host's directories, writes its settings, and its identity from the throwaway authority.
fn prepare_host(host: &Host, member: &ThrowawayHost, addresses: &[SocketAddr]) -> Result<(), ApiError> {
    write_settings(host, addresses)?;
    member.save(&host.data()).map_err(|error| {
        let what = format!("write the identity of {}", host.name);
        ApiError::new(ErrorCode::Io, what, error.to_string(), "look at the directory's owner and mode")
    })
}

fn write_settings(host: &Host, addresses: &[SocketAddr]) -> Result<(), ApiError> {
    let peers = addresses.iter().copied().filter(|address| *address != host.address).collect();
    let file = File {
        name: &host.name,
        data_dir: host.data(),
        runtime_dir: host.dir.join("run"),
        socket: host.socket(),
        listen: host.address,
        peers,
    };
    let what = format!("prepare {}", host.dir.display());
    let text = toml::to_string(&file).map_err(|error| ApiError::internal(&what, error.to_string()))?;
    let directories = [host.folder(), host.data(), host.dir.join("run")];
    let made = directories.iter().try_for_each(fs::create_dir_all);
    made.and_then(|()| fs::write(host.settings(), text)).map_err(|error| failure::io(&what, &error))
}

/// Ports that are free now. All are held while they are chosen, so that no two are the same.
fn free_addresses(count: u16) -> std::io::Result<Vec<SocketAddr>> {
    let sockets = (0..count).map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<Vec<_>, _>>()?;
    sockets.iter().map(UdpSocket::local_addr).collect()
}

fn other_mesh(dir: &Path) -> ApiError {
    ApiError::new(
        ErrorCode::Exists,
        format!("make a mesh in {}", dir.display()),
        "there is a mesh with another number of hosts, and its authority was thrown away",
        "give the same --nodes as before, another --dir, or remove the directory",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{DaemonFlags, Settings, Surroundings};

    #[test]
    fn hosts_know_each_other_and_are_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let hosts = prepare_all(dir.path(), 3).unwrap();
        let key = |host: &Host| fs::read(host.data().join("identity/node.key")).unwrap();
        let keys: Vec<_> = hosts.iter().map(key).collect();
        for host in &hosts {
            let flags = DaemonFlags { settings: Some(host.settings()), ..DaemonFlags::default() };
            let settings = Settings::load(&flags, &Surroundings::default()).unwrap();
            assert_eq!(settings.name.value, host.name);
            assert_eq!(settings.listen.value, host.address);
            assert_eq!(settings.socket.value, host.dir.join("murmurate.sock"));
            assert_eq!(settings.peers.value.len(), 2);
            assert!(settings.peers.value.iter().all(|peer| peer.port() != host.address.port()));
            assert!(settings.identity_dir().join("node.crt").exists());
            assert!(host.folder().is_dir());
        }
        let again = prepare_all(dir.path(), 3).unwrap();
        assert_eq!(again.iter().map(key).collect::<Vec<_>>(), keys);
        assert_eq!(prepare_all(dir.path(), 2).unwrap_err().code, ErrorCode::Exists);
        assert_eq!(prepare_all(dir.path(), 4).unwrap_err().code, ErrorCode::Exists);
    }
}
