//! A sheet as text, as Prometheus reads it.

use std::fmt::Error;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use murmurate_protocol::{BOUNDS_US, Histogram};

use super::sheet::{Sheet, Value};
use super::table::{Kind, Metric, all};

/// A form of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus's own, which everything reads.
    Prometheus,
    /// OpenMetrics, for those who ask for it.
    OpenMetrics,
}

impl Format {
    /// The one that an Accept header asks for.
    pub(crate) fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// Its Content-Type.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Writes a sheet.
pub(crate) fn text(sheet: Sheet, format: Format) -> Result<String, Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(sheet)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(if format == Format::OpenMetrics { text } else { as_prometheus(&text) })
}

/// The older form of the same text: it names a counter by its samples, and knows neither units nor an end.
fn as_prometheus(text: &str) -> String {
    let counters: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let mut older = String::with_capacity(text.len());
    for line in text.lines().filter(|line| *line != "# EOF" && !line.starts_with("# UNIT ")) {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what), Some(name), Some(rest)) if counters.contains(&name) => {
                older.push_str(&format!("# {what} {name}_total {rest}"));
            }
            _ => older.push_str(line),
        }
        older.push('\n');
    }
    older
}

#[derive(Debug)]
struct Scrape(Sheet);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        all().try_for_each(|metric| self.family(metric, &mut encoder))
    }
}

impl Scrape {
    fn family(&self, metric: &Metric, encoder: &mut DescriptorEncoder<'_>) -> Result<(), Error> {
        let samples = self.0.samples(metric);
        if samples.is_empty() {
            return Ok(());
        }
        let unit = metric.unit();
        let name = unit.map_or(metric.name, |unit| metric.name.trim_end_matches(unit).trim_end_matches('_'));
        let unit = unit.map(|unit| Unit::Other(unit.to_owned()));
        let kind = match metric.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
            Kind::Histogram => MetricType::Histogram,
        };
        let mut family = encoder.encode_descriptor(name, metric.help, unit.as_ref(), kind)?;
        for (labels, value) in samples {
            let labels: Vec<(&str, &str)> =
                metric.labels.iter().copied().zip(labels.iter().map(String::as_str)).collect();
            if labels.is_empty() {
                sample(&mut family, metric.kind, value)?;
            } else {
                sample(&mut family.encode_family(&labels)?, metric.kind, value)?;
            }
        }
        Ok(())
    }
}

fn sample(encoder: &mut MetricEncoder<'_>, kind: Kind, value: &Value) -> Result<(), Error> {
    match value {
        Value::Whole(value) if kind == Kind::Counter => encoder.encode_counter::<NoLabelSet, u64, f64>(value, None),
        Value::Whole(value) => encoder.encode_gauge(&i64::try_from(*value).unwrap_or(i64::MAX)),
        Value::Fraction(value) => encoder.encode_gauge(value),
        Value::Times(times) => {
            encoder.encode_histogram::<NoLabelSet>(times.sum().as_secs_f64(), times.count(), &buckets(times), None)
        }
    }
}

/// The buckets with their upper bounds in seconds.
fn buckets(times: &Histogram) -> Vec<(f64, u64)> {
    let bounds = BOUNDS_US.iter().map(|&us| std::time::Duration::from_micros(us).as_secs_f64());
    bounds.zip(times.buckets().iter().copied()).chain([(f64::INFINITY, times.above())]).collect()
}
