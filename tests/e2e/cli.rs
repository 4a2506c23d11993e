//! The command line: what it prints, how it fails, with which code it ends.

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::harness::{APP_TOML, Directory, Failure, Mesh, Process, eventually, murmurate, run};

/// An error has three lines: what failed on what with its code, why, what to try.
#[track_caller]
fn check(failure: &Failure, exit: i32, code: &str) {
    assert_eq!(failure.code, exit, "{failure:?}");
    assert_eq!(failure.lines.len(), 3, "{failure:?}");
    assert!(failure.lines[0].contains(code), "{failure:?}");
}

#[test]
fn every_kind_of_failure_has_its_code_and_three_lines() {
    let mut mesh = Mesh::start_apart(2);
    mesh.hosts[0].save("app.toml", APP_TOML);
    mesh.everywhere("app.toml", APP_TOML);
    let one = &mesh.hosts[0];
    check(&one.fails(&["get", "config/app.toml#server.nothing"]), 3, "E_NOT_FOUND");
    check(&one.fails(&["get", "config/none.toml"]), 3, "E_NOT_FOUND");
    check(&one.fails(&["folder", "rm", "none"]), 3, "E_NOT_FOUND");
    check(&one.fails(&["resolve", "config/app.toml#title", "--take", "1"]), 3, "E_NOT_FOUND");
    check(&one.fails(&["get", "config/app.toml#server..port"]), 2, "E_BAD_ADDRESS");
    check(&one.fails(&["put", "config/app.toml#server.port", "many", "--type", "integer"]), 1, "E_BAD_VALUE");
    check(&one.fails(&["folder", "add", "config", "/tmp"]), 4, "E_EXISTS");
    assert_eq!(one.fails(&["put", "config/app.toml#server.port"]).code, 2);
    assert_eq!(one.fails(&["prut"]).code, 2);
    mesh.hosts[1].kill();
    eventually(&mesh, "host-1 misses host-2", || match &mesh.hosts[0].json(&["status"])["members"]["alive"] {
        alive if *alive == 1 => Ok(()),
        alive => Err(format!("{alive} alive")),
    });
    check(&mesh.hosts[0].fails(&["wait", "--converged", "--timeout", "1s"]), 7, "E_NOT_CONVERGED");
    check(&mesh.hosts[1].fails(&["status"]), 5, "E_UNREACHABLE");
}

