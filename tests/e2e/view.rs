//! What people see of the mesh: histories, changes as they come, events, pings.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::{Value as Json, json};

use crate::harness::{APP_TOML, Host, Mesh, Process, eventually, free_address};

/// A command that goes on, and what it has printed.
struct Following {
    process: Process,
    path: PathBuf,
}

impl Following {
    fn start(mesh: &Mesh, host: &Host, name: &str, arguments: &[&str]) -> Self {
        let path = mesh.directory.path().join(name);
        let errors = mesh.directory.path().join(format!("{name}.err"));
        Self { process: Process::spawn(host.command(arguments), &path, &errors), path }
    }

    fn lines(&self) -> Vec<Json> {
        let text = read(&self.path);
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        whole.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    /// Waits for a line.
    #[track_caller]
    fn says(&self, mesh: &Mesh, what: &str, is_it: impl Fn(&Json) -> bool) {
        eventually(mesh, what, || match self.lines().iter().any(&is_it) {
            true => Ok(()),
            false => Err(read(&self.path)),
        });
    }

    /// As with Ctrl-C.
    fn interrupt(mut self) -> Option<i32> {
        self.process.end(Signal::INT).unwrap().code()
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn is_change(line: &Json, kind: &str, host: &str, to: &str) -> bool {
    line["kind"] == kind && line["host"] == host && line["to"] == to
}

#[test]
fn changes_of_members_are_told_as_they_come_over_a_restart_of_the_daemon() {
    let mut mesh = Mesh::start_apart(3);
    let watch = Following::start(&mesh, &mesh.hosts[0], "watch", &["members", "--watch", "-o", "jsonl"]);
    for host in ["host-1", "host-2", "host-3"] {
        watch.says(&mesh, &format!("{host} is there"), |line| is_change(line, "init", host, "alive"));
    }
    mesh.hosts[2].kill();
    for state in ["suspect", "dead"] {
        watch.says(&mesh, &format!("host-3 is {state}"), |line| is_change(line, "member", "host-3", state));
    }
    let node = mesh.hosts[0].json(&["node", "host-3"]);
    let states: Vec<&str> =
        node["history"].as_array().unwrap().iter().map(|change| change["to"].as_str().unwrap()).collect();
    assert!(states.ends_with(&["alive", "suspect", "dead"]), "{node}");
    let last = &node["history"][states.len() - 1];
    assert!(last["from"] == "suspect" && last["by"].is_string() && last["time"].is_string(), "{node}");
    assert!(mesh.hosts[0].does(&["node", "host-3"]).contains("suspect -> dead"));

    mesh.hosts[0].stop();
    mesh.hosts[0].start();
    watch.says(&mesh, "that there may be a gap", |line| line["kind"] == "reset");
    mesh.hosts[2].start();
    watch.says(&mesh, "host-3 came back", |line| {
        is_change(line, "member", "host-3", "alive")
            || is_change(line, "init", "host-3", "alive") && line["from"] == "dead"
    });
    assert_eq!(watch.interrupt(), Some(0), "Ctrl-C is no failure");
    mesh.settle();
    let table = mesh.hosts[0].does(&["node", "host-3"]);
    assert!(table.contains("history"), "{table}");
}

#[test]
fn events_tell_of_members_files_conflicts_and_restarts() {
    let mut mesh = Mesh::start_apart(2);
    let follow = Following::start(&mesh, &mesh.hosts[0], "events", &["events", "--follow", "-o", "jsonl"]);
    follow.says(&mesh, "the daemon's start", |line| line["kind"] == "started" && line["host"] == "host-1");
    follow.says(&mesh, "the other host", |line| is_change(line, "member", "host-2", "alive"));
    let one = &mesh.hosts[0];
    one.save("app.toml", APP_TOML);
    mesh.everywhere("app.toml", APP_TOML);
    let of_app = |line: &Json, kind: &str| line["kind"] == kind && line["doc"] == "config/app.toml";
    one.save("app.toml", APP_TOML.replace("port = 8080", "port = = 8080"));
    follow.says(&mesh, "the held file", |line| of_app(line, "held"));
    one.save("app.toml", APP_TOML);
    follow.says(&mesh, "that it is held no more", |line| of_app(line, "released"));

    let client = one.client();
    let seen = client.ask(|mesh| mesh.get("config/app.toml#server.port")).unwrap().heads;
    for value in ["1", "2"] {
        let put = murmurate_client::types::PutValue { value: value.to_owned(), kind: None, expect: None };
        client.ask(|mesh| mesh.put_at("config/app.toml#server.port", &seen, &put)).unwrap();
    }
    follow.says(&mesh, "the conflict", |line| {
        of_app(line, "conflict") && line["text"].as_str().unwrap().contains("server.port")
    });
    mesh.hosts[1].does(&["resolve", "config/app.toml#server.port", "--take", "1"]);
    follow.says(&mesh, "its end", |line| of_app(line, "resolved"));

    let kept = mesh.hosts[0].json_lines(&["events", "--type", "held,released", "--since", "1h"]);
    let kinds: Vec<&str> = kept.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["held", "released"]);
    mesh.hosts[0].stop();
    mesh.hosts[0].start();
    follow.says(&mesh, "the gap", |line| line["kind"] == "reset");
    eventually(&mesh, "it tells of both starts", || {
        let starts = follow.lines().iter().filter(|line| line["kind"] == "started").count();
        if starts == 2 { Ok(()) } else { Err(format!("{starts} starts")) }
    });
    assert_eq!(mesh.hosts[0].fails(&["events", "--type", "nothing"]).code, 2);
}

#[test]
fn a_ping_says_how_far_away_a_host_is_or_that_it_is_not_there() {
    let mut mesh = Mesh::start_apart(3);
    let lines = mesh.hosts[0].json_lines(&["ping", "host-2", "--count", "3", "--interval", "10ms"]);
    assert_eq!(lines.len(), 3);
    for line in &lines {
        assert!(line["outcome"] == "answered" && line["round_trip_us"].as_u64() > Some(0), "{line}");
        assert!(line["path_round_trip_us"].is_u64(), "{line}");
    }
    assert!(mesh.hosts[0].does(&["ping", "host-2", "--count", "2", "--interval", "1ms"]).contains("2 of 2 answered"));
    assert!(mesh.hosts[0].does(&["ping", "host-1"]).contains("answered"), "also of itself");
    assert_eq!(mesh.hosts[0].fails(&["ping", "nobody"]).code, 3);

    mesh.hosts[2].kill();
    let one = &mesh.hosts[0];
    eventually(&mesh, "host-3 isn't linked any more", || {
        let failure = one.fails(&["ping", "host-3", "--timeout", "200ms"]);
        assert_eq!(failure.code, 7, "{failure:?}");
        let output = one.run(&["ping", "host-3", "--timeout", "200ms", "-o", "jsonl"]);
        let line: Json = serde_json::from_slice(&output.stdout).unwrap();
        let is_so = line["outcome"] == "unreached" && line["asked"] == json!(["host-2"]) && line["state"] == "dead";
        if is_so { Ok(()) } else { Err(line.to_string()) }
    });
}

#[test]
fn a_host_that_leaves_is_shown_as_left_and_never_as_dead() {
    let mut mesh = Mesh::start_apart(3);
    let left = mesh.hosts[2].json(&["leave", "--yes"]);
    assert_eq!(left["told"], 2, "{left}");
    mesh.hosts[2].ends_by_itself();
    for host in &mesh.hosts[..2] {
        let node =
            eventually(&mesh, &format!("{} shows it as left", host.name), || match host.json(&["node", "host-3"]) {
                node if node["state"] == "left" => Ok(node),
                node => Err(node.to_string()),
            });
        let states: Vec<&str> =
            node["history"].as_array().unwrap().iter().map(|change| change["to"].as_str().unwrap()).collect();
        assert!(!states.contains(&"dead") && !states.contains(&"suspect"), "{node}");
        let events = host.json_lines(&["events", "--type", "member"]);
        let told: Vec<&Json> = events.iter().filter(|event| event["host"] == "host-3").collect();
        assert!(told.iter().all(|event| event["to"] != "dead" && event["to"] != "suspect"), "{told:?}");
        assert_eq!(told.last().unwrap()["to"], "left", "{told:?}");
    }
}

#[test]
fn a_host_that_was_dead_and_comes_back_elsewhere_is_taken_in() {
    let mut mesh = Mesh::start_apart(3);
    mesh.hosts[2].kill();
    for host in &mesh.hosts[..2] {
        eventually(&mesh, &format!("{} shows host-3 as dead", host.name), || {
            let node = host.json(&["node", "host-3"]);
            if node["state"] == "dead" { Ok(()) } else { Err(node.to_string()) }
        });
    }
    mesh.hosts[0].put("config/app.toml#key", "1");
    let address = free_address();
    mesh.hosts[2].move_to(address);
    mesh.hosts[2].start();
    mesh.settle();
    mesh.everywhere("app.toml", "key = 1\n");
    for host in &mesh.hosts[..2] {
        eventually(&mesh, &format!("{} knows where it is now", host.name), || {
            let node = host.json(&["node", "host-3"]);
            if node["addresses"] == json!([address.to_string()]) { Ok(()) } else { Err(node.to_string()) }
        });
    }
    // The others find it there, too, when they are the ones who come back.
    for number in [0, 1] {
        mesh.hosts[number].stop();
        mesh.hosts[number].start();
    }
    mesh.settle();
}

#[test]
fn who_is_dead_for_long_is_forgotten_and_taken_in_when_it_returns() {
    let mut mesh = Mesh::start_apart(3);
    let count = |host: &Host| host.json(&["members"])["members"].as_array().unwrap().len();
    mesh.hosts[0].stop();
    mesh.hosts[0].environment = vec![("MURMURATE_FORGET_AFTER".to_owned(), "1s".to_owned())];
    mesh.hosts[0].start();
    mesh.settle();
    assert_eq!(count(&mesh.hosts[0]), 3);
    mesh.hosts[2].kill();
    eventually(&mesh, "it is forgotten", || match count(&mesh.hosts[0]) {
        2 => Ok(()),
        count => Err(format!("{count} members")),
    });
    assert_eq!(count(&mesh.hosts[1]), 3, "within the usual time it isn't");
    assert_eq!(mesh.hosts[0].json(&["status"])["members"]["total"], 2);
    assert_eq!(mesh.hosts[0].json(&["node", "host-3"])["state"], "dead");
    mesh.hosts[0].does(&["wait", "--converged"]);
    mesh.hosts[0].put("config/app.toml#key", "1");
    mesh.hosts[2].start();
    mesh.settle();
    mesh.everywhere("app.toml", "key = 1\n");
    assert_eq!(count(&mesh.hosts[0]), 3);
}
