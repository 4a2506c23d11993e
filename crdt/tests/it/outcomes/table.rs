//! The table of docs/MERGING.md.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{FOLDERS, Meeting, Outcome, meetings, outcome, small};

/// Meetings of each kind in each format, all from one seed. `MURMURATE_MEETINGS` asks for more, which are only printed.
const MEETINGS: usize = 60;
/// Not every edit has a place in every file: how many are tried for each that counts.
const TRIES: usize = 20;
const SEED: [u8; 32] = *b"murmurate: the table of outcomes";

const ABOVE: &str = "<!-- The table below is written by `MURMURATE_WRITE_MERGING=1 cargo test -p murmurate-crdt --test it the_table_of_outcomes`. -->\n";

#[test]
fn the_table_of_outcomes_is_as_documented() {
    let wanted = std::env::var("MURMURATE_MEETINGS").ok().and_then(|text| text.parse().ok());
    let mut table = String::from(
        "| files | people | apart | exact | but for spacing | flagged | wrong | touching | flagged | merged |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for folder in FOLDERS {
        for people in [2, 3] {
            let counts = count(folder, people, wanted.unwrap_or(MEETINGS));
            table.push_str(&row(folder, people, &counts));
        }
    }
    println!("{table}");
    if wanted.is_none() {
        check_documented(&table);
    }
}

fn count(folder: &str, people: usize, wanted: usize) -> BTreeMap<Outcome, usize> {
    let files = small(folder);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = meetings(people..=people);
    let mut counts = BTreeMap::new();
    let tried = (0..wanted * TRIES).filter_map(|_| {
        let meeting: Meeting = strategy.new_tree(&mut runner).unwrap().current();
        outcome(folder, &files, &meeting)
    });
    for outcome in tried.take(wanted) {
        *counts.entry(outcome).or_insert(0) += 1;
    }
    counts
}

fn row(folder: &str, people: usize, counts: &BTreeMap<Outcome, usize>) -> String {
    let of = |outcome| counts.get(&outcome).copied().unwrap_or(0);
    let (exact, flagged, wrong) = (of(Outcome::Exact), of(Outcome::Flagged), of(Outcome::Wrong));
    let (touching_flagged, touching_merged) = (of(Outcome::TouchingFlagged), of(Outcome::TouchingMerged));
    let spacing = of(Outcome::Spacing);
    let (apart, touching) = (exact + spacing + flagged + wrong, touching_flagged + touching_merged);
    let percent = 100.0 * exact as f64 / apart.max(1) as f64;
    assert_eq!(wrong, 0, "{folder}");
    format!(
        "| {folder} | {people} | {apart} | {exact} ({percent:.1} %) | {spacing} | {flagged} | {wrong} | {touching} | {touching_flagged} | {touching_merged} |\n"
    )
}

fn check_documented(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/MERGING.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (above, below) = text.split_once(ABOVE).expect("the table has its place");
    if std::env::var_os("MURMURATE_WRITE_MERGING").is_some() {
        std::fs::write(&path, format!("{above}{ABOVE}{table}")).unwrap();
        return;
    }
    assert_eq!(below, table, "docs/MERGING.md is out of date; its comment says how to write it");
}
