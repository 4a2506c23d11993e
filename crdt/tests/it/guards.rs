//! Hostile bytes: whatever comes in, a decoder answers with a value or an error, in bounded time and memory, and a
//! document stays usable or says that it isn't.

use ed25519_dalek::SigningKey;
use murmurate_crdt::change::{ChangeError, ChangeFrame};
use murmurate_crdt::clock::VersionVector;
use murmurate_crdt::codec;
use murmurate_crdt::conflict;
use murmurate_crdt::document::Document;
use murmurate_crdt::edit::EditError;
use murmurate_crdt::envelope::{Envelope, SignedEnvelope};
use murmurate_crdt::id::DocumentId;
use murmurate_crdt::key::{Address, parse_key};
use murmurate_crdt::limits;
use murmurate_crdt::path::Path;
use murmurate_crdt::position::Position;
use murmurate_crdt::register::{Cell, Register};
use murmurate_crdt::tree::Format;
use murmurate_crdt::wire::{Decoder, Encoder};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use sha2::{Digest, Sha256};

use crate::replica::{MESH, Replica, exchange, replicas};

const APP: &str = "# the app\nname = \"a\" # here\nport = 8080\n\n[tls]\ncert = \"c.pem\"\nkey = \"k.pem\"\n";
/// An uncompressed change.
const CHUNK_TYPE: u8 = 1;

/// A document, and a change of another host that it lacks.
fn one_behind() -> (Document, SignedEnvelope) {
    let mut all = replicas(2, "f/app.toml", APP);
    all[0].edit("8080", "9090");
    all[1].edit("c.pem", "d.pem");
    exchange(&mut all);
    all[0].save(APP.replace("port = 8080", "[[list]]\nname = \"é\"\nn = 1").as_bytes()).unwrap();
    (all[1].document.clone(), all[0].written.last().unwrap().clone())
}

/// The body of a change chunk.
fn body(chunk: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::new(&chunk[9..]);
    decoder.bytes(limits::CHANGE_BYTES, "body").unwrap().to_vec()
}

/// A chunk with this body and a right checksum.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut hashed = Encoder::new();
    hashed.u8(CHUNK_TYPE).bytes(body);
    let hashed = hashed.finish();
    [&[0x85, 0x6f, 0x4a, 0x83][..], &Sha256::digest(&hashed)[..4], &hashed].concat()
}

/// The envelope with another change inside, signed again.
fn with_change(envelope: &SignedEnvelope, change: Vec<u8>) -> SignedEnvelope {
    Envelope { change, ..Envelope::clone(envelope) }.sign(MESH, &SigningKey::from_bytes(&[1; 32]))
}

fn mutate(bytes: &mut [u8], mutations: &[(Index, u8)]) {
    for (at, byte) in mutations {
        let at = at.index(bytes.len());
        bytes[at] = *byte;
    }
}

fn mutations() -> impl Strategy<Value = Vec<(Index, u8)>> {
    vec((any::<Index>(), prop_oneof![any::<u8>(), 0u8..4, 0x7cu8..0x84]), 1..4)
}

/// Everything that a daemon does with a document works.
fn check_usable(document: &Document) {
    let rendered = document.render();
    drop(conflict::conflicts(document, &rendered));
    let saved = document.save().unwrap();
    let loaded = Document::load(document.id().clone(), &saved).unwrap();
    assert_eq!(loaded.render(), rendered);
}

