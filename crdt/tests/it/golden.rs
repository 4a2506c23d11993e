//! Bytes that every later version must still read. `golden/README.md` says how they are made.

use std::path::PathBuf;

use ed25519_dalek::SigningKey;
use murmurate_crdt::clock::{Dot, VersionVector};
use murmurate_crdt::document::Document;
use murmurate_crdt::envelope::{Envelope, MESH_LEVEL, SIGNATURE_CONTEXT, SetMember, SignedEnvelope};
use murmurate_crdt::id::{ActorId, ChangeHash, DocumentId, Generation, Lane, NodeId, Writer};
use murmurate_crdt::position::Position;
use murmurate_crdt::register::{Cell, EpochId, Placement, RenamedFrom};
use murmurate_crdt::tree::{Content, Decor, Format, Shape};
use murmurate_crdt::wire::{Decoder, Encoder};

use crate::replica::{MESH, exchange, replicas};

const SEED: [u8; 32] = [1; 32];

/// The bytes of a golden file; where `MURMURATE_GOLDEN=write` asks for it, made of `now` first.
fn golden(name: &str, now: &[u8]) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("MURMURATE_GOLDEN").is_some_and(|wish| wish == "write") {
        let lines: Vec<String> =
            now.chunks(32).map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn dot(actor: u8, sequence: u64) -> Dot {
    Dot { writer: Writer { actor: ActorId([actor; 16]), lane: Lane::FILE }, sequence }
}

fn envelope() -> Envelope {
    Envelope {
        level: MESH_LEVEL,
        document: DocumentId::new("web/app.toml").unwrap(),
        generation: Generation::default(),
        set: None,
        author: NodeId::of_public_key(SigningKey::from_bytes(&SEED).verifying_key().as_bytes()),
        dot: dot(1, 1),
        time_ms: 1_700_000_000_000,
        dependencies: vec![],
        user: String::new(),
        message: String::new(),
        change: vec![1, 2, 3],
    }
}

fn full_envelope() -> Envelope {
    Envelope {
        generation: Generation { number: 2, cut: [0xcc; 32] },
        set: Some(SetMember { id: [0x55; 16], index: 1, count: 3 }),
        dot: dot(1, 300),
        dependencies: vec![dot(1, 299), dot(2, 7)],
        user: "ann".into(),
        message: "why".into(),
        ..envelope()
    }
}

/// The bare envelope with one more field behind the others, signed.
fn with_field(tag: u64) -> Vec<u8> {
    use ed25519_dalek::Signer;
    let key = SigningKey::from_bytes(&SEED);
    let signed = envelope().sign(MESH, &key);
    let mut encoder = Encoder::new();
    encoder.raw(&signed.bytes()[..signed.bytes().len() - 64]).varint(tag).bytes(b"later");
    let body = encoder.finish();
    let signature = key.sign(&[SIGNATURE_CONTEXT, &MESH.0, &body].concat());
    [&body[..], &signature.to_bytes()].concat()
}

fn check_envelope(name: &str, expected: Envelope) {
    let key = SigningKey::from_bytes(&SEED);
    let now = expected.clone().sign(MESH, &key);
    let bytes = golden(name, now.bytes());
    let read = SignedEnvelope::decode(bytes.clone()).unwrap();
    assert_eq!(*read, expected, "{name}");
    assert!(read.is_understood());
    read.verify(MESH, &key.verifying_key()).unwrap();
    assert_eq!(&now.bytes()[..], bytes, "{name}");
}

#[test]
fn envelopes_are_read_and_written_as_ever() {
    check_envelope("envelope.hex", envelope());
    check_envelope("envelope-full.hex", full_envelope());
}

#[test]
fn later_fields_are_kept_and_those_that_must_be_understood_wait() {
    for (name, tag, understood) in [("envelope-even-tag.hex", 200, true), ("envelope-odd-tag.hex", 201, false)] {
        let bytes = golden(name, &with_field(tag));
        let read = SignedEnvelope::decode(bytes.clone()).unwrap();
        assert_eq!((*read).clone(), envelope());
        assert_eq!(read.is_understood(), understood, "{name}");
        assert_eq!(&read.bytes()[..], bytes, "relayed as it came");
        read.verify(MESH, &SigningKey::from_bytes(&SEED).verifying_key()).unwrap();
    }
}

fn cells() -> Vec<(&'static str, Cell)> {
    // One step: number, half an actor, sequence and lane, index.
    let mut steps = Encoder::new();
    steps.varint(1).varint(98_304).varint(0x0101_0101_0101_0101).varint(300 << 3 | 1).varint(1);
    let position = Position::decode(&mut Decoder::new(&steps.finish())).unwrap();
    let decor = Decor {
        lead: "# why\n".into(),
        separator: " = ".into(),
        trail: " # é".into(),
        after_comma: String::new(),
        close: "\n".into(),
        indent: "  ".into(),
        trailing_comma: true,
    };
    vec![
        ("tombstone", Cell::Tombstone { container: false }),
        ("scalar", Cell::Content(Content::Scalar("\"é\"".into()))),
        ("table", Cell::Content(Content::Container(Shape::Table))),
        ("list", Cell::Content(Content::Container(Shape::List))),
        ("trivia", Cell::Content(Content::Trivia("# block\n".into()))),
        ("bytes", Cell::Content(Content::Bytes(vec![0, 255]))),
        ("placement", Cell::Placement(Placement { container_depth: 2, position, label: "a.b".into() })),
        ("decor", Cell::Decor(decor)),
        ("epoch", Cell::Epoch(EpochId::first(Format::Toml), Format::Toml)),
        ("flag", Cell::Flag(true)),
        ("container-tombstone", Cell::Tombstone { container: true }),
        ("implied", Cell::Implied),
        (
            "renamed-from",
            Cell::RenamedFrom(RenamedFrom {
                document: DocumentId::new("web/é.toml").unwrap(),
                heads: vec![ChangeHash([7; 32])],
            }),
        ),
    ]
}

#[test]
fn cells_are_read_and_written_as_ever() {
    for (name, cell) in cells() {
        let bytes = golden(&format!("cell-{name}.hex"), &cell.encode());
        assert_eq!(Cell::decode(&bytes).as_ref(), Ok(&cell), "{name}");
        assert_eq!(cell.encode(), bytes, "{name}");
    }
}

#[test]
fn version_vectors_are_read_and_written_as_ever() {
    let vector: VersionVector = [dot(1, 300), dot(2, 7)].into_iter().collect();
    let mut encoder = Encoder::new();
    vector.encode(&mut encoder);
    let now = encoder.finish();
    let bytes = golden("version-vector.hex", &now);
    assert_eq!(VersionVector::decode(&mut Decoder::new(&bytes)), Ok(vector));
    assert_eq!(now, bytes);
}

/// A small document with a conflict, a deletion and a comment: a snapshot of it must load for ever.
#[test]
fn a_snapshot_of_an_earlier_version_still_loads() {
    let mut all = replicas(2, "web/app.toml", "# app\nport = 1\ngone = 2\n\n[t]\nx = \"y\" # z\n");
    all[0].edit("port = 1", "port = 8080");
    all[1].edit("port = 1", "port = 9090");
    all[1].delete("gone");
    exchange(&mut all);
    let bytes = golden("document.hex", &all[0].document.save().unwrap());
    let document = Document::load(all[0].document.id().clone(), &bytes).unwrap();
    assert_eq!(document.version(), all[0].document.version());
    assert_eq!(document.heads(), all[0].document.heads());
    assert_eq!(document.state(), all[0].document.state());
    assert_eq!(document.render(), all[0].document.render());
}
