//! Self-doubt: a host whose own loop lags takes its own haste for others' death. So it gives them more time, and after a
//! standstill suspects nobody until its links had time to come back. After Lifeguard's local health multiplier (section IV.A).

use std::time::Duration;

use crate::limits::{DOUBT_DECAY, DOUBT_LEVELS, LATE_TICK, REST, STANDSTILL};

/// How far this host trusts itself.
#[derive(Debug, Default)]
pub(crate) struct Doubt {
    level: u32,
    since: Duration,
    rest_until: Option<Duration>,
}

impl Doubt {
    /// A tick came `late`; says whether that is a reason for doubt.
    pub(crate) fn note(&mut self, now: Duration, late: Duration) -> bool {
        if late > LATE_TICK {
            self.raise(now);
        }
        if late > STANDSTILL {
            self.rest_until = Some(now + REST);
        }
        late > LATE_TICK
    }

    /// Something tells that this host is worse than others: it lags, or was suspected itself.
    pub(crate) fn raise(&mut self, now: Duration) {
        self.level = (self.level_at(now) + 1).min(DOUBT_LEVELS);
        self.since = now;
    }

    fn level_at(&self, now: Duration) -> u32 {
        let passed = now.saturating_sub(self.since).as_millis() / DOUBT_DECAY.as_millis();
        self.level.saturating_sub(u32::try_from(passed).unwrap_or(u32::MAX))
    }

    /// By what timeouts about others are multiplied.
    pub(crate) fn multiplier(&self, now: Duration) -> u32 {
        1 + self.level_at(now)
    }

    /// Until when nobody is to be suspected.
    pub(crate) fn rest_until(&self) -> Option<Duration> {
        self.rest_until
    }

    /// Whether nobody is to be suspected just now.
    pub(crate) fn is_resting(&self, now: Duration) -> bool {
        self.rest_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lagging_makes_patient_and_passes() {
        let (ms, mut doubt) = (Duration::from_millis, Doubt::default());
        doubt.note(ms(0), ms(500));
        assert_eq!(doubt.multiplier(ms(0)), 1);
        (1..6).for_each(|time| assert!(doubt.note(ms(time), ms(501))));
        assert_eq!(doubt.multiplier(ms(5)), 4);
        assert!(!doubt.is_resting(ms(5)));
        assert_eq!(doubt.multiplier(ms(10_005)), 3);
        assert_eq!(doubt.multiplier(ms(90_000)), 1);
        doubt.note(ms(100_000), ms(60_000));
        assert!(doubt.is_resting(ms(102_999)) && !doubt.is_resting(ms(103_000)));
    }
}
