//! What the most awkward files at the limits cost, as a ladder of sizes: `cargo run --release --example limits [NAME]`.
//!
//! Each row is a quarter, half and all of what a file may hold. A step whose time grows fourfold from one rung to the
//! next is quadratic.

use std::time::Instant;

use ed25519_dalek::SigningKey;
use murmurate_crdt::conflict;
use murmurate_crdt::document::{Document, Written};
use murmurate_crdt::edit::Editor;
use murmurate_crdt::envelope::{Envelope, MESH_LEVEL, SignedEnvelope};
use murmurate_crdt::id::{ActorId, DocumentId, Generation, Lane, MeshId, NodeId};
use murmurate_crdt::limits;

/// A file's name, what stands in it, and what an editor makes of it, at so many keys.
type Case = (&'static str, &'static str, fn(usize) -> (String, String));

const CASES: &[Case] = &[
    ("toml: every value", "a.toml", |n| {
        (lines(n, |i| format!("k{i} = {i}")), lines(n, |i| format!("k{i} = {}", i + 1)))
    }),
    ("toml: every key renamed", "a.toml", |n| {
        (lines(n, |i| format!("k{i} = {i}")), lines(n, |i| format!("r{i} = {i}")))
    }),
    ("toml: reversed", "a.toml", |n| (lines(n, |i| format!("k{i} = {i}")), lines(n, |i| format!("k{} = 0", n - i)))),
    ("toml: shuffled", "a.toml", |n| {
        (lines(n, |i| format!("k{i} = {i}")), lines(n, |i| format!("k{j} = {j}", j = at(i, n))))
    }),
    ("toml: headers of depth 60", "a.toml", |n| (headers(n / 2, 0), headers(n / 2, 1))),
    ("toml: tables of arrays, changed", "a.toml", |n| {
        (lines(n / 2, |i| format!("[[a]]\nk = {i}")), lines(n / 2, |i| format!("[[a]]\nk = {}", i + n)))
    }),
    ("toml: tables of arrays, shuffled", "a.toml", |n| {
        (lines(n / 2, |i| format!("[[a]]\nk = {i}")), lines(n / 2, |i| format!("[[a]]\nk = {}", at(i, n / 2))))
    }),
    ("toml: comment blocks", "a.toml", |n| {
        (lines(n, |i| format!("# {i}\n")), lines(n, |i| format!("# {}\n", at(i, n))))
    }),
    ("toml: tables to dotted keys", "a.toml", |n| {
        (lines(n / 2, |i| format!("[t{i}]\nk = 1")), lines(n / 2, |i| format!("t{i}.k = 1")))
    }),
    ("json: list reversed", "a.json", |n| (list(n, |i| i.to_string()), list(n, |i| (n - i).to_string()))),
    ("json: list shuffled", "a.json", |n| (list(n, |i| i.to_string()), list(n, |i| at(i, n).to_string()))),
    ("json: list of ones, half gone", "a.json", |n| (list(n, |_| "1".into()), list(n / 2, |_| "1".into()))),
    ("json: list of other values", "a.json", |n| (list(n, |i| i.to_string()), list(n, |i| (n + i).to_string()))),
    ("json: tables in a list, shuffled", "a.json", |n| {
        (list(n / 2, |i| format!("{{\"k\": {i}}}")), list(n / 2, |i| format!("{{\"k\": {}}}", at(i, n / 2))))
    }),
    ("json: named tables, shuffled", "a.json", |n| {
        (list(n / 2, |i| format!("{{\"id\": {i}}}")), list(n / 2, |i| format!("{{\"id\": {}}}", at(i, n / 2))))
    }),
    ("json: tables to scalars", "a.json", |n| {
        (list(n / 2, |i| format!("{{\"k\": {i}}}")), list(n / 2, |i| i.to_string()))
    }),
    ("json: long paths", "a.json", |n| (long_paths(n, 0), long_paths(n, 1))),
    ("json: 60 deep", "a.json", |n| (deep(n, 0), deep(n, 1))),
    ("json: comments", "a.json", |n| {
        (list(n / 2, |i| format!("// c{i}\n\n{i}")), list(n / 2, |i| format!("// c{i}\n\n{}", at(i, n / 2))))
    }),
    ("text: reversed", "a.conf", |n| (lines(n, |i| format!("line {i}")), lines(n, |i| format!("line {}", n - i)))),
    ("text: shuffled", "a.conf", |n| (lines(n, |i| format!("line {i}")), lines(n, |i| format!("line {}", at(i, n))))),
    ("text: rewritten", "a.conf", |n| (lines(n, |i| format!("line {i}")), lines(n, |i| format!("{i} other")))),
    ("text: two lines in turn", "a.conf", |n| {
        (lines(n, |i| (i % 2).to_string()), lines(n, |i| (i / 2 % 2).to_string()))
    }),
    ("text: every second line gone", "a.conf", |n| {
        (lines(n, |i| format!("line {i}")), lines(n / 2, |i| format!("line {}", i * 2)))
    }),
    ("text: every second line new", "a.conf", |n| {
        (lines(n / 2, |i| format!("line {i}")), lines(n / 2, |i| format!("new {i}\nline {i}")))
    }),
    ("text: long lines", "a.conf", |n| (long_lines(n, 0), long_lines(n, 1))),
    ("text to bytes", "a.conf", |n| (lines(n, |i| format!("line {i}")), lines(n, |i| format!("line {i}\0")))),
    ("openings of templates", "a.toml", |n| ("{{".repeat(n * 20), "x = 1\n".into())),
    ("brackets", "a.json", |n| ("[".repeat(n * 400), "1\n".into())),
    ("brackets", "a.toml", |n| (format!("x = {}\n", "[".repeat(n * 400)), "x = 1\n".into())),
    ("dots", "a.toml", |n| (format!("{}x = 1\n", "a.".repeat(n * 200)), "x = 1\n".into())),
    ("quotes", "a.toml", |n| (format!("x = {}\n", "'".repeat(n * 400)), "x = 1\n".into())),
    ("empty comments", "a.json", |n| (format!("{}1\n", "/**/".repeat(n * 100)), "1\n".into())),
    ("empty comments in a list", "a.json", |n| (format!("[{}1]\n", "/**/\n\n".repeat(n * 60)), "[1]\n".into())),
    ("one inline list", "a.toml", |n| (format!("x = [{}]\n", "1,".repeat(n * 200)), "x = 1\n".into())),
];

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(|index| line(index) + "\n").collect()
}

