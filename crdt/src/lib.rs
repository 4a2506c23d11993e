//! Documents, keys and merging: pure, no I/O and no async runtime.
//!
//! ```text
//!  bytes ──▶ codec ──▶ tree ──▶ diff ──▶ document (automerge) ──▶ change ──▶ envelope, signed
//!                                           │
//!  bytes ◀── codec ◀── tree ◀── view ◀──────┘
//! ```

pub mod change;
pub mod clock;
pub mod codec;
pub mod conflict;
mod diff;
pub mod document;
pub mod edit;
pub mod envelope;
pub mod fallback;
mod fit;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod genesis;
pub mod history;
pub mod id;
mod identity;
pub mod key;
pub mod limits;
pub mod overlay;
pub mod path;
pub mod position;
pub mod register;
pub mod render;
mod settle;
pub mod shown;
pub mod state;
mod structure;
#[cfg(test)]
mod testing;
pub mod tree;
pub mod value;
pub mod wire;
