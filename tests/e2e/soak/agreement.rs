//! What must be so when all is quiet again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use murmurate_client::types::{Conflicts, FileState};

use super::actor::{Actor, Last, SLOTS};
use crate::harness::{Host, Mesh, eventually, report};

/// What no daemon's log may say.
const FORBIDDEN: [&str; 5] = ["panicked", "frozen", "could not be applied", "ended badly", "ERROR"];

/// A folder's files: path to executable bit and content.
type Files = BTreeMap<String, (bool, Vec<u8>)>;

/// Waits until the hosts agree, then looks at what they agree on.
pub(super) fn check(mesh: &Mesh, actors: &[Actor]) {
    correct_all(mesh);
    mesh.settle();
    eventually(mesh, "all hosts agree", || agree(mesh));
    let conflicts = mesh.hosts[0].client().ask(|mesh| mesh.conflicts("")).unwrap();
    for actor in actors {
        let number = actor.number;
        check_last(mesh, &conflicts, "api.toml", &format!("by_{number}"), &actor.put);
        check_last(mesh, &conflicts, SLOTS, &format!("slot_{number}"), &actor.slot);
    }
    for host in &mesh.hosts {
        check_log(host);
        report(&format!("{}: {}", host.name, resources(host.pid)));
    }
}

/// Corrects what is held, and confirms deletes, until there is nothing to do any more.
fn correct_all(mesh: &Mesh) {
    for host in &mesh.hosts {
        eventually(mesh, &format!("nothing is held on {}", host.name), || {
            let client = host.client();
            let status = client.ask(|mesh| mesh.folder_status(None)).map_err(|error| error.to_string())?;
            let mut seen = Vec::new();
            for file in status.folders.iter().flat_map(|folder| &folder.entries) {
                match file.state {
                    FileState::Held => host.save(&file.path, if file.path.ends_with(".json") { "{}\n" } else { "" }),
                    FileState::DeleteHeld => drop(client.ask(|mesh| mesh.folder_confirm("config"))),
                    _ => continue,
                }
                seen.push(format!("{file:?}"));
            }
            if seen.is_empty() { Ok(()) } else { Err(seen.join("\n")) }
        });
    }
}

fn agree(mesh: &Mesh) -> Result<(), String> {
    let excused = excused(mesh)?;
    let first = &mesh.hosts[0];
    for host in &mesh.hosts {
        same(first, host, "documents", |client| client.ask(|mesh| mesh.documents("")).unwrap().documents)?;
        same(first, host, "keys", |client| client.ask(|mesh| mesh.keys("")).unwrap())?;
        same(first, host, "conflicts", |client| client.ask(|mesh| mesh.conflicts("")).unwrap())?;
        same_files(first, host, &excused)?;
        shown_in_files(host, &excused)?;
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(
    first: &Host,
    host: &Host,
    what: &str,
    ask: impl Fn(&crate::harness::Client) -> T,
) -> Result<(), String> {
    let (left, right) = (ask(&first.client()), ask(&host.client()));
    if left == right {
        return Ok(());
    }
    Err(format!("{what} of {}: {left:#?}\n{what} of {}: {right:#?}", first.name, host.name))
}

/// Files that some host gives a reason for.
fn excused(mesh: &Mesh) -> Result<BTreeSet<String>, String> {
    let mut excused = BTreeSet::new();
    for host in &mesh.hosts {
        let status = host.client().ask(|mesh| mesh.folder_status(None)).map_err(|error| error.to_string())?;
        let files = status.folders.into_iter().flat_map(|folder| folder.entries);
        let named = files.filter(|file| !matches!(file.state, FileState::InStep | FileState::Waiting));
        excused.extend(named.map(|file| file.path));
    }
    Ok(excused)
}

fn same_files(first: &Host, host: &Host, excused: &BTreeSet<String>) -> Result<(), String> {
    let (left, right) = (files(&first.folder), files(&host.folder));
    for path in left.keys().chain(right.keys()).filter(|path| !excused.contains(*path)) {
        if left.get(path) != right.get(path) {
            let text =
                |files: &Files| files.get(path).map(|(bit, bytes)| format!("{bit} {}", String::from_utf8_lossy(bytes)));
            let (left, right) = (text(&left), text(&right));
            return Err(format!("{path}\n{}: {left:?}\n{}: {right:?}", first.name, host.name));
        }
    }
    Ok(())
}

/// Every document is in the host's folder as the API has it, and there is no other file.
fn shown_in_files(host: &Host, excused: &BTreeSet<String>) -> Result<(), String> {
    let client = host.client();
    let mut files = files(&host.folder);
    for document in client.ask(|mesh| mesh.documents("config/")).unwrap().documents {
        let name = murmurate_client::types::document_name(&document.doc);
        let path = name.trim_start_matches("config/");
        let found = files.remove(path).map(|(_, bytes)| bytes);
        let held = client.ask(|mesh| mesh.read_file(&document.doc)).unwrap().bytes.to_vec();
        if found.as_ref() != Some(&held) && !excused.contains(path) {
            let (found, held) = (found.map(String::from_utf8), String::from_utf8(held));
            return Err(format!("{}: {path} is {found:?}, should be {held:?}", host.name));
        }
    }
    match files.keys().find(|path| !excused.contains(*path)) {
        Some(path) => Err(format!("{}: {path} is no document", host.name)),
        None => Ok(()),
    }
}

fn files(folder: &Path) -> Files {
    let mut files = Files::new();
    let mut directories = vec![folder.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.file_name().is_some_and(|name| name == ".murmurate") {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else if let (Ok(bytes), Ok(metadata)) = (fs::read(&path), fs::metadata(&path)) {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                files.insert(name, (metadata.permissions().mode() & 0o100 != 0, bytes));
            }
        }
    }
    files
}

/// The last value of a key that only one actor writes is shown, or in a conflict.
fn check_last(mesh: &Mesh, conflicts: &Conflicts, path: &str, key: &str, last: &Last) {
    let Some(sure) = &last.sure else { return };
    let table: toml::Table = toml::from_str(&mesh.hosts[0].text(path)).unwrap();
    let shown = table.get(key).map(ToString::to_string).unwrap_or_default();
    let doc = super::actor::doc(path);
    let listed = conflicts.conflicts.iter().filter(|conflict| conflict.doc == doc && conflict.key == key);
    let listed: Vec<_> = listed.flat_map(|conflict| &conflict.values).map(|value| value.value.text.clone()).collect();
    let present = |value: &String| shown == *value || listed.contains(value);
    let fine = present(sure) || last.perhaps.iter().any(present);
    assert!(fine, "{doc}#{key} is {shown}, in conflict {listed:?}, was {last:?}\n{}", mesh.last_words());
}

fn check_log(host: &Host) {
    let log = host.logged();
    let bad: Vec<&str> = log.lines().filter(|line| FORBIDDEN.iter().any(|word| line.contains(word))).collect();
    assert!(bad.is_empty(), "{}: {}", host.name, bad.join("\n"));
}

/// Memory and open files of a process, for people to look at.
fn resources(pid: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let memory: Vec<&str> =
        status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM")).collect();
    let open = fs::read_dir(format!("/proc/{pid}/fd")).map(Iterator::count).unwrap_or_default();
    format!("{}, {open} open files", memory.join(", "))
}
