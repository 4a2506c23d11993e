//! The name that a life of a member's gossip has in messages.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;

use chitchat::ChitchatId;
use murmurate_crdt::id::NodeId;

/// Hexadecimal digits of a node id that stand for it: a digest names every member, and has to fit into 65,507 bytes.
/// Of 1,000 members two begin alike once in two million meshes; such members are told by [`super::GossipHealth`].
pub(super) const DIGITS: usize = 10;
/// The address that every incarnation has in messages. Who is behind a link is known from its certificate, so that no
/// address has to be believed or learnt.
pub(super) const NO_ADDRESS: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));
/// Bits of a generation that count the restarts of gossip within one process.
const RESTART_BITS: u32 = 16;

/// The beginning of a node id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ShortId([u8; DIGITS / 2]);

impl ShortId {
    pub(super) fn of(node: &NodeId) -> Self {
        let mut bytes = [0; DIGITS / 2];
        bytes.copy_from_slice(&node.0[..DIGITS / 2]);
        Self(bytes)
    }

    /// Reads exactly [`DIGITS`] lowercase digits.
    pub(super) fn of_text(text: &[u8]) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Display for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One life of one member's gossip. Of one member's incarnations only that of the highest generation counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Incarnation {
    pub(super) id: ShortId,
    pub(super) generation: u64,
}

impl Incarnation {
    /// The incarnation of a host's generation whose gossip was restarted so often.
    pub(super) fn new(node: &NodeId, host_generation: u64, restarts: u16) -> Self {
        let host_generation = host_generation.min(u64::MAX >> RESTART_BITS);
        Self { id: ShortId::of(node), generation: host_generation << RESTART_BITS | u64::from(restarts) }
    }

    /// The generation that the host has had since it started.
    pub(super) fn host_generation(self) -> u64 {
        self.generation >> RESTART_BITS
    }

    pub(super) fn chitchat_id(self) -> ChitchatId {
        ChitchatId::new(Arc::from(self.id.to_string()), self.generation, NO_ADDRESS)
    }

    pub(super) fn of_chitchat_id(id: &ChitchatId) -> Option<Self> {
        let short = ShortId::of_text(id.node_id.as_bytes())?;
        Some(Self { id: short, generation: id.generation_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_counts_above_all_before_it_and_below_the_next_start() {
        let node = NodeId([0xab; 32]);
        let started = |generation, restarts| Incarnation::new(&node, generation, restarts);
        assert!(started(7, 0) < started(7, 1));
        assert!(started(7, u16::MAX) < started(8, 0));
        assert_eq!(started(7, 3).host_generation(), 7);
        assert_eq!(started(u64::MAX, u16::MAX).generation, u64::MAX);
        let id = started(7, 3).chitchat_id();
        assert_eq!(&*id.node_id, "ababababab");
        assert_eq!(Incarnation::of_chitchat_id(&id), Some(started(7, 3)));
    }

    #[test]
    fn only_ten_lowercase_digits_are_an_id() {
        for text in ["", "ababababa", "abababababab", "ABABABABAB", "zzzzzzzzzz", "ababababa\u{e9}"] {
            assert_eq!(ShortId::of_text(text.as_bytes()), None, "{text}");
        }
    }
}
