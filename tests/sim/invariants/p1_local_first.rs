//! P1: reading and writing config never waits for another host (DESIGN, "Promises").

use std::time::Duration;

/// A local answer takes no time on this disk but the group commit's; the bound leaves room for the world's own steps.
const BOUND: Duration = Duration::from_millis(100);

/// An answer that isn't there yet, or just came.
pub(crate) fn check(machine: &str, asked_at: Duration, now: Duration) {
    assert!(now - asked_at <= BOUND, "P1: {machine} hasn't answered within {BOUND:?}");
}
