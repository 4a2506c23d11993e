//! `dev`: a mesh of real daemons on this machine.
//!
//! ```text
//!  DIR/host-K/config           the folder named `config` in the mesh
//!  DIR/host-K/data             identity and store
//!  DIR/host-K/run              the daemon's runtime directory
//!  DIR/host-K/daemon.toml      its settings
//!  DIR/host-K/daemon.log       its log
//!  DIR/host-K/murmurate.sock   its socket
//! ```

pub(super) mod daemons;
pub(super) mod host;
pub(super) mod ready;

use std::fs;
use std::path::PathBuf;

use clap::Args;
use murmurate_client::types::{ApiError, ErrorCode};
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::context::Context;
use super::failure::{self, Stop};
use super::view::compact;
use daemons::Daemons;
use host::Host;

/// The folder that all hosts keep.
const FOLDER: &str = "config";

/// The most hosts: each is a process with some 20 MiB, and each talks to each.
const HOSTS: u16 = 20;

#[derive(Debug, Args)]
pub(super) struct Dev {
    /// How many hosts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=i64::from(HOSTS)))]
    nodes: u16,
    /// Where the hosts' directories are; without it, a temporary directory that goes with the mesh
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Only the daemons
    #[arg(long)]
    no_tui: bool,
}

/// A line of the output.
#[derive(Debug, Serialize)]
struct HostLine<'a> {
    host: &'a str,
    pid: u32,
    folder: String,
    socket: String,
    address: String,
}

impl Dev {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let mut ends = Ends::listen()?;
        let place = Place::prepare(self.dir)?;
        let hosts = host::prepare_all(&place.dir, self.nodes)?;
        let mut daemons = Daemons::default();
        let result = tokio::select! {
            result = carry_out(&hosts, &mut daemons, context) => result,
            () = ends.wait() => Ok(()),
        };
        daemons.end().await;
        result
    }
}

/// Ends only by an error, or when no daemon is left.
async fn carry_out(hosts: &[Host], daemons: &mut Daemons, context: &Context) -> Result<(), Stop> {
    for host in hosts {
        daemons.start(host)?;
    }
    ready::wait(hosts, daemons).await?;
    context.print(lines(hosts, daemons))?;
    context.note(&hints(hosts, &program()));
    while let Some(died) = daemons.next_end().await {
        context.note(&died);
    }
    Err(ApiError::new(
        ErrorCode::DaemonEnded,
        "keep the mesh up",
        "all of its daemons have ended",
        format!("look into {}", hosts.first().map(|host| host.log().display().to_string()).unwrap_or_default()),
    )
    .into())
}

fn lines(hosts: &[Host], daemons: &Daemons) -> String {
    let line = |host: &Host| {
        compact(&HostLine {
            host: &host.name,
            pid: daemons.pid(&host.name).unwrap_or_default(),
            folder: host.folder().display().to_string(),
            socket: host.socket().display().to_string(),
            address: host.address.to_string(),
        })
    };
    hosts.iter().map(line).collect()
}

fn hints(hosts: &[Host], program: &str) -> String {
    let (Some(first), Some(last)) = (hosts.first(), hosts.last()) else { return String::new() };
    let socket = first.socket();
    let socket = socket.display();
    format!(
        "\n{} hosts are up and in step. Try, in another terminal:\n\n  \
         echo 'rps = 200' > {}\n  \
         cat {}\n  \
         {program} --socket {socket} members\n  \
         {program} --socket {socket} put {FOLDER}/app.toml#rps 300\n  \
         {program} --socket {socket} watch\n\n\
         Ctrl-C ends them all.",
        hosts.len(),
        first.folder().join("app.toml").display(),
        last.folder().join("app.toml").display(),
    )
}

/// How this program is called from here: by its name if a shell finds it by that, else by its path.
fn program() -> String {
    let Ok(path) = std::env::current_exe() else { return "murmurate".into() };
    let search = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&search).map(|dir| dir.join("murmurate")).find(|candidate| candidate.exists());
    if found.and_then(|found| found.canonicalize().ok()).is_some_and(|found| found == path) {
        return "murmurate".into();
    }
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(&path).display().to_string()
}

/// The signals that end it.
pub(super) struct Ends {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Ends {
    pub(super) fn listen() -> Result<Self, ApiError> {
        let listen = |kind| signal(kind).map_err(|error| failure::io("listen for signals", &error));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    pub(super) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }
}

/// Where the hosts are. A temporary directory goes when this is dropped.
struct Place {
    dir: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Place {
    fn prepare(dir: Option<PathBuf>) -> Result<Self, ApiError> {
        let Some(dir) = dir else {
            let temporary = tempfile::Builder::new().prefix("murmurate-dev-").tempdir();
            let temporary = temporary.map_err(|error| failure::io("make a temporary directory", &error))?;
            return Ok(Self { dir: temporary.path().to_owned(), _temporary: Some(temporary) });
        };
        let made = fs::create_dir_all(&dir).and_then(|()| fs::canonicalize(&dir));
        let dir = made.map_err(|error| failure::io(&format!("use the directory {}", dir.display()), &error))?;
        Ok(Self { dir, _temporary: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dev() {
        let host = |number: u16| Host {
            name: format!("host-{number}"),
            dir: format!("/tmp/mesh/host-{number}").into(),
            address: ([127, 0, 0, 1], 7000 + number).into(),
        };
        let hosts = [host(1), host(2), host(3)];
        insta::assert_snapshot!(lines(&hosts, &Daemons::default()) + &hints(&hosts, "murmurate"));
    }
}
