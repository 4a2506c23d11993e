//! Files that are left alone by the patterns in `.murmurateignore`.

use serde_json::Value as Json;

use crate::harness::{Host, Mesh, eventually};

/// The state of a file in `folder status`; nothing if it isn't mentioned.
fn state(host: &Host, path: &str) -> Option<String> {
    let status = host.json(&["folder", "status", "config"]);
    let entries = status["folders"][0]["entries"].as_array().unwrap();
    let entry = entries.iter().find(|entry| entry["path"] == path)?;
    Some(entry["state"].as_str().unwrap().to_owned())
}

fn is_in(mesh: &Mesh, path: &str, wanted: Option<&str>) {
    for host in &mesh.hosts {
        eventually(mesh, &format!("{path} is {wanted:?} on {}", host.name), || match state(host, path) {
            state if state.as_deref() == wanted => Ok(()),
            state => Err(format!("{state:?}")),
        });
    }
}

#[test]
fn patterns_are_the_same_on_all_hosts_and_stop_and_resume_the_sharing_of_a_file() {
    let mesh = Mesh::start(3);
    let [one, two, three] = &mesh.hosts[..] else { panic!() };
    one.save("app.toml", "a = 1\n");
    one.save("noise.log", "one\n");
    mesh.everywhere("app.toml", "a = 1\n");
    mesh.everywhere("noise.log", "one\n");

    two.save(".murmurateignore", "# Not config.\n*.log\n");
    mesh.everywhere(".murmurateignore", "# Not config.\n*.log\n");
    is_in(&mesh, "noise.log", Some("skipped"));
    // What is saved from here on stays where it is, and what is new isn't shared.
    one.save("noise.log", "one\ntwo\n");
    one.save("more.log", "more\n");
    two.put("config/app.toml#a", "2");
    mesh.everywhere("app.toml", "a = 2\n");
    mesh.settle();
    for host in [two, three] {
        host.has("noise.log", "one\n").unwrap();
        assert_eq!(host.read("more.log"), None);
    }
    assert_eq!(state(one, "more.log"), None);
    let documents: Json = three.json(&["ls", "--documents"]);
    let names: Vec<&str> =
        documents["documents"].as_array().unwrap().iter().map(|doc| doc["doc"].as_str().unwrap()).collect();
    assert_eq!(names, ["config/.murmurateignore", "config/app.toml", "config/noise.log"], "nothing is deleted");

    three.save(".murmurateignore", "# Not config.\n/more.log\n");
    mesh.everywhere("noise.log", "one\ntwo\n");
    is_in(&mesh, "noise.log", Some("in-step"));
    assert_eq!(two.read("more.log"), None);
}
