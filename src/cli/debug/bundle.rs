use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use murmurate_client::types::{
    ApiError, ErrorCode, Facts, FolderStatus, KeyStatus, LogLines, Members, Status, Time, V1,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::redact::{self, Addresses};
use crate::cli::context::Context;
use crate::cli::doctor::{Answers, Checks, Findings, look};
use crate::cli::failure::{self, Stop};
use crate::cli::host_flags::HostFlags;
use crate::settings::{Setting, Settings};

#[derive(Debug, Args)]
pub(in crate::cli) struct Bundle {
    /// The file to write; it must not exist. `-` prints it
    file: PathBuf,
    /// Leave the addresses of hosts in; else each is replaced by a name of its own
    #[arg(long)]
    with_addresses: bool,
    #[command(flatten)]
    host: HostFlags,
}

/// What a bug report needs.
#[derive(Debug, Serialize)]
struct Report {
    v: V1,
    made: Time,
    /// For who reads it before sending it.
    contains: [&'static str; 3],
    version: &'static str,
    /// Why the daemon gave no answers, if it didn't.
    daemon_error: Option<ApiError>,
    settings: Value,
    status: Option<Status>,
    members: Option<Members>,
    keys: Option<KeyStatus>,
    folders: Option<FolderStatus>,
    facts: Option<Facts>,
    doctor: Checks,
    log: Option<LogLines>,
}

const CONTAINS: [&str; 3] = [
    "in it: versions, settings, the state of the daemon, its hosts, folders and files by name, doctor's findings, and the last \
     lines of the log without those for debugging",
    "not in it: what documents and files hold, why an edit is held (it may quote it), keys, certificates, tickets",
    "addresses of hosts are replaced by names unless --with-addresses was given; names of hosts, folders, files and users stay",
];

impl Bundle {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let report = gather(context, self.host).await;
        let text = text(report, self.with_addresses)?;
        if self.file == Path::new("-") {
            return context.print(text);
        }
        write(&self.file, &text)?;
        context.note(&format!("{} is written; read it before you send it", self.file.display()));
        Ok(())
    }
}

async fn gather(context: &Context, host: HostFlags) -> Report {
    let findings = Findings::gather(context, host).await;
    let doctor = look(&findings);
    let mesh = context.mesh().await.ok();
    let (folders, log) = match &mesh {
        Some(mesh) => (mesh.folder_status(None).await.ok(), mesh.log_lines().await.ok()),
        None => (None, None),
    };
    let settings = settings(&findings.settings);
    let (answers, daemon_error) = match findings.daemon {
        Ok(answers) => (Some(answers), None),
        Err(error) => (None, Some(error)),
    };
    let (status, members, keys, facts) = match answers {
        Some(Answers { status, members, keys, facts }) => (Some(status), Some(members), Some(keys), Some(facts)),
        None => (None, None, None, None),
    };
    let made = context.view().now;
    let version = env!("CARGO_PKG_VERSION");
    Report {
        v: V1,
        made,
        contains: CONTAINS,
        version,
        daemon_error,
        settings,
        status,
        members,
        keys,
        folders,
        facts,
        doctor,
        log,
    }
}

/// Each by name, so that one that comes later isn't in it before somebody has thought about it.
fn settings(settings: &Result<Settings, ApiError>) -> Value {
    fn shown<T>(setting: &Setting<T>, show: impl Fn(&T) -> String) -> Value {
        json!({ "value": show(&setting.value), "source": setting.source })
    }
    let path = |setting| shown(setting, |path: &PathBuf| path.display().to_string());
    match settings {
        Ok(settings) => json!({
            "file": path(&settings.file),
            "name": shown(&settings.name, String::clone),
            "zone": shown(&settings.zone, String::clone),
            "data_dir": path(&settings.data_dir),
            "runtime_dir": path(&settings.runtime_dir),
            "socket": path(&settings.socket),
            "listen": shown(&settings.listen, ToString::to_string),
            "peers": shown(&settings.peers, |peers| peers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
            "advertise": shown(&settings.advertise, |addresses| format!("{addresses:?}")),
            "certificate_validity": shown(&settings.certificate_validity, |validity| format!("{validity:?}")),
            "forget_after": shown(&settings.forget_after, |time| format!("{time:?}")),
            "log": shown(&settings.log, String::clone),
            // Their commands may hold what nobody else needs.
            "checks": settings.rules.checks.len(),
            "schemas": settings.rules.schemas.len(),
            "reloads": settings.rules.reloads.len(),
        }),
        // Its line may be quoted in it.
        Err(error) => json!({ "error": error.code }),
    }
}

fn text(mut report: Report, with_addresses: bool) -> Result<String, ApiError> {
    let held = report.status.iter_mut().flat_map(|status| &mut status.held);
    let files = report.folders.iter_mut().flat_map(|folders| &mut folders.folders);
    held.chain(files.flat_map(|folder| &mut folder.entries)).for_each(redact::file);
    report.status.iter_mut().flat_map(|status| &mut status.problems).for_each(redact::problem);
    for line in report.log.iter_mut().flat_map(|log| &mut log.lines) {
        line.truncate(redact::log_line(line).len());
    }
    let failed = |error: serde_json::Error| ApiError::internal("write the report", error.to_string());
    let mut value = serde_json::to_value(report).map_err(failed)?;
    if !with_addresses {
        Addresses::default().take_out(&mut value);
    }
    Ok(serde_json::to_string_pretty(&value).map_err(failed)? + "\n")
}

/// Readable by its owner only, who decides who else may see it.
fn write(path: &Path, text: &str) -> Result<(), ApiError> {
    let what = format!("write {}", path.display());
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            ApiError::new(ErrorCode::Exists, what, "there is such a file", "name another, or remove it")
        }
        _ => failure::io(&what, &error),
    })
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::{FolderFiles, FolderStatus};

    use super::*;
    use crate::cli::doctor::testing::{ill, well};
    use crate::cli::testing::{folder, held_file, now};

    fn report(findings: Findings) -> Report {
        let doctor = look(&findings);
        let answers = findings.daemon.unwrap();
        let folders = FolderFiles { folder: folder(), entries: vec![held_file()], deletes_held_why: None };
        let held =
            "2026-01-02T03:04:05Z WARN murmurate: the edit is held document=web/app.toml why=isn't closed: \"s3cret";
        let lines = [held, "2026-01-02T03:04:05Z INFO murmurate_net: connected address=10.0.0.2:7117"];
        Report {
            v: V1,
            made: now(),
            contains: CONTAINS,
            version: "0.1.0",
            daemon_error: None,
            settings: settings(&findings.settings),
            status: Some(answers.status),
            members: Some(answers.members),
            keys: Some(answers.keys),
            folders: Some(FolderStatus { v: V1, folders: vec![folders], next: None }),
            facts: Some(answers.facts),
            doctor,
            log: Some(LogLines { v: V1, lines: lines.map(str::to_owned).to_vec(), dropped: 3 }),
        }
    }

    #[test]
    fn debug_bundle() {
        insta::assert_snapshot!(text(report(well()), false).unwrap());
    }

    #[test]
    fn what_a_file_holds_and_where_hosts_are_is_not_in_it() {
        let mut findings = ill();
        let answers = findings.daemon.as_mut().unwrap();
        answers.status.held[0].reason = Some("`s3cret` is no value".into());
        let redacted = text(report(findings), false).unwrap();
        assert!(!redacted.contains("s3cret") && !redacted.contains("10.0.0."), "{redacted}");
        assert!(text(report(ill()), true).unwrap().contains("10.0.0."));
    }

    #[test]
    fn a_file_that_is_there_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.json");
        write(&path, "{}").unwrap();
        assert_eq!(write(&path, "x").unwrap_err().code, ErrorCode::Exists);
        assert_eq!(std::fs::read(&path).unwrap(), b"{}");
    }
}
