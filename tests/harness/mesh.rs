//! A mesh of a few hosts on this machine.

use std::fs;
use std::path::Path;
use std::process::Command;

use murmurate_client::types::MemberState;
use murmurate_crdt::id::MeshId;
use murmurate_net::identity::ThrowawayMesh;
use rustix::process::Signal;

use super::prepare::{Certificate, authority, free_address, prepare};
use super::process::{Process, murmurate};
use super::wait::{DEADLINE, eventually, poll};
use super::{Directory, Host, Namespace};

/// The id of the tests' meshes. They never meet: each has an authority of its own.
pub(crate) const MESH: [u8; 16] = [7; 16];

/// Dropped in this order: daemons first, then what they stand on.
#[derive(Debug)]
pub(crate) struct Mesh {
    pub(crate) hosts: Vec<Host>,
    /// The parent of the daemons, where they aren't the test's own.
    pub(crate) dev: Option<Process>,
    pub(crate) namespace: Option<Namespace>,
    pub(crate) directory: Directory,
}

impl Mesh {
    /// A mesh of this many hosts under `murmurate dev`.
    pub(crate) fn start(count: usize) -> Self {
        Self::under_dev(count, None)
    }

    /// The same in a network of its own; `None` where that can't be, and the test is noted as skipped.
    pub(crate) fn start_in_namespace(test: &str, count: usize) -> Option<Self> {
        Some(Self::under_dev(count, Some(Namespace::for_test(test)?)))
    }

    /// A mesh whose daemons are the test's own, to end and start one by one.
    pub(crate) fn start_apart(count: usize) -> Self {
        Self::start_apart_of(&authority(MeshId(MESH)), count)
    }

    /// The same, of this authority.
    pub(crate) fn start_apart_of(authority: &ThrowawayMesh, count: usize) -> Self {
        Self::apart(authority, count, None)
    }

    /// The same in a network of its own; `None` where that can't be, and the test is noted as skipped.
    pub(crate) fn start_apart_in_namespace(test: &str, count: usize) -> Option<Self> {
        Some(Self::apart(&authority(MeshId(MESH)), count, Some(Namespace::for_test(test)?)))
    }

    fn apart(authority: &ThrowawayMesh, count: usize, namespace: Option<Namespace>) -> Self {
        let directory = Directory::new();
        let addresses: Vec<_> = (0..count).map(|_| free_address()).collect();
        let hosts = addresses.iter().zip(1..).map(|(address, number)| {
            let name = format!("host-{number}");
            let peers: Vec<_> = addresses.iter().filter(|peer| *peer != address).copied().collect();
            let host = prepare(directory.path(), authority, &name, Certificate::Valid, *address, &peers);
            Host { namespace: namespace.as_ref().map(|inside| inside.name().to_owned()), ..host }
        });
        let mesh = Self { hosts: hosts.collect(), dev: None, namespace, directory };
        mesh.with_folders()
    }

    /// A mesh of prepared hosts: their daemons are started here.
    pub(crate) fn of(directory: Directory, hosts: Vec<Host>) -> Self {
        Self { hosts, dev: None, namespace: None, directory }.with_folders()
    }

    fn with_folders(mut self) -> Self {
        for host in &mut self.hosts {
            host.start();
            host.does(&["folder", "add", "config", host.folder.to_str().unwrap()]);
        }
        self.settle();
        self
    }

    fn under_dev(count: usize, namespace: Option<Namespace>) -> Self {
        let directory = Directory::new();
        let mut mesh = Self { hosts: Vec::new(), dev: None, namespace, directory };
        let program = env!("CARGO_BIN_EXE_murmurate");
        let command =
            mesh.namespace.as_ref().map_or_else(murmurate, |inside| Namespace::command(inside.name(), program));
        mesh.run_dev(command, count);
        mesh
    }

