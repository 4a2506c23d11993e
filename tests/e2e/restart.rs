//! Daemons that were away for a while, and come back with what is on their disks.

use std::fs;

use crate::harness::{APP_TOML, Mesh};

#[test]
fn a_restart_of_all_hosts_keeps_everything() {
    let mut mesh = Mesh::start_apart(3);
    mesh.hosts[0].save("app.toml", APP_TOML);
    mesh.everywhere("app.toml", APP_TOML);
    mesh.hosts[1].put("config/app.toml#server.port", "9090");
    let content = APP_TOML.replace("8080", "9090");
    mesh.everywhere("app.toml", &content);
    let version = |mesh: &Mesh| mesh.hosts[2].json(&["get", "config/app.toml#server.port"])["version"].clone();
    let before = version(&mesh);
    for host in &mut mesh.hosts {
        let status = host.stop();
        assert_eq!(status.code(), Some(0), "a daemon that is asked to end ends well");
    }
    mesh.start_all();
    mesh.everywhere("app.toml", &content);
    assert_eq!(version(&mesh), before);
    assert_eq!(mesh.hosts[0].json(&["conflicts"])["conflicts"], serde_json::json!([]));
}

#[test]
fn what_was_done_to_files_while_the_daemon_was_down_is_taken_in_at_its_start() {
    let mut mesh = Mesh::start_apart(3);
    for (path, content) in [("app.toml", APP_TOML), ("gone.toml", "a = 1\n"), ("stays.toml", "b = 2\n")] {
        mesh.hosts[0].save(path, content);
        mesh.everywhere(path, content);
    }
    mesh.hosts[2].stop();
    mesh.hosts[2].save("app.toml", APP_TOML.replace("200", "300"));
    mesh.hosts[2].save("new.toml", "c = 3\n");
    fs::remove_file(mesh.hosts[2].path("gone.toml")).unwrap();
    mesh.hosts[0].put("config/app.toml#server.port", "9090");
    mesh.hosts[2].start();
    mesh.everywhere("app.toml", APP_TOML.replace("200", "300").replace("8080", "9090"));
    mesh.everywhere("new.toml", "c = 3\n");
    mesh.nowhere("gone.toml");
    mesh.everywhere("stays.toml", "b = 2\n");
}

#[test]
fn a_restored_backup_writes_as_a_new_actor_and_wedges_nobody() {
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
    mesh.settle();
    let former = mesh.hosts[0].actor_of(&key(100));

    // The backup alone, cut off from those who know better, writes at once.
    for host in &mut mesh.hosts {
        host.stop();
    }
    mesh.hosts[0].restore(&backup);
    mesh.hosts[0].start();
    mesh.hosts[0].put(&key(101), "101");
    assert_ne!(mesh.hosts[0].actor_of(&key(101)), former);
    for host in &mut mesh.hosts[1..] {
        host.start();
    }
    mesh.settle();
    let text = mesh.same_everywhere("app.toml", |text| text.lines().count() == 102);
    let table: toml::Table = toml::from_str(&text).unwrap();
    for number in 0..=101 {
        assert_eq!(table[&format!("key_{number}")].as_integer(), Some(number));
    }
    mesh.has_no_problems();
}
