//! `murmurate dev`: a mesh to try things on.

use std::fs;

use rustix::process::Signal;
use serde_json::Value as Json;

use crate::harness::{APP_TOML, Mesh, eventually, is_running};

#[test]
fn dev_describes_its_hosts_and_ends_them_with_itself() {
    let mut mesh = Mesh::start(3);
    let directory = mesh.directory.path().join("m");
    let out = fs::read_to_string(mesh.directory.path().join("dev.out")).unwrap();
    let lines: Vec<Json> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    for (line, number) in lines.iter().zip(1..) {
        let own = directory.join(format!("host-{number}"));
        assert_eq!(line["host"], format!("host-{number}"));
        assert_eq!(line["folder"], own.join("config").to_str().unwrap());
        assert_eq!(line["socket"], own.join("murmurate.sock").to_str().unwrap());
        assert!(line["address"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
        assert!(is_running(u32::try_from(line["pid"].as_u64().unwrap()).unwrap()));
        assert!(own.join("data").is_dir() && own.join("daemon.log").is_file());
    }
    let hints = fs::read_to_string(mesh.directory.path().join("dev.err")).unwrap();
    assert!(!hints.trim().is_empty(), "dev says what to try");

    // What it said is so: all are up and in step.
    for host in &mesh.hosts {
        let members = host.json(&["members"]);
        let states: Vec<&Json> = members["members"].as_array().unwrap().iter().map(|member| &member["state"]).collect();
        assert_eq!(states, ["alive"; 3]);
    }
    mesh.hosts[0].save("app.toml", APP_TOML);
    mesh.everywhere("app.toml", APP_TOML);

    let status = mesh.dev.take().unwrap().end(Signal::INT).unwrap();
    assert_eq!(status.code(), Some(0));
    for host in &mesh.hosts {
        eventually(
            &mesh,
            "the daemons have ended",
            || if is_running(host.pid) { Err(host.name.clone()) } else { Ok(()) },
        );
    }
}
