//! Whom to dial.

use std::fmt;
use std::net::SocketAddr;

use murmurate_crdt::id::NodeId;

use crate::address::PeerAddress;

/// A host to keep a connection with: any of its addresses will do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer {
    /// Who is expected there. While it is connected, it isn't dialled, whoever dialled whom. `None`: whoever answers.
    pub node: Option<NodeId>,
    /// Where it is dialled; tried side by side, the first with a short head start.
    pub addresses: Vec<PeerAddress>,
}

impl From<PeerAddress> for Peer {
    /// Whoever answers at this address.
    fn from(address: PeerAddress) -> Self {
        Self { node: None, addresses: vec![address] }
    }
}

impl From<SocketAddr> for Peer {
    /// Whoever answers at this address.
    fn from(address: SocketAddr) -> Self {
        PeerAddress::from(address).into()
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, address) in self.addresses.iter().enumerate() {
            write!(f, "{}{address}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
