//! When chitchat's rounds begin.
//!
//! chitchat's task takes messages and begins rounds in an order that it leaves to chance when both are due. Here a round
//! that is due goes first: its socket gives no message until the round has begun, so that equal inputs give equal outputs.

use std::time::Duration;

use tokio::time::Instant;

/// Counts the rounds, which chitchat begins once an interval, beginning with its start.
#[derive(Debug)]
pub(super) struct Rounds {
    interval: Duration,
    next: Option<Instant>,
}

impl Rounds {
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, next: None }
    }

    /// Whether a round is about to begin.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| next <= now)
    }

    /// Takes note of a Syn; says whether it is the first of its round. All Syns of a round are the same.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        let is_first = self.is_due(now);
        if is_first {
            let next = self.next.map_or(now, |next| next) + self.interval;
            self.next = Some(next);
        }
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_counted_once_and_keeps_to_the_time_of_the_first() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut rounds = Rounds::new(Duration::from_secs(1));
        assert!(rounds.is_due(at(0)));
        assert!(rounds.begin(at(0)));
        assert!(!rounds.begin(at(0)));
        assert!(!rounds.is_due(at(999)));
        // One that comes late doesn't put off the next.
        assert!(rounds.begin(at(1_400)));
        assert!(!rounds.is_due(at(1_999)));
        assert!(rounds.begin(at(2_000)));
        // Nor do several that were missed: chitchat makes up for each.
        assert!(rounds.begin(at(5_100)) && rounds.begin(at(5_100)) && rounds.begin(at(5_100)));
        assert!(!rounds.begin(at(5_100)));
    }
}
