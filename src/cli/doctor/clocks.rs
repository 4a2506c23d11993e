//! The other hosts' wall clocks, as they were measured over the links.

use murmurate_client::types::ErrorCode;

use super::check::Check;
use super::findings::Findings;
use super::problems;

pub(super) fn check(findings: &Findings) -> Check {
    problems::check(findings, "clocks", ErrorCode::Clock, |findings, _| {
        let members = findings.members().map_or(&[][..], |members| &members.members);
        let apart = members.iter().filter_map(|member| member.clock_ahead_ms);
        match apart.map(i64::unsigned_abs).max() {
            Some(most) => format!("{most} ms apart at most"),
            None => "no other host tells its own".to_owned(),
        }
    })
}
