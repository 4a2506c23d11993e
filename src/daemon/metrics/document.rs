//! `docs/METRICS.md`, written from the table and compared with it here.

use std::fmt::Write;

use super::limits::PEERS;
use super::queues::{QUEUES, Queue};
use super::table::{Kind, Metric, PARTS, all};
use crate::written_document;

const FILE: &str = "docs/METRICS.md";
const WRITE: &str = "MURMURATE_WRITE_METRICS";

const HEAD: &str = "\
# Metrics

`GET /v1/metrics` on the local API has them in Prometheus's text format (or as OpenMetrics, to who accepts that), `murmurate debug
metrics [PREFIX]` prints them. For a scraper on the same host they are at `/metrics` of a loopback port, if `daemon.toml` names one:

    [metrics]
    listen = \"127.0.0.1:9464\"

That port answers reads of this one path and nothing else; addresses that other hosts can reach are refused. Whoever has an account on the
host can read there who the members are and how the mesh fares, but nothing of what it holds. To let other hosts scrape, put a proxy
with a login before it.
";

const TAIL: &str = "\
Counters begin at 0 when the daemon starts. Times are in seconds, histograms have the buckets 0.1 ms to 60 s. The number of series is bounded:
all labels but `peer`, `id` and `operation` have the values that are named here, operations are those of the API, queues are listed at the end.

";

fn kind(metric: &Metric) -> &'static str {
    match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    }
}

fn document() -> String {
    let mut text = format!("{HEAD}\n{TAIL}");
    writeln!(text, "At most {PEERS} peers are listed, those first that are out of step for longest.\n").unwrap();
    writeln!(text, "This file is written from the table in `src/daemon/metrics/table.rs`:\n").unwrap();
    writeln!(text, "    {WRITE}=1 cargo test --lib the_document_lists_all_metrics").unwrap();
    for (part, metrics) in PARTS {
        writeln!(text, "\n## {part}\n\n| metric | kind | labels | meaning |\n|---|---|---|---|").unwrap();
        for metric in *metrics {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let name = metric.sample_name();
            writeln!(text, "| `{name}` | {} | {} | {} |", kind(metric), labels.join(", "), metric.help).unwrap();
        }
    }
    text + &queues()
}

fn queues() -> String {
    let mut text =
        String::from("\n## The queues\n\n| queue | holds | at its limit | counted by |\n|---|---|---|---|\n");
    for Queue { name, holds, at_limit, counted_by } in QUEUES {
        let counted_by = counted_by.map_or_else(String::new, |metric| format!("`{}`", metric.sample_name()));
        writeln!(text, "| `{name}` | {holds} | {at_limit} | {counted_by} |").unwrap();
    }
    text
}

#[test]
fn the_document_lists_all_metrics() {
    written_document::check(FILE, WRITE, &document());
}

#[test]
fn names_follow_the_conventions() {
    let mut names: Vec<&str> = all().map(|metric| metric.name).collect();
    for metric in all() {
        let Metric { name, kind, labels, help } = *metric;
        assert!(name.starts_with("murmurate_"), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        let endings = ["_total", "_count", "_sum", "_bucket", "_created", "_info"];
        let is_info = name.ends_with("_info") && kind == Kind::Gauge;
        assert!(is_info || endings.iter().all(|ending| !name.ends_with(ending)), "{name}");
        assert!(kind != Kind::Histogram || metric.unit() == Some("seconds"), "{name} has its unit in its name");
        for label in labels {
            assert!(label.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') && *label != "le", "{name}");
        }
        assert!(help.ends_with('.') && !help.contains(['\n', '\\', '|', '"']), "{name}: {help}");
    }
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "each name is there once");
}

/// What dashboards and alerts are made of: a change of it is one that users notice.
#[test]
fn the_names() {
    let names: Vec<String> = all().map(|metric| format!("{} {:?}", metric.sample_name(), metric.labels)).collect();
    insta::assert_snapshot!(names.join("\n"));
}
