//! What is worked out anew after each turn of the core as long as turns are few, and now and then when they are many.

use std::time::Duration;

/// When something was worked out last, and whether it is to be again.
#[derive(Debug)]
pub(super) struct Pace {
    every: Duration,
    last: Option<Duration>,
    is_waiting: bool,
}

impl Pace {
    /// At most once in this time.
    pub(super) fn new(every: Duration) -> Self {
        Self { every, last: None, is_waiting: false }
    }

    /// Whether to work it out now. If not, it waits: see [`Pace::wakes`].
    pub(super) fn take(&mut self, now: Duration) -> bool {
        self.is_waiting = self.last.is_some_and(|last| now < last + self.every);
        if !self.is_waiting {
            self.last = Some(now);
        }
        !self.is_waiting
    }

    /// What waited isn't wanted any more.
    pub(super) fn rest(&mut self) {
        self.is_waiting = false;
    }

    /// When what waits is to be worked out.
    pub(super) fn wakes(&self) -> Option<Duration> {
        self.last.filter(|_| self.is_waiting).map(|last| last + self.every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_many_turns_is_taken_at_once_and_the_last_one_later() {
        let ms = Duration::from_millis;
        let mut pace = Pace::new(ms(50));
        assert!(pace.take(ms(7)));
        assert_eq!(pace.wakes(), None);
        assert_eq!([8, 30, 56].map(|now| pace.take(ms(now))), [false; 3]);
        assert_eq!(pace.wakes(), Some(ms(57)));
        assert!(pace.take(ms(57)));
        assert_eq!(pace.wakes(), None);
        assert!(pace.take(ms(200)));
        assert!(!pace.take(ms(201)));
        pace.rest();
        assert_eq!(pace.wakes(), None);
    }
}
