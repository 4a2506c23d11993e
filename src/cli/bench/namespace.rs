//! A network of its own for an own mesh, which can be cut without stopping anyone. Needs root, `ip` and `nft`.

use std::process::{Command, Stdio};

/// A network namespace, removed when dropped.
#[derive(Debug)]
pub(super) struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one with loopback up, or says why it can't.
    pub(super) fn new() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("a network that can be cut needs root".into());
        }
        let name = format!("murmurate-bench-{}", std::process::id());
        tool("ip", &["netns", "add", &name])?;
        let namespace = Self { name };
        namespace.tool("ip", &["link", "set", "lo", "up"])?;
        namespace.tool("nft", &["add", "table", "inet", "cut"])?;
        Ok(namespace)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Drops, silently, what goes between UDP ports of the one side and of the other.
    pub(super) fn cut(&self, one: &[u16], other: &[u16]) -> Result<(), String> {
        let (one, other) = (set(one), set(other));
        for (from, to) in [(&one, &other), (&other, &one)] {
            self.drop_arriving(&["udp", "sport", from, "udp", "dport", to])?;
        }
        Ok(())
    }

    /// Loses so many of a hundred datagrams, at random.
    pub(super) fn lose(&self, percent: u8) -> Result<(), String> {
        let percent = percent.to_string();
        self.drop_arriving(&["meta", "l4proto", "udp", "numgen", "random", "mod", "100", "<", &percent])
    }

    /// What arrives is dropped, not what is sent: a sender must not be told.
    fn drop_arriving(&self, which: &[&str]) -> Result<(), String> {
        let chain = "{ type filter hook input priority 0; }";
        self.tool("nft", &["add", "chain", "inet", "cut", "arriving", chain])?;
        let rule = [&["add", "rule", "inet", "cut", "arriving"], which, &["drop"]].concat();
        self.tool("nft", &rule)
    }

    /// Lets everything through again.
    pub(super) fn heal(&self) -> Result<(), String> {
        self.tool("nft", &["flush", "table", "inet", "cut"])
    }

    fn tool(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let mut all = vec!["netns", "exec", &self.name, program];
        all.extend(arguments);
        tool("ip", &all)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Nothing to be done about it, and the name is never used again.
        let _ = tool("ip", &["netns", "del", &self.name]);
    }
}

/// Ports, as `nft` names several.
fn set(ports: &[u16]) -> String {
    let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
    format!("{{ {} }}", ports.join(", "))
}

fn tool(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("`{program}` can't be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("`{program} {}` failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}
