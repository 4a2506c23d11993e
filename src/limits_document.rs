//! `docs/LIMITS.md`, written from the `limits.rs` of each part and compared with them here.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::written_document;

const FILE: &str = "docs/LIMITS.md";
const WRITE: &str = "MURMURATE_WRITE_LIMITS";

const HEAD: &str = "\
# Limits

Every limit on queues, sizes, waits and loops, with its value, its reason, and what happens there. This document is written from the comments of the
constants, which stand in each part's `limits.rs`, some of the engine's beside what they bound:

    MURMURATE_WRITE_LIMITS=1 cargo test --lib the_document_lists_all_limits

How full the queues are and how often one overflowed, the metrics tell: docs/METRICS.md.
";

/// Each part with its file, or with the directory of its files.
const PARTS: &[(&str, &str)] = &[
    ("Documents and changes, the same on all hosts", "crdt/src/limits.rs"),
    ("Dissemination and membership", "mesh/protocol/src"),
    ("The roster, the same on all hosts", "mesh/protocol/src/roster/limits.rs"),
    ("The network, joining and gossip", "mesh/net/src/limits.rs"),
    ("The core", "src/daemon/core/limits.rs"),
    ("Watched folders", "src/daemon/files/limits.rs"),
    ("Checks and reloads", "src/daemon/checks/limits.rs"),
    ("The local API", "src/daemon/api/limits.rs"),
    ("Metrics", "src/daemon/metrics/limits.rs"),
    ("The client library", "mesh/client/src/limits.rs"),
];

/// What of a directory has other constants: a part of its own, numbers of messages, tests.
const OTHERS: [&str; 4] = ["roster", "codec", "fuzzing", "tests"];

/// A constant as it is written.
#[derive(Debug, PartialEq)]
struct Limit {
    name: String,
    kind: String,
    value: String,
    meaning: String,
}

/// The constants of a source, each with the comment above it.
fn limits(source: &str) -> Vec<Limit> {
    let mut limits = Vec::new();
    let (mut meaning, mut declared) = (String::new(), String::new());
    let code = source.split("mod tests {").next().unwrap_or_default();
    for line in code.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("///") {
            meaning = format!("{meaning}{comment}");
        } else if declared.is_empty() && !line.split(' ').any(|word| word == "const") {
            meaning.clear();
        } else {
            declared = format!("{declared} {line}");
            if line.ends_with(';') {
                limits.extend(limit(&std::mem::take(&mut declared), &std::mem::take(&mut meaning)));
            }
        }
    }
    limits
}

fn limit(declared: &str, meaning: &str) -> Option<Limit> {
    let (_, declared) = declared.trim_end_matches(';').split_once("const ")?;
    let (name, declared) = declared.split_once(':')?;
    let (kind, value) = declared.split_once(" = ")?;
    let meaning = meaning.trim().replace(['[', ']'], "").replace('|', "\\|");
    Some(Limit { name: name.into(), kind: kind.trim().into(), value: value.trim().into(), meaning })
}

/// A product or a shift of numbers.
fn number(expression: &str) -> Option<u64> {
    let factor = |factor: &str| match factor.split_once("<<") {
        Some((base, bits)) => Some(plain(base)?.checked_shl(u32::try_from(plain(bits)?).ok()?)?),
        None => plain(factor),
    };
    expression.split(" * ").map(factor).try_fold(1_u64, |product, factor| product.checked_mul(factor?))
}

fn plain(digits: &str) -> Option<u64> {
    digits.trim().replace('_', "").parse().ok()
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(",")
}

fn bytes(number: u64) -> String {
    match number {
        0 => "0 B".to_owned(),
        _ if number.is_multiple_of(1 << 20) => format!("{} MiB", grouped(number >> 20)),
        _ if number.is_multiple_of(1 << 10) => format!("{} KiB", grouped(number >> 10)),
        _ => format!("{} B", grouped(number)),
    }
}

fn in_unit(number: u64, unit: &str) -> String {
    match (unit, number) {
        ("ms", ms) if ms >= 1_000 && ms % 1_000 == 0 => in_unit(ms / 1_000, "s"),
        ("s", s) if s >= 86_400 && s % 86_400 == 0 => format!("{} d", grouped(s / 86_400)),
        _ => format!("{} {unit}", grouped(number)),
    }
}

