//! Values that were written at the same time, and that nobody has decided about.

use super::check::Check;
use super::findings::Findings;

const NAME: &str = "conflicts";

pub(super) fn check(findings: &Findings) -> Check {
    match findings.status().map(|status| status.conflicts) {
        None => Check::without_daemon(NAME),
        Some(0) => Check::ok(NAME, "none"),
        Some(count) => Check::warn(
            NAME,
            format!("{count} open"),
            "`murmurate conflicts` lists them, `murmurate resolve` decides them",
        ),
    }
}
