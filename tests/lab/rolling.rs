//! All daemons of a mesh, restarted one after the other while people go on.

use serde_json::Value as Json;

use crate::harness::{Host, Mesh};
use crate::table::{Extent, Row, Test};

pub(crate) const ROW: Row = Row {
    fault: "a rolling restart of all hosts",
    promise: "no put waits on the hosts that are up, nothing is lost, no host that is up is taken for dead",
    extent: Extent::Holds,
    tests: &[
        Test("tests/lab/rolling.rs", "while_all_hosts_are_restarted_in_turn_the_others_go_on"),
        Test("tests/e2e/restart.rs", "a_restart_of_all_hosts_keeps_everything"),
    ],
};

const HOSTS: usize = 4;
/// Puts on each host that is up, while another one is away.
const PUTS: usize = 10;

fn name(writer: usize, away: usize, number: usize) -> String {
    format!("of_{writer}_while_{away}_{number}")
}

/// How often a host took another one for dead since it started.
fn deaths(seen_by: &Host, of: &Host) -> usize {
    let node = seen_by.json(&["node", &of.name]);
    let history: &Vec<Json> = node["history"].as_array().unwrap();
    history.iter().filter(|change| change["to"] == "dead").count()
}

#[test]
fn while_all_hosts_are_restarted_in_turn_the_others_go_on() {
    let mut mesh = Mesh::start_apart(HOSTS);
    for away in 0..HOSTS {
        let status = mesh.hosts[away].stop();
        assert_eq!(status.code(), Some(0));
        // It comes back only after these: a put that waited for it would never be answered.
        for writer in (0..HOSTS).filter(|writer| *writer != away) {
            let client = mesh.hosts[writer].client();
            for number in 0..PUTS {
                client.put(&format!("config/app.toml#{}", name(writer, away, number)), "1").unwrap();
            }
        }
        mesh.hosts[away].start();
        mesh.settle();
    }
    let count = HOSTS * (HOSTS - 1) * PUTS;
    let text = mesh.same_everywhere("app.toml", |text| text.lines().count() == count);
    for (away, writer) in (0..HOSTS).flat_map(|away| (0..HOSTS).map(move |writer| (away, writer))) {
        for number in (0..PUTS).filter(|_| writer != away) {
            assert!(text.contains(&format!("{} = 1\n", name(writer, away, number))), "{text}");
        }
    }
    // Only who was up while another one was away may have taken that one for dead, and once.
    for (seen_by, of) in (0..HOSTS).flat_map(|seen_by| (0..HOSTS).map(move |of| (seen_by, of))) {
        let most = usize::from(seen_by < of);
        let (seen_by, of) = (&mesh.hosts[seen_by], &mesh.hosts[of]);
        assert!(deaths(seen_by, of) <= most, "{}", seen_by.json(&["node", &of.name]));
    }
    mesh.has_no_problems();
}
