//! Daemons that get more than fits, and those that run out of memory.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::harness::{Client, Host, Mesh, eventually, report};
use crate::table::{Extent, Row, Test};

pub(crate) const ROW: Row = Row {
    fault: "out of memory",
    promise: "bounded memory under flood; killed and restarted clean",
    extent: Extent::Partly(
        "the history of documents is kept whole and grows with every change; what floods in is bounded",
    ),
    tests: &[
        Test("tests/lab/memory.rs", "half_sent_requests_fill_no_memory"),
        Test("tests/lab/memory.rs", "a_daemon_that_runs_out_of_memory_starts_again_with_all_that_it_acknowledged"),
        Test("mesh/net/tests/it/frames.rs", "a_slow_reader_loses_frames_and_slows_nobody"),
        Test("mesh/protocol/tests/it/scenes.rs", "the_waiting_buffer_is_bounded_and_drops_the_farthest"),
    ],
};

const REQUESTS: usize = 100;
/// Of a request's 8 MiB so many are sent: 700 MiB together.
const SENT_BYTES: usize = 7 << 20;
/// What a daemon may take: some 64 MiB of large requests, as much again while they grow, and what it has anyway.
const BOUND_KIB: u64 = 256 << 10;

/// A number of `/proc/PID/status`, in KiB.
fn status_kib(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}: {status}"));
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn half_sent_requests_fill_no_memory() {
    let mesh = Mesh::start_apart(1);
    let one = &mesh.hosts[0];
    let head =
        format!("PUT /v1/file?doc=config%2Fbig.txt HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", 8 << 20);
    let body = vec![b'x'; SENT_BYTES];
    let open = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..REQUESTS {
            scope.spawn(|| {
                let mut stream = UnixStream::connect(&one.socket).unwrap();
                stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
                stream.write_all(head.as_bytes()).unwrap();
                // What isn't read isn't sent either.
                let _ = stream.write_all(&body);
                open.lock().unwrap().push(stream);
            });
        }
    });
    one.put("config/app.toml#key", "1");
    let peak = status_kib(one.pid, "VmHWM:");
    report(&format!("{REQUESTS} half-sent requests of 8 MiB: at most {} MiB of memory", peak >> 10));
    assert!(peak < BOUND_KIB, "{peak} KiB");
    drop(open);
    mesh.settle();
}

/// What a daemon may take beyond what it has once it is up.
const MARGIN_BYTES: u64 = 24 << 20;
const VALUE_BYTES: usize = 256 << 10;
/// Far more than the margin holds.
const PUTS: usize = 1_000;
/// How long an aborted process may take to be gone; if it isn't by then, the next put tells.
const SOON: Duration = Duration::from_secs(2);

fn key(number: usize) -> String {
    format!("config/file-{number}.toml#key")
}

/// Puts until the daemon is gone, and notes what was acknowledged. A request may fail before all the daemon does.
fn put_until_gone(host: &mut Host, begin: usize, acknowledged: &mut Vec<usize>) -> usize {
    let value = "x".repeat(VALUE_BYTES);
    for number in begin..begin + PUTS {
        let put = Client::attach(&host.socket).and_then(|client| client.put(&key(number), &value));
        if put.is_ok() {
            acknowledged.push(number);
        } else if let Some(status) = gone(host) {
            assert!(!status.success(), "{status}");
            return number + 1;
        }
    }
    panic!("memory never ran out");
}

/// How the daemon ended, if it does so soon.
fn gone(host: &mut Host) -> Option<ExitStatus> {
    let end = Instant::now() + SOON;
    loop {
        match host.daemon.as_mut().unwrap().ended() {
            None if Instant::now() < end => std::thread::sleep(Duration::from_millis(10)),
            ended => return ended,
        }
    }
}

fn limit_memory(host: &Host) {
    let pid = i32::try_from(host.pid).ok().and_then(Pid::from_raw);
    let limit = status_kib(host.pid, "VmData:") * 1_024 + MARGIN_BYTES;
    prlimit(pid, Resource::Data, Rlimit { current: Some(limit), maximum: Some(limit) }).unwrap();
}

#[test]
fn a_daemon_that_runs_out_of_memory_starts_again_with_all_that_it_acknowledged() {
    let mut mesh = Mesh::start_apart(2);
    let (mut acknowledged, mut next) = (Vec::new(), 0);
    for _ in 0..3 {
        limit_memory(&mesh.hosts[0]);
        next = put_until_gone(&mut mesh.hosts[0], next, &mut acknowledged);
        mesh.hosts[0].start();
        mesh.settle();
        let client = mesh.hosts[1].client();
        for &number in &acknowledged {
            let key = key(number);
            let entry = client.ask(|mesh| mesh.get(&key)).unwrap();
            assert_eq!(entry.value.value.as_str().unwrap().len(), VALUE_BYTES);
        }
        mesh.host_has_no_problem(&mesh.hosts[0]);
        let status = mesh.hosts[0].client().ask(|mesh| mesh.status()).unwrap();
        assert!(status.store.healthy, "{status:?}");
    }
    report(&format!("{} puts were acknowledged before memory ran out three times", acknowledged.len()));
    let path = format!("file-{}.toml", acknowledged.last().expect("a put before memory ran out"));
    eventually(&mesh, "files are written", || mesh.hosts[1].has(&path, mesh.hosts[0].text(&path)));
}
