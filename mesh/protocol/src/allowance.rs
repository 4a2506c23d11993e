//! How many bytes a second something may take: what isn't used is saved up to a burst, what is taken too early is waited for.
//! The generic cell rate algorithm (ITU-T I.371), which needs no counting in between.

use std::time::Duration;

/// A rate, and how much of it is spent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    bytes_per_second: u64,
    /// The time in which a burst is saved up.
    burst: Duration,
    /// When all that was taken is paid for.
    paid_at: Duration,
}

impl Allowance {
    pub(crate) fn new(bytes_per_second: u64, burst_bytes: u64) -> Self {
        let mut allowance =
            Self { bytes_per_second: bytes_per_second.max(1), burst: Duration::ZERO, paid_at: Duration::ZERO };
        allowance.burst = allowance.time_for(burst_bytes);
        allowance
    }

    fn time_for(&self, bytes: u64) -> Duration {
        Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / self.bytes_per_second)
    }

    /// Takes bytes, whether there are any or not.
    pub(crate) fn spend(&mut self, now: Duration, bytes: usize) {
        self.paid_at = self.paid_at.max(now) + self.time_for(bytes as u64);
    }

    /// When something may be taken again: at once, if that has passed.
    pub(crate) fn ready_at(&self) -> Duration {
        self.paid_at.saturating_sub(self.burst)
    }

    /// Whether all that was taken is paid for.
    pub(crate) fn is_paid(&self, now: Duration) -> bool {
        self.paid_at <= now
    }

    /// Forgets debts but for a second.
    pub(crate) fn cap(&mut self, now: Duration) {
        self.paid_at = self.paid_at.min(now + self.burst + Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_then_the_rate_holds() {
        let (ms, mut allowance) = (Duration::from_millis, Allowance::new(1_000, 500));
        let mut taken = 0;
        for now in 0..10_000 {
            if allowance.ready_at() <= ms(now) {
                allowance.spend(ms(now), 100);
                taken += 100;
            }
        }
        assert!((10_500..=10_600).contains(&taken), "{taken}");
        assert!(!allowance.is_paid(ms(10_000)) && allowance.is_paid(ms(10_600)));
        allowance.spend(ms(20_000), 1_000_000);
        allowance.cap(ms(20_000));
        assert_eq!(allowance.ready_at(), ms(21_000));
    }
}
