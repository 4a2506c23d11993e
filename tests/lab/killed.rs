//! Daemons that are killed at the n-th call that writes.

use std::collections::BTreeSet;
use std::path::Path;

use crate::harness::{Client, Host, Mesh, eventually, poll, report};
use crate::table::{Extent, Row, Test};
use crate::traced::{can_trace, injecting};

pub(crate) const ROW: Row = Row {
    fault: "kill -9 at any write",
    promise: "every acknowledged put survives; no half-written file; restart needs no repair",
    extent: Extent::Holds,
    tests: &[
        Test("tests/lab/killed.rs", "killed_at_any_write_nothing_acknowledged_is_lost_and_no_file_is_partial"),
        Test("tests/e2e/crash.rs", "killed_daemons_lose_no_acknowledged_put"),
        Test("src/daemon/files/tests/crashes.rs", "nothing_is_lost_or_half_done_whenever_the_process_ends"),
        Test("src/daemon/store/tests/crashes.rs", "nothing_acknowledged_is_lost_and_nothing_is_there_in_part"),
    ],
};

/// The calls by which a daemon writes: of the store, of files in folders, and of names.
const CALLS: [&str; 5] = ["pwrite64", "fdatasync", "fsync", "renameat2", "write"];
/// At which of a thread's calls it is killed. Early ones fall into the start.
const SHORT: [u32; 4] = [1, 2, 5, 9];
const LONG: u32 = 40;
/// Kills of one host. Its documents grow with each, and with them the time of a start.
const KILLS_PER_HOST: usize = 8;
/// Steps of work, each a put and the replacement of a file: more than the calls that are tried.
const STEPS: u64 = 16;
const KEYS: u64 = 20;

/// A file whose keys fit together only within one version.
fn version(number: u64) -> String {
    let keys: String = (0..KEYS).map(|key| format!("key_{key} = {}\n", number * (key + 1))).collect();
    format!("version = {number}\n\n[values]\n{keys}\n[check]\nsum = {}\n", number * KEYS * (KEYS + 1) / 2)
}

/// The number of the whole version that a text is.
fn number_of(text: &str) -> u64 {
    let line = text.lines().next().unwrap_or_default();
    let number = line.strip_prefix("version = ").unwrap_or_else(|| panic!("no version: {text}")).parse().unwrap();
    assert_eq!(text, version(number), "not a whole version");
    number
}

/// What was acknowledged, over all lives of the daemon.
#[derive(Default)]
struct Acknowledged {
    version: u64,
    keys: Vec<u64>,
    next: u64,
}

impl Acknowledged {
    /// Puts and replaces until the daemon is gone or all is done; gives whether it is gone.
    fn work(&mut self, socket: &Path) -> bool {
        let Ok(client) = Client::attach(socket) else { return true };
        for _ in 0..STEPS {
            self.next += 1;
            let next = self.next;
            if client.write_file("config/v.toml", &version(next)).is_err() {
                return true;
            }
            self.version = next;
            if client.put(&format!("config/k.toml#key_{next}"), &next.to_string()).is_err() {
                return true;
            }
            self.keys.push(next);
        }
        false
    }

    fn check(&self, mesh: &Mesh, host: &Host, case: &str) {
        let status = host.client().ask(|mesh| mesh.status()).unwrap();
        assert!(status.problems.is_empty() && status.store.healthy, "{case}: {status:?}");
        let shown = eventually(mesh, &format!("{case}: the file shows what was acknowledged"), || {
            match number_of(&host.text("v.toml")) {
                shown if shown >= self.version => Ok(shown),
                shown => Err(format!("{shown} instead of {}", self.version)),
            }
        });
        assert!(shown <= self.next, "{case}");
        let listed = host.json(&["ls", "config/k.toml"]);
        let keys = listed["entries"].as_array().unwrap().iter();
        let keys: BTreeSet<&str> = keys.map(|entry| entry["key"].as_str().unwrap()).collect();
        for key in &self.keys {
            assert!(keys.contains(format!("key_{key}").as_str()), "{case}: {key} is lost of {keys:?}");
        }
    }
}

/// Waits until the files show what was acknowledged, which they do a while later; gives whether the daemon died before.
fn dies_writing(host: &mut Host, known: &Acknowledged) -> bool {
    let last = known.keys.last().map(|key| format!("key_{key} = {key}"));
    let seen = poll(|| {
        let is_shown = last.as_ref().is_none_or(|last| host.text("k.toml").contains(last));
        match Client::attach(&host.socket) {
            Err(_) => Ok(true),
            Ok(_) if is_shown => Ok(false),
            Ok(_) => Err(format!("k.toml without {last:?}")),
        }
    });
    seen.unwrap_or_else(|seen| panic!("{}: {seen}", host.name))
}

/// One life until the kill, and the next one to look at.
fn kill_at(mesh: &mut Mesh, known: &mut Acknowledged, call: &str, number: u32, log: &Path) -> bool {
    let case = format!("killed at {call} {number}");
    let host = &mut mesh.hosts[0];
    host.launcher = injecting(&format!("{call}:signal=KILL:when={number}"), log);
    let is_killed = host.try_start().is_err() || known.work(&host.socket) || dies_writing(host, known);
    let left = host.text("v.toml");
    number_of(&left);
    // It may still be dying, or have met too few calls.
    host.kill();
    host.launcher.clear();
    host.start();
    known.check(mesh, &mesh.hosts[0], &case);
    mesh.hosts[0].kill();
    is_killed
}

/// Kills a host again and again, and gives how often the call was met.
fn kill_one_host_at(call: &str, numbers: &[u32]) -> usize {
    let mut mesh = Mesh::start_apart(1);
    let mut known = Acknowledged::default();
    assert!(!known.work(&mesh.hosts[0].socket));
    mesh.hosts[0].stop();
    let log = mesh.directory.path().join("strace");
    numbers.iter().filter(|&&number| kill_at(&mut mesh, &mut known, call, number, &log)).count()
}

#[test]
fn killed_at_any_write_nothing_acknowledged_is_lost_and_no_file_is_partial() {
    let test = "killed_at_any_write_nothing_acknowledged_is_lost_and_no_file_is_partial";
    if !can_trace(test) {
        return;
    }
    let is_long = std::env::var("MURMURATE_LAB").is_ok_and(|size| size == "long");
    let numbers: Vec<u32> = if is_long { (1..=LONG).collect() } else { SHORT.to_vec() };
    for call in CALLS {
        let killed: usize = numbers.chunks(KILLS_PER_HOST).map(|numbers| kill_one_host_at(call, numbers)).sum();
        report(&format!("{test}: {killed} of {} kills at {call}", numbers.len()));
        assert!(killed > 0, "no {call} was met");
    }
}
