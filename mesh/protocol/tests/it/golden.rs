//! The bytes of each message, kept in `tests/golden`: later builds must still write and read them.
//!
//! After a deliberate change of the format: `UPDATE_GOLDEN=1 cargo test -p murmurate-protocol --test it golden`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use murmurate_crdt::clock::{Range, VersionVector};
use murmurate_crdt::id::{Generation, Lane, NodeId};
use murmurate_protocol::message::{BUCKETS, DocumentVector, Message, Rumour};
use murmurate_protocol::{DocumentRanges, Fact, FolderSummary, MemberState, Signer, Statement, Summary};

use crate::common;

fn summary() -> Summary {
    Summary {
        reply_wanted: true,
        keeps_only_listed: false,
        roster: [0x11; 32],
        revoked: [0x12; 32],
        folders: BTreeMap::from([("web".to_owned(), FolderSummary { root: [0x22; 32], changes: 300 })]),
        neighbours: Some(BTreeSet::from([NodeId([0x33; 32]), NodeId([0x44; 32])])),
    }
}

fn vectors() -> Message {
    let first = DocumentVector {
        document: common::document("web/app.toml"),
        generation: Generation::default(),
        vector: VersionVector::from_iter([common::dot(1, 3), common::dot(2, 200)]),
    };
    let second = DocumentVector {
        document: common::document("web/db.json"),
        generation: Generation { number: 1, cut: [0x55; 32] },
        vector: VersionVector::from_iter([common::dot(3, 1)]),
    };
    Message::Vectors { query: 7, complete: false, documents: vec![first, second] }
}

fn want() -> Message {
    let ranges = vec![
        Range { writer: common::writer(1, Lane::API), first: 1, last: 1 },
        Range { writer: common::writer(1, Lane::FILE), first: 5, last: 300 },
    ];
    let document = common::document("web/app.toml");
    Message::Want { request: 8, wants: vec![DocumentRanges { document, generation: Generation::default(), ranges }] }
}

fn rumours() -> Vec<Rumour> {
    let (node, by, generation) = (NodeId([0x77; 32]), NodeId([0x88; 32]), 1_700_000_000_000);
    let states = [MemberState::Alive, MemberState::Suspect, MemberState::Dead, MemberState::Left];
    states.into_iter().map(|state| Rumour { node, generation, incarnation: 1, state, by }).collect()
}

fn messages() -> Vec<(&'static str, Message)> {
    let change = common::change(1, "web/app.toml", 1, &[]);
    let after = "web/app.toml".to_owned();
    let mut hashes = Box::new([[0; 32]; BUCKETS]);
    hashes[1] = [0x66; 32];
    vec![
        ("hello", Message::Hello { lowest: 1, highest: 1, summary: summary() }),
        ("summary", Message::Summary(Summary { reply_wanted: false, neighbours: None, ..summary() })),
        ("buckets", Message::Buckets { query: 7, folder: "web".to_owned(), after, hashes }),
        ("vectors", vectors()),
        ("want", want()),
        ("changes", Message::Changes { request: 8, envelopes: vec![change.bytes().clone()] }),
        ("statements", Message::Statements { next: None, statements: vec![common::admission(1).bytes().clone()] }),
        ("want_statements", Message::WantStatements { after: [0; 32], nodes: vec![NodeId([0x77; 32])] }),
        ("leaving", Message::Leaving),
        ("announce", Message::Announce { items: vec![[0x88; 16], [0x99; 16]] }),
        ("graft", Message::Graft { items: vec![[0x88; 16]] }),
        ("prune", Message::Prune { trees: vec![NodeId([0; 32]), NodeId([0x77; 32])] }),
        ("link", Message::Link { is_wanted: true }),
        ("rumours", Message::Rumours { rumours: rumours() }),
        ("health", Message::Health { hash: [0xaa; 32] }),
        ("probe", Message::Probe { request: 9, node: NodeId([0x77; 32]) }),
        ("probed", Message::Probed { request: 9, is_reached: true }),
        ("ping", Message::Ping { request: 300 }),
        ("pong", Message::Pong { request: 300, wall_ms: 0 }),
        ("pong_with_clock", Message::Pong { request: 300, wall_ms: 1_700_000_000_000 }),
    ]
}

/// The file's lines of 32 bytes in hexadecimal, after a line that says what it is.
fn hex(name: &str, bytes: &[u8]) -> String {
    let lines = bytes.chunks(32).map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    format!("# {name}\n{}\n", lines.collect::<Vec<_>>().join("\n"))
}

fn check(name: &str, bytes: &[u8]) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.hex"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, hex(name, bytes)).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(hex(name, bytes), golden, "{name} is written otherwise than before");
    let digits: String = golden.lines().filter(|line| !line.starts_with('#')).collect();
    (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect()
}

#[test]
fn golden_messages_are_written_and_read_as_before() {
    for (name, message) in messages() {
        let bytes = check(name, &message.encode());
        assert_eq!(Message::decode(&bytes), Ok(Some(message)), "{name}");
    }
}

/// One of each kind, by each signer.
fn statements() -> Vec<(&'static str, Statement)> {
    let renew = Fact::Renew { node: common::node(1), not_after_ms: 1_702_592_000_000, issued_ms: 1_700_000_000_000 };
    let recovery = common::recovery();
    let revoke = Statement::new(common::MESH, Signer::Recovery(&recovery), &common::revoke(1)).unwrap();
    vec![
        ("statement_admit", common::admission(1)),
        ("statement_renew", common::issue(0, &renew)),
        ("statement_revoke", revoke),
        ("statement_issuer", common::grant(0)),
        ("statement_own", common::own(1, 300, false)),
    ]
}

#[test]
fn golden_statements_are_written_and_read_as_before() {
    for (name, statement) in statements() {
        let bytes = check(name, statement.bytes());
        assert_eq!(Statement::decode(bytes), Ok(statement), "{name}");
    }
}
