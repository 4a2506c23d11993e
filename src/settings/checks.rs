//! The tables `[[check]]`, `[[schema]]` and `[[reload]]` of `daemon.toml`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use murmurate_client::types::ApiError;
use serde::Deserialize;

use super::bad_setting;
use crate::daemon::checks::limits::{
    CHECK_TIMEOUT, COMMAND_WORDS, DEBOUNCE, LONGEST_DEBOUNCE, LONGEST_MAX_WAIT, LONGEST_TIMEOUT, MAX_WAIT,
    RELOAD_TIMEOUT, RULES, WORD_BYTES,
};
use crate::daemon::checks::rules::signal;
use crate::daemon::checks::{Action, CheckRule, Pattern, ReloadRule, Rules, SchemaRule};

/// Bits of a mode by which others than the owner may write.
const OTHERS_WRITE: u32 = 0o022;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckTable {
    files: String,
    command: Vec<String>,
    timeout_seconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SchemaTable {
    files: String,
    schema: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReloadTable {
    files: String,
    command: Option<Vec<String>>,
    signal: Option<String>,
    pid_file: Option<PathBuf>,
    debounce_ms: Option<u64>,
    max_wait_seconds: Option<u64>,
    timeout_seconds: Option<u64>,
}

/// The rules of a file's tables. Relative paths are relative to it.
pub(super) fn rules(
    file: &Path,
    checks: Vec<CheckTable>,
    schemas: Vec<SchemaTable>,
    reloads: Vec<ReloadTable>,
) -> Result<Rules, ApiError> {
    Ok(Rules {
        checks: read_all(file, "check", checks, check)?,
        schemas: read_all(file, "schema", schemas, |table| schema(file, table))?,
        reloads: read_all(file, "reload", reloads, reload)?,
    })
}

fn read_all<Table, Rule>(
    file: &Path,
    name: &str,
    tables: Vec<Table>,
    read: impl Fn(Table) -> Result<Rule, String>,
) -> Result<Vec<Rule>, ApiError> {
    let what = |place: &str| format!("read {place}`[[{name}]]` in {}", file.display());
    if tables.len() > RULES {
        return Err(bad_setting(what(""), format!("there are more than {RULES}"), "put more files under one pattern"));
    }
    let read = |(number, table)| {
        let place = format!("the {number}. ");
        read(table).map_err(|why| bad_setting(what(&place), why, "correct the table"))
    };
    (1..).zip(tables).map(read).collect()
}

fn check(table: CheckTable) -> Result<CheckRule, String> {
    Ok(CheckRule {
        files: Pattern::new(&table.files)?,
        command: command(table.command)?,
        timeout: seconds("timeout_seconds", table.timeout_seconds, CHECK_TIMEOUT, LONGEST_TIMEOUT)?,
    })
}

fn schema(file: &Path, table: SchemaTable) -> Result<SchemaRule, String> {
    Ok(SchemaRule { files: Pattern::new(&table.files)?, schema: beside(file, table.schema) })
}

fn reload(table: ReloadTable) -> Result<ReloadRule, String> {
    let action = match (table.command, table.signal, table.pid_file) {
        (Some(words), None, None) => Action::Command(command(words)?),
        (None, Some(name), Some(pid_file)) => {
            let (signal, name) = signal(&name).ok_or_else(|| {
                format!("no signal `{name}`: it is one of HUP, USR1, USR2, WINCH, QUIT, TERM and INT")
            })?;
            if !pid_file.is_absolute() {
                return Err("`pid_file` is no absolute path".to_owned());
            }
            Action::Signal { signal, name: name.to_owned(), pid_file }
        }
        _ => return Err("it has either `command`, or `signal` and `pid_file`".to_owned()),
    };
    let debounce = table.debounce_ms.map_or(DEBOUNCE, Duration::from_millis);
    if debounce > LONGEST_DEBOUNCE {
        return Err(format!("`debounce_ms` is at most {}", LONGEST_DEBOUNCE.as_millis()));
    }
    Ok(ReloadRule {
        files: Pattern::new(&table.files)?,
        action,
        debounce,
        max_wait: seconds("max_wait_seconds", table.max_wait_seconds, MAX_WAIT, LONGEST_MAX_WAIT)?.max(debounce),
        timeout: seconds("timeout_seconds", table.timeout_seconds, RELOAD_TIMEOUT, LONGEST_TIMEOUT)?,
    })
}

fn command(words: Vec<String>) -> Result<Vec<String>, String> {
    if words.first().is_none_or(|program| program.is_empty() || program.contains('{')) {
        return Err(
            "`command` begins with a program; no shell reads it, so write [\"sh\", \"-c\", …] for one".to_owned()
        );
    }
    if words.len() > COMMAND_WORDS || words.iter().any(|word| word.len() > WORD_BYTES || word.contains('\0')) {
        return Err(format!("`command` has at most {COMMAND_WORDS} words of {WORD_BYTES} bytes"));
    }
    Ok(words)
}

fn seconds(name: &str, given: Option<u64>, default: Duration, longest: Duration) -> Result<Duration, String> {
    let value = given.map_or(default, Duration::from_secs);
    if value.is_zero() || value > longest {
        return Err(format!("`{name}` is 1 to {}", longest.as_secs()));
    }
    Ok(value)
}

fn beside(file: &Path, path: PathBuf) -> PathBuf {
    file.parent().map_or(path.clone(), |directory| directory.join(path))
}

/// Whether only root and the user may write the file.
pub(super) fn check_writers(file: &Path, uid: u32) -> Result<(), ApiError> {
    let refused = |why: String, try_: String| {
        bad_setting(format!("take commands for checks and reloads from {}", file.display()), why, try_)
    };
    let found = fs::metadata(file).map_err(|error| refused(error.to_string(), "see that it can be read".into()))?;
    if found.mode() & OTHERS_WRITE != 0 {
        let why =
            format!("others than its owner may write it (mode {:04o}), and it says what runs", found.mode() & 0o7777);
        return Err(refused(why, format!("chmod go-w {}", file.display())));
    }
    if found.uid() != 0 && found.uid() != uid {
        let why = format!("it belongs to uid {}, neither root nor the daemon's user", found.uid());
        return Err(refused(why, format!("chown root {}", file.display())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use murmurate_client::types::ErrorCode;

    use super::super::{Settings, Surroundings};
    use super::*;

    fn load(text: &str) -> Result<Rules, ApiError> {
        let surroundings = Surroundings { uid: 1_000, host_name: "web-1".to_owned(), ..Surroundings::default() };
        Settings::of_text(text, &surroundings).map(|settings| settings.rules)
    }

    #[test]
    fn tables_become_rules_with_their_defaults() {
        let text = r#"
            [[check]]
            files = "web/*.conf"
            command = ["nginx", "-t", "-c", "{file}"]
            [[schema]]
            files = "app/*.yaml"
            schema = "schemas/app.json"
            [[reload]]
            files = "web"
            command = ["systemctl", "reload", "nginx"]
            timeout_seconds = 60
            [[reload]]
            files = "web"
            signal = "SIGHUP"
            pid_file = "/run/nginx.pid"
            debounce_ms = 20000
        "#;
        let rules = load(text).unwrap();
        assert_eq!(rules.checks[0].timeout, CHECK_TIMEOUT);
        assert_eq!(rules.checks[0].command[3], "{file}");
        assert_eq!(rules.schemas[0].schema, Path::new("/etc/murmurate/schemas/app.json"));
        let [by_command, by_signal] = &rules.reloads[..] else { panic!("{rules:?}") };
        assert_eq!((by_command.debounce, by_command.max_wait), (DEBOUNCE, MAX_WAIT));
        assert_eq!(by_command.timeout, Duration::from_secs(60));
        assert_eq!(by_signal.action.to_string(), "SIGHUP to the process in /run/nginx.pid");
        assert_eq!(by_signal.max_wait, Duration::from_secs(20));
        assert!(rules.check("web/a.conf") && rules.check("app/a.yaml") && !rules.check("web/a"));
        assert!(rules.need_meaning("app/a.yaml") && !rules.need_meaning("web/a.conf"));
        assert_eq!(rules.reloads_of("web/d/a").count(), 2);
    }

    #[test]
    fn what_cant_be_is_refused_with_the_reason() {
        let check = "files = 'web'\ncommand = ['true']\n";
        let rows = [
            (format!("[[check]]\n{check}comand = 1"), "no setting `comand`"),
            (format!("[[check]]\n{check}timeout_seconds = 0"), "`timeout_seconds` is 1 to 600"),
            (format!("[[check]]\n{check}timeout_seconds = 601"), "`timeout_seconds` is 1 to 600"),
            (format!("[[check]]\n{check}timeout_seconds = -1"), "invalid value"),
            ("[[check]]\nfiles = 'web'".to_owned(), "missing field `command`"),
            ("[[check]]\nfiles = 'web'\ncommand = []".to_owned(), "begins with a program"),
            ("[[check]]\nfiles = 'web'\ncommand = ['{file}']".to_owned(), "begins with a program"),
            ("[[check]]\nfiles = '/etc/web'\ncommand = ['true']".to_owned(), "is no FOLDER/PATH"),
            ("[[schema]]\nfiles = 'web'".to_owned(), "missing field `schema`"),
            ("[[reload]]\nfiles = 'web'".to_owned(), "either `command`, or"),
            ("[[reload]]\nfiles = 'web'\nsignal = 'HUP'".to_owned(), "either `command`, or"),
            ("[[reload]]\nfiles = 'web'\nsignal = 'KILL'\npid_file = '/p'".to_owned(), "no signal `KILL`"),
            ("[[reload]]\nfiles = 'web'\nsignal = 'HUP'\npid_file = 'p'".to_owned(), "no absolute path"),
            (format!("[[reload]]\n{check}debounce_ms = 60001"), "`debounce_ms` is at most"),
            (format!("[[reload]]\n{check}max_wait_seconds = 301"), "`max_wait_seconds` is 1 to 300"),
            (format!("[[check]]\n{check}").repeat(RULES + 1), "more than 64"),
        ];
        for (text, why) in rows {
            let error = load(&text).unwrap_err();
            assert_eq!(error.code, ErrorCode::BadSetting, "{text}");
            assert!(error.why.contains(why), "{text}: {error:?}");
        }
        let slip = load(&format!("[[check]]\n{check}comand = 1")).unwrap_err();
        assert_eq!(slip.try_, "did you mean `command`?");
    }

    #[test]
    fn commands_come_from_a_file_that_nobody_else_writes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("daemon.toml");
        fs::write(&path, "").unwrap();
        let own = fs::metadata(&path).unwrap().uid();
        for (mode, is_good) in [(0o600, true), (0o644, true), (0o664, false), (0o646, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(check_writers(&path, own).is_ok(), is_good, "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        if own != 0 {
            assert!(check_writers(&path, own + 1).is_err());
        }
        let error = check_writers(&directory.path().join("none"), own).unwrap_err();
        assert!(error.what.contains("take commands"), "{error:?}");
    }
}
