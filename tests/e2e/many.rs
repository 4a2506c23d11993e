//! Very many files at once: how long they take is printed, not judged.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

use crate::harness::{Host, Mesh, eventually, report};

/// The paths and contents of so many files in a nested tree.
fn tree(count: usize) -> impl Iterator<Item = (String, String)> {
    (0..count).map(|n| (format!("tree/{}/{}/deep/{n}.toml", n % 7, n % 11), format!("number = {n}\n")))
}

fn files_below(directory: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true => directories.push(entry.path()),
                false => drop(found.insert(entry.path().strip_prefix(directory).unwrap().display().to_string())),
            }
        }
    }
    found
}

#[track_caller]
fn arrives(mesh: &Mesh, host: &Host, count: usize) {
    let expected: BTreeSet<String> = tree(count).map(|(path, _)| path.replacen("tree/", "", 1)).collect();
    eventually(mesh, &format!("{count} files are on {}", host.name), || {
        let found = files_below(&host.path("tree"));
        if found == expected { Ok(()) } else { Err(format!("{} files", found.len())) }
    });
    for (path, content) in tree(count) {
        host.has(&path, content).unwrap();
    }
}

#[test]
fn a_thousand_files_in_a_new_tree_are_all_on_the_other_hosts() {
    const FILES: usize = 1_000;
    let mesh = Mesh::start(3);
    let start = Instant::now();
    // New directories get their first files before the daemon can watch them.
    for (path, content) in tree(FILES) {
        mesh.hosts[0].save(&path, content);
    }
    for host in &mesh.hosts[1..] {
        arrives(&mesh, host, FILES);
    }
    report(&format!("{FILES} files in a new tree: on both other hosts after {:.1?}", start.elapsed()));
}
