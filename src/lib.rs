//! The Murmurate daemon and its command line.

pub mod cli;
pub mod daemon;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod paths;
pub mod settings;
