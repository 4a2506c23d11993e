//! What a mesh promises, shown with real daemons: driven through the command line, files and partitions.
//!
//! Tests that need network namespaces are skipped by name and reason where they can't run; see `tests/harness/namespace.rs`.
//! A failing test leaves its directory behind and names it; `MURMURATE_SEED` replays the random ones.
#![allow(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

#[path = "../harness/mod.rs"]
mod harness;

mod archives;
mod bench;
mod care;
mod certificates;
mod checks;
mod cli;
mod crash;
mod dev;
mod diffs;
mod editor;
mod editors;
mod edits;
mod folders;
mod held;
mod ignoring;
mod join;
mod many;
mod metrics;
mod mounts;
mod overlays;
mod partition;
mod readers;
mod renames;
mod restart;
mod rough;
mod service;
mod soak;
mod view;
mod zones;
