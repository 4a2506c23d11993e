//! A store whose bytes aren't what was written.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Host, Mesh, eventually, murmurate, run};
use crate::table::{Extent, Row, Test};

pub(crate) const ROW: Row = Row {
    fault: "torn write, lost unsynced data, bit rot",
    promise: "last synced state, verified by checksum; a damaged part is quarantined and fetched again from peers",
    extent: Extent::Partly(
        "damage is found, named and never given out, and a store that is moved away is fetched again from peers; but not by \
         itself, and not only the damaged part",
    ),
    tests: &[
        Test("tests/lab/damage.rs", "a_damaged_change_freezes_its_document_only_and_comes_again_from_peers"),
        Test("tests/lab/damage.rs", "a_store_with_a_damaged_commit_is_not_opened_and_not_changed"),
        Test("src/daemon/store/tests/damage.rs", "a_damaged_commit_before_sound_ones_is_refused_by_file_and_offset"),
        Test("src/daemon/store/tests/damage.rs", "a_damaged_envelope_is_never_given_out_and_the_others_are"),
        Test("src/daemon/store/tests/crashes.rs", "nothing_acknowledged_is_lost_and_nothing_is_there_in_part"),
    ],
};

const MARK: &[u8] = b"here-it-will-be-damaged";

fn store(host: &Host) -> PathBuf {
    host.data().join("store")
}

/// Flips a bit where these bytes stand in the log, the first time.
fn damage(directory: &Path, mark: &[u8]) {
    let mut logs: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    logs.sort();
    for log in logs {
        let mut bytes = fs::read(&log).unwrap();
        if let Some(at) = bytes.windows(mark.len()).position(|window| window == mark) {
            bytes[at] ^= 4;
            fs::write(&log, bytes).unwrap();
            return;
        }
    }
    panic!("the bytes aren't in the log");
}

/// Two hosts in step, the second one down.
fn filled() -> Mesh {
    let mut mesh = Mesh::start_apart(2);
    mesh.hosts[0].put("config/sound.toml#key", "1");
    mesh.hosts[0].put("config/rotten.toml#key", std::str::from_utf8(MARK).unwrap());
    mesh.hosts[1].put("config/rotten.toml#other", "2");
    mesh.hosts[1].put("config/sound.toml#other", "2");
    mesh.settle();
    mesh.hosts[1].stop();
    mesh
}

/// As the error says: the store is moved away, and the node fetches everything from its peers.
fn fetch_again(mesh: &mut Mesh) {
    let two = &mut mesh.hosts[1];
    fs::rename(store(two), two.directory.join("damaged")).unwrap();
    two.start();
    mesh.settle();
    let two = &mesh.hosts[1];
    two.does(&["folder", "add", "config", two.folder.to_str().unwrap()]);
    mesh.settle();
    let two = &mesh.hosts[1];
    mesh.host_has_no_problem(two);
    mesh.everywhere("rotten.toml", format!("key = \"{}\"\nother = 2\n", String::from_utf8_lossy(MARK)));
    two.put("config/rotten.toml#again", "3");
    mesh.settle();
    mesh.same_everywhere("rotten.toml", |text| text.contains("again = 3"));
    assert_eq!(two.json(&["conflicts"])["conflicts"], serde_json::json!([]));
}

#[test]
fn a_damaged_change_freezes_its_document_only_and_comes_again_from_peers() {
    let mut mesh = filled();
    damage(&store(&mesh.hosts[1]), MARK);
    mesh.hosts[1].start();
    let [one, two] = &mesh.hosts[..] else { panic!() };
    eventually(&mesh, "the damaged document is named", || match two.does(&["status"]) {
        status if status.contains("config/rotten.toml") && status.contains("is damaged at byte") => Ok(()),
        status => Err(status),
    });
    // It is neither shown wrong nor written to; all else goes on.
    assert_eq!(two.fails(&["get", "config/rotten.toml#key"]).code, 1);
    two.fails(&["put", "config/rotten.toml#key", "3"]);
    two.put("config/sound.toml#key", "3");
    mesh.everywhere("sound.toml", "key = 3\nother = 2\n");
    assert_eq!(one.does(&["get", "config/rotten.toml#key"]).trim().as_bytes(), MARK);
    mesh.hosts[1].stop();
    fetch_again(&mut mesh);
}

#[test]
fn a_store_with_a_damaged_commit_is_not_opened_and_not_changed() {
    let mut mesh = filled();
    let two = &mesh.hosts[1];
    // The first commit's beginning.
    damage(&store(two), b"MuFr");
    let bytes = |host: &Host| -> Vec<_> {
        let files = fs::read_dir(store(host)).unwrap().map(|entry| entry.unwrap().path());
        let logs = files.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
        logs.map(|path| fs::read(path).unwrap()).collect()
    };
    let before = bytes(two);
    let mut command = murmurate();
    command.arg("up").arg("--settings").arg(two.settings());
    let output = run(command);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("is damaged at byte") && errors.contains("Nothing was dropped"), "{errors}");
    assert!(bytes(two) == before);
    fetch_again(&mut mesh);
}
