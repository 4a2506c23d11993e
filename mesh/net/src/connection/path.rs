//! How the way to a peer is, as measured since the connection was made.

use std::net::SocketAddr;
use std::time::Duration;

use murmurate_crdt::id::NodeId;

/// The way to a connected peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathStats {
    /// The peer.
    pub peer: NodeId,
    /// Its address on this connection.
    pub address: SocketAddr,
    /// The round trip, smoothed.
    pub round_trip: Duration,
    /// The largest datagram that is known to get through. Never below the 1,200 bytes without which there is no connection.
    pub datagram_bytes: u16,
    /// Packets sent.
    pub sent: u64,
    /// Packets taken for lost.
    pub lost: u64,
    /// How often large datagrams stopped getting through.
    pub black_holes: u64,
}

impl PathStats {
    pub(crate) fn of(peer: NodeId, connection: &quinn::Connection) -> Self {
        let path = connection.stats().path;
        Self {
            peer,
            address: connection.remote_address(),
            round_trip: connection.rtt(),
            datagram_bytes: path.current_mtu,
            sent: path.sent_packets,
            lost: path.lost_packets,
            black_holes: path.black_holes_detected,
        }
    }
}