fn list(count: usize, item: impl Fn(usize) -> String) -> String {
    format!("[\n{}\n]\n", (0..count).map(item).collect::<Vec<_>>().join(",\n"))
}

/// A permutation that leaves no two neighbours beside each other.
fn at(index: usize, count: usize) -> usize {
    index * 4_001 % count.max(1)
}

fn headers(count: usize, value: usize) -> String {
    lines(count, |index| format!("[{}t{index}]\nk = {value}", "a.".repeat(60)))
}

fn long_paths(count: usize, value: usize) -> String {
    let inside = (0..count).map(|index| format!("\"k{index}\": {value}")).collect::<Vec<_>>().join(",\n");
    format!("{{\"{}\": {{\n{inside}\n}}}}\n", "x".repeat(limits::PATH_BYTES - 24))
}

fn deep(count: usize, value: usize) -> String {
    let inside = (0..count / 60).map(|index| format!("\"k{index}\": {value}")).collect::<Vec<_>>().join(",\n");
    let mut text = format!("{{\n{inside}\n}}");
    for _ in 0..59 {
        text = format!("{{\n{inside},\n\"d\": {text}\n}}");
    }
    text + "\n"
}

fn long_lines(count: usize, value: usize) -> String {
    let length = count * 419;
    (0..4).map(|index| format!("{index}{}{value}\n", "x".repeat(length / 4))).collect()
}