    /// Runs `dev` until it has described every host.
    fn run_dev(&mut self, mut command: Command, count: usize) {
        let at = self.directory.path().to_owned();
        let (out, err) = (at.join("dev.out"), at.join("dev.err"));
        command.args(["dev", "--no-tui", "--nodes", &count.to_string(), "--dir"]).arg(at.join("m"));
        let mut dev = Process::spawn(command, &out, &err);
        let described = poll(|| {
            if let Some(status) = dev.ended() {
                return Ok(Err(format!("`dev` ended: {status}")));
            }
            let text = fs::read_to_string(&out).unwrap();
            let lines: Vec<&str> = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).collect();
            if lines.len() < count { Err(format!("`dev` printed {text:?}")) } else { Ok(Ok(text.clone())) }
        });
        self.dev = Some(dev);
        match described.and_then(|described| described) {
            Ok(text) => self.hosts = text.lines().map(Host::of_line).collect(),
            Err(why) => panic!("{why}\n{}\n{}", fs::read_to_string(&err).unwrap(), logs_below(&at.join("m"))),
        }
    }

    /// Starts all daemons again and waits until they are in step.
    pub(crate) fn start_all(&mut self) {
        for host in &mut self.hosts {
            host.start();
        }
        self.settle();
    }

    /// Waits until every host sees every other one alive, and has converged with them.
    #[track_caller]
    pub(crate) fn settle(&self) {
        for host in &self.hosts {
            eventually(self, &format!("{} sees all others alive", host.name), || self.sees_all(host));
        }
        for host in &self.hosts {
            let converged = host.client().ask(|mesh| mesh.wait_converged(DEADLINE)).unwrap();
            assert!(converged.converged, "{}: {converged:?}\n{}", host.name, self.last_words());
            assert!(!host.logged().contains("panicked at"), "{}", host.logged());
        }
    }

    /// Waits until no host names a problem. Right after a restart one may miss a connection that is about to come.
    #[track_caller]
    pub(crate) fn has_no_problems(&self) {
        self.hosts.iter().for_each(|host| self.host_has_no_problem(host));
    }

    /// The same of one host.
    #[track_caller]
    pub(crate) fn host_has_no_problem(&self, host: &Host) {
        eventually(self, &format!("{} names no problem", host.name), || {
            let problems = host.client().ask(|mesh| mesh.status()).map_err(|error| error.to_string())?.problems;
            if problems.is_empty() { Ok(()) } else { Err(format!("{problems:?}")) }
        });
    }

    fn sees_all(&self, host: &Host) -> Result<(), String> {
        let client = super::Client::attach(&host.socket).map_err(|error| error.to_string())?;
        let members = client.ask(|mesh| mesh.members()).map_err(|error| error.to_string())?.members;
        let alive = members.iter().filter(|member| member.state == MemberState::Alive).count();
        if alive == self.hosts.len() && members.len() == alive { Ok(()) } else { Err(format!("{members:?}")) }
    }

    /// Waits until a file has these bytes on all hosts.
    #[track_caller]
    pub(crate) fn everywhere(&self, path: &str, content: impl AsRef<[u8]>) {
        let content = content.as_ref();
        for host in &self.hosts {
            eventually(self, &format!("{path} is\n{}", String::from_utf8_lossy(content)), || host.has(path, content));
        }
    }

    /// Waits until a file is gone from all hosts.
    #[track_caller]
    pub(crate) fn nowhere(&self, path: &str) {
        for host in &self.hosts {
            let gone = || if host.read(path).is_none() { Ok(()) } else { Err(format!("{} has it", host.name)) };
            eventually(self, &format!("{path} is gone"), gone);
        }
    }

    /// Waits until a file is there, the same on all hosts, and as `good` wants it; gives its text.
    #[track_caller]
    pub(crate) fn same_everywhere(&self, path: &str, good: impl Fn(&str) -> bool) -> String {
        eventually(self, &format!("{path} is the same everywhere, and good"), || {
            let texts: Vec<String> = self.hosts.iter().map(|host| host.text(path)).collect();
            let same = texts.iter().all(|text| *text == texts[0] && good(text));
            if same { Ok(texts[0].clone()) } else { Err(texts.join("\n--\n")) }
        })
    }

    /// Drops everything between these hosts and the others, by their numbers from 0.
    pub(crate) fn cut_off(&self, cut: &[usize]) {
        let ports = |is_cut: bool| -> Vec<u16> {
            let hosts = self.hosts.iter().enumerate().filter(|(number, _)| cut.contains(number) == is_cut);
            hosts.map(|(_, host)| host.address.port()).collect()
        };
        self.namespace.as_ref().unwrap().cut(&ports(true), &ports(false));
    }

    pub(crate) fn heal(&self) {
        self.namespace.as_ref().unwrap().heal();
    }

    /// The ends of all daemons' logs.
    pub(crate) fn last_words(&self) -> String {
        self.hosts.iter().map(Host::last_words).collect()
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        if let Some(mut dev) = self.dev.take() {
            // What it doesn't end itself is ended below.
            let _ = dev.end(Signal::INT);
        }
        for host in &mut self.hosts {
            host.end_surely();
        }
    }
}

/// The logs of hosts that were never described.
fn logs_below(directory: &Path) -> String {
    let hosts = fs::read_dir(directory).into_iter().flatten().flatten();
    let logs = hosts.filter_map(|host| fs::read_to_string(host.path().join("daemon.log")).ok());
    logs.collect::<Vec<_>>().join("\n--\n")
}
