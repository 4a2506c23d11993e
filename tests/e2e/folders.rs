//! Folders that come and go, and deletes that nobody may have meant.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{APP_TOML, Host, Mesh, eventually};

/// A directory of a host that isn't watched yet, with these files.
fn prepared(host: &Host, name: &str, files: &[(&str, &str)]) -> PathBuf {
    let directory = host.directory.join(name);
    fs::create_dir_all(&directory).unwrap();
    for (path, content) in files {
        fs::write(directory.join(path), content).unwrap();
    }
    directory
}

#[track_caller]
fn has(mesh: &Mesh, path: &Path, content: &str) {
    eventually(mesh, &format!("{} is\n{content}", path.display()), || match fs::read_to_string(path) {
        Ok(found) if found == content => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

/// The contents of all files below a directory.
fn contents_below(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().map(Result::unwrap);
    entries
        .flat_map(|entry| match entry.file_type().unwrap().is_dir() {
            true => contents_below(&entry.path()),
            false => vec![fs::read_to_string(entry.path()).unwrap()],
        })
        .collect()
}

#[test]
fn a_folder_that_joins_with_files_keeps_what_it_loses_aside() {
    let mesh = Mesh::start(3);
    let [one, two, three] = &mesh.hosts[..] else { panic!() };
    let first = prepared(one, "extra", &[("same.toml", "a = 1\n"), ("differs.toml", APP_TOML)]);
    one.does(&["folder", "add", "extra", first.to_str().unwrap()]);
    eventually(&mesh, "host-2 knows the documents", || {
        two.tries(&["get", "extra/differs.toml#limits.rps"]).map_err(|e| format!("{e:?}"))
    });
    mesh.settle();

    let local = APP_TOML.replace("200", "300");
    let second = prepared(two, "extra", &[("same.toml", "a = 1\n"), ("differs.toml", &local), ("own.toml", "b = 2\n")]);
    let version = |host: &Host| host.json(&["get", "extra/same.toml#a"])["version"].clone();
    let before = version(one);
    two.does(&["folder", "add", "extra", second.to_str().unwrap()]);
    has(&mesh, &second.join("differs.toml"), APP_TOML);
    has(&mesh, &first.join("own.toml"), "b = 2\n");
    assert_eq!(contents_below(&two.data().join("kept/extra")), [local]);
    assert_eq!(version(two), before, "equal bytes are no edit");
    assert_eq!(one.does(&["get", "extra/differs.toml#limits.rps"]).trim(), "200");

    let adopted = APP_TOML.replace("200", "400");
    let third = prepared(three, "extra", &[("differs.toml", &adopted)]);
    three.does(&["folder", "add", "extra", third.to_str().unwrap(), "--adopt"]);
    for directory in [&first, &second, &third] {
        has(&mesh, &directory.join("differs.toml"), &adopted);
        has(&mesh, &directory.join("same.toml"), "a = 1\n");
        has(&mesh, &directory.join("own.toml"), "b = 2\n");
    }
    assert_eq!(one.json(&["conflicts"])["conflicts"], serde_json::json!([]));
}

#[test]
fn a_folder_that_is_removed_leaves_its_files_and_its_documents() {
    let mesh = Mesh::start(2);
    let [one, two] = &mesh.hosts[..] else { panic!() };
    one.save("app.toml", APP_TOML);
    mesh.everywhere("app.toml", APP_TOML);
    let listed = two.json(&["folder", "ls"]);
    assert_eq!(listed["folders"][0]["name"], "config");
    two.does(&["folder", "rm", "config"]);
    assert_eq!(two.json(&["folder", "ls"])["folders"], serde_json::json!([]));
    one.put("config/app.toml#limits.rps", "300");
    eventually(&mesh, "host-2 still follows the document", || match two.does(&["get", "config/app.toml#limits.rps"]) {
        value if value.trim() == "300" => Ok(()),
        value => Err(value),
    });
    two.has("app.toml", APP_TOML).unwrap();
    mesh.settle();
    one.has("app.toml", APP_TOML.replace("200", "300")).unwrap();
}

#[test]
fn many_deletes_wait_for_a_confirmation() {
    let mesh = Mesh::start(2);
    let [one, two] = &mesh.hosts[..] else { panic!() };
    let names: Vec<String> = (0..6).map(|number| format!("file-{number}.toml")).collect();
    for name in &names {
        one.save(name, "a = 1\n");
    }
    for name in &names {
        mesh.everywhere(name, "a = 1\n");
    }
    for name in &names[..5] {
        fs::remove_file(one.path(name)).unwrap();
    }
    eventually(&mesh, "the deletes are held", || {
        let status = one.json(&["folder", "status", "config"]);
        let folder = &status["folders"][0];
        if folder["deletes_held"] == 5 && folder["deletes_held_why"].is_string() {
            Ok(())
        } else {
            Err(status.to_string())
        }
    });
    for name in &names {
        two.has(name, "a = 1\n").unwrap();
    }
    let confirmed = one.json(&["folder", "confirm", "config", "--yes"]);
    assert_eq!(confirmed["deleted"].as_array().unwrap().len(), 5, "{confirmed}");
    for name in &names[..5] {
        mesh.nowhere(name);
    }
    mesh.everywhere(&names[5], "a = 1\n");
}
