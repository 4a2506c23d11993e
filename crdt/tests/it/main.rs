//! The merge, from outside: replicas that edit, exchange changes in any order, and must agree.
//!
//! A property test that fails prints its seed and the smallest history it found. To replay it:
//! `PROPTEST_RNG_SEED=<seed> cargo test -p murmurate-crdt --test it <name>`; for a longer search, set `PROPTEST_CASES`.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod convergence;
mod corpus;
mod golden;
mod guards;
mod histories;
mod lines;
mod lists;
mod outcomes;
mod overlays;
mod regressions;
mod replica;
mod rules;
#[path = "../../src/testing.rs"]
mod testing;
