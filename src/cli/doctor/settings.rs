//! The settings file: it can be read, and nobody writes it who shouldn't.

use super::check::Check;
use super::findings::{FileFacts, Findings};

const NAME: &str = "settings";
const OTHERS_WRITE: u32 = 0o022;

pub(super) fn check(findings: &Findings) -> Check {
    let path = match &findings.settings {
        Ok(settings) => settings.file.value.display(),
        Err(error) => return Check::bad(NAME, format!("{}: {}", error.what, error.why), &error.try_),
    };
    let Some(file) = &findings.settings_file else { return Check::ok(NAME, format!("no {path}: the defaults hold")) };
    match trouble(file, findings.daemons_user) {
        Some((found, fix)) => Check::bad(NAME, format!("{path} {found}"), format!("{fix} {path}")),
        None => Check::ok(NAME, path.to_string()),
    }
}

/// Who may write the settings may make the daemon do what he wants.
fn trouble(file: &FileFacts, daemons_user: Option<u32>) -> Option<(String, &'static str)> {
    let FileFacts { mode, owner, .. } = file;
    if mode & OTHERS_WRITE != 0 {
        return Some((format!("may be written by others (mode {mode:04o})"), "chmod go-w"));
    }
    let is_trusted = *owner == 0 || daemons_user.is_none_or(|user| user == *owner);
    (!is_trusted).then(|| (format!("belongs to another user (uid {owner})"), "chown root"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_others_write_are_told() {
        let is_bad =
            |mode, owner, user| trouble(&FileFacts { name: "daemon.toml".into(), mode, owner }, user).is_some();
        assert!(!is_bad(0o644, 0, Some(990)) && !is_bad(0o640, 990, Some(990)) && !is_bad(0o644, 990, None));
        assert!(is_bad(0o664, 0, None) && is_bad(0o646, 0, None) && is_bad(0o644, 1_000, Some(990)));
    }
}
