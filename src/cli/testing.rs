//! Sheets for the verbs' snapshots: the same data in every format.

use murmurate_client::types::{FileState, FileStatus, Folder, FolderState, HeldReason, Time, TypedValue, ValueType};
use serde_json::json;

use super::view::View;
use crate::settings::OutputFormat;

/// The moment at which all sheets are printed.
pub(super) fn now() -> Time {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

/// This many seconds before.
pub(super) fn ago(seconds: u64) -> Time {
    Time::from_ms(now().as_ms() - seconds * 1_000)
}

pub(super) fn view(format: OutputFormat) -> View {
    View { format, colored: false, now: now() }
}

/// What `render` gives in each format, one under the other.
pub(super) fn sheet(render: impl Fn(&View) -> String) -> String {
    let formats = [OutputFormat::Table, OutputFormat::Json, OutputFormat::Jsonl, OutputFormat::Raw];
    let part = |format| format!("── {format:?}\n{}", render(&view(format)));
    formats.map(part).concat()
}

pub(super) fn integer(number: i64) -> TypedValue {
    TypedValue { value: json!(number), kind: ValueType::Integer, text: number.to_string() }
}

pub(super) fn string(text: &str) -> TypedValue {
    TypedValue { value: json!(text), kind: ValueType::String, text: format!("{text:?}") }
}

pub(super) fn folder() -> Folder {
    Folder {
        name: "web".into(),
        dir: "/etc/murmurate/mesh/web".into(),
        state: FolderState::Ready,
        files: 5,
        in_step: 1,
        held: 1,
        kept_back: 1,
        skipped: 1,
        waiting: 0,
        deletes_held: 1,
        conflicts: 2,
        problem: None,
    }
}

pub(super) fn held_file() -> FileStatus {
    FileStatus {
        state: FileState::Held,
        line: Some(3),
        column: Some(7),
        reason: Some("string isn't closed".into()),
        cause: Some(HeldReason::Syntax),
        since: Some(ago(60)),
        ..file("app.toml")
    }
}

pub(super) fn kept_back_file() -> FileStatus {
    FileStatus {
        state: FileState::KeptBack,
        reason: Some("the check `nginx -t -c {file}` failed with exit code 1: test failed".into()),
        cause: Some(HeldReason::Check),
        output: Some("nginx: [emerg] unknown directive \"lisen\" in a.conf:3\nnginx: test failed".into()),
        ..file("a.conf")
    }
}

pub(super) fn file(path: &str) -> FileStatus {
    FileStatus {
        folder: "web".into(),
        path: path.into(),
        doc: format!("web/{path}"),
        format: Some("toml".into()),
        format_reason: None,
        state: FileState::InStep,
        line: None,
        column: None,
        reason: None,
        cause: None,
        output: None,
        since: None,
        conflicts: 0,
        changed: Some(ago(90)),
        host: Some("web-1".into()),
        author: Some("ann".into()),
        version: Some("aa.0:7".into()),
        overlays: Vec::new(),
    }
}
