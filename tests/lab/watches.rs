//! A kernel without watches left: files are found by looking, and that is said.

use crate::harness::{Host, Mesh, eventually};
use crate::traced::{can_trace, injecting};

fn problem(host: &Host) -> String {
    let status = host.json(&["status"]);
    status["folders"][0]["problem"].as_str().unwrap_or_default().to_owned()
}

/// A mesh of two, whose first daemon is started again with this error; everything is still shared, and the reason shown.
fn check(test: &str, injection: &str) {
    if !can_trace(test) {
        return;
    }
    let mut mesh = Mesh::start_apart(2);
    mesh.hosts[0].stop();
    let log = mesh.hosts[0].directory.join("strace.log");
    mesh.hosts[0].launcher = injecting(injection, &log);
    mesh.hosts[0].start();
    mesh.settle();
    eventually(&mesh, "status says that there are no watches", || match problem(&mesh.hosts[0]) {
        problem if problem.contains("looking every second") => Ok(()),
        problem => Err(problem),
    });
    mesh.hosts[0].save("deep/er/app.toml", "a = 1\n");
    mesh.everywhere("deep/er/app.toml", "a = 1\n");
    mesh.hosts[0].save("deep/er/app.toml", "a = 2\n");
    mesh.everywhere("deep/er/app.toml", "a = 2\n");
    let settings = mesh.hosts[0].settings();
    let doctor = mesh.hosts[0].run(&["doctor", "-o", "json", "--settings", settings.to_str().unwrap()]);
    let checks: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let folders = checks["checks"].as_array().unwrap().iter().find(|check| check["name"] == "folders").unwrap();
    assert_eq!(folders["state"], "warn", "{checks}");
    // With watches again, it is over.
    mesh.hosts[0].stop();
    mesh.hosts[0].launcher.clear();
    mesh.hosts[0].start();
    mesh.settle();
    assert_eq!(problem(&mesh.hosts[0]), "");
}

#[test]
fn without_watches_folders_are_polled_and_status_and_doctor_say_so() {
    check("without_watches_folders_are_polled_and_status_and_doctor_say_so", "inotify_add_watch:error=ENOSPC");
}

#[test]
fn without_an_inotify_instance_folders_are_polled_too() {
    check("without_an_inotify_instance_folders_are_polled_too", "inotify_init1:error=EMFILE");
}
