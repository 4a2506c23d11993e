//! The recovery key, which makes a mesh its owner's again when hosts were stolen: it belongs on none of them.

use super::check::Check;
use super::findings::Findings;

const NAME: &str = "recovery";

pub(super) fn check(findings: &Findings) -> Check {
    let Some(keys) = findings.key_status() else { return Check::without_daemon(NAME) };
    match &keys.recovery_key {
        None => Check::ok(NAME, "its key isn't on this host"),
        Some(path) => Check::warn(
            NAME,
            format!("its key is still in {path}"),
            "copy it to a place apart from all hosts, and remove it here",
        ),
    }
}
