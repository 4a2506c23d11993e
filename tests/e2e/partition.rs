//! Hosts that can't talk to each other for a while.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::harness::{APP_TOML, Mesh, Process, eventually, report};

const PORT: &str = "config/app.toml#server.port";

/// Three hosts with the file on all of them, and a network that can be cut.
fn mesh_with_app(test: &str) -> Option<Mesh> {
    let mesh = Mesh::start_in_namespace(test, 3)?;
    mesh.hosts[0].save("app.toml", APP_TOML);
    mesh.everywhere("app.toml", APP_TOML);
    mesh.settle();
    Some(mesh)
}

fn with_port(port: &str) -> String {
    APP_TOML.replace("8080", port)
}

/// Waits until the three hosts list the same conflicts, this many, and gives the list.
#[track_caller]
fn conflicts(mesh: &Mesh, count: usize) -> Vec<Json> {
    eventually(mesh, &format!("{count} conflicts, the same everywhere"), || {
        let lists: Vec<Json> = mesh.hosts.iter().map(|host| host.json(&["conflicts"])).collect();
        let list = lists[0]["conflicts"].as_array().unwrap();
        let same = list.len() == count && lists.iter().all(|other| *other == lists[0]);
        if same { Ok(list.clone()) } else { Err(format!("{lists:?}")) }
    })
}

/// Checks the one conflict of the port, and gives its values, the winner first.
fn check_conflict(mesh: &Mesh, expected: [(u64, &str); 2]) -> Vec<Json> {
    let conflict = conflicts(mesh, 1).remove(0);
    assert_eq!((&conflict["doc"], &conflict["key"]), (&json!("config/app.toml"), &json!("server.port")));
    let values = conflict["values"].as_array().unwrap().clone();
    let mut found: Vec<(u64, &str)> =
        values.iter().map(|value| (value["value"].as_u64().unwrap(), value["host"].as_str().unwrap())).collect();
    found.sort_unstable();
    assert_eq!(found, expected, "{conflict}");
    assert_eq!(conflict["winner"], values[0]["value"], "{conflict}");
    for value in &values {
        assert!(value["time"].as_str().unwrap().ends_with('Z'), "{value}");
        assert!(!value["version"].as_str().unwrap().is_empty(), "{value}");
    }
    mesh.everywhere("app.toml", with_port(&values[0]["value"].to_string()));
    values
}

/// Edits the port on both sides of a cut, and checks the conflict after it.
fn fall_out(mesh: &Mesh, left: u64, right: u64, edit: impl Fn(usize, u64)) -> Vec<Json> {
    mesh.cut_off(&[0]);
    edit(0, left);
    edit(1, right);
    for (host, port) in [(0, left), (1, right), (2, right)] {
        let content = with_port(&port.to_string());
        eventually(mesh, "each side has its own edit", || mesh.hosts[host].has("app.toml", &content));
    }
    mesh.heal();
    check_conflict(mesh, [(left, "host-1"), (right, "host-2")])
}

#[test]
fn one_key_edited_on_both_sides_of_a_cut_is_a_conflict_until_somebody_decides() {
    let test = "one_key_edited_on_both_sides_of_a_cut_is_a_conflict_until_somebody_decides";
    let Some(mesh) = mesh_with_app(test) else { return };
    let events = mesh.directory.path().join("events");
    let watch = mesh.hosts[2].command(&["watch", PORT, "-o", "jsonl"]);
    let _watch = Process::spawn(watch, &events, &mesh.directory.path().join("watch.err"));
    let put = |host: usize, port: u64| mesh.hosts[host].put(PORT, &port.to_string());
    let save = |host: usize, port: u64| mesh.hosts[host].save("app.toml", with_port(&port.to_string()));

    let values = fall_out(&mesh, 1001, 1002, save);
    mesh.hosts[2].does(&["resolve", PORT, "--take", "2"]);
    assert_eq!(conflicts(&mesh, 0), [] as [Json; 0]);
    mesh.everywhere("app.toml", with_port(&values[1]["value"].to_string()));

    fall_out(&mesh, 2001, 2002, put);
    mesh.hosts[0].put(PORT, "2003");
    conflicts(&mesh, 0);
    mesh.everywhere("app.toml", with_port("2003"));

    fall_out(&mesh, 3001, 3002, put);
    mesh.hosts[1].save_by_rename("app.toml", with_port("3003"));
    conflicts(&mesh, 0);
    mesh.everywhere("app.toml", with_port("3003"));

    eventually(&mesh, "the watch tells of each conflict and of its end", || {
        let text = std::fs::read_to_string(&events).unwrap_or_default();
        let kinds = |kind: &str| text.matches(&format!("\"kind\":\"{kind}\"")).count();
        if kinds("conflict") == 3 && kinds("resolved") == 3 { Ok(()) } else { Err(text) }
    });
}

