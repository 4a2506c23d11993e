//! Rows of figures, beside what they should be.

use serde::Serialize;

use super::super::table::{Cell, Table};
use super::super::view::{Style, View};
use super::hosts::{Hosts, Seen};
use super::latency::{Latency, number};
use super::machine::{Machine, load_average};
use murmurate_client::types::V1;

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    /// Which measurement it comes from, as `--only` names it.
    pub(super) measurement: &'static str,
    pub(super) what: String,
    /// What it should be, and whether it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) aim: Option<Aim>,
    pub(super) reached: Figure,
    pub(super) bound_by: String,
}

/// A figure.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Figure {
    /// Times of many like events.
    Latency(Latency),
    /// One number with its unit.
    Value { value: f64, unit: &'static str },
    /// It wasn't measured.
    Missing { why: String },
}

/// What a figure should be.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Aim {
    text: String,
    met: bool,
}

/// A whole run.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    v: V1,
    version: &'static str,
    /// Debug builds are several times slower.
    optimised: bool,
    machine: Machine,
    load_after: f64,
    hosts: Seen,
    rows: Vec<Row>,
}

impl Aim {
    /// Times of at most this many milliseconds, median and 99th percentile.
    pub(super) fn latency(latency: &Latency, p50_ms: f64, p99_ms: f64) -> Self {
        let met = latency.p50_ms <= p50_ms && latency.p99_ms <= p99_ms;
        Self { text: format!("{p50_ms} / {p99_ms} ms"), met }
    }

    /// Times whose median is at most this many milliseconds.
    pub(super) fn median(latency: &Latency, p50_ms: f64) -> Self {
        Self { text: format!("p50 <= {p50_ms} ms"), met: latency.p50_ms <= p50_ms }
    }

    /// Times of which 99 in 100 are at most this many milliseconds.
    pub(super) fn tail(latency: &Latency, p99_ms: f64) -> Self {
        Self { text: format!("p99 <= {p99_ms} ms"), met: latency.p99_ms <= p99_ms }
    }

    pub(super) fn at_most(value: f64, limit: f64, unit: &str) -> Self {
        Self { text: format!("<= {limit} {unit}"), met: value <= limit }
    }

    pub(super) fn at_least(value: f64, limit: f64, unit: &str) -> Self {
        Self { text: format!(">= {limit} {unit}"), met: value >= limit }
    }
}

impl Row {
    pub(super) fn value(measurement: &'static str, what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        let reached = Figure::Value { value, unit };
        Self { measurement, what: what.into(), aim: None, reached, bound_by: String::new() }
    }

    pub(super) fn latency(measurement: &'static str, what: impl Into<String>, latency: Option<Latency>) -> Self {
        let missing = || Figure::Missing { why: "nothing was measured in the time".into() };
        let reached = latency.map_or_else(missing, Figure::Latency);
        Self { measurement, what: what.into(), aim: None, reached, bound_by: String::new() }
    }

    pub(super) fn missing(measurement: &'static str, what: impl Into<String>, why: impl Into<String>) -> Self {
        let reached = Figure::Missing { why: why.into() };
        Self { measurement, what: what.into(), aim: None, reached, bound_by: String::new() }
    }

    pub(super) fn aim(self, aim: Option<Aim>) -> Self {
        Self { aim, ..self }
    }

    pub(super) fn bound_by(self, bound_by: impl Into<String>) -> Self {
        Self { bound_by: bound_by.into(), ..self }
    }
}

impl Figure {
    fn text(&self) -> String {
        match self {
            Self::Latency(latency) => latency.text(),
            Self::Value { value, unit } => format!("{} {unit}", number(*value)),
            Self::Missing { why } => format!("not measured: {why}"),
        }
    }
}

impl Report {
    pub(super) fn new(machine: &Machine, hosts: &Hosts, rows: Vec<Row>) -> Self {
        Self {
            v: V1,
            version: env!("CARGO_PKG_VERSION"),
            optimised: !cfg!(debug_assertions),
            machine: machine.clone(),
            load_after: load_average(),
            hosts: hosts.seen(),
            rows,
        }
    }
}

/// The table, and what its figures depend on. Times are median / 99th percentile / maximum.
pub(super) fn render(report: &Report, view: &View) -> String {
    let mut table = Table::new(&["WHAT", "AIM", "REACHED", "BOUND BY"]);
    for row in &report.rows {
        let aim = row.aim.as_ref();
        let style = match (aim, &row.reached) {
            (Some(aim), _) if aim.met => Style::Good,
            (Some(_), _) => Style::Warn,
            (None, Figure::Missing { .. }) => Style::Dim,
            (None, _) => Style::Plain,
        };
        table.row([
            row.what.as_str().into(),
            aim.map(|aim| aim.text.clone()).unwrap_or_default().into(),
            Cell::new(row.reached.text(), style),
            Cell::new(row.bound_by.as_str(), Style::Dim),
        ]);
    }
    view.one(report, || {
        if view.format == crate::settings::OutputFormat::Raw {
            return table.raw();
        }
        table.text(view.colored) + &surroundings(report)
    })
}

fn surroundings(report: &Report) -> String {
    let Machine { cores, kernel, load_before, sync, sync_dir } = &report.machine;
    let Seen { own, others, members } = &report.hosts;
    let build = if report.optimised { "" } else { "; a debug build, several times slower than a release build" };
    format!(
        "\ntimes are median / 99th percentile / maximum\n\
         {cores} cores, Linux {kernel}, load average {load_before:.2} before and {:.2} after; \
         4 KiB and fdatasync in {sync_dir}: {}\n\
         written to {own}, watched on {}; the mesh has {members} hosts; murmurate {}{build}\n",
        report.load_after,
        sync.text(),
        if others.is_empty() { "no other host".to_owned() } else { others.join(", ") },
        report.version,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::sheet;

    #[test]
    fn bench() {
        let latency = Latency { p50_ms: 0.94, p99_ms: 3.1, max_ms: 17.77, count: 1_500 };
        let sync = Latency { p50_ms: 0.1, p99_ms: 0.25, max_ms: 1.0, count: 200 };
        let rows = vec![
            Row::latency("visible", "put -> visible on all 2 others", Some(latency))
                .aim(Some(Aim::latency(&latency, 1.0, 5.0)))
                .bound_by("fsync: 1 of 0.10 ms in a row"),
            Row::value("puts", "durable puts/s, 64 clients", 8_120.0, "puts/s")
                .aim(Some(Aim::at_least(8_120.0, 15_000.0, "puts/s")))
                .bound_by("CPU: 2.0 of 2 cores busy"),
            Row::value("idle", "memory", 21.5, "MiB").aim(Some(Aim::at_most(21.5, 20.0, "MiB"))),
            Row::missing("heal", "in step after a cut", "needs root"),
        ];
        let report = Report {
            v: V1,
            version: "0.1.0",
            optimised: true,
            machine: Machine { cores: 2, kernel: "6.18".into(), load_before: 0.5, sync, sync_dir: "/var/tmp".into() },
            load_after: 1.75,
            hosts: Seen { own: "host-1".into(), others: vec!["host-2".into(), "host-3".into()], members: 3 },
            rows,
        };
        insta::assert_snapshot!(sheet(|view| render(&report, view)));
    }
}
