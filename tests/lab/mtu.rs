//! Paths that lose large datagrams and say nothing.

use serde_json::Value as Json;

use crate::harness::{Host, eventually, report};
use crate::switch::{Lab, Link};
use crate::table::{Extent, Row, Test};

pub(crate) const ROW: Row = Row {
    fault: "MTU black hole",
    promise: "works at 1,200-byte datagrams; below, a clear error and no hang",
    extent: Extent::Partly(
        "a path that gets narrower than that under an open connection shows as a peer that falls behind; the error comes with \
         the next connection",
    ),
    tests: &[
        Test("tests/lab/mtu.rs", "a_path_for_datagrams_of_1200_bytes_is_enough_and_a_smaller_one_is_named"),
        Test("mesh/net/tests/it/faults.rs", "a_path_that_carries_only_the_smallest_datagrams_carries_everything"),
    ],
};

/// More than one datagram.
const VALUE_BYTES: usize = 20_000;

fn link(largest_bytes: usize) -> Link {
    Link { largest_bytes: Some(largest_bytes), ..Link::default() }
}

#[test]
fn a_path_for_datagrams_of_1200_bytes_is_enough_and_a_smaller_one_is_named() {
    let test = "a_path_for_datagrams_of_1200_bytes_is_enough_and_a_smaller_one_is_named";
    let Some(mut lab) = Lab::start(test, 2) else { return };
    let value = "x".repeat(VALUE_BYTES);
    let arrives = |lab: &Lab, key: &str| {
        lab.mesh.hosts[0].put(key, &value);
        eventually(&lab.mesh, &format!("{key} arrives"), || match lab.mesh.hosts[1].tries(&["get", key]) {
            Ok(found) if found.trim() == value => Ok(()),
            other => Err(format!("{other:?}")),
        });
    };
    // The path was larger, and the connections may have found that out.
    arrives(&lab, "config/mtu.toml#wide");
    lab.switch.set_all(link(1_200));
    arrives(&lab, "config/mtu.toml#narrowed");
    // And a connection that begins on the narrow path.
    lab.mesh.hosts[1].stop();
    lab.mesh.hosts[1].start();
    arrives(&lab, "config/mtu.toml#narrow");
    assert!(lab.switch.counts().too_large > 0, "nothing larger was tried");
    report(&format!("{test}: {:?}", lab.switch.counts()));

    // A path that is too narrow, under a connection that is open.
    lab.switch.set_all(link(1_199));
    lab.mesh.hosts[0].put("config/mtu.toml#lost", &value);
    eventually(&lab.mesh, "host-1 shows that host-2 falls behind", || {
        let member = member(&lab.mesh.hosts[0], "host-2");
        if member["in_step"] == false { Ok(()) } else { Err(member.to_string()) }
    });
    // And for new ones.
    lab.mesh.hosts[1].kill();
    let logged = lab.mesh.hosts[1].logged().len();
    lab.mesh.hosts[1].start();
    let [one, two] = &lab.mesh.hosts[..] else { panic!() };
    eventually(&lab.mesh, "host-2 logs what may be wrong", || match &two.logged()[logged..] {
        log if log.contains("the path carries no datagrams of 1,200 bytes") => Ok(()),
        log => Err(log.to_owned()),
    });
    for (host, other) in [(one, "host-2"), (two, "host-1")] {
        eventually(&lab.mesh, &format!("{} takes {other} for away", host.name), || match member(host, other) {
            member if member["state"] == "alive" => Err(member.to_string()),
            _ => Ok(()),
        });
        // No hang: local work goes on.
        host.put("config/mtu.toml#local", &host.name);
        host.does(&["get", "config/mtu.toml#local"]);
    }
    lab.switch.set_all(Link::default());
    lab.mesh.settle();
}

fn member(of: &Host, name: &str) -> Json {
    let members = of.json(&["members"]);
    let member = members["members"].as_array().unwrap().iter().find(|member| member["name"] == name);
    member.unwrap().clone()
}
