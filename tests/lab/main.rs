//! What a mesh promises when things go wrong, shown with real daemons: one test for each row of `docs/FAULTS.md`, which
//! is written from here (`table.rs`).
//!
//! ```text
//!  Switch    a network of the test's own: loss, delay, duplicates, reordering, one-way cuts, lost large datagrams
//!  Traced    a daemon under `strace`: killed at, or refused, the n-th call that writes
//!  WallClock a daemon whose wall clock is somewhere else
//! ```
//! Tests that need root or a tool are skipped by name and reason where they can't run. A failing test leaves its directory
//! behind and names it; `MURMURATE_SEED` replays the random ones, and `MURMURATE_LAB=long` makes them large.
#![allow(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

#[path = "../harness/mod.rs"]
mod harness;

mod switch;
mod table;
mod traced;

mod clock;
mod copied;
mod damage;
mod delay;
mod disk_full;
mod elsewhere;
mod flood;
mod killed;
mod local;
mod loss;
mod memory;
mod meshes;
mod mtu;
mod names;
mod one_way;
mod rolling;
mod stopped;
mod sync_error;
mod watches;
