//! Whether the daemon answers.

use super::check::Check;
use super::findings::Findings;
use crate::cli::time::span;

const NAME: &str = "daemon";

pub(super) fn check(findings: &Findings) -> Check {
    match &findings.daemon {
        Ok(answers) => {
            let status = &answers.status;
            Check::ok(NAME, format!("{} {}, up {}", status.node, status.version, span(status.uptime_ms)))
        }
        Err(error) => Check::bad(NAME, format!("{}: {}", error.what, error.why), &error.try_),
    }
}