proptest! {
    #![proptest_config(crate::testing::cases(192))]

    /// Right checksum, right signature, broken inside: what another member's broken build could send.
    #[test]
    fn a_mutated_change_is_applied_or_refused(mutations in mutations()) {
        let (mut document, envelope) = one_behind();
        let before = document.render();
        let mut body = body(&envelope.change);
        mutate(&mut body, &mutations);
        let mutated = with_change(&envelope, sealed(&body));
        match document.apply(&mutated) {
            Ok(_) => check_usable(&document),
            Err(error) if error.left_document_intact() => {
                prop_assert_eq!(document.render(), before);
                document.apply(&envelope).unwrap();
                check_usable(&document);
            }
            Err(_) => {}
        }
    }

    #[test]
    fn a_mutated_snapshot_is_loaded_or_refused(mutations in mutations(), cut in any::<Index>(), is_cut: bool) {
        let (document, _) = one_behind();
        let mut snapshot = document.save().unwrap();
        mutate(&mut snapshot, &mutations);
        if is_cut {
            snapshot.truncate(cut.index(snapshot.len()));
        }
        if let Ok(loaded) = Document::load(document.id().clone(), &snapshot) {
            drop(conflict::conflicts(&loaded, &loaded.render()));
        }
    }

    #[test]
    fn a_mutated_envelope_is_refused_or_has_a_bad_signature(mutations in mutations(), cut in any::<Index>(), is_cut: bool) {
        let (_, envelope) = one_behind();
        let mut bytes = envelope.bytes().to_vec();
        mutate(&mut bytes, &mutations);
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(decoded) = SignedEnvelope::decode(bytes.clone()) {
            let verified = decoded.verify(MESH, &SigningKey::from_bytes(&[1; 32]).verifying_key());
            prop_assert_eq!(verified.is_ok(), bytes == envelope.bytes().to_vec());
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = SignedEnvelope::decode(bytes.clone());
        let _ = SignedEnvelope::decode([&[1][..], &bytes].concat());
        let _ = Cell::decode(&bytes);
        let _ = ChangeFrame::read(&bytes);
        let _ = VersionVector::decode(&mut Decoder::new(&bytes));
        let _ = Position::decode(&mut Decoder::new(&bytes));
        let _ = Document::load(DocumentId::new("f/x").unwrap(), &bytes);
        let lines = [Format::Env, Format::Ini, Format::Blocks];
        for format in [Format::Toml, Format::Json, Format::Yaml, Format::Text, Format::Binary].into_iter().chain(lines) {
            if let Ok(tree) = codec::parse(format, &bytes) {
                prop_assert_eq!(codec::print(&tree), bytes.clone());
            }
        }
    }

    #[test]
    fn random_names_never_panic(text in "(\\PC|[/#?%.\\[\\]=\"\\\\a]){0,24}") {
        let _ = DocumentId::new(&text);
        let _ = parse_key(&text);
        let _ = Path::decode(&text);
        let _ = Register::from_name(&text);
        if let Ok(address) = text.parse::<Address>() {
            prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address));
        }
    }

    #[test]
    fn a_mutated_file_is_taken_or_refused(mutations in mutations(), format in 0usize..7) {
        let name = ["f/a.toml", "f/a.json", "f/a.conf", "f/.env", "f/a.ini", "f/nginx.conf", "f/a.yaml"][format];
        let json = "{\"a\": [1, {\"b\": null}], // c\n\"d\": \"e\"}\n";
        let yaml = "a: 1 # b\nc:\n  - d: |\n      e\n    f: [g]\n---\nh: i\n";
        let blocks = "a {\n b c; # d\n}\ne 'f';\n";
        let mut bytes = [APP, json, "a b\n\n[c]\n", "A='b' # c\nexport D=\n", APP, blocks, yaml][format].as_bytes().to_vec();
        mutate(&mut bytes, &mutations);
        let mut replica = Replica::new(0, name);
        match replica.save(&bytes) {
            Ok(()) => prop_assert_eq!(replica.document.render().file().unwrap().bytes.clone(), bytes),
            Err(error) => prop_assert!(matches!(error, EditError::Syntax(_)), "{}", error),
        }
    }
}

/// Two million, as signed and as unsigned LEB128.
const RUN: [u8; 4] = [0x80, 0x89, 0xfa, 0x00];
const COUNT: [u8; 3] = [0x80, 0x89, 0x7a];

/// A change that holds one column only.
fn with_column(specification: u64, data: &[u8]) -> Vec<u8> {
    let mut body = Encoder::new();
    body.varint(0).bytes(&[7; 17]).varint(1).varint(1).u8(0).text("").varint(0);
    body.varint(1).varint(specification).varint(data.len() as u64).raw(data);
    sealed(&body.finish())
}

/// A few bytes that stand for two million operations, in every kind of column.
#[test]
fn small_chunks_of_many_operations_are_refused_unexpanded() {
    let run = |value: &[u8]| [&RUN[..], value].concat();
    let nulls = [&[0][..], &COUNT].concat();
    let bombs: Vec<(u64, Vec<u8>)> = vec![
        (0x01, run(&[0])),
        (0x02, run(&[1])),
        (0x11, run(&[0])),
        (0x13, run(&[1])),
        (0x15, run(&[1, b'k'])),
        (0x34, COUNT.to_vec()),
        (0x34, [&[0][..], &COUNT].concat()),
        (0x42, run(&[1])),
        (0x56, run(&[0])),
        (0x70, run(&[0])),
        (0x70, [&[1][..], &COUNT].concat()),
        (0x71, run(&[0])),
        (0x73, run(&[1])),
        (0x94, COUNT.to_vec()),
        (0xa5, run(&[1, b'm'])),
    ];
    let null_runs = [0x01, 0x02, 0x11, 0x13, 0x15, 0x42, 0x56, 0x70, 0x71, 0x73].map(|column| (column, nulls.clone()));
    for (column, data) in bombs.into_iter().chain(null_runs) {
        let refused = ChangeFrame::read(&with_column(column, &data));
        assert_eq!(refused, Err(ChangeError::TooManyOperations), "column {column:#x} {data:x?}");
    }
}

