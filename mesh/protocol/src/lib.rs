//! Dissemination, anti-entropy and peer health as one pure engine.
//!
//! [`Engine::handle`] takes the time, a source of randomness and an [`Event`], and gives [`Effect`]s. It opens no socket
//! and no file, reads no clock and starts no task: a thin shell brings events in and carries effects out.
//!
//! The bytes of every message are described in `PROTOCOL.md`, and kept readable by golden files.

mod agreement;
mod allowance;
mod anti_entropy;
mod config;
mod context;
mod counts;
mod effect;
mod engine;
mod event;
mod flows;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod health;
mod histogram;
mod index;
mod ingest;
mod limits;
pub mod message;
mod peers;
mod plumtree;
mod pull;
mod push;
mod recent;
mod revocation;
pub mod roster;
mod serve;
mod statements;
mod strangers;
mod summary;
pub mod topology;
mod waiting;

pub use config::{Config, REPAIR_BYTES_PER_SECOND};
pub use counts::{ByWay, Counts};
pub use effect::{Class, Effect, Trouble};
pub use engine::{Buffers, Engine, Filled, Held};
pub use event::{Event, RequestId};
pub use health::{
    CONFIRMATIONS, ClockDifference, HISTORY, MEASURE_AGAIN, PINGS, Pinged, SUSPECT_LEAST, SUSPECT_MOST, Transition,
    suspect_for,
};
pub use histogram::{BOUNDS_US, Histogram};
pub use message::DocumentRanges;
pub use peers::{Member, MemberState, UNSEEN_FOR};
pub use roster::{Fact, Own, Roots, Roster, SignedBy, Signer, Statement};
pub use summary::{EMPTY, FolderSummary, Hash, Summary};
