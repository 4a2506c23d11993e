//! The functions with seeds and mutations of them. `FUZZ_CASES` sets how many; a run's seed is printed.

#[path = "../../crdt/src/fuzzing/mutate.rs"]
mod mutate;

use mutate::{check, seeds};

#[test]
fn request() {
    check(seeds("request"), 500, super::request);
}

#[test]
fn settings() {
    check(seeds("settings"), 500, super::settings);
}

#[test]
fn record() {
    check(seeds("record"), 1_000, super::record);
}

#[test]
fn state() {
    check(seeds("state"), 1_000, super::state);
}
