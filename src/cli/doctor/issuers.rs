//! Hosts that can let others join and renew their certificates. With one, its loss ends both.

use super::check::Check;
use super::findings::Findings;

const NAME: &str = "issuers";
/// One may be away.
const ENOUGH: usize = 2;

pub(super) fn check(findings: &Findings) -> Check {
    let Some(keys) = findings.key_status() else { return Check::without_daemon(NAME) };
    let names: Vec<_> = keys.issuers.iter().map(|issuer| &*issuer.name).collect();
    if names.len() >= ENOUGH {
        return Check::ok(NAME, names.join(", "));
    }
    let found = format!("{} of at least {ENOUGH}: {}", names.len(), names.join(", "));
    Check::bad(NAME, found, "`murmurate keys issuer HOST`, where the authority's key is")
}
