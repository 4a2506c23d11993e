//! This host's certificate: others refuse the host once it has ended.

use murmurate_client::types::{CertificateFacts, Time};

use super::check::Check;
use super::findings::Findings;
use crate::cli::time::span;

const NAME: &str = "certificate";
/// Renewed when half of the time is over; below a quarter, that has failed for long.
const LATE: u64 = 4;
const FIX: &str =
    "see that a host that issues certificates is up and reached: `murmurate members`; look into the daemon's log";

pub(super) fn check(findings: &Findings) -> Check {
    let Some(facts) = findings.facts() else { return Check::without_daemon(NAME) };
    match facts.certificate {
        Some(certificate) => judge(certificate, facts.host.now),
        None => Check::skipped(NAME, "its end isn't known"),
    }
}

fn judge(certificate: CertificateFacts, now: Time) -> Check {
    let CertificateFacts { not_before, not_after } = certificate;
    if now.as_ms() >= not_after.as_ms() {
        let since = span(now.as_ms() - not_after.as_ms());
        return Check::bad(NAME, format!("ended {since} ago, at {not_after}: other hosts refuse this one"), FIX);
    }
    let (left_ms, all_ms) = (not_after.as_ms() - now.as_ms(), not_after.as_ms().saturating_sub(not_before.as_ms()));
    let found = format!("{} left, until {not_after}", span(left_ms));
    if left_ms < all_ms / LATE { Check::warn(NAME, found, FIX) } else { Check::ok(NAME, found) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::State;
    use crate::cli::testing::{ago, now};

    #[test]
    fn an_end_is_told_in_time() {
        const DAY: u64 = 24 * 3600;
        let after = |seconds| Time::from_ms(now().as_ms() + seconds * 1_000);
        let state = |begun_ago, left| {
            judge(CertificateFacts { not_before: ago(begun_ago), not_after: after(left) }, now()).state
        };
        assert_eq!(state(10 * DAY, 20 * DAY), State::Ok);
        assert_eq!(state(24 * DAY, 6 * DAY), State::Warn);
        assert_eq!(state(30 * DAY, 0), State::Bad);
    }
}
