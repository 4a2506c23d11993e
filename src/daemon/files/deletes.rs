//! When deletes are so many that a person must confirm them: an unmounted disk must not empty the mesh.

use std::collections::VecDeque;
use std::time::Duration;

use super::limits::{DELETES, DELETES_OF_SMALL_FOLDER, DELETES_PERCENT, DELETES_WINDOW};

/// The deletes that counted within the last [`DELETES_WINDOW`].
#[derive(Debug, Default)]
pub(crate) struct RecentDeletes {
    at: VecDeque<Duration>,
}

impl RecentDeletes {
    /// A delete counted. At most [`DELETES`] fit into one window, so this stays short.
    pub(crate) fn add(&mut self, now: Duration) {
        self.at.push_back(now);
    }

    /// Whether `absent` of `known` files, with those deleted just before, are more than one person deletes in passing.
    pub(crate) fn are_many(&mut self, now: Duration, absent: usize, known: usize) -> bool {
        while self.at.front().is_some_and(|at| *at + DELETES_WINDOW < now) {
            self.at.pop_front();
        }
        let gone = absent + self.at.len();
        let before = known + self.at.len();
        gone > DELETES || (gone >= DELETES_OF_SMALL_FOLDER && gone * 100 > before * DELETES_PERCENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_is_more_than_ten_or_a_third_of_a_small_folder() {
        for (absent, known, many) in [
            (1, 1, false),
            (3, 3, false),
            (4, 12, true),
            (4, 13, true),
            (4, 14, false),
            (10, 100, false),
            (11, 1000, true),
        ] {
            assert_eq!(RecentDeletes::default().are_many(Duration::ZERO, absent, known), many, "{absent} of {known}");
        }
    }

    #[test]
    fn a_slow_delete_of_all_is_seen_too() {
        let mut recent = RecentDeletes::default();
        for second in 0..10 {
            let now = Duration::from_millis(second * 500);
            assert!(!recent.are_many(now, 1, 1000));
            recent.add(now);
        }
        assert!(recent.are_many(Duration::from_secs(5), 1, 990));
        assert!(!recent.are_many(Duration::from_secs(60), 1, 990));
    }
}
