//! How long things took, in buckets.

use std::time::Duration;

/// The buckets' upper bounds, in microseconds: from what a fast disk takes for a sync to what a person waits for.
pub const BOUNDS_US: [u64; 18] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// Counts of durations. Plain numbers: who shares one between tasks guards it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    buckets: [u64; BOUNDS_US.len()],
    above: u64,
    sum: Duration,
}

impl Histogram {
    /// Counts something that took so long.
    pub fn observe(&mut self, took: Duration) {
        let us = took.as_micros();
        match BOUNDS_US.iter().position(|&bound| us <= u128::from(bound)) {
            Some(bucket) => self.buckets[bucket] += 1,
            None => self.above += 1,
        }
        self.sum = self.sum.saturating_add(took);
    }

    /// How many there were within each of [`BOUNDS_US`], and not within the one before.
    #[must_use]
    pub fn buckets(&self) -> &[u64; BOUNDS_US.len()] {
        &self.buckets
    }

    /// How many took longer than the last of [`BOUNDS_US`].
    #[must_use]
    pub fn above(&self) -> u64 {
        self.above
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum::<u64>() + self.above
    }

    /// How long all took together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_in_the_first_bucket_that_holds_it() {
        let mut histogram = Histogram::default();
        for us in [0, 100, 101, 60_000_000, 60_000_001] {
            histogram.observe(Duration::from_micros(us));
        }
        assert_eq!((histogram.buckets()[0], histogram.buckets()[1], histogram.buckets()[17]), (2, 1, 1));
        assert_eq!((histogram.above(), histogram.count()), (1, 5));
        assert_eq!(histogram.sum(), Duration::from_micros(120_000_202));
        assert!(BOUNDS_US.is_sorted());
    }
}
