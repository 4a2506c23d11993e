//! Folders and files that are mounts (root only).

use std::fs;

use crate::harness::{Host, Mesh, Mounted, eventually, note_skipped};

fn can_mount(test: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        note_skipped(test, "mounting needs root");
    }
    is_root
}

/// The folder `disk` in `folder ls`: its state and problem.
fn disk_state(host: &Host) -> (String, String) {
    let status = host.json(&["folder", "status", "disk"]);
    let folder = &status["folders"][0];
    let text = |name: &str| folder[name].as_str().unwrap_or_default().to_owned();
    (text("state"), text("problem"))
}

#[test]
fn unmounting_a_folder_deletes_nothing_anywhere_and_mounting_it_again_goes_on() {
    if !can_mount("unmounting_a_folder_deletes_nothing_anywhere_and_mounting_it_again_goes_on") {
        return;
    }
    let mut mesh = Mesh::start_apart(2);
    let disk = mesh.directory.path().join("disk");
    let at: Vec<_> = mesh.hosts.iter().map(|host| host.directory.join("mounted")).collect();
    fs::create_dir(&disk).unwrap();
    at.iter().for_each(|at| fs::create_dir(at).unwrap());
    let mut mounted = Some(Mounted::bound(&disk, &at[0]).unwrap());
    for (host, at) in mesh.hosts.iter().zip(&at) {
        host.does(&["folder", "add", "disk", at.to_str().unwrap()]);
    }
    let names: Vec<String> = (0..3).map(|number| format!("{number}.toml")).collect();
    for name in &names {
        fs::write(at[0].join(name), "a = 1\n").unwrap();
    }
    let has = |mesh: &Mesh, host: usize, name: &str, text: &str| {
        let path = at[host].join(name);
        eventually(mesh, &format!("{} is {text}", path.display()), || match fs::read_to_string(&path) {
            Ok(found) if found == text => Ok(()),
            other => Err(format!("{other:?}")),
        });
    };
    names.iter().for_each(|name| has(&mesh, 1, name, "a = 1\n"));
    mesh.settle();
    // While the daemon runs, and while it starts.
    for round in 1..3 {
        if round == 2 {
            mesh.hosts[0].stop();
        }
        drop(mounted.take());
        if round == 2 {
            mesh.hosts[0].start();
        }
        eventually(&mesh, "the folder is in trouble", || match disk_state(&mesh.hosts[0]) {
            (state, problem) if state == "trouble" && problem.contains("mounted") => Ok(()),
            other => Err(format!("{other:?}")),
        });
        let next = format!("a = {}\n", round + 1);
        mesh.hosts[1].put("disk/0.toml#a", &(round + 1).to_string());
        has(&mesh, 1, "0.toml", &next);
        assert_eq!(fs::read_dir(&at[0]).unwrap().count(), 0, "nothing is written where the disk should be");
        mounted = Some(Mounted::bound(&disk, &at[0]).unwrap());
        has(&mesh, 0, "0.toml", &next);
        mesh.settle();
        for host in 0..2 {
            names[1..].iter().for_each(|name| has(&mesh, host, name, "a = 1\n"));
        }
        assert_eq!(disk_state(&mesh.hosts[0]), ("ready".into(), String::new()));
    }
    drop(mounted);
}

#[test]
fn a_file_that_is_a_mount_is_read_and_not_written_and_says_so() {
    if !can_mount("a_file_that_is_a_mount_is_read_and_not_written_and_says_so") {
        return;
    }
    let mesh = Mesh::start(2);
    let [one, two] = &mesh.hosts[..] else { panic!() };
    one.save("bound.toml", "a = 1\n");
    mesh.everywhere("bound.toml", "a = 1\n");
    let outside = mesh.directory.path().join("outside.toml");
    fs::write(&outside, "a = 2\n").unwrap();
    let mounted = Mounted::bound(&outside, &one.path("bound.toml")).unwrap();
    two.has("bound.toml", "a = 1\n").or_else(|_| two.has("bound.toml", "a = 2\n")).unwrap();
    // What is there is the host's edit, and what is saved there, too.
    mesh.everywhere("bound.toml", "a = 2\n");
    fs::write(&outside, "a = 3\n").unwrap();
    mesh.everywhere("bound.toml", "a = 3\n");
    two.put("config/bound.toml#a", "4");
    let entry = || {
        let status = one.json(&["folder", "status", "config"]);
        status["folders"][0]["entries"].as_array().unwrap()[0].clone()
    };
    eventually(&mesh, "the file can't be written", || match entry() {
        entry if entry["state"] == "failed" && entry["reason"].as_str().unwrap().contains("mount") => Ok(()),
        entry => Err(entry.to_string()),
    });
    assert_eq!(fs::read_to_string(&outside).unwrap(), "a = 3\n");
    // What was under the mount is an edit like any other: nobody saw the change of the other host in it.
    drop(mounted);
    let text = mesh.same_everywhere("bound.toml", |text| ["a = 1\n", "a = 4\n"].contains(&text));
    let other = if text == "a = 1\n" { "4" } else { "1" };
    let conflicts = eventually(&mesh, "the other value is listed", || match one.json(&["conflicts"]) {
        conflicts if !conflicts["conflicts"].as_array().unwrap().is_empty() => Ok(conflicts),
        conflicts => Err(conflicts.to_string()),
    });
    assert!(conflicts.to_string().contains(other), "{conflicts}");
}
