//! A save that doesn't parse is nobody's loss (P6, P8).

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use serde_json::{Value as Json, json};

use crate::harness::{APP_TOML, Host, Mesh, eventually};

const PATH: &str = "app.toml";

/// What `status` and `folder status` say of the held file, alike.
fn held_file(host: &Host) -> Result<Json, String> {
    let status = host.json(&["status"]);
    let held = status["held"].as_array().unwrap().first().cloned().ok_or_else(|| status.to_string())?;
    let folder = host.json(&["folder", "status"]);
    let entries = folder["folders"][0]["entries"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["path"] == PATH).unwrap();
    if *entry == held { Ok(held) } else { Err(format!("{entry} and {held}")) }
}

#[test]
fn an_invalid_save_is_held_and_its_correction_goes_through() {
    let mesh = Mesh::start(3);
    let [one, two, three] = &mesh.hosts[..] else { panic!() };
    one.save(PATH, APP_TOML);
    mesh.everywhere(PATH, APP_TOML);

    let invalid = APP_TOML.replace("port = 8080", "port = = 8081");
    one.save(PATH, &invalid);
    let held = eventually(&mesh, "the save is held", || held_file(one));
    assert_eq!((&held["path"], &held["state"]), (&json!(PATH), &json!("held")));
    assert_eq!((&held["line"], &held["column"]), (&json!(7), &json!(8)), "{held}");
    assert!(!held["reason"].as_str().unwrap().is_empty());
    for table in [&["status"][..], &["folder", "status"]] {
        let text = one.does(table);
        let is_place = |line: &str| line.contains("config/app.toml") && line.contains("line 7, column 8");
        assert!(text.lines().any(is_place), "{table:?}: {text}");
    }

    // A remote change of another key, and one of another file, which doesn't wait.
    two.put("config/app.toml#limits.burst", "90");
    two.put("config/other.toml#a", "1");
    let changed = APP_TOML.replace("burst = 80", "burst = 90");
    eventually(&mesh, "the change is on host-3", || three.has(PATH, &changed));
    mesh.everywhere("other.toml", "a = 1\n");
    assert_eq!(one.does(&["get", "config/app.toml#limits.burst"]).trim(), "90");
    one.has(PATH, &invalid).unwrap();

    let corrected = APP_TOML.replace("port = 8080", "port = 8081");
    one.save(PATH, &corrected);
    mesh.everywhere(PATH, changed.replace("8080", "8081"));
    eventually(&mesh, "nothing is held any more", || held_file(one).map_or(Ok(()), |held| Err(held.to_string())));
}

#[test]
fn an_invalid_new_file_is_held_until_it_is_right() {
    let mesh = Mesh::start(2);
    let one = &mesh.hosts[0];
    one.save(PATH, "[half");
    let held = eventually(&mesh, "the save is held", || held_file(one));
    assert_eq!(held["line"], 1, "{held}");
    assert!(mesh.hosts[1].read(PATH).is_none());
    one.save(PATH, APP_TOML);
    mesh.everywhere(PATH, APP_TOML);
}

#[test]
fn an_invalid_save_of_a_file_that_was_replaced_meanwhile_is_kept_aside() {
    let mesh = Mesh::start(2);
    let [one, two] = &mesh.hosts[..] else { panic!() };
    one.save(PATH, APP_TOML);
    mesh.everywhere(PATH, APP_TOML);
    let editor = OpenOptions::new().write(true).open(one.path(PATH)).unwrap();
    two.put("config/app.toml#limits.burst", "90");
    let changed = APP_TOML.replace("burst = 80", "burst = 90");
    mesh.everywhere(PATH, &changed);
    editor.write_all_at(APP_TOML.replace("port = 8080", "port = = 80").as_bytes(), 0).unwrap();
    drop(editor);

    let held = eventually(&mesh, "the save is held", || held_file(one));
    assert_eq!((&held["line"], &held["column"]), (&json!(7), &json!(8)), "{held}");
    let kept = held["reason"].as_str().unwrap().rsplit_once(' ').unwrap().1;
    assert!(std::fs::read_to_string(kept).unwrap().contains("port = = 80"), "{held}");
    // The file itself is fine, and goes on following the mesh.
    two.put("config/app.toml#limits.rps", "300");
    mesh.everywhere(PATH, changed.replace("200", "300"));
    one.save(PATH, changed.replace("200", "300").replace("8080", "8081"));
    mesh.everywhere(PATH, changed.replace("200", "300").replace("8080", "8081"));
    eventually(&mesh, "nothing is held any more", || held_file(one).map_or(Ok(()), |held| Err(held.to_string())));
}
