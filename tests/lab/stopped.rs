//! A daemon that stands still for a while.

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

#[test]
fn a_daemon_that_was_stopped_is_suspect_then_dead_and_catches_up() {
    let mesh = Mesh::start_apart(3);
    let [one, two, three] = &mesh.hosts[..] else { panic!() };
    three.put("config/a.toml#key", "0");
    mesh.settle();
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
    signal(three.pid, Signal::CONT);
    mesh.settle();
    mesh.everywhere("a.toml", "key = 2\n");
    mesh.same_everywhere("b.toml", |text| text.contains("suspect = 1") && text.contains("dead = 1"));
    three.put("config/a.toml#key", "3");
    mesh.everywhere("a.toml", "key = 3\n");
}