fn sealed(document: &Document, written: Written) -> SignedEnvelope {
    let key = SigningKey::from_bytes(&[1; 32]);
    let author = NodeId::of_public_key(key.verifying_key().as_bytes());
    let Written { dot, dependencies, change, .. } = written;
    let (document, generation) = (document.id().clone(), Generation::default());
    let (user, message) = (String::new(), String::new());
    let level = MESH_LEVEL;
    Envelope { level, document, generation, set: None, author, dot, time_ms: 0, dependencies, user, message, change }
        .sign(MeshId([0; 16]), &key)
}

/// Imports the file, edits it here and there, and exchanges: the milliseconds of each step, and what failed.
fn run(name: &str, base: &str, edited: &str) -> Result<String, Box<dyn std::error::Error>> {
    let editor = |actor| Editor { actor: ActorId([actor; 16]), time_ms: 0, user: String::new() };
    let mut ours = Document::new(DocumentId::new(&format!("f/{name}"))?);
    let mut theirs = ours.clone();
    let mut report = String::new();
    let mut timed = |what: &str, start: Instant| report += &format!(" {what} {}", start.elapsed().as_millis());
    let start = Instant::now();
    let taken = ours.take_file(&ours.render(), base.as_bytes(), false, Lane::FILE, &editor(1));
    timed("import", start);
    let Some(first) = taken? else { return Ok(report) };
    report += &format!(" ({} kB)", first.change.len() / 1_000);
    let mut timed = |what: &str, start: Instant| report += &format!(" {what} {}", start.elapsed().as_millis());
    let first = sealed(&ours, first);
    let start = Instant::now();
    theirs.apply(&first)?;
    timed("apply", start);
    let start = Instant::now();
    let rendered = ours.render();
    timed("render", start);
    let start = Instant::now();
    let saved = ours.take_file(&rendered, edited.as_bytes(), false, Lane::FILE, &editor(1));
    timed("edit", start);
    let saved = saved?.ok_or("no edit")?;
    report += &format!(" ({} kB)", saved.change.len() / 1_000);
    let mut timed = |what: &str, start: Instant| report += &format!(" {what} {}", start.elapsed().as_millis());
    let saved = sealed(&ours, saved);
    // At the same time, the other host saves the first half of it.
    let half = edited.len() / 2;
    let other = &edited[..edited[half..].find('\n').map_or(edited.len(), |end| half + end + 1)];
    let start = Instant::now();
    let concurrent = theirs.take_file(&rendered, other.as_bytes(), false, Lane::FILE, &editor(2));
    timed("concurrent", start);
    let concurrent = concurrent?.map(|written| sealed(&theirs, written));
    let start = Instant::now();
    theirs.apply(&saved)?;
    timed("apply", start);
    if let Some(concurrent) = &concurrent {
        ours.apply(concurrent)?;
    }
    let start = Instant::now();
    let rendered = ours.render();
    timed("merge", start);
    let start = Instant::now();
    let conflicts = conflict::conflicts(&ours, &rendered).len();
    timed(&format!("{conflicts} conflicts"), start);
    let start = Instant::now();
    let snapshot = ours.save()?;
    timed("save", start);
    let start = Instant::now();
    drop(Document::load(ours.id().clone(), &snapshot)?);
    timed("load", start);
    Ok(report)
}

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    for (what, name, texts) in CASES.iter().filter(|(what, ..)| what.contains(&wanted)) {
        for part in [4, 2, 1] {
            let (base, edited) = texts(limits::KEYS_PER_FILE * 96 / 100 / part);
            let start = Instant::now();
            let report = run(name, &base, &edited).unwrap_or_else(|error| format!(" {error}"));
            println!("{what} ({name}), {} kB: {} ms:{report}", base.len() / 1_000, start.elapsed().as_millis());
        }
    }
}
