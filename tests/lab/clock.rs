//! Hosts whose wall clock is somewhere else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Host, Mesh, eventually, note_skipped, run};
use crate::table::{Extent, Row, Test};

pub(crate) const JUMP: Row = Row {
    fault: "clock jump of a day, drift",
    promise: "no effect on order, liveness or locks (monotonic time); only certificate checks and display use wall time",
    extent: Extent::Partly("there are no locks yet; all else holds"),
    tests: &[
        Test("tests/lab/clock.rs", "a_clock_that_jumps_by_a_day_changes_neither_order_nor_liveness"),
        Test("mesh/protocol/tests/it/sim/mod.rs", "simulated_worlds_keep_their_invariants_0"),
    ],
};

pub(crate) const FIRST_BOOT: Row = Row {
    fault: "wrong clock at first boot",
    promise: "a clear 'certificate not yet valid, check the clock'; retries",
    extent: Extent::Holds,
    tests: &[
        Test("tests/lab/clock.rs", "a_host_that_boots_in_1970_says_so_and_connects_once_its_clock_is_set"),
        Test("mesh/net/tests/it/certificates.rs", "a_host_at_1970_says_check_the_clock_and_connects_when_it_is_set"),
    ],
};

/// The wall clock of one daemon, through `libfaketime`; monotonic time stays.
struct WallClock(PathBuf);

impl WallClock {
    /// Gives a host a clock of its own that goes as the true one; `None` where that can't be, and the test is noted as skipped.
    fn of(host: &mut Host, test: &str) -> Option<Self> {
        let Some(library) = library() else {
            note_skipped(test, "`libfaketime` isn't installed");
            return None;
        };
        let clock = Self(host.directory.join("clock"));
        clock.set("+0");
        let settings = [
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", clock.0.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ];
        host.environment = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Some(clock)
    }

    /// Sets it: relative to the true time, like `+1d`.
    fn set(&self, offset: &str) {
        let new = self.0.with_extension("new");
        fs::write(&new, format!("{offset}\n")).unwrap();
        fs::rename(new, &self.0).unwrap();
    }
}

/// Where Debian, Ubuntu, Fedora and Arch install it.
fn library() -> Option<PathBuf> {
    let machine = std::env::consts::ARCH;
    let directories = [
        format!("/usr/lib/{machine}-linux-gnu/faketime"),
        "/usr/lib64/faketime".to_owned(),
        "/usr/lib/faketime".to_owned(),
    ];
    let paths = directories.iter().map(|directory| Path::new(directory).join("libfaketimeMT.so.1"));
    let library = paths.into_iter().find(|path| path.exists())?;
    let works = || {
        let mut date = Command::new("date");
        date.args(["-u", "+%Y"]).env("LD_PRELOAD", &library).env("FAKETIME", "1971-01-01 00:00:00");
        run(date).stdout == b"1971\n"
    };
    works().then_some(library)
}

/// A day ahead, a day back, and the true time.
const JUMPS: [&str; 3] = ["+1d", "-1d", "+0"];
/// To give the daemon its clock.
const RESTARTS: usize = 1;

#[test]
fn a_clock_that_jumps_by_a_day_changes_neither_order_nor_liveness() {
    let test = "a_clock_that_jumps_by_a_day_changes_neither_order_nor_liveness";
    let mut mesh = Mesh::start_apart(3);
    mesh.hosts[1].stop();
    let Some(clock) = WallClock::of(&mut mesh.hosts[1], test) else { return };
    mesh.hosts[1].start();
    mesh.settle();
    let mut last = 0;
    for jump in JUMPS {
        clock.set(jump);
        // Each supersedes the one before, whatever the author's clock says.
        for host in [1, 0, 1, 2] {
            last += 1;
            mesh.hosts[host].put("config/app.toml#key", &last.to_string());
            mesh.settle();
            mesh.everywhere("app.toml", format!("key = {last}\n"));
        }
        assert_eq!(mesh.hosts[2].json(&["conflicts"])["conflicts"], serde_json::json!([]), "after {jump}");
    }
    // A busy machine may lose a connection for other reasons, but not at every jump.
    let log = mesh.hosts[0].logged();
    let lost = log.matches("connection: disconnected").count() - RESTARTS;
    assert!(lost < JUMPS.len(), "{log}");
    // The jump was seen where time is shown.
    clock.set("+1d");
    let (own, true_time) = (mesh.hosts[1].json(&["members"]), mesh.hosts[0].json(&["members"]));
    let shown = |members: &serde_json::Value| members["members"][2]["since"].as_str().unwrap()[..10].to_owned();
    assert_ne!(shown(&own), shown(&true_time), "the clock didn't jump");
    let (one, two) = (&mesh.hosts[0], &mesh.hosts[1]);
    for (host, words) in [(one, "the clock of host-2 differs"), (two, "the clock of host-1 differs")] {
        eventually(&mesh, &format!("{} says `{words}`", host.name), || match host.does(&["status"]) {
            status if status.contains(words) => Ok(()),
            status => Err(status),
        });
    }
    let doctor = one.run(&["doctor"]);
    let doctor = String::from_utf8_lossy(&doctor.stdout);
    assert!(doctor.contains("the clock of host-2 differs: it is 86"), "{doctor}");
}

#[test]
fn a_host_that_boots_in_1970_says_so_and_connects_once_its_clock_is_set() {
    let test = "a_host_that_boots_in_1970_says_so_and_connects_once_its_clock_is_set";
    let mut mesh = Mesh::start_apart(2);
    mesh.hosts[1].stop();
    let Some(clock) = WallClock::of(&mut mesh.hosts[1], test) else { return };
    clock.set("1970-01-01 00:01:00");
    mesh.hosts[1].start();
    let [one, two] = &mesh.hosts[..] else { panic!() };
    eventually(&mesh, "host-2 says what is wrong", || match two.logged() {
        log if log.contains("not yet valid, check the clock") => Ok(()),
        log => Err(log),
    });
    let status = two.does(&["status"]);
    assert!(status.contains("check the clock"), "{status}");
    // It works alone meanwhile.
    two.put("config/early.toml#key", "1");
    assert!(one.tries(&["get", "config/early.toml#key"]).is_err());
    clock.set("+0");
    mesh.settle();
    mesh.everywhere("early.toml", "key = 1\n");
    mesh.host_has_no_problem(two);
}
