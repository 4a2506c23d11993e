//! The daemon as a service: what it tells the service manager, over a real socket.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{Client, Mesh, signal};

/// How long a message may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Listens as a service manager does; ends when nobody asks any more.
fn listen(path: &Path) -> Receiver<String> {
    let socket = UnixDatagram::bind(path).unwrap();
    let (sender, messages) = channel();
    std::thread::spawn(move || {
        let mut bytes = [0; 4_096];
        while let Ok(length) = socket.recv(&mut bytes) {
            if sender.send(String::from_utf8_lossy(&bytes[..length]).into_owned()).is_err() {
                return;
            }
        }
    });
    messages
}

fn variable(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// The messages up to this one.
fn until(messages: &Receiver<String>, wanted: &str) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.last().is_none_or(|last| last != wanted) {
        match messages.recv_timeout(PATIENCE) {
            Ok(message) => seen.push(message),
            Err(error) => panic!("no {wanted}: {error}, after {seen:?}"),
        }
    }
    seen
}

#[test]
fn a_service_manager_hears_of_the_beginning_the_life_and_the_end() {
    let mut mesh = Mesh::start_apart(1);
    let path = mesh.directory.path().join("notify");
    let messages = listen(&path);
    let host = &mut mesh.hosts[0];
    host.stop();
    host.environment.extend([variable("NOTIFY_SOCKET", path.to_str().unwrap()), variable("WATCHDOG_USEC", "200000")]);
    host.spawn();
    let before = until(&messages, "READY=1");
    assert!(before.contains(&"STATUS=1 of 1 hosts alive, no conflicts".to_owned()), "{before:?}");
    assert!(!before.contains(&"WATCHDOG=1".to_owned()), "{before:?}");
    // At once, without another try: ready means that it answers.
    Client::attach(&host.socket).unwrap().ask(|mesh| mesh.status()).unwrap();
    for _ in 0..3 {
        until(&messages, "WATCHDOG=1");
    }

    let settings = fs::read_to_string(host.settings()).unwrap();
    fs::write(host.settings(), settings + "log = \"debug\"\n").unwrap();
    signal(host.pid, Signal::HUP);
    until(&messages, "RELOADING=1");
    until(&messages, "READY=1");
    assert_eq!(host.does(&["debug", "log"]), "debug\n");

    assert!(host.stop().success());
    until(&messages, "STOPPING=1");
}

#[test]
fn settings_that_became_wrong_change_nothing() {
    let mut mesh = Mesh::start_apart(1);
    let path = mesh.directory.path().join("notify");
    let messages = listen(&path);
    let host = &mut mesh.hosts[0];
    host.stop();
    host.environment.push(variable("NOTIFY_SOCKET", path.to_str().unwrap()));
    host.spawn();
    until(&messages, "READY=1");
    fs::write(host.settings(), "log = \"loud\"\n").unwrap();
    signal(host.pid, Signal::HUP);
    until(&messages, "RELOADING=1");
    until(&messages, "READY=1");
    assert_eq!(host.does(&["debug", "log"]), "info\n");
    assert!(host.logged().contains("no level"), "{}", host.logged());
}
