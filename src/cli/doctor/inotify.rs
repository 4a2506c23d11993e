//! The kernel's watches: without them changed files are still found, but later and at more cost.

use murmurate_client::types::InotifyFacts;

use super::check::Check;
use super::findings::Findings;

const NAME: &str = "inotify";
/// As many directories as one folder may have.
const ENOUGH: u64 = 4_096;
const FIX: &str = "sysctl -w fs.inotify.max_user_watches=524288, and the same in /etc/sysctl.d";

pub(super) fn check(findings: &Findings) -> Check {
    match findings.host.as_ref().and_then(|host| host.inotify) {
        Some(inotify) => judge(inotify),
        None => Check::skipped(NAME, "its limits can't be read"),
    }
}

fn judge(inotify: InotifyFacts) -> Check {
    let InotifyFacts { watches_max, watches, instances_max } = inotify;
    let used = watches.map_or_else(String::new, |watches| format!("{watches} of "));
    let found = format!("{used}{watches_max} watches, {instances_max} instances for a user");
    let is_tight = watches.unwrap_or(0) > watches_max / 10 * 8;
    if is_tight || watches_max < ENOUGH || instances_max == 0 {
        return Check::warn(NAME, found, FIX);
    }
    Check::ok(NAME, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::State;

    #[test]
    fn tight_limits_are_told() {
        let state = |watches_max, watches| judge(InotifyFacts { watches_max, watches, instances_max: 128 }).state;
        assert_eq!(state(100_000, Some(80_000)), State::Ok);
        assert_eq!(state(100_000, Some(80_001)), State::Warn);
        assert_eq!(state(ENOUGH - 1, None), State::Warn);
    }
}
