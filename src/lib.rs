//! The Murmurate daemon and its command line.

pub mod cli;
pub mod daemon;
pub mod host_facts;
pub mod paths;
pub mod settings;
