//! What one scrape found: samples of the metrics in the table.

use std::collections::BTreeMap;

use murmurate_protocol::Histogram;

use super::table::{Kind, Metric};

/// A sample's value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Of a counter or a gauge.
    Whole(u64),
    /// Of a gauge.
    Fraction(f64),
    /// Of a histogram.
    Times(Box<Histogram>),
}

/// Samples by metric. Whoever fills it in gives each metric's labels in the order of the table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sheet {
    samples: BTreeMap<&'static str, Vec<(Vec<String>, Value)>>,
}

impl Sheet {
    fn add(&mut self, metric: &Metric, labels: &[&str], value: Value) {
        debug_assert_eq!(metric.labels.len(), labels.len(), "{}", metric.name);
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        self.samples.entry(metric.name).or_default().push((labels, value));
    }

    /// What was counted since the start.
    pub(crate) fn count(&mut self, metric: &Metric, labels: &[&str], value: u64) {
        debug_assert_eq!(metric.kind, Kind::Counter, "{}", metric.name);
        self.add(metric, labels, Value::Whole(value));
    }

    /// What there is now.
    pub(crate) fn gauge(&mut self, metric: &Metric, labels: &[&str], value: impl TryInto<u64>) {
        debug_assert_eq!(metric.kind, Kind::Gauge, "{}", metric.name);
        self.add(metric, labels, Value::Whole(value.try_into().unwrap_or(u64::MAX)));
    }

    /// How long something takes or lasts now, in seconds, or when it was.
    pub(crate) fn seconds(&mut self, metric: &Metric, labels: &[&str], value: f64) {
        debug_assert_eq!(metric.kind, Kind::Gauge, "{}", metric.name);
        self.add(metric, labels, Value::Fraction(value));
    }

    /// How long things took.
    pub(crate) fn times(&mut self, metric: &Metric, labels: &[&str], value: &Histogram) {
        debug_assert_eq!(metric.kind, Kind::Histogram, "{}", metric.name);
        self.add(metric, labels, Value::Times(Box::new(value.clone())));
    }

    pub(super) fn samples(&self, metric: &Metric) -> &[(Vec<String>, Value)] {
        self.samples.get(metric.name).map_or(&[], Vec::as_slice)
    }
}
