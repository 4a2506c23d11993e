//! A daemon that stands still for a while.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::{Host, Mesh, eventually, signal};
use crate::table::{Extent, Row, Test};

pub(crate) const ROW: Row = Row {
    fault: "SIGSTOP for 60 s",
    promise: "peers show it suspect, then dead; it catches up on resume; a lock it held is lost and its fenced write refused",
    extent: Extent::Partly("there are no locks yet; all else holds"),
    tests: &[
        Test("tests/lab/stopped.rs", "a_daemon_that_was_stopped_is_suspect_then_dead_and_catches_up"),
        Test("tests/e2e/soak.rs", "after_a_soak_all_agree_and_the_last_values_are_there"),
    ],
};

fn state(of: &Host, name: &str) -> String {
    let members = of.json(&["members"]);
    let member = members["members"].as_array().unwrap().iter().find(|member| member["name"] == name);
    member.unwrap()["state"].as_str().unwrap().to_owned()
}

/// What a host saw of another one, the latest last.
fn history(of: &Host, name: &str) -> Vec<String> {
    let node = of.json(&["node", name]);
    node["history"].as_array().unwrap().iter().map(|change| change["to"].as_str().unwrap().to_owned()).collect()
}

/// How long it stands still: until all have taken it for dead, and in the long form for a minute at least.
fn least_time() -> Duration {
    let is_long = std::env::var("MURMURATE_LAB").is_ok_and(|size| size == "long");
    if is_long { Duration::from_secs(60) } else { Duration::ZERO }
}

#[test]
fn a_daemon_that_was_stopped_is_suspect_then_dead_and_catches_up() {
    let mesh = Mesh::start_apart(3);
    let [one, two, three] = &mesh.hosts[..] else { panic!() };
    three.put("config/a.toml#key", "0");
    mesh.settle();
    let start = Instant::now();
    signal(three.pid, Signal::STOP);
    for word in ["suspect", "dead"] {
        for host in [one, two] {
            eventually(&mesh, &format!("{} shows host-3 as {word}", host.name), || match state(host, "host-3") {
                // A slow look may come when it is dead already.
                state if state == word || state == "dead" => Ok(()),
                state => Err(state),
            });
        }
        one.put("config/a.toml#key", if word == "dead" { "2" } else { "1" });
        two.put(&format!("config/b.toml#{word}"), "1");
    }
    let mut puts = 0;
    while start.elapsed() < least_time() {
        puts += 1;
        one.put("config/c.toml#key", &puts.to_string());
    }
    one.put("config/c.toml#key", "-1");
    signal(three.pid, Signal::CONT);
    mesh.settle();
    mesh.everywhere("a.toml", "key = 2\n");
    mesh.everywhere("c.toml", "key = -1\n");
    mesh.same_everywhere("b.toml", |text| text.contains("suspect = 1") && text.contains("dead = 1"));
    for host in [one, two] {
        let seen = history(host, "host-3");
        assert!(seen.ends_with(&["alive", "suspect", "dead", "alive"].map(str::to_owned)), "{}: {seen:?}", host.name);
    }
    for other in ["host-1", "host-2"] {
        let seen = history(three, other);
        assert!(!seen.contains(&"dead".to_owned()), "who stood still blames nobody: {other}: {seen:?}");
    }
    three.put("config/a.toml#key", "3");
    mesh.everywhere("a.toml", "key = 3\n");
}
