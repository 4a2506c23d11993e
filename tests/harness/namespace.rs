//! A network of its own for one mesh, which can be cut without stopping anyone.

use std::fs::OpenOptions;
use std::io::Write;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::process::{clean, run};
use super::report;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A network namespace, removed when dropped.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one with loopback up; without root, `ip` or `nft` the test is noted as skipped, and there is none.
    pub(crate) fn for_test(test: &str) -> Option<Self> {
        match Self::new() {
            Ok(namespace) => Some(namespace),
            Err(reason) => {
                note_skipped(test, &reason);
                None
            }
        }
    }

    pub(super) fn new() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("network namespaces need root".to_owned());
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mm-{}-{number}", std::process::id());
        tool("ip", &["netns", "add", &name])?;
        let namespace = Self { name };
        namespace.tool("ip", &["link", "set", "lo", "up"])?;
        namespace.tool("nft", &["add", "table", "inet", "cut"])?;
        Ok(namespace)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A command that runs in the namespace with this name, as the very process that is started.
    pub(crate) fn command(name: &str, program: &str) -> Command {
        let mut command = clean(Command::new("ip"));
        command.args(["netns", "exec", name, program]);
        command
    }

    pub(crate) fn tool(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let mut all = vec!["netns", "exec", &self.name, program];
        all.extend(arguments);
        tool("ip", &all)
    }

    /// Drops, silently, what goes between these two sets of UDP ports.
    pub(crate) fn cut(&self, left: &[u16], right: &[u16]) {
        let (left, right) = (ports(left), ports(right));
        let there = format!("udp sport {left} udp dport {right} drop");
        let back = format!("udp sport {right} udp dport {left} drop");
        // What arrives is dropped, not what is sent: a sender must not be told.
        let chain = "{ type filter hook input priority 0; }";
        self.tool("nft", &["add", "chain", "inet", "cut", "arriving", chain]).unwrap();
        for rule in [there, back] {
            self.tool("nft", &["add", "rule", "inet", "cut", "arriving", &rule]).unwrap();
        }
    }

    /// Lets everything through again.
    pub(crate) fn heal(&self) {
        self.tool("nft", &["flush", "table", "inet", "cut"]).unwrap();
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Nothing to be done about it, and the name is never used again.
        let _ = tool("ip", &["netns", "del", &self.name]);
    }
}

fn ports(ports: &[u16]) -> String {
    let list: Vec<String> = ports.iter().map(u16::to_string).collect();
    format!("{{ {} }}", list.join(", "))
}

fn tool(program: &str, arguments: &[&str]) -> Result<(), String> {
    let found = Command::new(program).arg("-V").output();
    found.map_err(|error| format!("`{program}` can't be run: {error}"))?;
    let mut command = Command::new(program);
    command.args(arguments);
    let output = run(command);
    if output.status.success() {
        return Ok(());
    }
    Err(format!("`{program} {}` failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}

/// Visible at once, and in a file by which CI can tell that nothing was skipped.
pub(crate) fn note_skipped(test: &str, reason: &str) {
    let line = format!("skipped: {test}: {reason}");
    report(&line);
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/target/skipped-tests.txt");
    let path = std::env::var("MURMURATE_SKIPPED").unwrap_or_else(|_| default.to_owned());
    let file = OpenOptions::new().create(true).append(true).open(path);
    if let Err(error) = file.and_then(|mut file| writeln!(file, "{line}")) {
        report(&format!("the skipped test can't be noted: {error}"));
    }
}
