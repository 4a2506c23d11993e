//! `diff`: what changed between two versions, and what a held edit would change.

use std::fs;

use serde_json::{Value as Json, json};

use crate::harness::{APP_TOML, Host, Mesh, eventually};

const DOC: &str = "config/app.toml";

fn token(host: &Host, address: &str, value: &str) -> String {
    host.does(&["put", address, value]).trim().to_owned()
}

/// The keys that differ, with their texts.
fn keys(diff: &Json) -> Vec<(String, String, String)> {
    let keys = diff["keys"].as_array().unwrap_or_else(|| panic!("{diff}"));
    let text = |key: &Json, side: &str| key[side]["text"].as_str().unwrap_or_default().to_owned();
    keys.iter().map(|key| (key["key"].as_str().unwrap().to_owned(), text(key, "before"), text(key, "after"))).collect()
}

fn row(key: &str, before: &str, after: &str) -> (String, String, String) {
    (key.into(), before.into(), after.into())
}

#[test]
fn versions_of_a_document_are_compared_by_line_and_by_key() {
    let mesh = Mesh::start(2);
    let [one, two] = &mesh.hosts[..] else { panic!() };
    one.save("app.toml", APP_TOML);
    mesh.everywhere("app.toml", APP_TOML);
    let saved = one.json(&["get", DOC])["heads"].as_str().unwrap().to_owned();
    let first = token(one, "config/app.toml#server.port", "9090");
    mesh.settle();
    let second = token(two, "config/app.toml#limits.new", "1");
    mesh.settle();

    for host in [one, two] {
        let diff = host.json(&["diff", DOC, &saved]);
        assert_eq!((&diff["v"], &diff["same"]), (&json!(1), &json!(false)), "{diff}");
        assert_eq!(keys(&diff), [row("limits.new", "", "1"), row("server.port", "8080", "9090")]);
        assert_eq!(keys(&host.json(&["diff", DOC, &saved, &first])), [row("server.port", "8080", "9090")]);
        assert_eq!(keys(&host.json(&["diff", DOC, &second, &first])), [row("limits.new", "1", "")]);
    }
    let text = one.does(&["diff", DOC, &saved, &first]);
    assert!(text.contains("-port = 8080") && text.contains("+port = 9090"), "{text}");
    assert!(text.starts_with(&format!("--- {DOC}\t{saved}\n+++ {DOC}\t{first}\n@@ ")), "{text}");
    let table = one.does(&["diff", DOC, &saved, "--keys"]);
    assert!(table.lines().any(|line| line.starts_with("limits.new") && line.contains("added")), "{table}");
    assert_eq!(one.does(&["diff", DOC, &second]), "", "nothing changed since");
    assert_eq!(one.does(&["diff", DOC]), "", "the file is what the mesh has");

    // `patch` makes one of the other.
    let patch = one.does(&["diff", DOC, &saved, &second]);
    let file = mesh.directory.path().join("patched.toml");
    fs::write(&file, APP_TOML).unwrap();
    if patched(&file, &patch) {
        assert_eq!(fs::read(&file).unwrap(), one.read("app.toml").unwrap());
    }

    assert_eq!(one.fails(&["diff", DOC, "yesterday"]).code, 2);
    assert_eq!(one.fails(&["diff", DOC, &first.replace(":", ":9")]).code, 3);
    assert_eq!(one.fails(&["diff", "config/none.toml", &first]).code, 3);
    assert_eq!(one.fails(&["diff", "elsewhere/app.toml"]).code, 3);
}

/// Applies a patch; false where there is no such program.
fn patched(file: &std::path::Path, patch: &str) -> bool {
    let input = file.with_extension("patch");
    fs::write(&input, patch).unwrap();
    let mut command = std::process::Command::new("patch");
    match command.arg(file).arg(&input).output() {
        Ok(output) => output.status.success() || panic!("{output:?}"),
        Err(error) => {
            eprintln!("skipped: {error}");
            false
        }
    }
}

#[test]
fn a_held_edit_is_compared_with_what_the_mesh_has() {
    let mesh = Mesh::start(2);
    let [one, two] = &mesh.hosts[..] else { panic!() };
    one.save("app.toml", APP_TOML);
    mesh.everywhere("app.toml", APP_TOML);
    one.save("app.toml", APP_TOML.replace("port = 8080", "port = = 8081"));
    eventually(&mesh, "the save is held", || match &one.json(&["folder", "status"])["folders"][0]["held"] {
        held if *held == 1 => Ok(()),
        held => Err(held.to_string()),
    });
    two.put("config/app.toml#limits.burst", "90");
    mesh.settle();
    let diff = one.json(&["diff", DOC]);
    assert_eq!(diff["keys"], Json::Null, "{diff}");
    assert!(diff["problem"].as_str().unwrap().contains("line 7, column 8"), "{diff}");
    let lines = one.does(&["diff", DOC]);
    for line in ["-port = 8080", "+port = = 8081", "-burst = 90", "+burst = 80"] {
        assert!(lines.lines().any(|found| found == line), "{line}: {lines}");
    }
    assert_eq!(two.does(&["diff", DOC]), "", "on the other host nothing is held");

    // What isn't a document's file isn't shown.
    let secret = mesh.directory.path().join("secret");
    fs::write(&secret, "s3cret").unwrap();
    std::os::unix::fs::symlink(&secret, one.path("link.toml")).unwrap();
    assert_eq!(one.fails(&["diff", "config/link.toml"]).code, 3);
    assert_eq!(one.fails(&["diff", "config/.murmurate/folder"]).code, 3);
}

