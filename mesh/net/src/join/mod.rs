//! Becoming a member, and staying one: a host that has no certificate yet, or only one that has run out, asks an issuer for
//! one.
//!
//! ```text
//!  Ticket ──▶ redeem ─┐                                                          ┌─▶ NetworkEvent::Join
//!                     ├─ QUIC, `murmurate-join/1`, no certificate shown ══▶ serve │      the core decides
//!  renew ─────────────┘   request: key, name, proof, possession        ◀══       └── JoinReply
//! ```
//! The network checks framing, and that the joiner holds its key; whether it may join is the core's to say.

mod client;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod message;
mod refusal;
mod request;
pub(crate) mod server;
mod ticket;

pub use client::{Joined, Renewed, redeem, redeem_on};
pub use error::{Attempt, JoinError};
pub use message::JoinAnswer;
pub use refusal::JoinRefusal;
pub use request::{JoinKind, JoinReply, JoinRequest};
pub use ticket::{Ticket, TicketError};

pub(crate) use client::renew;

/// Says that both sides talk about one connection: TLS exporter label (RFC 8446, section 7.5).
const EXPORTER_LABEL: &[u8] = b"EXPORTER-murmurate-join-1";
/// Bytes taken from the exporter.
const EXPORTER_BYTES: usize = 32;

/// What binds a request to its connection: 32 bytes that only the two ends of it know, and that are different for each mesh.
type Exporter = [u8; EXPORTER_BYTES];

/// The exporter of a connection of this mesh.
fn exporter(connection: &quinn::Connection, mesh: murmurate_crdt::id::MeshId) -> Option<Exporter> {
    let mut exporter = [0; EXPORTER_BYTES];
    connection.export_keying_material(&mut exporter, EXPORTER_LABEL, &mesh.0).ok()?;
    Some(exporter)
}
