//! Documents that take no changes any more, or have grown too much.

use murmurate_client::types::{ErrorCode, Problem, Status};

use super::check::Check;
use super::findings::Findings;

const NAME: &str = "documents";

pub(super) fn check(findings: &Findings) -> Check {
    match findings.status() {
        Some(status) => judge(status),
        None => Check::without_daemon(NAME),
    }
}

fn judge(status: &Status) -> Check {
    let of = |code| status.problems.iter().filter(move |problem| problem.code == code);
    let told = |problem: &Problem| format!("{}: {}", problem.what, problem.why);
    if let Some(first) = of(ErrorCode::Frozen).next() {
        let all: Vec<_> = of(ErrorCode::Frozen).map(told).collect();
        return Check::bad(NAME, all.join("; "), &first.try_);
    }
    if let Some(first) = of(ErrorCode::Limit).next() {
        let all: Vec<_> = of(ErrorCode::Limit).map(told).collect();
        return Check::warn(NAME, all.join("; "), &first.try_);
    }
    Check::ok(NAME, format!("{}, none is frozen", status.store.documents))
}
