//! Data directories that are there twice, or are older than they should be.

use std::fs;
use std::path::Path;

use crate::harness::{Host, Mesh, copy_directory, eventually, free_address};
use crate::table::{Extent, Row, Test};

pub(crate) const TWICE: Row = Row {
    fault: "the same node identity twice",
    promise: "refused on second sight, both sides say so",
    extent: Extent::Holds,
    tests: &[
        Test("tests/lab/copied.rs", "a_copied_data_directory_is_refused_and_all_say_so"),
        Test("mesh/net/tests/it/identities.rs", "a_copy_is_refused_on_second_sight_and_all_say_so"),
        Test("mesh/net/tests/it/identities.rs", "a_copy_that_meets_its_original_is_refused_and_both_say_so"),
    ],
};

pub(crate) const BACKUP: Row = Row {
    fault: "an old backup restored",
    promise: "the host takes a new actor before its first write, even before it meets a peer; its old state never overwrites \
              newer; nothing wedges",
    extent: Extent::Holds,
    tests: &[
        Test("tests/e2e/restart.rs", "a_restored_backup_writes_as_a_new_actor_and_wedges_nobody"),
        Test("tests/lab/copied.rs", "a_restored_backup_that_meets_its_peers_first_fetches_what_it_lost"),
    ],
};

/// A second host out of a copy of the first one's directory, which isn't running. What a reboot empties isn't copied.
fn twin(of: &Host, directory: &Path) -> Host {
    copy_directory(&of.directory, directory);
    fs::remove_dir_all(directory.join("run")).unwrap();
    let address = free_address();
    let settings = fs::read_to_string(of.settings()).unwrap();
    let changed = settings.replace(&format!("listen = \"{}\"", of.address), &format!("listen = \"{address}\""));
    assert_ne!(changed, settings);
    fs::write(directory.join("daemon.toml"), changed).unwrap();
    Host::in_directory("copy", directory.to_owned(), address)
}

#[test]
fn a_copied_data_directory_is_refused_and_all_say_so() {
    let mut mesh = Mesh::start_apart(2);
    mesh.hosts[1].put("config/app.toml#key", "1");
    mesh.settle();
    mesh.hosts[1].stop();
    let mut copy = twin(&mesh.hosts[1], &mesh.directory.path().join("copy"));
    mesh.hosts[1].start();
    mesh.settle();
    copy.start();
    let (one, two) = (&mesh.hosts[0], &mesh.hosts[1]);
    for (host, words) in [
        (one, "another process with the identity of node"),
        (&copy, "with this node's identity (a copied data directory?)"),
    ] {
        eventually(&mesh, &format!("{} logs `{words}`", host.name), || match host.logged() {
            log if log.contains(words) => Ok(()),
            log => Err(log),
        });
        eventually(&mesh, &format!("{} has it in its status", host.name), || match host.does(&["status"]) {
            status if status.contains("a copied data directory?") => Ok(()),
            status => Err(status),
        });
    }
    // The first one goes on, and what the copy writes reaches nobody. On one machine it watches the same folder, too.
    copy.does(&["folder", "rm", "config"]);
    copy.put("config/app.toml#key", "2");
    two.put("config/other.toml#key", "3");
    mesh.everywhere("other.toml", "key = 3\n");
    assert_eq!(one.does(&["get", "config/app.toml#key"]).trim(), "1");
    mesh.settle();
    copy.stop();
}

#[test]
fn a_restored_backup_that_meets_its_peers_first_fetches_what_it_lost() {
    let mut mesh = Mesh::start_apart(3);
    let key = |number: usize| format!("config/app.toml#key_{number}");
    mesh.hosts[0].put(&key(0), "0");
    mesh.settle();
    let backup = mesh.directory.path().join("backup");
    mesh.hosts[0].back_up(&backup);
    let client = mesh.hosts[0].client();
    for number in 1..=100 {
        client.put(&key(number), &number.to_string()).unwrap();
    }
    client.put(&key(0), "100").unwrap();
    mesh.settle();
    let former = mesh.hosts[1].actor_of(&key(100));

    mesh.hosts[0].stop();
    mesh.hosts[0].restore(&backup);
    // Its folder is as old as the backup, as after a restore of the whole machine.
    mesh.hosts[0].start();
    mesh.settle();
    let one = &mesh.hosts[0];
    assert_eq!(one.does(&["get", &key(100)]).trim(), "100");
    assert_eq!(one.does(&["get", &key(0)]).trim(), "100", "the old value came back");
    one.put(&key(101), "101");
    assert_ne!(one.actor_of(&key(101)), former);
    mesh.settle();
    let text = mesh.same_everywhere("app.toml", |text| text.lines().count() == 102);
    assert!(text.contains("key_0 = 100\n"), "{text}");
    mesh.has_no_problems();
}
