//! How long a question and its answer take on a link. On slow lines everything about suspicion takes longer.

use std::time::Duration;

/// No line takes longer; what does is a host that is slow to answer, and gets no more patience for it than this.
const MOST: Duration = Duration::from_secs(1);
/// Of a longer time than the one known only such a part counts: it is mostly a queue, not the line.
const RISES_BY: u32 = 8;

/// The time of one link, as far as it is known.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RoundTrip(Option<Duration>);

impl RoundTrip {
    /// An answer took so long.
    pub(crate) fn took(&mut self, time: Duration) {
        let time = time.min(MOST);
        self.0 = Some(match self.0 {
            Some(known) if time > known => known + (time - known) / RISES_BY,
            _ => time,
        });
    }

    /// What is known; zero, if nothing is.
    pub(crate) fn get(self) -> Duration {
        self.0.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_counts_little_and_a_better_line_at_once() {
        let ms = Duration::from_millis;
        let mut round_trip = RoundTrip::default();
        let mut took = |time| {
            round_trip.took(ms(time));
            round_trip.get()
        };
        assert_eq!([took(80), took(880), took(40), took(60_000)], [ms(80), ms(180), ms(40), ms(160)]);
        let last = (0..100).map(|_| took(60_000)).last();
        assert!(last > Some(ms(990)) && last <= Some(MOST), "{last:?}");
    }
}