#[test]
fn both_sides_of_a_cut_go_on_and_agree_after_it() {
    let Some(mesh) = mesh_with_app("both_sides_of_a_cut_go_on_and_agree_after_it") else { return };
    mesh.cut_off(&[0]);
    let mut slowest = Duration::ZERO;
    for number in 0..10 {
        for side in ["one", "two"] {
            let host = usize::from(side == "two");
            let start = Instant::now();
            mesh.hosts[host].put(&format!("config/{side}.toml#key_{number}"), &number.to_string());
            slowest = slowest.max(start.elapsed());
        }
    }
    mesh.hosts[0].save("app.toml", APP_TOML.replace("200", "300"));
    mesh.hosts[2].save("app.toml", with_port("9090"));
    report(&format!("slowest put while cut off, with the start of a process: {slowest:?}"));
    eventually(&mesh, "the others miss host-1", || member_state(&mesh, 1, "host-1", |state| state != "alive"));
    eventually(&mesh, "a side agrees within itself", || mesh.hosts[1].has("app.toml", with_port("9090")));
    assert!(mesh.hosts[0].read("two.toml").is_none());
    assert!(mesh.hosts[2].read("one.toml").is_none());
    assert!(mesh.hosts[0].text("one.toml").contains("key_9"));

    let start = Instant::now();
    mesh.heal();
    mesh.everywhere("app.toml", with_port("9090").replace("200", "300"));
    for side in ["one", "two"] {
        mesh.same_everywhere(&format!("{side}.toml"), |text| text.contains("key_0") && text.contains("key_9"));
    }
    report(&format!("identical files after a cut healed: {:?}", start.elapsed()));
    mesh.settle();
    conflicts(&mesh, 0);
}

fn member_state(mesh: &Mesh, of: usize, name: &str, good: impl Fn(&str) -> bool) -> Result<(), String> {
    let members = mesh.hosts[of].json(&["members"]);
    let member = members["members"].as_array().unwrap().iter().find(|member| member["name"] == name).unwrap();
    let state = member["state"].as_str().unwrap();
    if good(state) { Ok(()) } else { Err(state.to_owned()) }
}

/// What stands open under an address that a list of conflicts shows is decided under that address.
#[test]
fn each_conflict_is_decided_under_the_address_that_it_is_listed_by() {
    let test = "each_conflict_is_decided_under_the_address_that_it_is_listed_by";
    let Some(mesh) = Mesh::start_in_namespace(test, 3) else { return };
    // A list against a table, a comment that belongs to no key, a deletion against an edit.
    let files = [("shape.json", "{\"a\": 1}\n"), ("comment.toml", "# one\n\na = 1\n"), ("gone.toml", "a = 1\n")];
    let left = [("shape.json", "{\"a\": [7, 8]}\n"), ("comment.toml", "# two\n\na = 1\n"), ("gone.toml", "a = 2\n")];
    let right = [("shape.json", "{\"a\": {\"x\": 1}}\n"), ("comment.toml", "# three\n\na = 1\n")];
    for (path, content) in files {
        mesh.hosts[0].save(path, content);
        mesh.everywhere(path, content);
    }
    mesh.settle();
    mesh.cut_off(&[0]);
    left.iter().for_each(|(path, content)| mesh.hosts[0].save(path, content));
    right.iter().for_each(|(path, content)| mesh.hosts[1].save(path, content));
    std::fs::remove_file(mesh.hosts[1].path("gone.toml")).unwrap();
    eventually(&mesh, "both sides took their edits in", || {
        let has = |path: &str, content: &str| mesh.hosts[2].has(path, content);
        let edited = right.iter().try_for_each(|(path, content)| has(path, content));
        edited.and_then(|()| mesh.hosts[2].read("gone.toml").map_or(Ok(()), |_| Err("it is still there".into())))
    });
    mesh.heal();
    let mut parts: Vec<Json> = Vec::new();
    let list = || mesh.hosts[2].json(&["conflicts"])["conflicts"].as_array().unwrap().clone();
    eventually(&mesh, "all three files have a conflict", || {
        let docs: BTreeSet<String> = list().iter().map(|conflict| conflict["doc"].to_string()).collect();
        if docs.len() == 3 { Ok(()) } else { Err(format!("{docs:?}")) }
    });
    while let Some(conflict) = list().first() {
        let (doc, key) = (conflict["doc"].as_str().unwrap(), conflict["key"].as_str().unwrap());
        let address = if key.is_empty() { doc.to_owned() } else { format!("{doc}#{key}") };
        mesh.hosts[2].does(&["resolve", &address, "--take", "2"]);
        parts.push(conflict["part"].clone());
    }
    conflicts(&mesh, 0);
    for part in ["value", "comment", "file"] {
        assert!(parts.contains(&json!(part)), "no conflict of a {part}: {parts:?}");
    }
    eventually(&mesh, "the deletion was chosen", || {
        mesh.hosts[0].read("gone.toml").map_or(Ok(()), |_| Err("it is still there".to_owned()))
    });
}
