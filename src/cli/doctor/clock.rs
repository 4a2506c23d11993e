//! The wall clock: nothing is ordered by it, but certificates are checked by it, and people read it.

use murmurate_client::types::Time;

use super::check::Check;
use super::findings::Findings;
use crate::cli::time::span;

const NAME: &str = "clock";
/// No host ran this program before 2026.
const EARLIEST_MS: u64 = 1_767_225_600_000;
/// Clocks are set back by less in ordinary operation.
const SET_BACK_MS: u64 = 60_000;
const FIX: &str = "set the clock, and let chrony or systemd-timesyncd keep it";

pub(super) fn check(findings: &Findings) -> Check {
    let Some(host) = &findings.host else { return Check::skipped(NAME, "the settings say where to look") };
    let certificate_begins = findings.key_status().map(|keys| keys.certificate.begins);
    match wrong(host.now, certificate_begins, host.data_changed) {
        Some(why) => Check::bad(NAME, format!("{}: {why}", host.now), FIX),
        None => Check::ok(NAME, host.now.to_string()),
    }
}

/// Why the clock can't be right.
fn wrong(now: Time, certificate_begins: Option<Time>, data_changed: Option<Time>) -> Option<String> {
    if now.as_ms() < EARLIEST_MS {
        return Some("that is before this program was written".to_owned());
    }
    if let Some(begins) = certificate_begins.filter(|begins| begins.as_ms() > now.as_ms()) {
        return Some(format!("this host's certificate begins at {begins}"));
    }
    let ahead_ms = data_changed?.as_ms().saturating_sub(now.as_ms());
    (ahead_ms > SET_BACK_MS).then(|| format!("its own files were written {} later", span(ahead_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_cannot_be_right_is_noticed() {
        let now = Time::from_ms(EARLIEST_MS + 1_000_000);
        let at = |ms| Some(Time::from_ms(now.as_ms() + ms));
        assert_eq!(wrong(now, at(0), at(SET_BACK_MS)), None);
        assert_eq!(wrong(now, None, None), None);
        assert!(wrong(Time::from_ms(0), None, None).is_some());
        assert!(wrong(now, at(1), None).unwrap().contains("certificate"));
        assert_eq!(wrong(now, None, at(7_200_000)).unwrap(), "its own files were written 2h later");
    }
}
