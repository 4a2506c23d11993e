//! Whether the store takes writes.

use super::check::Check;
use super::findings::Findings;

const NAME: &str = "store";

pub(super) fn check(findings: &Findings) -> Check {
    let Some(status) = findings.status() else { return Check::without_daemon(NAME) };
    let store = &status.store;
    if store.healthy {
        return Check::ok(NAME, format!("{} changes", store.changes));
    }
    let why = store.problem.clone().unwrap_or_default();
    let fix = "make room on the disk or repair it; if it failed, start the daemon again then";
    Check::bad(NAME, format!("nothing is written: {why}"), fix)
}