#[test]
fn folder_status_tells_format_conflicts_and_who_changed_a_file_last() {
    let mesh = Mesh::start(2);
    let [one, two] = &mesh.hosts[..] else { panic!() };
    one.save("twice.json", "{\n  \"a\": 1,\n  \"a\": 2\n}\n");
    one.save("app.toml", APP_TOML);
    mesh.everywhere("app.toml", APP_TOML);
    mesh.everywhere("twice.json", "{\n  \"a\": 1,\n  \"a\": 2\n}\n");
    mesh.settle();
    let base = one.json(&["get", DOC])["heads"].as_str().unwrap().to_owned();
    two.put("config/app.toml#server.port", "1");
    mesh.settle();
    let value = murmurate_client::types::PutValue { value: "2".into(), kind: None, expect: None };
    one.client().ask(|mesh| mesh.put_at("config/app.toml#server.port", &base, &value)).unwrap();
    mesh.settle();
    for host in [one, two] {
        let status = host.json(&["folder", "status", "config"]);
        let entries = status["folders"][0]["entries"].as_array().unwrap();
        let [app, twice] = &entries[..] else { panic!("{status}") };
        assert_eq!((&app["format"], &app["format_reason"]), (&json!("toml"), &Json::Null), "{app}");
        assert_eq!((&app["state"], &app["conflicts"], &app["host"]), (&json!("in-step"), &json!(1), &json!("host-1")));
        assert_eq!(
            (&twice["format"], &twice["host"], &twice["author"]),
            (&json!("text"), &json!("host-1"), &json!("host-1"))
        );
        assert!(twice["format_reason"].as_str().unwrap().ends_with("at line 3"), "{twice}");
        let table = host.does(&["folder", "status"]);
        assert!(
            table.lines().any(|line| line.starts_with("config/twice.json") && line.contains("at line 3)  in step"))
        );
    }
}

#[test]
fn many_files_are_listed_page_by_page_and_none_twice() {
    const FILES: usize = 1_100;
    let mesh = Mesh::start(1);
    let one = &mesh.hosts[0];
    for number in 0..FILES {
        one.save(&format!("many/{}/{number}.txt", number % 7), format!("{number}\n"));
    }
    for name in ["another", "empty", "zero"] {
        let other = mesh.directory.path().join(name);
        fs::create_dir(&other).unwrap();
        if name != "empty" {
            fs::write(other.join("a.txt"), "a\n").unwrap();
        }
        one.does(&["folder", "add", name, other.to_str().unwrap()]);
    }
    let all = eventually(&mesh, "all files are listed, in step", || {
        let lines = one.does(&["folder", "status", "-o", "jsonl"]);
        let files: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let in_step = files.iter().filter(|file| file["state"] == "in-step" && file["host"] == "host-1").count();
        if in_step == FILES + 2 { Ok(files) } else { Err(format!("{in_step} of {} are in step", files.len())) }
    });
    let names: Vec<&str> = all.iter().map(|file| file["doc"].as_str().unwrap()).collect();
    assert!(names.is_sorted(), "by name");
    let documents = one.client().ask(|mesh| mesh.documents("")).unwrap().documents;
    assert!(documents.iter().map(|document| &document.doc).eq(names.iter()), "the same files are documents");
    let page = one.client().ask(|mesh| mesh.folder_status_page(None, None)).unwrap();
    assert_eq!(page.folders.iter().map(|folder| folder.entries.len()).sum::<usize>(), 1_000);
    let status = one.json(&["folder", "status"]);
    let counts: Vec<_> = status["folders"].as_array().unwrap().iter().map(|it| (&it["name"], &it["files"])).collect();
    let expected = [("another", 1), ("config", FILES), ("empty", 0), ("zero", 1)];
    let expected = expected.map(|(name, files)| (json!(name), json!(files)));
    assert_eq!(counts, expected.iter().map(|(name, files)| (name, files)).collect::<Vec<_>>());
    assert_eq!(one.does(&["folder", "status", "config", "-o", "raw"]).lines().count(), FILES);
}
