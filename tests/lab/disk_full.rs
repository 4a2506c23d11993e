//! A disk without space.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Client, Mounted, copy_directory, eventually, note_skipped, run};
use crate::switch::{Lab, Link};
use crate::table::{Extent, Row, Test};

pub(crate) const ROW: Row = Row {
    fault: "disk full",
    promise: "puts fail with the reason; reads and relaying go on; recovers by itself when space returns",
    extent: Extent::Partly(
        "while the disk is full a change is relayed as it comes, but what a peer missed is repaired only when there is space \
         again: only what is on disk is told of",
    ),
    tests: &[Test("tests/lab/disk_full.rs", "on_a_full_disk_puts_fail_with_the_reason_and_all_else_goes_on")],
};

/// A small disk.
struct Disk {
    at: PathBuf,
    _mounted: Mounted,
}

impl Disk {
    fn mount(at: &Path) -> Result<Self, String> {
        Ok(Self { _mounted: Mounted::disk(at, 8)?, at: at.to_owned() })
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut command = Command::new("dd");
        command.args(["if=/dev/zero", "bs=4096", &format!("of={}", self.filler().display())]);
        assert!(!run(command).status.success(), "there is still space");
    }
}

/// A value that soon needs more space than was set aside.
const VALUE_BYTES: usize = 64 << 10;
const PUTS: usize = 64;

/// Puts until it fails, and gives how often it went well.
fn put_until_full(client: &Client) -> (usize, String) {
    let value = "x".repeat(VALUE_BYTES);
    let failed = (0..PUTS).find_map(|n| Some((n, client.put(&format!("config/full-{n}.toml#key"), &value).err()?)));
    let (number, error) = failed.expect("the disk never got full");
    (number, error.to_string())
}

#[test]
fn on_a_full_disk_puts_fail_with_the_reason_and_all_else_goes_on() {
    let test = "on_a_full_disk_puts_fail_with_the_reason_and_all_else_goes_on";
    let Some(mut lab) = Lab::start(test, 3) else { return };
    lab.mesh.hosts[1].put("config/app.toml#before", "1");
    lab.mesh.settle();
    let (data, aside) = (lab.mesh.hosts[1].data(), lab.mesh.directory.path().join("aside"));
    lab.mesh.hosts[1].stop();
    copy_directory(&data, &aside);
    let disk = match Disk::mount(&data) {
        Ok(disk) => disk,
        Err(reason) => return note_skipped(test, &reason),
    };
    copy_directory(&aside, &data);
    lab.mesh.hosts[1].start();
    lab.mesh.settle();
    // What host-1 and host-3 tell each other goes over the host with the full disk.
    lab.switch.set_both(0, 2, Link::CUT);
    let mesh = &lab.mesh;
    let [one, two, three] = &mesh.hosts[..] else { panic!() };
    for host in [one, three] {
        eventually(mesh, &format!("{} knows that it reaches a host through host-2 only", host.name), || {
            let members = host.json(&["members"]);
            let mut members_through = members["members"].as_array().unwrap().iter().map(|member| &member["through"]);
            if members_through.any(|through| *through == serde_json::json!(["host-2"])) {
                Ok(())
            } else {
                Err(members.to_string())
            }
        });
    }
    disk.fill();
    let client = two.client();
    let (acknowledged, error) = put_until_full(&client);
    assert!(error.contains("No space left"), "{error}");
    let failure = two.fails(&["put", "config/app.toml#during", "1"]);
    assert!(failure.lines.iter().any(|line| line.contains("E_DISK_FULL")), "{failure:?}");
    let status = two.json(&["status"]);
    assert_eq!(status["store"]["healthy"], false, "{status}");

    assert_eq!(two.does(&["get", "config/app.toml#before"]).trim(), "1");
    one.put("config/relayed.toml#key", "1");
    for host in [two, three] {
        eventually(mesh, &format!("{} shows what host-1 wrote", host.name), || {
            host.tries(&["get", "config/relayed.toml#key"]).map_err(|failure| format!("{failure:?}"))
        });
    }

    std::fs::remove_file(disk.filler()).unwrap();
    eventually(mesh, "host-2 takes puts again by itself", || {
        two.tries(&["put", "config/app.toml#after", "1"]).map_err(|failure| format!("{failure:?}"))
    });
    lab.switch.set_all(Link::default());
    mesh.settle();
    mesh.host_has_no_problem(two);
    assert_eq!(two.json(&["status"])["store"]["healthy"], true);
    for host in &mesh.hosts {
        for number in 0..acknowledged {
            host.does(&["get", &format!("config/full-{number}.toml#key")]);
        }
        assert_eq!(host.does(&["get", "config/app.toml#after"]).trim(), "1");
    }
    // And it is on the disk now.
    lab.mesh.hosts[1].kill();
    lab.mesh.hosts[1].start();
    lab.mesh.settle();
    assert_eq!(lab.mesh.hosts[1].does(&["get", "config/relayed.toml#key"]).trim(), "1");
    lab.mesh.hosts[1].kill();
}
