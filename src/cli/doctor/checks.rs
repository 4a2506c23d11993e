//! Checks and reloads of this host's settings: which fail now.

use murmurate_client::types::{ErrorCode, FileStatus, HeldReason, Problem, Status};

use super::check::Check;
use super::findings::Findings;
use super::held::names;

const NAME: &str = "checks";

pub(super) fn check(findings: &Findings) -> Check {
    match findings.status() {
        Some(status) => judge(status),
        None => Check::without_daemon(NAME),
    }
}

fn judge(status: &Status) -> Check {
    let refused: Vec<FileStatus> = status.held.iter().filter(|file| concerns(file)).cloned().collect();
    if !refused.is_empty() {
        let fix = "correct the file, here or elsewhere; `murmurate status` shows what the check or reload said";
        return Check::warn(NAME, format!("a check or reload fails with {}", names(&refused)), fix);
    }
    let is_reload = |problem: &&Problem| problem.code == ErrorCode::ReloadFailed;
    match status.problems.iter().find(is_reload) {
        Some(problem) => Check::warn(NAME, format!("failed: {}", problem.what), &problem.try_),
        None => Check::ok(NAME, "none fails"),
    }
}

/// Whether a check or reload is why a file is held or kept back.
pub(super) fn concerns(file: &FileStatus) -> bool {
    matches!(file.cause, Some(HeldReason::Check | HeldReason::Schema | HeldReason::Reload))
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::FileState;

    use super::*;
    use crate::cli::doctor::check::State;
    use crate::cli::doctor::testing::well;
    use crate::cli::testing::file;

    #[test]
    fn what_fails_now_is_named() {
        let status = || well().status().cloned().unwrap();
        assert_eq!(judge(&status()).state, State::Ok);
        let kept = FileStatus { state: FileState::KeptBack, cause: Some(HeldReason::Reload), ..file("a.conf") };
        let files = judge(&Status { held: vec![kept], ..status() });
        assert_eq!(files.state, State::Warn);
        assert!(files.found.contains("web/a.conf"), "{files:?}");
        let problem = Problem {
            code: ErrorCode::ReloadFailed,
            what: "reload after a change of web/a.conf".into(),
            why: "exit code 1".into(),
            try_: "correct it".into(),
        };
        let reload = judge(&Status { problems: vec![problem], ..status() });
        assert!(reload.state == State::Warn && reload.found.contains("web/a.conf"), "{reload:?}");
    }
}
