//! Lag: a host that is linked and isn't in step for long.

use murmurate_client::types::ErrorCode;

use super::check::Check;
use super::findings::Findings;
use super::problems;

pub(super) fn check(findings: &Findings) -> Check {
    problems::check(findings, "lag", ErrorCode::Lagging, |_, _| "nobody is behind for long".to_owned())
}
