//! Files that get another name: their history goes on under it (MERGE rule 17).

use std::fs;

use serde_json::Value as Json;

use crate::harness::{APP_TOML, Host, Mesh, eventually};

/// Which document another one's file was before.
fn renamed_from(host: &Host, doc: &str) -> Json {
    let documents = host.json(&["ls", "--documents"]);
    let documents = documents["documents"].as_array().unwrap();
    let document = documents.iter().find(|document| document["doc"] == doc);
    document.unwrap_or_else(|| panic!("no {doc} in {documents:?}"))["renamed_from"].clone()
}

#[test]
fn a_renamed_file_goes_everywhere_with_a_link_to_what_it_was() {
    let mut mesh = Mesh::start_apart(2);
    mesh.hosts[0].save("old.toml", APP_TOML);
    mesh.everywhere("old.toml", APP_TOML);
    fs::rename(mesh.hosts[0].path("old.toml"), mesh.hosts[0].path("new.toml")).unwrap();
    mesh.everywhere("new.toml", APP_TOML);
    mesh.nowhere("old.toml");
    mesh.settle();
    mesh.hosts[1].stop();
    mesh.hosts[1].start();
    mesh.settle();
    for host in &mesh.hosts {
        assert_eq!(renamed_from(host, "config/new.toml"), "config/old.toml");
    }
    // The old name is free for another file, which goes on with its document.
    mesh.hosts[1].save("old.toml", "other = true\n");
    mesh.everywhere("old.toml", "other = true\n");
    assert_eq!(renamed_from(&mesh.hosts[0], "config/old.toml"), Json::Null);
}

#[test]
fn a_renamed_directory_needs_no_confirmation_and_one_that_is_moved_out_does() {
    const FILES: usize = 30;
    let mesh = Mesh::start(2);
    let [one, two] = &mesh.hosts[..] else { panic!() };
    for number in 0..FILES {
        one.save(&format!("conf.d/deep/{number}.toml"), format!("number = {number}\n"));
    }
    for number in 0..FILES {
        mesh.everywhere(&format!("conf.d/deep/{number}.toml"), format!("number = {number}\n"));
    }
    fs::rename(two.path("conf.d"), two.path("config.d")).unwrap();
    for number in 0..FILES {
        mesh.everywhere(&format!("config.d/deep/{number}.toml"), format!("number = {number}\n"));
        mesh.nowhere(&format!("conf.d/deep/{number}.toml"));
    }
    let held = |host: &Host| host.json(&["folder", "status", "config"])["folders"][0]["deletes_held"].clone();
    assert_eq!(held(two), 0);

    let outside = mesh.directory.path().join("moved-out");
    fs::rename(two.path("config.d"), &outside).unwrap();
    eventually(&mesh, "the deletes are held", || match held(two) {
        count if count == FILES => Ok(()),
        count => Err(count.to_string()),
    });
    fs::rename(&outside, two.path("config.d")).unwrap();
    eventually(&mesh, "the directory is back", || match held(two) {
        count if count == 0 => Ok(()),
        count => Err(count.to_string()),
    });
    one.has("config.d/deep/0.toml", "number = 0\n").unwrap();
}

#[test]
fn an_edit_of_the_old_path_that_knew_nothing_of_the_rename_keeps_that_file() {
    let mut mesh = Mesh::start_apart(2);
    mesh.hosts[0].save("old.toml", APP_TOML);
    mesh.everywhere("old.toml", APP_TOML);
    mesh.settle();
    mesh.hosts[1].stop();
    fs::rename(mesh.hosts[0].path("old.toml"), mesh.hosts[0].path("new.toml")).unwrap();
    eventually(&mesh, "the rename is taken in", || {
        let documents = mesh.hosts[0].json(&["ls", "--documents"]);
        let names: Vec<&Json> = documents["documents"].as_array().unwrap().iter().map(|doc| &doc["doc"]).collect();
        if names == ["config/new.toml"] { Ok(()) } else { Err(documents.to_string()) }
    });
    let edited = APP_TOML.replace("8080", "9090");
    mesh.hosts[1].save("old.toml", &edited);
    mesh.hosts[1].start();
    mesh.settle();
    mesh.everywhere("old.toml", &edited);
    mesh.everywhere("new.toml", APP_TOML);
    for host in &mesh.hosts {
        let conflicts = host.json(&["conflicts"]);
        let flagged = conflicts["conflicts"].as_array().unwrap().iter().any(|it| it["doc"] == "config/old.toml");
        assert!(flagged, "{conflicts}");
        assert_eq!(renamed_from(host, "config/new.toml"), "config/old.toml");
    }
}