#[test]
fn values_are_put_listed_and_deleted_with_their_types() {
    let mesh = Mesh::start(2);
    let [one, two] = &mesh.hosts[..] else { panic!() };
    let values = [
        ("text", "a \"b\"", json!("a \"b\""), "string"),
        ("number", "42", json!(42), "integer"),
        ("ratio", "0.5", json!(0.5), "float"),
        ("on", "true", json!(true), "boolean"),
        ("when", "2026-01-02T03:04:05Z", json!("2026-01-02T03:04:05Z"), "datetime"),
        ("list", "[1, 2]", json!([1, 2]), "list"),
    ];
    for (key, text, value, kind) in &values {
        let address = format!("config/t.toml#{key}");
        one.put(&address, text);
        let entry = one.json(&["get", &address]);
        assert_eq!((&entry["v"], &entry["value"], &entry["type"]), (&json!(1), value, &json!(kind)), "{entry}");
    }
    one.does(&["put", "config/t.toml#number_text", "42", "--type", "string"]);
    assert_eq!(one.json(&["get", "config/t.toml#number_text"])["value"], json!("42"));
    assert_eq!(one.does(&["get", "config/t.toml#text"]), "a \"b\"\n", "the bare value, ready for a shell");

    // Keeps the type that is there.
    one.put("config/t.toml#number_text", "43");
    assert_eq!(one.json(&["get", "config/t.toml#number_text"])["value"], json!("43"));

    mesh.settle();
    let listed = two.json(&["ls", "config/t.toml"]);
    let keys: Vec<&str> =
        listed["entries"].as_array().unwrap().iter().map(|key| key["key"].as_str().unwrap()).collect();
    assert_eq!(keys.len(), values.len() + 1, "{listed}");
    two.does(&["del", "config/t.toml#list"]);
    check(&two.fails(&["get", "config/t.toml#list"]), 3, "E_NOT_FOUND");
    mesh.same_everywhere("t.toml", |text| !text.contains("list") && text.contains("ratio = 0.5"));
    two.does(&["del", "config/t.toml"]);
    mesh.nowhere("t.toml");

    let members = one.json(&["members"]);
    assert_eq!(members["v"], 1);
    for (member, name) in members["members"].as_array().unwrap().iter().zip(["host-1", "host-2"]) {
        assert_eq!((&member["name"], &member["state"]), (&json!(name), &json!("alive")));
        assert!(member["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{member}");
    }
    assert_eq!(one.json(&["conflicts"]), json!({"v": 1, "conflicts": []}));
}

/// The events in a watch's output that are complete.
fn events(path: &Path) -> Vec<Json> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let complete = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    complete.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// What happened to which key, with the value's text.
fn happened(events: &[Json]) -> Vec<(String, String, String)> {
    let text = |event: &Json, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    events.iter().map(|event| (text(event, "kind"), text(event, "key"), text(event, "text"))).collect()
}

#[test]
fn a_watch_tells_of_each_change_and_goes_on_where_it_was() {
    let mesh = Mesh::start(2);
    let [one, two] = &mesh.hosts[..] else { panic!() };
    two.put("config/w.toml#before", "0");
    mesh.settle();
    let errors = mesh.directory.path().join("watch.err");
    let watch = |name: &str, more: &[&str]| {
        let out = mesh.directory.path().join(name);
        let arguments = [&["watch", "config/w.toml", "-o", "jsonl"], more].concat();
        (Process::spawn(one.command(&arguments), &out, &errors), out)
    };
    let expect = |path: &Path, expected: &[(&str, &str, &str)]| {
        let owned = |(kind, key, text): &(&str, &str, &str)| (kind.to_string(), key.to_string(), text.to_string());
        let expected: Vec<_> = expected.iter().map(owned).collect();
        eventually(&mesh, &format!("{expected:?}"), || {
            let found = events(path);
            if happened(&found) == expected { Ok(found) } else { Err(format!("{found:?}")) }
        })
    };
    // Knows that it began by the first event.
    let (first, out) = watch("first", &["--init"]);
    expect(&out, &[("init", "before", "0")]);
    two.put("config/w.toml#a", "1");
    two.put("config/other.toml#a", "1");
    expect(&out, &[("init", "before", "0"), ("put", "a", "1")]);
    one.does(&["del", "config/w.toml#a"]);
    let seen = expect(&out, &[("init", "before", "0"), ("put", "a", "1"), ("delete", "a", "")]);
    let put = &seen[1];
    assert_eq!((&put["host"], &put["doc"]), (&json!("host-2"), &json!("config/w.toml")), "{put}");
    mesh.settle();
    two.put("config/w.toml#c", "2");
    let start = [("init", "before", "0"), ("put", "a", "1"), ("delete", "a", ""), ("put", "c", "2")];
    let seen = expect(&out, &start);
    drop(first);

    // A token may lie a little before its event, never behind it: what wasn't on the disk yet comes again.
    two.put("config/w.toml#d", "3");
    mesh.settle();
    let token = seen.last().unwrap()["resume"].as_str().unwrap();
    let (_second, out) = watch("second", &["--resume", token]);
    let resumed = |expected: &[&str]| {
        eventually(&mesh, &format!("the resumed watch tells of {expected:?}"), || {
            let found = happened(&events(&out));
            assert!(found.iter().all(|(kind, ..)| kind == "put"), "{found:?}");
            let keys: Vec<&str> = found.iter().map(|(_, key, _)| key.as_str()).skip_while(|key| *key == "c").collect();
            if keys == expected { Ok(()) } else { Err(format!("{found:?}")) }
        });
    };
    resumed(&["d"]);
    one.put("config/w.toml#e", "4");
    resumed(&["d", "e"]);
}

#[test]
fn a_setting_that_does_not_exist_is_refused_with_its_line() {
    let directory = Directory::new();
    let settings = directory.path().join("daemon.toml");
    fs::write(&settings, "name = \"a\"\n\nlisten_on = \"127.0.0.1:0\"\n").unwrap();
    let mut command = murmurate();
    command.arg("up").arg("--settings").arg(&settings);
    let output = run(command);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("line 3") && errors.contains("listen_on"), "{errors}");
}

#[test]
fn version_and_paths_need_no_daemon() {
    let mut version = murmurate();
    version.arg("version");
    let output = run(version);
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains(env!("CARGO_PKG_VERSION")));
    let mut paths = murmurate();
    paths.args(["paths", "-o", "json", "--socket", "/nowhere.sock"]);
    let output = run(paths);
    let paths: Json = serde_json::from_slice(&output.stdout).unwrap();
    let socket = paths["paths"].as_array().unwrap().iter().find(|path| path["path"] == "/nowhere.sock").unwrap();
    assert!(socket["source"].as_str().unwrap().contains("--socket"), "{socket}");
}
