//! Looking after a host: `doctor`, `debug log`, `debug bundle`, manual pages and completions.

use std::fs;

use serde_json::Value as Json;

use crate::harness::{Host, Mesh, eventually, murmurate, run};

/// Each check's state, and the exit code.
fn doctor(host: &Host) -> (Json, i32) {
    let output = host.run(&["doctor", "-o", "json", "--settings", host.settings().to_str().unwrap()]);
    let document: Json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(document["v"], 1);
    (document["checks"].clone(), output.status.code().unwrap())
}

fn state<'a>(checks: &'a Json, name: &str) -> &'a str {
    let check = checks.as_array().unwrap().iter().find(|check| check["name"] == name);
    check.and_then(|check| check["state"].as_str()).unwrap_or_else(|| panic!("no {name} in {checks}"))
}

#[test]
fn doctor_finds_what_is_wrong_and_what_is_not() {
    let mut mesh = Mesh::start_apart(2);
    let (checks, _) = doctor(&mesh.hosts[0]);
    for name in ["daemon", "settings", "keys", "clock", "mtu", "peers", "refused", "store", "held", "conflicts"] {
        assert_eq!(state(&checks, name), "ok", "{checks}");
    }
    // Measured, whatever this machine is like.
    for name in ["udp", "disk", "fsync", "inotify"] {
        assert_ne!(state(&checks, name), "skipped", "{checks}");
    }

    mesh.hosts[0].save("broken.toml", "port = \n");
    eventually(&mesh, "the broken edit is held", || {
        let (checks, _) = doctor(&mesh.hosts[0]);
        if state(&checks, "held") == "warn" { Ok(()) } else { Err(checks.to_string()) }
    });
    fs::remove_file(mesh.hosts[0].path("broken.toml")).unwrap();
    mesh.hosts[1].kill();
    eventually(&mesh, "the other host is missed", || {
        let (checks, _) = doctor(&mesh.hosts[0]);
        if state(&checks, "peers") == "warn" { Ok(()) } else { Err(checks.to_string()) }
    });

    let (checks, exit) = doctor(&mesh.hosts[1]);
    assert_eq!((state(&checks, "daemon"), exit), ("bad", 1), "{checks}");
    for name in ["settings", "keys", "clock", "udp"] {
        assert_eq!(state(&checks, name), "ok", "its own files are looked at: {checks}");
    }
    assert_ne!(state(&checks, "fsync"), "skipped", "{checks}");
    assert_eq!(state(&checks, "peers"), "skipped", "{checks}");
}

#[test]
fn a_filter_counts_from_now_on() {
    let mesh = Mesh::start_apart(1);
    let host = &mesh.hosts[0];
    assert_eq!(host.does(&["debug", "log"]), "info\n");
    assert!(!host.logged().contains(" DEBUG "));
    assert_eq!(host.json(&["debug", "log", "trace"])["setting"], "info");
    host.put("config/a.toml#b", "1");
    eventually(&mesh, "what is for debugging is logged", || {
        if host.logged().contains("TRACE") { Ok(()) } else { Err(host.logged()) }
    });
    let failure = host.fails(&["debug", "log", "inof"]);
    assert_eq!(failure.code, 2, "{failure:?}");
    assert!(failure.lines[0].contains("E_BAD_SETTING"), "{failure:?}");
    assert_eq!(host.does(&["debug", "log"]), "trace\n");
}

#[test]
fn a_bundle_holds_no_value_no_key_and_no_address() {
    let mesh = Mesh::start_apart(2);
    let host = &mesh.hosts[0];
    host.does(&["debug", "log", "trace"]);
    let secret = "s3cret-of-a-document";
    host.put("config/app.toml#password", secret);
    mesh.settle();
    host.save("broken.toml", format!("password = {secret}\n"));
    eventually(&mesh, "the broken edit is held", || match &host.json(&["status"])["held"] {
        held if held.as_array().is_some_and(|held| held.len() == 1) => Ok(()),
        held => Err(held.to_string()),
    });
    let bundle = |name: &str, more: &[&str]| {
        let path = mesh.directory.path().join(name);
        host.does(
            &[&["debug", "bundle", path.to_str().unwrap(), "--settings", host.settings().to_str().unwrap()], more]
                .concat(),
        );
        fs::read_to_string(path).unwrap()
    };
    let text = bundle("bundle.json", &[]);
    let document: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(document["status"]["node"], "host-1");
    assert!(document["log"]["lines"].as_array().is_some_and(|lines| !lines.is_empty()));
    assert!(!text.contains(secret), "{text}");
    assert!(!text.contains("127.0.0.1"), "{text}");
    let keys = fs::read_dir(host.data().join("identity")).unwrap().map(|entry| entry.unwrap().path());
    let keys: Vec<_> = keys.filter(|path| path.extension().is_some_and(|extension| extension == "key")).collect();
    assert!(!keys.is_empty());
    for key in keys {
        let key = fs::read_to_string(key).unwrap();
        for line in key.lines().filter(|line| !line.starts_with("-----")) {
            assert!(!text.contains(line), "{text}");
        }
    }
    assert!(bundle("with.json", &["--with-addresses"]).contains("127.0.0.1"));
    let again = host.fails(&["debug", "bundle", mesh.directory.path().join("bundle.json").to_str().unwrap()]);
    assert_eq!(again.code, 4, "{again:?}");
}

#[test]
fn pages_and_completions_need_no_daemon() {
    let directory = crate::harness::Directory::new();
    let mut man = murmurate();
    man.args(["man", "--dir"]).arg(directory.path().join("man1"));
    assert!(run(man).status.success());
    assert!(directory.path().join("man1/murmurate-debug-bundle.1").exists());
    let mut page = murmurate();
    page.args(["man", "folder", "add"]);
    assert!(String::from_utf8(run(page).stdout).unwrap().contains(".SH \"EXIT STATUS\""));
    let mut completions = murmurate();
    completions.args(["completions", "bash"]);
    assert!(String::from_utf8(run(completions).stdout).unwrap().contains("_murmurate"));
}
