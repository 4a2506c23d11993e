use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::settings::DaemonFlags;

/// What makes one host of several on a machine; each goes before its setting in `daemon.toml`.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct HostFlags {
    /// The daemon's settings file
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Where keys and history are kept
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The UDP address and port for the other hosts
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// This host's name in the mesh
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

impl HostFlags {
    pub(super) fn with_socket(self, socket: Option<PathBuf>) -> DaemonFlags {
        let Self { settings, data_dir, listen, name } = self;
        DaemonFlags { settings, socket, data_dir, listen, name }
    }

    /// The command line that starts the daemon of this host.
    pub(super) fn up(&self, socket: Option<&PathBuf>) -> String {
        let path = |flag: &str, path: Option<&PathBuf>| path.map(|path| format!(" --{flag} {}", path.display()));
        let parts = [
            path("settings", self.settings.as_ref()),
            path("data-dir", self.data_dir.as_ref()),
            self.listen.map(|listen| format!(" --listen {listen}")),
            path("socket", socket),
        ];
        parts.into_iter().flatten().fold("murmurate up".to_owned(), |line, part| line + &part)
    }
}
