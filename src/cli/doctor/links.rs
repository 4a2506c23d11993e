//! Links: a host that others reach and this one doesn't has a path that is broken, in one direction or in both.

use murmurate_client::types::ErrorCode;

use super::check::Check;
use super::findings::Findings;
use super::problems;

pub(super) fn check(findings: &Findings) -> Check {
    problems::check(findings, "links", ErrorCode::NoLink, |findings, _| {
        let paths = findings.facts().map_or(0, |facts| facts.paths.len());
        format!("{paths}, and nobody is reached by others only")
    })
}