/// A value for people.
fn shown(Limit { name, kind, value, .. }: &Limit) -> String {
    let duration = |value: &str, of: &str, unit| {
        let inner = value.strip_prefix(of)?.strip_suffix(')')?;
        Some(in_unit(number(inner)?, unit))
    };
    let range = |value: &str| {
        let (least, most) = value.split_once("..")?;
        let unit = if name.ends_with("_MS") { " ms" } else { "" };
        Some(format!("{} to {}{unit}", grouped(number(least)?), grouped(number(most)?)))
    };
    let single = |value: &str| {
        let number = number(value)?;
        Some(match () {
            () if name.contains("BYTES") => bytes(number),
            () if name.ends_with("_MS") => in_unit(number, "ms"),
            () if name.ends_with("_PERCENT") => format!("{number} %"),
            () => grouped(number),
        })
    };
    let shown = duration(value, "Duration::from_secs(", "s")
        .or_else(|| duration(value, "Duration::from_millis(", "ms"))
        .or_else(|| duration(value, "Duration::from_micros(", "us"))
        .or_else(|| range(value))
        .or_else(|| single(value));
    shown.unwrap_or_else(|| if kind == "f64" { value.clone() } else { format!("`{value}`") })
}

/// The sources at a path, each once, in their order.
fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut entries: Vec<PathBuf> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.retain(|path| {
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        !OTHERS.contains(&name) && (path.is_dir() || path.extension().is_some_and(|extension| extension == "rs"))
    });
    entries.sort();
    entries.iter().flat_map(|path| sources(path)).collect()
}

/// Whether it is a number or a time, and not one that names a version.
fn is_limit(limit: &Limit) -> bool {
    ["usize", "u32", "u64", "Duration"].contains(&limit.kind.as_str()) && !limit.name.ends_with("VERSION")
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    for (part, file) in PARTS {
        let files = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
        let is_one = files.len() == 1;
        writeln!(text, "\n## {part}\n\n`{file}`\n\n| limit | value | reason, and what happens there |\n|---|---|---|")
            .unwrap();
        for limit in files.iter().flat_map(|file| limits(&std::fs::read_to_string(file).unwrap())) {
            if is_one || is_limit(&limit) {
                // What belongs together has one comment.
                let meaning = if limit.meaning.is_empty() { "see above" } else { &limit.meaning };
                writeln!(text, "| `{}` | {} | {meaning} |", limit.name, shown(&limit)).unwrap();
            }
        }
    }
    text
}

#[test]
fn the_document_lists_all_limits() {
    written_document::check(FILE, WRITE, &document());
}

#[test]
fn a_constant_is_read_with_its_comment_and_its_value() {
    let source = "//! All.\n\n/// Of [`A`],\n/// two.\npub(crate) const A_BYTES: usize = 8 << 10;\n/// X.\nstruct X;\n/// Pause.\nconst B: Duration =\n    Duration::from_millis(2_000);\n";
    let limits = limits(source);
    let of = |name: &str| limits.iter().find(|limit| limit.name == name).unwrap();
    assert_eq!(limits.len(), 2);
    assert_eq!((shown(of("A_BYTES")), of("A_BYTES").meaning.as_str()), ("8 KiB".into(), "Of `A`, two."));
    assert_eq!((shown(of("B")), of("B").meaning.as_str()), ("2 s".into(), "Pause."));
    for (name, value, expected) in [
        ("N", "1_024", "1,024"),
        ("N_BYTES", "256 * 1024", "256 KiB"),
        ("N_BYTES", "8_192", "8 KiB"),
        ("N_BYTES", "A + 6", "`A + 6`"),
        ("N_MS", "250..500", "250 to 500 ms"),
        ("N", "Duration::from_secs(24 * 3600)", "1 d"),
        ("N_PERCENT", "80", "80 %"),
    ] {
        let limit = Limit { name: name.into(), kind: "usize".into(), value: value.into(), meaning: String::new() };
        assert_eq!(shown(&limit), expected, "{name} {value}");
    }
}
