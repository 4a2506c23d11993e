//! The functions with seeds and mutations of them. `FUZZ_CASES` sets how many; a run's seed is printed.

use super::wire::seeds;
use crate::fuzzing;

#[path = "mutate.rs"]
mod mutate;

use mutate::check;

/// Smaller files mutate faster.
const CORPUS_BYTES: usize = 2_000;

/// The seeds of a target, and the small files of a corpus.
fn with_corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    mutate::seeds(target).into_iter().chain(files.filter(|bytes| bytes.len() <= CORPUS_BYTES)).collect()
}

#[test]
fn toml() {
    check(with_corpus("toml"), 192, fuzzing::toml);
}

#[test]
fn json() {
    check(with_corpus("json"), 192, fuzzing::json);
}

#[test]
fn yaml() {
    check(with_corpus("yaml"), 192, fuzzing::yaml);
}

#[test]
fn env() {
    check(with_corpus("env"), 192, fuzzing::env);
}

#[test]
fn ini() {
    check(with_corpus("ini"), 192, fuzzing::ini);
}

#[test]
fn blocks() {
    check(with_corpus("blocks"), 192, fuzzing::blocks);
}

#[test]
fn text() {
    check(with_corpus("text"), 128, fuzzing::text);
}

#[test]
fn merge() {
    check(mutate::seeds("merge"), 192, fuzzing::merge);
}

#[test]
fn address() {
    check(mutate::seeds("address"), 2_000, fuzzing::address);
}

#[test]
fn envelope() {
    check([mutate::seeds("envelope"), seeds::envelopes()].concat(), 1_000, fuzzing::envelope);
}

#[test]
fn change() {
    check([mutate::seeds("change"), seeds::changes()].concat(), 256, fuzzing::change);
}

#[test]
fn snapshot() {
    check([mutate::seeds("snapshot"), seeds::snapshots()].concat(), 192, fuzzing::snapshot);
}

#[test]
fn cell() {
    check([mutate::seeds("cell"), seeds::cells()].concat(), 2_000, fuzzing::cell);
}
