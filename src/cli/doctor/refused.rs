//! Connections that were refused, here or there.

use murmurate_client::types::ErrorCode;

use super::check::Check;
use super::findings::Findings;

const NAME: &str = "refused";

pub(super) fn check(findings: &Findings) -> Check {
    let Some(status) = findings.status() else { return Check::without_daemon(NAME) };
    let refused: Vec<_> = status.problems.iter().filter(|problem| problem.code == ErrorCode::Denied).collect();
    match &refused[..] {
        [] => Check::ok(NAME, "no connection"),
        [first, ..] => {
            let all: Vec<_> = refused.iter().map(|problem| format!("{}: {}", problem.what, problem.why)).collect();
            Check::warn(NAME, all.join("; "), &first.try_)
        }
    }
}
