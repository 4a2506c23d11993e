//! A disk that fails to sync.

use std::fs;

use crate::harness::{Mesh, eventually};
use crate::table::{Extent, Row, Test};
use crate::traced::{can_trace, injecting};

pub(crate) const ROW: Row = Row {
    fault: "I/O error on fsync",
    promise: "nothing acknowledged; writes stop; health is red; never a retried fsync",
    extent: Extent::Holds,
    tests: &[
        Test("tests/lab/sync_error.rs", "after_a_failed_sync_nothing_is_acknowledged_and_none_is_tried_again"),
        Test("src/daemon/store/tests/crashes.rs", "a_fault_of_each_single_operation_of_a_series_is_survived"),
    ],
};

/// More puts than a daemon syncs before the injected error.
const PUTS: usize = 200;
/// Puts after it: each could be the one that syncs again.
const FURTHER: usize = 10;

fn key(number: usize) -> String {
    format!("config/app.toml#key_{number}")
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_and_none_is_tried_again() {
    let test = "after_a_failed_sync_nothing_is_acknowledged_and_none_is_tried_again";
    if !can_trace(test) {
        return;
    }
    let mut mesh = Mesh::start_apart(2);
    let log = mesh.directory.path().join("strace");
    mesh.hosts[0].put(&key(0), "0");
    mesh.settle();
    mesh.hosts[0].stop();
    // Only one: a second sync would succeed, and hide that the first one's bytes are lost.
    mesh.hosts[0].launcher = injecting("fdatasync:error=EIO:when=20", &log);
    mesh.hosts[0].start();
    mesh.settle();

    let [one, two] = &mesh.hosts[..] else { panic!() };
    let client = one.client();
    let failed = (1..PUTS).find_map(|number| Some((number, client.put(&key(number), "1").err()?)));
    let (failed, error) = failed.expect("no sync failed");
    assert!(error.to_string().contains("Input/output error"), "{error}");
    for number in failed + 1..failed + FURTHER {
        client.put(&key(number), "1").expect_err("a put after a failed sync is acknowledged");
    }
    let failure = one.fails(&["put", &key(0), "2"]);
    assert!(failure.lines.iter().any(|line| line.contains("E_STORE")), "{failure:?}");

    // Reading goes on, also of what comes from others, and health is red.
    assert_eq!(one.does(&["get", &key(0)]).trim(), "0");
    two.put("config/other.toml#key", "3");
    eventually(&mesh, "host-1 still shows what others write", || {
        one.tries(&["get", "config/other.toml#key"]).map_err(|failure| format!("{failure:?}"))
    });
    let status = one.json(&["status"]);
    assert_eq!(status["store"]["healthy"], false, "{status}");
    assert!(status["problems"].as_array().unwrap().iter().any(|problem| problem["code"] == "E_STORE"), "{status}");
    let syncs = fs::read_to_string(&log).unwrap();
    let after = syncs.split_once("(INJECTED)").expect("an injected error").1;
    assert!(!after.contains("fdatasync("), "synced again after an error:\n{syncs}");

    // What failed was shown to nobody; what was acknowledged is there after a restart, without repair.
    for number in failed..failed + FURTHER {
        assert_eq!(two.fails(&["get", &key(number)]).code, 3);
    }
    mesh.hosts[0].kill();
    mesh.hosts[0].launcher.clear();
    mesh.hosts[0].start();
    mesh.settle();
    let [one, two] = &mesh.hosts[..] else { panic!() };
    for host in [one, two] {
        (0..failed).for_each(|number| drop(host.does(&["get", &key(number)])));
        assert_eq!(host.json(&["status"])["store"]["healthy"], true);
    }
    one.put(&key(0), "4");
    mesh.settle();
}
