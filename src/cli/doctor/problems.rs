//! Checks whose judgement is the daemon's: the problems of one kind that its status names.

use murmurate_client::types::{ErrorCode, Problem, Status};

use super::check::Check;
use super::findings::Findings;

/// Problems that one line holds.
const SHOWN: usize = 3;

/// The check for one code; `fine` says what was found where there is none.
pub(super) fn check(
    findings: &Findings,
    name: &str,
    code: ErrorCode,
    fine: impl FnOnce(&Findings, &Status) -> String,
) -> Check {
    let Some(status) = findings.status() else { return Check::without_daemon(name) };
    let found: Vec<&Problem> = status.problems.iter().filter(|problem| problem.code == code).collect();
    let [first, ..] = found[..] else { return Check::ok(name, fine(findings, status)) };
    let mut lines: Vec<String> =
        found.iter().take(SHOWN).map(|problem| format!("{}: {}", problem.what, problem.why)).collect();
    if found.len() > SHOWN {
        lines.push(format!("and {} more", found.len() - SHOWN));
    }
    Check::warn(name, lines.join("; "), &first.try_)
}
