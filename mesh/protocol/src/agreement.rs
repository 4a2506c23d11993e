//! How long it takes until all linked peers hold what this host holds, and say so.

use std::time::Duration;

use crate::engine::Engine;
use crate::histogram::Histogram;

/// Since when this host and its linked peers don't all hold the same.
#[derive(Debug, Default)]
pub(crate) struct Agreement {
    apart_since: Option<Duration>,
    times: Histogram,
}

impl Agreement {
    /// A change was written here or came here. Further ones before all agree belong to the same time apart.
    pub(crate) fn changed(&mut self, now: Duration) {
        self.apart_since.get_or_insert(now);
    }

    /// All linked peers say to hold what is held here.
    fn reached(&mut self, now: Duration) {
        if let Some(since) = self.apart_since.take() {
            self.times.observe(now.saturating_sub(since));
        }
    }

    /// There is nobody to agree with.
    fn alone(&mut self) {
        self.apart_since = None;
    }
}

impl Engine {
    /// Looks whether all agree, after it was noted who is in step.
    pub(crate) fn note_agreement(&mut self, now: Duration) {
        let mut behind = self.peers.sessions().map(|(_, session)| session.out_of_step_since).peekable();
        if behind.peek().is_none() {
            self.agreement.alone();
        } else if self.index.is_durable() && behind.all(|since| since.is_none()) {
            self.agreement.reached(now);
        }
    }

    /// How long it took, each time, from a change after which linked peers weren't known to hold the same until all of them
    /// said so. What came in between counts with the first: under changes that never pause it is one long time.
    #[must_use]
    pub fn convergence_times(&self) -> &Histogram {
        &self.agreement.times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_apart_begins_with_the_first_change_and_ends_once() {
        let (ms, mut agreement) = (Duration::from_millis, Agreement::default());
        agreement.reached(ms(1));
        [10, 15, 20].into_iter().for_each(|at| agreement.changed(ms(at)));
        agreement.reached(ms(60));
        agreement.reached(ms(70));
        agreement.changed(ms(80));
        agreement.alone();
        agreement.reached(ms(90));
        assert_eq!((agreement.times.count(), agreement.times.sum()), (1, ms(50)));
    }
}
