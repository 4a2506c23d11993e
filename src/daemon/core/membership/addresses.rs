//! Where the others reach this host, and where it reaches them.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use murmurate_net::{Peer, PeerAddress};
use murmurate_protocol::{Event, Fact, Own, Signer, Statement};

use super::super::Core;
use crate::daemon::core::limits::OWN_ADDRESSES;

/// How a host finds the addresses under which others reach it.
#[derive(Debug, Clone)]
pub(crate) struct Advertise {
    /// What the settings say; it goes before all else.
    pub(crate) fixed: Vec<PeerAddress>,
    /// The address that it listens on; one that isn't of all interfaces is the only one.
    pub(crate) listen: SocketAddr,
}

impl Advertise {
    /// The addresses as of now, `host:port`, the same ones always in the same order.
    pub(crate) fn addresses(&self) -> Vec<String> {
        if !self.fixed.is_empty() {
            return self.fixed.iter().map(ToString::to_string).collect();
        }
        if !self.listen.ip().is_unspecified() {
            return vec![self.listen.to_string()];
        }
        let found = if_addrs::get_if_addrs().unwrap_or_else(|error| {
            tracing::warn!(%error, "this host's addresses can't be found out; set `advertise`");
            Vec::new()
        });
        self.reachable(found.iter().map(if_addrs::Interface::ip))
    }

    /// Of a host's addresses those that may be reached from elsewhere; loopback only where there is nothing else.
    fn reachable(&self, found: impl Iterator<Item = IpAddr>) -> Vec<String> {
        let answers = |ip: &IpAddr| ip.is_ipv4() || self.listen.is_ipv6();
        let all: BTreeSet<IpAddr> = found.filter(answers).collect();
        let mut chosen: Vec<IpAddr> = all.iter().copied().filter(leads_here).collect();
        if chosen.is_empty() {
            chosen = all.into_iter().filter(IpAddr::is_loopback).collect();
        }
        chosen.truncate(OWN_ADDRESSES);
        chosen.into_iter().map(|ip| SocketAddr::new(ip, self.listen.port()).to_string()).collect()
    }
}

/// Neither this host's own business nor that of one link.
fn leads_here(ip: &IpAddr) -> bool {
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !ip.is_loopback() && !ip.is_unspecified() && !link_local
}

impl Core {
    /// Says what is true of this host now, unless the roster says so already.
    pub(super) async fn state_own(&mut self, left: bool) {
        let (node, standing) = (self.identity.node, &self.membership.standing);
        let addresses = if left { Vec::new() } else { standing.advertise.addresses() };
        let issuer_key = standing.issuer_key.verifying_key();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let stated = self.engine.roster().own(node);
        let is_stated = stated.is_some_and(|own| {
            own.addresses == addresses && own.issuer_key == issuer_key && own.version == version && own.left == left
        });
        if is_stated || self.membership.leaving.is_some() && !left {
            return;
        }
        let sequence = stated.map_or(1, |own| own.sequence.saturating_add(1));
        let key = self.identity.key.verifying_key();
        let fact = Fact::Own(Own { key, sequence, addresses, issuer_key, left, version });
        match Statement::new(self.identity.mesh, Signer::Own(&self.identity.key), &fact) {
            Ok(statement) => self.tell(Event::Statement(statement)).await,
            Err(error) => tracing::error!(%error, "this host can't say where it is reached; set `advertise`"),
        }
    }

    /// The members that the engine wants links with, where they say that they are; and the hosts that the settings name and
    /// that aren't known to be members.
    pub(super) fn peers_to_dial(&mut self) -> Vec<Peer> {
        let roster = self.engine.roster();
        let others = self.engine.links().iter().filter(|node| !roster.is_revoked(**node) && !roster.has_left(**node));
        let mut peers: Vec<Peer> = others
            .map(|&node| Peer {
                node: Some(node),
                addresses: roster.addresses(node).iter().filter_map(|text| text.parse().ok()).collect(),
            })
            .filter(|peer| !peer.addresses.is_empty())
            .collect();
        let members = roster.members().filter(|node| !roster.has_left(*node));
        let mut known: BTreeSet<&String> = members.flat_map(|node| roster.addresses(node)).collect();
        known.extend(roster.addresses(self.identity.node));
        let now = self.environment.monotonic();
        let named = self.membership.named.choose(now, |address| known.contains(&address.to_string()));
        peers.extend(named.into_iter().map(Peer::from));
        peers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(listen: &str, found: &[&str]) -> Vec<String> {
        let advertise = Advertise { fixed: Vec::new(), listen: listen.parse().unwrap() };
        advertise.reachable(found.iter().map(|ip| ip.parse().unwrap()))
    }

    #[test]
    fn what_leads_nowhere_from_elsewhere_is_left_out() {
        let found = ["::1", "127.0.0.1", "fe80::1", "169.254.3.4", "fd00::5", "10.0.0.7"];
        assert_eq!(addresses("[::]:7", &found), ["10.0.0.7:7", "[fd00::5]:7"]);
        assert_eq!(addresses("0.0.0.0:7", &found), ["10.0.0.7:7"]);
        assert_eq!(addresses("0.0.0.0:7", &found[..3]), ["127.0.0.1:7"]);
        assert_eq!(addresses("[::]:7", &[]), Vec::<String>::new());
    }

    #[test]
    fn what_is_set_goes_before_what_is_found() {
        let listen = "10.0.0.1:7".parse().unwrap();
        assert_eq!(Advertise { fixed: Vec::new(), listen }.addresses(), ["10.0.0.1:7"]);
        let fixed = vec!["mesh.example.org:9".parse().unwrap()];
        assert_eq!(Advertise { fixed, listen }.addresses(), ["mesh.example.org:9"]);
    }
}
