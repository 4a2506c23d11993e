//! What must hold for any bytes that reach a daemon, as functions that panic where it doesn't.
//!
//! `cargo fuzz` calls them with what it makes up (`fuzz/README.md`); the tests call them with its seeds and with mutations
//! of those.

pub use crate::daemon::api::fuzzing::request;
pub use crate::daemon::core::fuzzing::state;
pub use crate::daemon::store::log::fuzzing::record;
pub use crate::settings::fuzzing::settings;

#[cfg(test)]
mod tests;
