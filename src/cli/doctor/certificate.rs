//! This host's certificate: others refuse the host once it has ended.

use murmurate_client::types::{CertificateStatus, Time};

use super::check::Check;
use super::findings::Findings;
use crate::cli::time::span;

const NAME: &str = "certificate";
/// Renewed when half of the time is over; below a quarter, that has failed for long.
const LATE: u64 = 4;
const FIX: &str =
    "see that a host that issues certificates is up and reached: `murmurate keys status`, `murmurate members`";

pub(super) fn check(findings: &Findings) -> Check {
    match (findings.key_status(), &findings.host) {
        (Some(keys), Some(host)) => judge(&keys.certificate, host.now),
        _ => Check::without_daemon(NAME),
    }
}

fn judge(certificate: &CertificateStatus, now: Time) -> Check {
    let CertificateStatus { begins, ends, problem, .. } = certificate;
    let why = problem.as_ref().map(|problem| format!("; it wasn't renewed: {problem}")).unwrap_or_default();
    if now.as_ms() >= ends.as_ms() {
        let since = span(now.as_ms() - ends.as_ms());
        return Check::bad(NAME, format!("ended {since} ago, at {ends}: other hosts refuse this one{why}"), FIX);
    }
    let (left_ms, all_ms) = (ends.as_ms() - now.as_ms(), ends.as_ms().saturating_sub(begins.as_ms()));
    let found = format!("{} left, until {ends}{why}", span(left_ms));
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
            let (begins, ends) = (ago(begun_ago), after(left));
            judge(&CertificateStatus { begins, ends, renewed_from: ends, problem: None }, now()).state
        };
        assert_eq!(state(10 * DAY, 20 * DAY), State::Ok);
        assert_eq!(state(24 * DAY, 6 * DAY), State::Warn);
        assert_eq!(state(30 * DAY, 0), State::Bad);
    }
}
