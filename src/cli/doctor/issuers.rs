//! Hosts that can let others join and renew their certificates. With one, its loss ends both.

use super::check::Check;
use super::findings::Findings;

const NAME: &str = "issuers";
/// One may be away.
const ENOUGH: u64 = 2;

pub(super) fn check(findings: &Findings) -> Check {
    let Some(facts) = findings.facts() else { return Check::without_daemon(NAME) };
    match facts.issuers {
        Some(count) if count >= ENOUGH => Check::ok(NAME, format!("{count} hosts issue certificates")),
        Some(count) => Check::bad(
            NAME,
            format!("{count} of at least {ENOUGH} hosts that issue certificates"),
            "let another host issue certificates, too: `murmurate keys --help`",
        ),
        None => Check::skipped(NAME, "they aren't known"),
    }
}
