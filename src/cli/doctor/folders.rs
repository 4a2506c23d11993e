//! Folders that aren't kept, or not as well as they could be.

use murmurate_client::types::{Folder, FolderState, Status};

use super::check::Check;
use super::findings::Findings;

const NAME: &str = "folders";

pub(super) fn check(findings: &Findings) -> Check {
    match findings.status() {
        Some(status) => judge(status),
        None => Check::without_daemon(NAME),
    }
}

fn judge(status: &Status) -> Check {
    let is_kept = |folder: &&Folder| folder.state != FolderState::Trouble;
    let (kept, broken): (Vec<&Folder>, Vec<&Folder>) = status.folders.iter().partition(is_kept);
    let problems = |folders: &[&Folder], what: &str| {
        let problem =
            |folder: &&Folder| Some(format!("the folder {}{what}: {}", folder.name, folder.problem.as_ref()?));
        folders.iter().filter_map(problem).collect::<Vec<_>>().join("; ")
    };
    let (broken, hindered) = (problems(&broken, " isn't kept"), problems(&kept, ""));
    if !broken.is_empty() {
        return Check::bad(NAME, broken, "put the directory right: it is looked for again by itself");
    }
    if !hindered.is_empty() {
        return Check::warn(NAME, hindered, "files are looked after all the same; do what it says");
    }
    let files: u64 = status.folders.iter().map(|folder| folder.files).sum();
    Check::ok(NAME, format!("{} kept, {files} files", status.folders.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::State;
    use crate::cli::doctor::testing::well;

    #[test]
    fn trouble_is_bad_if_it_stops_a_folder_and_else_a_warning() {
        let mut status = well().status().unwrap().clone();
        assert_eq!(judge(&status).state, State::Ok);
        status.folders[0].problem = Some("the kernel has no watches left".into());
        assert_eq!(judge(&status).state, State::Warn);
        status.folders[0].state = FolderState::Trouble;
        assert_eq!(judge(&status).state, State::Bad);
    }
}
