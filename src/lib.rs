//! The Murmurate daemon and its command line.

pub mod cli;
pub mod daemon;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod host_facts;
#[cfg(test)]
mod limits_document;
pub mod paths;
pub mod settings;

/// The simulated disk and file system are also those of `tests/sim`, which knows this crate by its name.
#[cfg(test)]
extern crate self as murmurate;
#[cfg(test)]
#[path = "../tests/simulated/mod.rs"]
#[allow(dead_code, reason = "the simulation of whole daemons uses the rest")]
mod simulated;
#[cfg(test)]
mod written_document;
