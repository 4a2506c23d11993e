//! Daemons that are killed at any moment lose nothing that they acknowledged (P7).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rand_core::Rng;

use crate::harness::{Client, Mesh, eventually, murmurate, poll, report, run, seeded};

/// Puts by the command line, one process each.
const BY_PROCESS: usize = 100;
/// Puts by each client of the library, one client per host.
const BY_CLIENT: usize = 300;
const TOTAL: usize = BY_PROCESS + 3 * BY_CLIENT;

/// Puts until it is acknowledged, over all restarts of the daemon.
fn put_by_client(socket: &Path, client: &mut Option<Client>, address: &str, value: &str) {
    let acknowledged = poll(|| {
        let attached = match client.take() {
            Some(attached) => attached,
            None => Client::attach(socket).map_err(|error| error.to_string())?,
        };
        attached.put(address, value).map_err(|error| error.to_string())?;
        *client = Some(attached);
        Ok(())
    });
    acknowledged.unwrap_or_else(|seen| panic!("{address} isn't taken: {seen}"));
}

fn put_by_process(socket: &Path, address: &str, value: &str) {
    let acknowledged = poll(|| {
        let mut command = murmurate();
        command.args(["put", address, value, "--socket"]).arg(socket);
        let output = run(command);
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
    });
    acknowledged.unwrap_or_else(|seen| panic!("{address} isn't taken: {seen}"));
}

/// The file that a client writes to, and how many keys.
fn expected_files() -> [(&'static str, usize); 4] {
    [("process", BY_PROCESS), ("client-1", BY_CLIENT), ("client-2", BY_CLIENT), ("client-3", BY_CLIENT)]
}

fn value_of(file: &str, number: usize) -> String {
    format!("{file} wrote {number}")
}

fn put_all(mesh_sockets: &[std::path::PathBuf], acknowledged: &AtomicUsize) {
    std::thread::scope(|scope| {
        for (index, (file, count)) in expected_files().into_iter().enumerate() {
            let socket = &mesh_sockets[index.saturating_sub(1)];
            scope.spawn(move || {
                let mut client = None;
                for number in 0..count {
                    let (address, value) = (format!("config/{file}.toml#key_{number}"), value_of(file, number));
                    match index {
                        0 => put_by_process(socket, &address, &value),
                        _ => put_by_client(socket, &mut client, &address, &value),
                    }
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
}

#[test]
fn killed_daemons_lose_no_acknowledged_put() {
    let mut rng = seeded("killed_daemons_lose_no_acknowledged_put");
    let mut mesh = Mesh::start_apart(3);
    let sockets: Vec<_> = mesh.hosts.iter().map(|host| host.socket.clone()).collect();
    let acknowledged = AtomicUsize::new(0);
    let mut kills = 0;
    std::thread::scope(|scope| {
        let writers = scope.spawn(|| put_all(&sockets, &acknowledged));
        while !writers.is_finished() {
            let after = acknowledged.load(Ordering::Relaxed) + 20 + rng.next_u32() as usize % 80;
            let reached = || acknowledged.load(Ordering::Relaxed) >= after || writers.is_finished();
            eventually(
                &mesh,
                "the clients go on",
                || if reached() { Ok(()) } else { Err(format!("{acknowledged:?}")) },
            );
            // The moment is what is tried here: anywhere in the life of a put.
            std::thread::sleep(Duration::from_micros(u64::from(rng.next_u32() % 5_000)));
            let victim = rng.next_u32() as usize % 3;
            mesh.hosts[victim].kill();
            mesh.hosts[victim].start();
            kills += 1;
        }
    });
    report(&format!("{kills} kills during {TOTAL} puts"));
    assert_eq!(acknowledged.load(Ordering::Relaxed), TOTAL);
    mesh.settle();
    mesh.has_no_problems();
    for (file, count) in expected_files() {
        let text = mesh.same_everywhere(&format!("{file}.toml"), |text| text.lines().count() == count);
        let found: BTreeMap<String, String> = toml::from_str(&text).unwrap();
        let expected: BTreeMap<String, String> =
            (0..count).map(|number| (format!("key_{number}"), value_of(file, number))).collect();
        assert_eq!(found, expected);
    }
}
