//! Programs on the same machine: too many, too slow, or not meant to be there.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::harness::{Host, Mesh, note_skipped, report, run};
use crate::table::{Extent, Row, Test};

pub(crate) const MANY: Row = Row {
    fault: "slow or many local API clients",
    promise: "deadlines and caps; others are served",
    extent: Extent::Holds,
    tests: &[
        Test("tests/lab/local.rs", "a_thousand_half_open_requests_keep_nobody_waiting"),
        Test("src/daemon/api/tests.rs", "half_open_requests_block_nobody"),
        Test("src/daemon/api/tests.rs", "watches_are_counted"),
    ],
};

pub(crate) const OTHER_USER: Row = Row {
    fault: "an unprivileged local user",
    promise: "no access unless the socket's group allows it; reads and writes authorised apart",
    extent: Extent::Partly("who may open the socket may read and write: the two aren't told apart yet"),
    tests: &[Test("tests/lab/local.rs", "another_user_gets_in_only_by_the_sockets_group")],
};

pub(crate) const WEB_PAGE: Row = Row {
    fault: "a web page in the operator's browser",
    promise: "the HTTP API refuses foreign Host and Origin headers",
    extent: Extent::Holds,
    tests: &[Test("tests/lab/local.rs", "a_web_page_finds_no_port_and_its_requests_are_refused")],
};

const HALF_OPEN: usize = 1_000;
const BEGINNINGS: [&[u8]; 4] = [
    b"",
    b"GET /v1/mem",
    b"PUT /v1/value?address=config/a.toml%23b HTTP/1.1\r\nhost: localhost\r\n",
    b"PUT /v1/value?address=config/a.toml%23b HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{\"value",
];

#[test]
fn a_thousand_half_open_requests_keep_nobody_waiting() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let mesh = Mesh::start_apart(2);
    let [one, two] = &mesh.hosts[..] else { panic!() };
    let mut open = Vec::new();
    for number in 0..HALF_OPEN {
        let mut stream = UnixStream::connect(&one.socket).unwrap();
        // Some have had to give way before they could say anything.
        let _ = stream.write_all(BEGINNINGS[number % BEGINNINGS.len()]);
        open.push(stream);
    }
    let mut slowest = Duration::ZERO;
    for number in 0..10 {
        let start = Instant::now();
        one.put(&format!("config/app.toml#key_{number}"), &number.to_string());
        one.does(&["get", &format!("config/app.toml#key_{number}")]);
        slowest = slowest.max(start.elapsed());
    }
    report(&format!("slowest put and get by two processes beside {HALF_OPEN} half-open requests: {slowest:?}"));
    two.put("config/other.toml#key", "1");
    mesh.everywhere("other.toml", "key = 1\n");
    mesh.settle();
    drop(open);
}

/// A user and group that own nothing.
const NOBODY: u32 = 65_534;

/// What the command line of another user says.
fn as_nobody(host: &Host, program: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new("setpriv");
    let id = NOBODY.to_string();
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(program).args(arguments);
    command.arg("--socket").arg(&host.socket).env("XDG_CONFIG_HOME", "/nonexistent");
    run(command)
}

#[test]
fn another_user_gets_in_only_by_the_sockets_group() {
    let test = "another_user_gets_in_only_by_the_sockets_group";
    if !rustix::process::geteuid().is_root() {
        return note_skipped(test, "becoming another user needs root");
    }
    let mesh = Mesh::start_apart(1);
    let one = &mesh.hosts[0];
    one.put("config/app.toml#key", "1");
    // Others may come as far as to the socket itself, and have the program.
    let program = mesh.directory.path().join("murmurate");
    fs::copy(env!("CARGO_BIN_EXE_murmurate"), &program).unwrap();
    for path in [mesh.directory.path(), &one.directory, &program] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }
    assert!(as_nobody(one, &program, &["version"]).status.success(), "the other user can't even start the program");
    for command in [&["get", "config/app.toml#key"][..], &["put", "config/app.toml#key", "2"], &["status"]] {
        let output = as_nobody(one, &program, command);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(8), "{command:?}: {errors}");
        assert!(errors.contains("E_DENIED"), "{errors}");
    }
    assert_eq!(one.does(&["get", "config/app.toml#key"]).trim(), "1");
    // Nor by the daemon's files.
    for path in ["data/store", "data/identity"] {
        let mode = fs::metadata(one.directory.join(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{path} has mode {mode:o}");
    }

    std::os::unix::fs::chown(&one.socket, None, Some(NOBODY)).unwrap();
    let output = as_nobody(one, &program, &["get", "config/app.toml#key"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "1", "{output:?}");
}

/// Sends a request as it is, and gives the answer's first line and body.
fn raw(host: &Host, request: &str) -> (String, String) {
    let mut stream = UnixStream::connect(&host.socket).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer.lines().next().unwrap_or_default().to_owned(), answer)
}

/// The sockets that a process listens on for TCP.
fn tcp_listeners(pid: u32) -> Vec<String> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let links = links.filter_map(|entry| fs::read_link(entry.path()).ok());
    let own: Vec<String> = links.map(|link| link.to_string_lossy().into_owned()).collect();
    let lines = ["tcp", "tcp6"].map(|kind| fs::read_to_string(format!("/proc/{pid}/net/{kind}")).unwrap_or_default());
    let is_own = |line: &&str| {
        let inode = line.split_whitespace().nth(9).unwrap_or("none");
        own.contains(&format!("socket:[{inode}]"))
    };
    lines.iter().flat_map(|text| text.lines().filter(is_own)).map(str::to_owned).collect()
}

#[test]
fn a_web_page_finds_no_port_and_its_requests_are_refused() {
    let mesh = Mesh::start_apart(1);
    let one = &mesh.hosts[0];
    one.put("config/app.toml#key", "1");
    // A browser speaks TCP only, and there is nothing that it could speak to.
    assert_eq!(tcp_listeners(one.pid), [] as [String; 0]);
    // Should something carry its requests to the socket, its headers betray it.
    let head = "Connection: close\r\n";
    let get = "GET /v1/value?address=config%2Fapp.toml%23key HTTP/1.1\r\n";
    let put = "PUT /v1/value?address=config%2Fapp.toml%23key HTTP/1.1\r\n";
    let body = "{\"value\":\"2\"}";
    for host in ["localhost", "evil.example", "127.0.0.1:7946"] {
        let origin = format!("Host: {host}\r\nOrigin: http://evil.example\r\n{head}");
        let length = format!("Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        for request in [format!("{get}{origin}\r\n"), format!("{put}{origin}{length}")] {
            let (status, answer) = raw(one, &request);
            assert!(status.contains(" 403 ") && answer.contains("E_DENIED"), "{request}\n{answer}");
        }
    }
    for foreign in ["evil.example", "evil.example:80", "192.0.2.1"] {
        let (status, answer) = raw(one, &format!("{get}Host: {foreign}\r\n{head}\r\n"));
        assert!(status.contains(" 403 ") && answer.contains("E_DENIED"), "{foreign}\n{answer}");
    }
    for own in ["localhost", "localhost:80"] {
        let (status, answer) = raw(one, &format!("{get}Host: {own}\r\n{head}\r\n"));
        assert!(status.contains(" 200 "), "{own}\n{answer}");
    }
    assert_eq!(one.does(&["get", "config/app.toml#key"]).trim(), "1");
}
