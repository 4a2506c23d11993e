//! A host in good health, and one with every trouble there is.

use std::path::PathBuf;

use murmurate_client::types::*;

use super::findings::{Answers, FileFacts, Findings};
use crate::cli::testing::{ago, folder, held_file, now};
use crate::settings::{DaemonFlags, Settings, Surroundings};

const DAY_S: u64 = 24 * 3_600;

pub(in crate::cli) fn well() -> Findings {
    let host = HostFacts {
        now: now(),
        data_changed: Some(ago(5)),
        data_dir: "/nonexistent/data".into(),
        udp: Some(UdpFacts { receive_buffer_bytes: 212_992, dropped: Some(0) }),
        inotify: Some(InotifyFacts { watches_max: 65_536, watches: Some(12), instances_max: 128 }),
        sync: Some(SyncFacts { samples: 11, median_us: 180, worst_us: 1_204 }),
        disk: Some(DiskFacts { free_bytes: 40 << 30, total_bytes: 100 << 30 }),
    };
    let facts = Facts { v: V1, host: host.clone(), paths: vec![path("web-2", 1_452)] };
    let keys = KeyStatus {
        v: V1,
        mesh: "cd".repeat(16),
        fingerprint: "ef".repeat(32),
        certificate: certificate(ago(9 * DAY_S), in_seconds(21 * DAY_S), None),
        issuers: vec![issuer("web-1"), issuer("web-2")],
        authority_here: true,
        recovery_key: None,
        revoked: Vec::new(),
    };
    let folder =
        Folder { files: 4, held: 0, kept_back: 0, deletes_held: 0, skipped: 0, in_step: 4, conflicts: 0, ..folder() };
    let members = vec![member("web-1", true, MemberState::Alive), member("web-2", false, MemberState::Alive)];
    let answers = Answers { facts, status: status(folder), members: Members { v: V1, members }, keys };
    Findings {
        daemon: Ok(answers),
        settings: Ok(settings()),
        host: Some(host),
        settings_file: Some(FileFacts { name: "daemon.toml".into(), mode: 0o644, owner: 0 }),
        daemons_user: Some(0),
        keys: Some(("/nonexistent/data/identity".into(), Ok(vec![key("issuer.key", 0o600), key("node.key", 0o600)]))),
        can_listen: None,
    }
}

pub(in crate::cli) fn ill() -> Findings {
    let mut findings = well();
    let Ok(Answers { facts, status, members, keys }) = &mut findings.daemon else { return findings };
    facts.host.now = ago(40 * DAY_S);
    keys.certificate = certificate(ago(71 * DAY_S), ago(41 * DAY_S), Some("no issuer answers".into()));
    keys.issuers.truncate(1);
    keys.recovery_key = Some("/nonexistent/recovery.key".into());
    facts.host.udp = Some(UdpFacts { receive_buffer_bytes: 4_096, dropped: Some(700) });
    facts.host.inotify = Some(InotifyFacts { watches_max: 8_192, watches: Some(8_192), instances_max: 128 });
    facts.host.sync = Some(SyncFacts { samples: 3, median_us: 900_000, worst_us: 1_200_000 });
    facts.host.disk = Some(DiskFacts { free_bytes: 1 << 20, total_bytes: 100 << 30 });
    facts.paths[0] = PathFacts { black_holes: 2, ..path("web-2", 1_200) };
    findings.host = Some(facts.host.clone());
    findings.settings_file = Some(FileFacts { name: "daemon.toml".into(), mode: 0o666, owner: 0 });
    findings.keys =
        Some(("/nonexistent/data/identity".into(), Ok(vec![key("issuer.key", 0o600), key("node.key", 0o644)])));
    members.members[1] = Member { lag: 318, in_step: false, ..member("web-2", false, MemberState::Suspect) };
    status.held = vec![held_file()];
    status.conflicts = 2;
    status.store =
        StoreHealth { healthy: false, problem: Some("No space left on device".into()), ..status.store.clone() };
    let problem = |code, what: &str, why: &str, try_: &str| Problem {
        code,
        what: what.into(),
        why: why.into(),
        try_: try_.into(),
    };
    status.problems = vec![
        problem(
            ErrorCode::Frozen,
            "web/app.toml takes no changes",
            "two changes with the same version",
            "end the copy",
        ),
        problem(
            ErrorCode::Lagging,
            "db isn't in step",
            "for 40 s it has lacked changes, now 7 of them",
            "`murmurate status` on db",
        ),
        problem(ErrorCode::NoLink, "no connection with web-2", "it is connected with db", "let UDP through"),
        problem(ErrorCode::Versions, "hosts run different versions", "0.1.0 here, 0.2.0 on db", "update all hosts"),
        problem(ErrorCode::Clock, "the clock of db differs", "it is 7.2 s ahead of this host's", "set it"),
        problem(ErrorCode::Limit, "a limit is near: open watches", "there are 250 of at most 256", "do with fewer"),
        problem(ErrorCode::Denied, "a connection with 10.0.0.9:7117 was refused", "another mesh", "check that host"),
    ];
    findings
}

fn certificate(begins: Time, ends: Time, problem: Option<String>) -> CertificateStatus {
    CertificateStatus { begins, ends, renewed_from: ends, problem }
}

fn issuer(name: &str) -> Issuer {
    Issuer { name: name.into(), id: "ab".repeat(32), since: ago(9 * DAY_S), is_self: false }
}

fn key(name: &str, mode: u32) -> FileFacts {
    FileFacts { name: name.into(), mode, owner: 0 }
}

fn in_seconds(seconds: u64) -> Time {
    Time::from_ms(now().as_ms() + seconds * 1_000)
}

fn path(host: &str, datagram_bytes: u64) -> PathFacts {
    PathFacts {
        host: host.into(),
        address: "10.0.0.2:7117".into(),
        round_trip_us: 412,
        datagram_bytes,
        sent: 10_000,
        lost: 3,
        black_holes: 0,
    }
}

fn member(name: &str, is_self: bool, state: MemberState) -> Member {
    Member {
        name: name.into(),
        id: "ab".repeat(32),
        state,
        address: "10.0.0.1:7117".into(),
        since: Some(ago(7_300)),
        lag: 0,
        in_step: true,
        version: None,
        zone: None,
        roles: Vec::new(),
        heard_alive: None,
        flapping: false,
        clock_ahead_ms: Some(3),
        is_self,
        behind_since: None,
        through: Vec::new(),
    }
}

fn status(folder: Folder) -> Status {
    Status {
        v: V1,
        node: "web-1".into(),
        roles: vec!["db".into()],
        id: "ab".repeat(32),
        mesh: "cd".repeat(16),
        version: "0.1.0".into(),
        address: "10.0.0.1:7117".into(),
        started: ago(7_200),
        uptime_ms: 7_200_000,
        members: MemberCounts { alive: 2, suspect: 0, dead: 0, in_step: 2, total: 2 },
        in_step: true,
        folders: vec![folder],
        held: Vec::new(),
        conflicts: 0,
        store: StoreHealth { healthy: true, problem: None, documents: 4, changes: 120, bytes: None },
        problems: Vec::new(),
    }
}

fn settings() -> Settings {
    let variables = [("HOME", "/nonexistent/ann"), ("MURMURATE_PEERS", "db-1.example.org:7117, 10.0.0.2:7117")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let surroundings = Surroundings { variables, uid: 1_000, host_name: "web-1".into() };
    let socket = Some(PathBuf::from("/nonexistent/m.sock"));
    Settings::load(&DaemonFlags { socket, ..DaemonFlags::default() }, &surroundings).unwrap()
}
