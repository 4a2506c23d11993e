//! Hosts with a network namespace each, on one wire: as far apart as one machine allows.

use super::namespace::{Namespace, note_skipped};

/// Some hosts' networks, and what connects them; removed when dropped.
#[derive(Debug)]
pub(crate) struct HostsApart {
    pub(crate) hosts: Vec<Namespace>,
    _wire: Namespace,
}

impl HostsApart {
    /// Networks for this many hosts; without root, `ip` or `nft` the test is noted as skipped, and there are none.
    pub(crate) fn for_test(test: &str, count: u8) -> Option<Self> {
        Self::new(count).inspect_err(|reason| note_skipped(test, reason)).ok()
    }

    fn new(count: u8) -> Result<Self, String> {
        let wire = Namespace::new()?;
        wire.tool("ip", &["link", "add", "wire", "type", "bridge"])?;
        wire.tool("ip", &["link", "set", "wire", "up"])?;
        let hosts = (1..=count).map(|number| Self::host(&wire, number)).collect::<Result<_, _>>()?;
        Ok(Self { hosts, _wire: wire })
    }

    fn host(wire: &Namespace, number: u8) -> Result<Namespace, String> {
        let host = Namespace::new()?;
        let end = format!("to-{number}");
        let link = ["link", "add", &end, "type", "veth", "peer", "name", "eth0", "netns", host.name()];
        wire.tool("ip", &link)?;
        wire.tool("ip", &["link", "set", &end, "master", "wire", "up"])?;
        host.tool("ip", &["address", "add", &format!("{}/24", Self::address(number)), "dev", "eth0"])?;
        // Without the wait for duplicates the address can be used at once.
        host.tool("ip", &["address", "add", &format!("fd77::{number}/64"), "dev", "eth0", "nodad"])?;
        host.tool("ip", &["link", "set", "eth0", "up"])?;
        Ok(host)
    }

    /// The IPv4 address of a host, numbered from 1.
    pub(crate) fn address(number: u8) -> String {
        format!("10.77.0.{number}")
    }
}
