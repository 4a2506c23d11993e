//! Limits that are near.

use murmurate_client::types::ErrorCode;

use super::check::Check;
use super::findings::Findings;
use super::problems;

pub(super) fn check(findings: &Findings) -> Check {
    problems::check(findings, "limits", ErrorCode::Limit, |_, _| "none is near".to_owned())
}
