//! QUIC connections between members, with mutual TLS on every byte.
//!
//! ```text
//!  identity ──▶ Network::start ──▶ NetworkHandle   send, set_peers, renew, set_identity, shutdown
//!                               ├─▶ NetworkEvents   Connected, Frame, SendQueueFull, Disconnected, Refused, Heard, Join
//!                               └─▶ Gossip          start, set_members, set_keys, health
//!  ticket ────▶ join::redeem ──▶ a new identity's certificates
//! ```
//! The bytes and steps are in `PROTOCOL.md` at the root of the repository.

pub mod address;
mod class;
mod close;
mod connection;
mod dial;
pub mod environment;
mod event;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod gossip;
pub mod identity;
pub mod join;
pub mod limits;
mod meter;
mod network;
mod peer;
mod race;
mod refusal;
mod socket;
mod tls;
mod traffic;
mod transport;

pub use address::PeerAddress;
pub use class::Class;
pub use close::DisconnectReason;
pub use connection::{PathStats, SendOutcome};
pub use environment::Environment;
pub use event::{NetworkEvent, NetworkEvents};
pub use gossip::{Gossip, GossipConfig, GossipHealth, Heard, Keys, Life};
pub use identity::{Anchors, Authority, Identity, Issuer};
pub use meter::{ClassCounts, Depth, NetworkCounts, NetworkDepths};
pub use network::{Network, NetworkConfig, NetworkHandle, StartError};
pub use peer::Peer;
pub use refusal::{PeerRefusal, RefuseReason};
pub use tls::TlsError;
pub use traffic::Traffic;
