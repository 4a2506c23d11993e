//! The tables of docs/MERGING.md.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{FOLDERS, Meeting, Outcome, bytes, meetings, outcome, small};

/// How many merges of edits that are apart a row stands on, for a folder and how many people edit.
type Wanted = fn(&str, usize) -> usize;

/// The documented table: 99.5 % of YAML's pairs shows only in hundreds of them.
const DOCUMENTED: Wanted = |folder, people| match (folder, people) {
    ("yaml", 2) => 420,
    (_, 2) => 100,
    _ => 20,
};
/// The sample that every run of the tests takes.
const SAMPLE: Wanted = |_, people| if people == 2 { 4 } else { 1 };
const PEOPLE: [usize; 2] = [2, 3];
/// Not every edit has a place in every file, and most touch each other: how many are tried for each that counts.
const TRIES: usize = 100;
const SEED: [u8; 32] = *b"murmurate: the table of outcomes";

const WRITE: &str = "MURMURATE_WRITE_MERGING";
const HEADER: &str = "| files | people | merges | invalid | apart | exact | but for spacing | flagged | wrong | touching | flagged | merged |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n";

/// Writes both tables, or checks the one against the files and the other by a sample of its merges.
#[test]
fn the_tables_are_as_documented() {
    let bytes: String = FOLDERS.iter().map(|folder| bytes::Counts::of(folder).row(folder)).collect();
    let bytes = format!("{}{bytes}", bytes::HEADER);
    let is_asked_for = std::env::var_os(WRITE).is_some();
    let merges = merges(if is_asked_for { DOCUMENTED } else { SAMPLE });
    println!("{bytes}\n{merges}");
    check_none_wrong(&merges);
    let text = std::fs::read_to_string(document()).unwrap();
    if is_asked_for {
        let text = with_table(&with_table(&text, bytes::HEADER, &bytes), HEADER, &merges);
        std::fs::write(document(), text).unwrap();
        return;
    }
    let (_, documented) = cut(&text, bytes::HEADER);
    assert_eq!(documented, bytes, "docs/MERGING.md is out of date; it says how to write it");
    check_promised(cut(&text, HEADER).1);
}

fn document() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/MERGING.md")
}

/// Where in a document the table with this header begins, and the table.
fn cut<'a>(text: &'a str, header: &str) -> (usize, &'a str) {
    let start = text.find(header).expect("the table has its place");
    let length = text[start..].find("\n\n").map_or(text.len() - start, |end| end + 1);
    (start, &text[start..start + length])
}

fn with_table(text: &str, header: &str, table: &str) -> String {
    let (start, former) = cut(text, header);
    format!("{}{table}{}", &text[..start], &text[start + former.len()..])
}

/// A row for each folder and number of people, all at once.
fn merges(wanted: Wanted) -> String {
    let rows = FOLDERS.iter().flat_map(|folder| PEOPLE.map(|people| (folder, people, wanted(folder, people))));
    let rows: Vec<String> = std::thread::scope(|scope| {
        let threads =
            rows.map(|(folder, people, apart)| scope.spawn(move || row(folder, people, &count(folder, people, apart))));
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|thread| thread.join().expect("a row without a failure")).collect()
    });
    HEADER.to_owned() + &rows.concat()
}

fn count(folder: &str, people: usize, apart: usize) -> BTreeMap<Outcome, usize> {
    let files = small(folder);
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &SEED);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = meetings(people..=people);
    let mut counts = BTreeMap::new();
    for _ in 0..apart * TRIES {
        let meeting: Meeting = strategy.new_tree(&mut runner).unwrap().current();
        if let Some(outcome) = outcome(folder, &files, &meeting) {
            *counts.entry(outcome).or_insert(0) += 1;
        }
        if APART.iter().filter_map(|outcome| counts.get(outcome)).sum::<usize>() == apart {
            break;
        }
    }
    counts
}

const APART: [Outcome; 4] = [Outcome::Exact, Outcome::Spacing, Outcome::Flagged, Outcome::Wrong];

fn row(folder: &str, people: usize, counts: &BTreeMap<Outcome, usize>) -> String {
    let of = |outcome| counts.get(&outcome).copied().unwrap_or(0);
    let [exact, spacing, flagged, wrong] = APART.map(of);
    let (touching_flagged, touching_merged) = (of(Outcome::TouchingFlagged), of(Outcome::TouchingMerged));
    let (apart, touching) = (exact + spacing + flagged + wrong, touching_flagged + touching_merged);
    let invalid = of(Outcome::Invalid);
    let percent = 100.0 * exact as f64 / apart.max(1) as f64;
    let merges = apart + touching + invalid;
    format!(
        "| {folder} | {people} | {merges} | {invalid} | {apart} | {exact} ({percent:.1} %) | {spacing} | {flagged} | {wrong} | {touching} | {touching_flagged} | {touching_merged} |\n"
    )
}

/// The numbers of a row, by column; percentages left out.
fn numbers(row: &str) -> Vec<usize> {
    let cells = row.trim_matches('|').split('|').skip(1);
    cells.map(|cell| cell.trim().split(' ').next().and_then(|text| text.parse().ok()).expect("a number")).collect()
}

fn check_none_wrong(table: &str) {
    for row in table.lines().skip(2) {
        let numbers = numbers(row);
        assert_eq!((numbers[2], numbers[7]), (0, 0), "invalid or wrong: {row}");
    }
}

/// What is promised of the documented table: of pairs that are apart, 99.5 % are all there, in YAML byte for byte; elsewhere
/// spacing may differ. The others are told.
fn check_promised(table: &str) {
    check_none_wrong(table);
    assert_eq!(table.lines().count(), 2 + FOLDERS.len() * PEOPLE.len(), "{table}");
    for row in table.lines().skip(2) {
        let numbers = numbers(row);
        let (people, apart, exact, spacing) = (numbers[0], numbers[3], numbers[4], numbers[5]);
        let (least, all_there) = if row.starts_with("| yaml") { (400, exact) } else { (100, exact + spacing) };
        assert!(people > 2 || (apart >= least && all_there * 1_000 >= apart * 995), "{row}");
    }
}