#[test]
fn compressed_columns_and_chunks_are_refused() {
    assert!(matches!(ChangeFrame::read(&with_column(0x42 | 8, &[0])), Err(ChangeError::Malformed(_))));
    let (_, envelope) = one_behind();
    let mut chunk = envelope.change.clone();
    chunk[8] = 2;
    assert!(matches!(ChangeFrame::read(&chunk), Err(ChangeError::Malformed(_))));
}

#[test]
fn a_length_past_the_end_takes_no_memory() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    for tag in 1..=21 {
        assert!(SignedEnvelope::decode([&[1, tag][..], &huge, &[0; 64]].concat()).is_err());
    }
    assert!(VersionVector::decode(&mut Decoder::new(&huge)).is_err());
    assert!(Position::decode(&mut Decoder::new(&huge)).is_err());
    assert!((0..16).all(|tag| Cell::decode(&[&[tag][..], &huge].concat()).is_err()));
}

#[test]
fn nesting_past_any_stack_is_no_key() {
    let deep = 100_000;
    let files = [
        ("f/a.json", "[".repeat(deep) + &"]".repeat(deep)),
        ("f/a.json", "{\"a\":".repeat(deep) + "1" + &"}".repeat(deep)),
        ("f/a.json", "[".repeat(deep)),
        ("f/a.toml", format!("a = {}{}\n", "[".repeat(deep), "]".repeat(deep))),
        ("f/a.toml", format!("{}1{}\n", "a = {".repeat(deep), "}".repeat(deep))),
        ("f/a.toml", format!("[{}a]\n", "a.".repeat(deep))),
        ("f/a.toml", format!("{}a = 1\n", "a.".repeat(deep))),
    ];
    for (name, text) in files {
        let mut replica = Replica::new(0, name);
        match replica.save(text.as_bytes()) {
            Ok(()) => assert_eq!(replica.document.render().file().unwrap().format(), Format::Text, "{name}"),
            Err(error) => assert!(matches!(error, EditError::Syntax(_)), "{error}"),
        }
    }
}

#[test]
fn what_passes_a_limit_is_kept_as_text_or_refused() {
    let key = "k".repeat(limits::PATH_BYTES + 1);
    for (name, text) in [("f/a.toml", format!("{key} = 1\n")), ("f/a.json", format!("{{\"{key}\": 1}}\n"))] {
        let mut replica = Replica::new(0, name);
        replica.save(text.as_bytes()).unwrap();
        assert_eq!(replica.document.render().file().unwrap().format(), Format::Text, "{name}");
    }
    let mut replica = Replica::new(0, "f/a.toml");
    assert!(parse_key(&key).is_err() && format!("f/a.toml#{key}").parse::<Address>().is_err());
    assert!(replica.put("a", &"v".repeat(limits::VALUE_BYTES + 1)).is_err());
    assert!(replica.save(&vec![b'#'; limits::FILE_BYTES + 1]).is_err());
}

#[test]
fn a_put_past_the_limit_of_keys_is_refused_and_leaves_the_others() {
    let mut replica = Replica::new(0, "f/a.toml");
    let most: String = (0..limits::KEYS_PER_FILE).map(|number| format!("key_{number} = 0\n")).collect();
    replica.save(most.as_bytes()).unwrap();
    let error = replica.put("one_more", "1").unwrap_err();
    assert!(error.to_string().contains("too many keys"), "{error}");
    assert_eq!(replica.document.render().file().unwrap().bytes, most.as_bytes());
}

/// Registers carry whole paths: a small file can make a large change. What is written is what others take.
#[test]
fn a_small_file_with_long_paths_is_taken_by_others() {
    let keys: String = (0..7_000).map(|key| format!(",\n\"k{key}\": 0")).collect();
    let text = format!("{{\"{}\": {{\"k\": 0{keys}}}}}\n", "x".repeat(limits::PATH_BYTES - 24));
    let all = replicas(2, "f/a.json", &text);
    assert_eq!(all[1].document.render().file().unwrap().format(), Format::Text, "key by key, it would be 14 MB");
}
