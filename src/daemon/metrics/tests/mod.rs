//! The text and the port.

#[path = "../../../../tests/harness/exposition.rs"]
#[allow(dead_code, reason = "the end-to-end tests use the rest")]
mod exposition;
mod port;

use std::time::Duration;

use murmurate_protocol::Histogram;

use self::exposition::Exposition;
use super::exposition::{Format, text};
use super::sheet::Sheet;
use super::table::{self, Kind, all};

/// A sheet with a sample of each metric, and labels of which each character needs care.
fn full(labels: &str, number: u64) -> Sheet {
    let mut sheet = Sheet::default();
    let mut times = Histogram::default();
    for us in 0..number {
        times.observe(Duration::from_micros(us * us * us));
    }
    for metric in all() {
        let labels = vec![labels; metric.labels.len()];
        match metric.kind {
            Kind::Counter => sheet.count(metric, &labels, number),
            Kind::Gauge => sheet.gauge(metric, &labels, number),
            Kind::Histogram => sheet.times(metric, &labels, &times),
        }
    }
    sheet
}

#[test]
fn a_stranger_to_it_can_read_the_text() {
    for labels in ["plain", "", "a \"b\" \\ {c=\"d\"},\n# TYPE x counter", "ü→\u{7f}\t"] {
        let read = Exposition::read(&text(full(labels, 100), Format::Prometheus).unwrap());
        assert_eq!(read.types.len(), all().count());
        for metric in all().filter(|metric| metric.kind != Kind::Histogram) {
            let named: Vec<(&str, &str)> = metric.labels.iter().map(|label| (*label, labels)).collect();
            assert_eq!(read.value(&metric.sample_name(), &named), Some(100.0), "{}", metric.name);
        }
        assert_eq!(read.value("murmurate_convergence_seconds_count", &[]), Some(100.0));
        assert_eq!(read.value("murmurate_convergence_seconds_bucket", &[("le", "0.0001")]), Some(5.0));
    }
}

#[test]
fn open_metrics_has_units_and_an_end() {
    let text = text(full("x", 1), Format::OpenMetrics).unwrap();
    assert!(text.ends_with("\n# EOF\n"));
    for line in [
        "# TYPE murmurate_frame_bytes counter",
        "# UNIT murmurate_frame_bytes bytes",
        "murmurate_frame_bytes_total{class=\"x\",direction=\"x\"} 1",
        "# TYPE murmurate_store_commit_seconds histogram",
        "# UNIT murmurate_store_commit_seconds seconds",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
    let older = super::exposition::text(full("x", 1), Format::Prometheus).unwrap();
    assert!(older.lines().any(|line| line == "# TYPE murmurate_frame_bytes_total counter"), "{older}");
    assert!(!older.contains("# UNIT") && !older.contains("# EOF"));
}

#[test]
fn the_form_is_the_one_that_is_asked_for() {
    for (accept, format) in [
        ("", Format::Prometheus),
        ("*/*", Format::Prometheus),
        ("text/plain;version=0.0.4;q=0.5", Format::Prometheus),
        ("application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5", Format::OpenMetrics),
    ] {
        assert_eq!(Format::accepted(accept), format, "{accept}");
    }
}

#[test]
fn what_was_not_found_is_not_told() {
    let mut sheet = Sheet::default();
    sheet.gauge(&table::LINKS, &[], 3_u64);
    let text = text(sheet, Format::Prometheus).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert_eq!(Exposition::read(&text).value("murmurate_links", &[]), Some(3.0));
}
