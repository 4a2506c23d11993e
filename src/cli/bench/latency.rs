//! Times of many like events, summed up.

use std::time::Duration;

use serde::Serialize;

/// Median, 99th percentile and maximum, in milliseconds, of so many.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Latency {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
    pub(super) count: usize,
}

impl Latency {
    /// Those of `times`; `None` if there are none.
    pub(super) fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let count = times.len();
        // The nearest rank: the least value that so many percent don't exceed.
        let at = |percent: usize| times.get((count * percent).div_ceil(100).saturating_sub(1)).copied();
        let max = *times.last()?;
        Some(Self { p50_ms: milliseconds(at(50)?), p99_ms: milliseconds(at(99)?), max_ms: milliseconds(max), count })
    }

    /// `0.94 / 3.10 / 7.77 ms`.
    pub(super) fn text(&self) -> String {
        format!("{} / {} / {} ms", number(self.p50_ms), number(self.p99_ms), number(self.max_ms))
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Three digits that count.
pub(super) fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let times = (1..=200).map(Duration::from_millis).collect();
        let latency = Latency::of(times).unwrap();
        assert_eq!((latency.p50_ms, latency.p99_ms, latency.max_ms, latency.count), (100.0, 198.0, 200.0, 200));
        let one = Latency::of(vec![Duration::from_millis(7)]).unwrap();
        assert_eq!(one.text(), "7.00 / 7.00 / 7.00 ms");
        assert_eq!(Latency::of(Vec::new()), None);
    }
}
