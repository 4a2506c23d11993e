//! The hosts that can be looked at from here: those whose daemons listen on a socket of this machine.

use std::path::{Path, PathBuf};

use murmurate_client::Mesh;
use murmurate_client::types::{ApiError, ErrorCode};
use serde::Serialize;

use super::process;

/// One host.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) mesh: Mesh,
    pub(super) pid: Option<u32>,
}

/// The host that is written to, and the others.
#[derive(Debug)]
pub(super) struct Hosts {
    pub(super) own: Host,
    pub(super) others: Vec<Host>,
    /// How many the mesh has, those included that can't be looked at from here.
    pub(super) members: u64,
}

/// Which hosts the figures are of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Seen {
    pub(super) own: String,
    pub(super) others: Vec<String>,
    pub(super) members: u64,
}

impl Host {
    pub(super) async fn attach(socket: &Path) -> Result<Self, ApiError> {
        let mesh = Mesh::attach_to(socket).await?;
        let name = mesh.status().await?.node;
        Ok(Self { name, mesh, pid: process::listener(socket).await })
    }

    /// A client with connections of its own, as another program would have.
    pub(super) async fn client(&self) -> Result<Mesh, ApiError> {
        Mesh::attach_to(self.mesh.socket()).await
    }
}

impl Hosts {
    /// The host of this socket, those of the other sockets, and those of a mesh that `dev` made.
    pub(super) async fn find(socket: &Path, peer_sockets: &[PathBuf]) -> Result<Self, ApiError> {
        let own = Host::attach(socket).await?;
        let status = own.mesh.status().await?;
        let mut hosts = Self { own, others: Vec::new(), members: status.members.total };
        let mut ids = vec![status.id];
        for socket in peer_sockets.iter().cloned().chain(siblings(socket)) {
            let found = match Host::attach(&socket).await {
                Ok(found) => found,
                // A host of `dev` that isn't up is no fault of whoever asks.
                Err(_) if !peer_sockets.contains(&socket) => continue,
                Err(error) => return Err(error),
            };
            let theirs = found.mesh.status().await?;
            if theirs.mesh != status.mesh {
                return Err(other_mesh(&socket));
            }
            if !ids.contains(&theirs.id) {
                ids.push(theirs.id);
                hosts.others.push(found);
            }
        }
        Ok(hosts)
    }

    /// Fails if a host keeps a folder that isn't its own throwaway one.
    pub(super) async fn refuse_real_folders(&self) -> Result<(), ApiError> {
        for host in self.all() {
            let base = host.mesh.socket().parent().unwrap_or(Path::new("/"));
            let folders = host.mesh.folders().await?.folders;
            let is_dev = base.join("daemon.toml").exists();
            if let Some(folder) = folders.iter().find(|folder| !is_dev || !Path::new(&folder.dir).starts_with(base)) {
                return Err(in_use(&host.name, &folder.dir));
            }
        }
        Ok(())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Host> {
        std::iter::once(&self.own).chain(&self.others)
    }

    /// How many can be looked at from here.
    pub(super) fn len(&self) -> usize {
        1 + self.others.len()
    }

    pub(super) fn seen(&self) -> Seen {
        let others = self.others.iter().map(|host| host.name.clone()).collect();
        Seen { own: self.own.name.clone(), others, members: self.members }
    }

    /// `all 2 others`, or `2 of 4 others`.
    pub(super) fn others_text(&self) -> String {
        let (seen, all) = (self.others.len() as u64, self.members.saturating_sub(1));
        match (seen, all) {
            (1, 1) => "the other".into(),
            (seen, all) if seen >= all => format!("all {seen} others"),
            (seen, all) => format!("{seen} of {all} others"),
        }
    }
}

/// The sockets of the other hosts of `dev`: `DIR/host-K/murmurate.sock`.
fn siblings(socket: &Path) -> Vec<PathBuf> {
    let (Some(dir), Some(name)) = (socket.parent(), socket.file_name()) else { return Vec::new() };
    let is_dev = dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with("host-"));
    let entries = dir.parent().filter(|_| is_dev).and_then(|parent| std::fs::read_dir(parent).ok());
    let sockets = entries.into_iter().flatten().flatten().map(|entry| entry.path());
    let mut sockets: Vec<_> = sockets
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("host-")))
        .map(|path| path.join(name))
        .filter(|path| path != socket && path.exists())
        .collect();
    sockets.sort();
    sockets
}

fn other_mesh(socket: &Path) -> ApiError {
    let what = format!("measure with the host at {}", socket.display());
    ApiError::new(ErrorCode::BadRequest, what, "it belongs to another mesh", "name sockets of one mesh")
}

fn in_use(host: &str, dir: &str) -> ApiError {
    ApiError::new(
        ErrorCode::NotConfirmed,
        "measure a mesh that is in use",
        format!("{host} keeps the folder {dir}; the mesh would be under load, and what is deleted leaves its history"),
        "measure a mesh of its own with --local, or give --yes",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_dev_are_found_beside_each_other() {
        let dir = tempfile::tempdir().unwrap();
        for host in ["host-1", "host-2", "host-3", "other"] {
            std::fs::create_dir(dir.path().join(host)).unwrap();
            std::fs::write(dir.path().join(host).join("murmurate.sock"), "").unwrap();
        }
        let socket = |host: &str| dir.path().join(host).join("murmurate.sock");
        assert_eq!(siblings(&socket("host-2")), [socket("host-1"), socket("host-3")]);
        assert!(siblings(&socket("other")).is_empty());
    }
}
