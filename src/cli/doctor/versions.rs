//! Versions of the program: one on all hosts, but while they are updated.

use murmurate_client::types::ErrorCode;

use super::check::Check;
use super::findings::Findings;
use super::problems;

pub(super) fn check(findings: &Findings) -> Check {
    problems::check(findings, "versions", ErrorCode::Versions, |_, status| {
        format!("{} on all that are up", status.version)
    })
}
