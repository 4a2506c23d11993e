//! Files and deletes that wait for a person.

use murmurate_client::types::{FileStatus, Status};

use super::check::Check;
use super::checks;
use super::findings::Findings;

const NAME: &str = "held";
/// Names that one line holds.
const SHOWN: usize = 5;

pub(super) fn check(findings: &Findings) -> Check {
    match findings.status() {
        Some(status) => judge(status),
        None => Check::without_daemon(NAME),
    }
}

fn judge(status: &Status) -> Check {
    let held: Vec<FileStatus> = status.held.iter().filter(|file| !checks::concerns(file)).cloned().collect();
    if !held.is_empty() {
        let fix = "correct the file where it was saved; `murmurate status` shows what is wrong";
        return Check::warn(NAME, format!("edits are held: {}", names(&held)), fix);
    }
    let deletes: Vec<_> = status.folders.iter().filter(|folder| folder.deletes_held > 0).collect();
    if let [first, ..] = &deletes[..] {
        let count: u64 = deletes.iter().map(|folder| folder.deletes_held).sum();
        let fix = format!("bring the files back, or `murmurate folder confirm {}`", first.name);
        return Check::warn(NAME, format!("{count} deletes wait for a confirmation"), fix);
    }
    Check::ok(NAME, "nothing".to_owned())
}

/// Places only: the reasons may quote what stands in the files.
pub(super) fn names(files: &[FileStatus]) -> String {
    let place = |file: &FileStatus| match file.line {
        Some(line) => format!("{} (line {line})", file.doc),
        None => file.doc.clone(),
    };
    let mut names: Vec<_> = files.iter().take(SHOWN).map(place).collect();
    if files.len() > SHOWN {
        names.push(format!("and {} more", files.len() - SHOWN));
    }
    names.join(", ")
}
