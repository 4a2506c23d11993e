//! Names that lead out of the folder, or nowhere.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::harness::{Mesh, eventually, report};
use crate::table::{Extent, Row, Test};

pub(crate) const ROW: Row = Row {
    fault: "hostile file names, `..`, symlinks, non-UTF-8",
    promise: "never outside the folder; skipped with a visible reason",
    extent: Extent::Holds,
    tests: &[
        Test("tests/lab/names.rs", "names_that_cant_be_shared_are_skipped_with_a_reason"),
        Test("tests/lab/names.rs", "a_directory_that_is_swapped_for_a_symlink_leads_nobody_out_of_the_folder"),
        Test("src/daemon/files/names.rs", "hostile_paths_are_refused"),
    ],
};

#[test]
fn names_that_cant_be_shared_are_skipped_with_a_reason() {
    let mesh = Mesh::start_apart(2);
    let one = &mesh.hosts[0];
    for address in ["config/../out.toml#a", "config/a/../../out.toml#a", "config//etc/out.toml#a", "../out.toml#a"] {
        let failure = one.fails(&["put", address, "1"]);
        assert!(matches!(failure.code, 1 | 2), "{address}: {failure:?}");
    }
    let outside = mesh.directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret.toml"), "secret = 1\n").unwrap();
    symlink(outside.join("secret.toml"), one.path("link.toml")).unwrap();
    symlink(&outside, one.path("linked")).unwrap();
    symlink("/etc/passwd", one.path("passwd.txt")).unwrap();
    let strange: [&[u8]; 3] = [b"caf\xe9.toml", b"line\nbreak.toml", b"bell\x07.toml"];
    for name in strange {
        fs::write(one.folder.join(OsStr::from_bytes(name)), "a = 1\n").unwrap();
    }
    one.save("fine.toml", "a = 1\n");
    mesh.everywhere("fine.toml", "a = 1\n");
    let skipped = eventually(&mesh, "all of them are shown as skipped", || {
        let status = one.json(&["folder", "status"]);
        let entries = status["folders"][0]["entries"].as_array().unwrap().clone();
        let skipped: Vec<_> = entries.into_iter().filter(|entry| entry["state"] == "skipped").collect();
        if skipped.len() >= 6 { Ok(skipped) } else { Err(status.to_string()) }
    });
    for entry in skipped {
        assert!(entry["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{entry}");
    }
    mesh.settle();
    let two = fs::read_dir(&mesh.hosts[1].folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = two.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names, [".murmurate", "fine.toml"]);
}

const PUTS: usize = 300;

/// Swaps the directory for a symlink and back until told to end, and gives how often.
fn swap(directory: &Path, link: &Path, end: &AtomicBool) -> usize {
    let mut swaps = 0;
    while !end.load(Ordering::Relaxed) || swaps % 2 == 1 {
        renameat_with(CWD, directory, CWD, link, RenameFlags::EXCHANGE).unwrap();
        swaps += 1;
        std::thread::yield_now();
    }
    swaps
}

#[test]
fn a_directory_that_is_swapped_for_a_symlink_leads_nobody_out_of_the_folder() {
    let mesh = Mesh::start_apart(2);
    let [one, two] = &mesh.hosts[..] else { panic!() };
    let outside = mesh.directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("own.toml"), "mine = true\n").unwrap();
    two.put("config/dir/own.toml#key", "0");
    mesh.everywhere("dir/own.toml", "key = 0\n");
    let link = mesh.directory.path().join("link");
    symlink(&outside, &link).unwrap();
    let end = AtomicBool::new(false);
    let swaps = std::thread::scope(|scope| {
        // Where the symlink leads, the same name stands: nothing there may be read, replaced or removed.
        let swapping = scope.spawn(|| swap(&one.path("dir"), &link, &end));
        let client = two.client();
        let put = (1..=PUTS).try_for_each(|number| {
            client.put("config/dir/own.toml#key", &number.to_string())?;
            client.put(&format!("config/dir/new-{number}.toml#key"), "1").map(drop)
        });
        end.store(true, Ordering::Relaxed);
        put.unwrap();
        swapping.join().unwrap()
    });
    report(&format!("the directory was swapped {swaps} times during {PUTS} remote changes"));
    assert!(swaps > 10);
    mesh.settle();
    let names: Vec<_> = fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["own.toml"], "something was written outside of the folder");
    assert_eq!(fs::read_to_string(outside.join("own.toml")).unwrap(), "mine = true\n");
    for host in &mesh.hosts {
        assert!(host.tries(&["get", "config/dir/own.toml#mine"]).is_err(), "something outside of the folder was read");
    }
}
