//! What must hold for any bytes from the network, as functions that panic where it doesn't.
//!
//! `cargo fuzz` calls them with what it makes up (`fuzz/README.md`); this crate's tests call them with its seeds and with
//! mutations of those.

pub use crate::connection::fuzzing::{frames, greeting};
pub use crate::gossip::fuzzing::{gossip, gossip_frame};
pub use crate::join::fuzzing::{answer, request, ticket};

use crate::PeerAddress;

/// An address of a peer: one that is read is written as one that reads the same.
pub fn peer_address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(address) = text.parse::<PeerAddress>() else { return };
    assert_eq!(address.to_string().parse().as_ref(), Ok(&address), "{text:?}");
}

#[cfg(test)]
mod tests;
