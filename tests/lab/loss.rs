//! Datagrams that are lost, doubled and overtaken.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use murmurate_client::Error;
use serde_json::Value as Json;

use crate::harness::{Host, Process, eventually, report};
use crate::switch::{Lab, Link};
use crate::table::{Extent, Row, Test};

pub(crate) const ROW: Row = Row {
    fault: "30 % loss, duplicates, reordering",
    promise: "the same final documents and files everywhere; nothing applied twice",
    extent: Extent::Holds,
    tests: &[
        Test("tests/lab/loss.rs", "with_a_third_of_all_datagrams_lost_everything_arrives_once"),
        Test("tests/sim/main.rs", "every_promise_holds_in_worlds_with_even_seeds"),
        Test("mesh/protocol/tests/it/sim/mod.rs", "simulated_worlds_keep_their_invariants_0"),
    ],
};

const HOSTS: usize = 5;
/// Documents of each host, all of its own: putting to a small one is cheap.
const DOCUMENTS: usize = 20;
const KEYS: usize = 10;
const BAD: Link = Link {
    lost: 30,
    twice: 10,
    held: 20,
    held_for: Duration::from_millis(50),
    delay: Duration::ZERO,
    largest_bytes: None,
};

#[test]
fn with_a_third_of_all_datagrams_lost_everything_arrives_once() {
    let test = "with_a_third_of_all_datagrams_lost_everything_arrives_once";
    let Some(lab) = Lab::start(test, HOSTS) else { return };
    let (mesh, switch) = (&lab.mesh, &lab.switch);
    let events = mesh.directory.path().join("events");
    let watch = mesh.hosts[0].command(&["watch", "config/", "-o", "jsonl"]);
    let _watch = Process::spawn(watch, &events, &mesh.directory.path().join("watch.err"));
    let mut number = 0;
    eventually(mesh, "the watch has begun", || {
        number += 1;
        mesh.hosts[0].put("config/first.toml#key", &number.to_string());
        if puts_seen(&events).is_empty() { Err("nothing yet".to_owned()) } else { Ok(()) }
    });
    mesh.settle();

    switch.set_all(BAD);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for (number, host) in mesh.hosts.iter().enumerate() {
            scope.spawn(move || put_all(number, host).unwrap());
        }
    });
    let put = start.elapsed();
    let expected: String = (0..KEYS).map(|key| format!("key_{key} = {key}\n")).collect();
    for (host, document) in (0..HOSTS).flat_map(|host| (0..DOCUMENTS).map(move |document| (host, document))) {
        mesh.everywhere(&path(host, document), &expected);
    }
    mesh.settle();
    report(&format!("{test}: puts took {put:?}, all in step after {:?}: {:?}", start.elapsed(), switch.counts()));
    let counts = switch.counts();
    assert!(counts.lost > 0 && counts.twice > 0 && counts.held > 0, "{counts:?}");

    // Applied once: as many changes on each host as were made, and each put is told of once.
    let changes = mesh.hosts.iter().map(|host| host.client().ask(|mesh| mesh.status()).unwrap().store.changes);
    let changes: Vec<u64> = changes.collect();
    assert!(changes.iter().all(|count| *count == changes[0]), "{changes:?}");
    for (key, times) in puts_seen(&events) {
        assert!(times == 1 || key.ends_with("first.toml#key"), "{key} was told of {times} times");
    }
}

fn path(host: usize, document: usize) -> String {
    format!("host-{host}/{document}.toml")
}

fn put_all(number: usize, host: &Host) -> Result<(), Error> {
    let client = host.client();
    let keys = (0..DOCUMENTS).flat_map(|document| (0..KEYS).map(move |key| (document, key)));
    keys.into_iter().try_for_each(|(document, key)| {
        client.put(&format!("config/{}#key_{key}", path(number, document)), &key.to_string()).map(drop)
    })
}

/// How often the watch told of a put of each key.
fn puts_seen(events: &std::path::Path) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(events).unwrap_or_default();
    let mut seen = BTreeMap::new();
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let event: Json = serde_json::from_str(line).unwrap();
        if event["kind"] == "put" {
            let key = format!("{}#{}", event["doc"].as_str().unwrap(), event["key"].as_str().unwrap());
            *seen.entry(key).or_default() += 1;
        }
    }
    seen
}
