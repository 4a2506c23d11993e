//! Documents that take no changes any more.

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
    let frozen: Vec<&Problem> = status.problems.iter().filter(|problem| problem.code == ErrorCode::Frozen).collect();
    if let [first, ..] = frozen[..] {
        let all: Vec<_> = frozen.iter().map(|problem| format!("{}: {}", problem.what, problem.why)).collect();
        return Check::bad(NAME, all.join("; "), &first.try_);
    }
    Check::ok(NAME, format!("{}, none is frozen", status.store.documents))
}
