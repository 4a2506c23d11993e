//! What peers send and disks give back: envelopes, changes, cells and snapshots.

use sha2::{Digest, Sha256};

use super::host::{Host, MESH};
use crate::change::ChangeFrame;
use crate::clock::{Dot, VersionVector};
use crate::conflict;
use crate::document::Document;
use crate::envelope::{Envelope, SignedEnvelope};
use crate::id::{DocumentId, Writer};
use crate::limits;
use crate::position::Position;
use crate::register::Cell;
use crate::wire::{Decoder, Encoder};

/// The file that changes are made to.
pub(super) const FILE: &[u8] =
    b"# the app\nname = \"a\" # here\nport = 8080\n\n[tls]\ncert = \"c.pem\"\nkey = \"k.pem\"\n";

/// An envelope. One that is read says no more than its bytes, and is signed again as the same bytes.
pub fn envelope(data: &[u8]) {
    let Ok(envelope) = SignedEnvelope::decode(data) else { return };
    assert_eq!(&envelope.bytes()[..], data);
    let key = Host::new(1, "f/a.toml").key();
    assert!(envelope.verify(MESH, &key.verifying_key()).is_err() || envelope.author == Host::author(&key));
    let plain = Envelope::clone(&envelope);
    let held = plain.change.len() + plain.user.len() + plain.message.len() + plain.dependencies.len();
    assert!(held <= data.len());
    let signed = plain.sign(MESH, &key);
    let again = SignedEnvelope::decode(signed.bytes().clone()).unwrap();
    assert_eq!(Envelope::clone(&again), Envelope::clone(&signed));
}

/// The body of a change that another member signed: applied, or refused with the document as it was.
pub fn change(data: &[u8]) {
    let chunk = sealed(data);
    let Ok(frame) = ChangeFrame::read(&chunk) else { return };
    assert!(frame.operations <= limits::CHANGE_OPERATIONS);
    let (mut host, dependencies) = behind();
    let before = host.document.render();
    let dot = Dot { writer: frame.writer, sequence: frame.sequence };
    let written =
        crate::document::Written { dot, hash: frame.hash, dependencies, change: chunk, registers: Vec::new() };
    let envelope = Host::new(1, "f/a.toml").sealed(written);
    match host.document.apply(&envelope) {
        Ok(_) => usable(&host.document),
        Err(error) if error.left_document_intact() => assert_eq!(host.document.render(), before),
        Err(_) => {}
    }
}

/// A snapshot from a disk: loaded, or refused.
pub fn snapshot(data: &[u8]) {
    if let Ok(document) = Document::load(DocumentId::new("f/a.toml").unwrap(), data) {
        usable(&document);
    }
}

/// A register's value, a version vector, a position: what is read is written as the same bytes.
pub fn cell(data: &[u8]) {
    if let Ok(cell) = Cell::decode(data) {
        assert_eq!(Cell::decode(&cell.encode()).as_ref(), Ok(&cell));
    }
    again(data, VersionVector::decode, VersionVector::encode);
    again(data, Position::decode, Position::encode);
    again(data, Dot::decode, |dot, encoder| dot.encode(encoder));
    again(data, Writer::decode, |writer, encoder| writer.encode(encoder));
}

fn again<T: PartialEq + std::fmt::Debug>(
    data: &[u8],
    decode: impl Fn(&mut Decoder<'_>) -> Result<T, crate::wire::DecodeError>,
    encode: impl Fn(&T, &mut Encoder),
) {
    let mut decoder = Decoder::new(data);
    let Ok(value) = decode(&mut decoder) else { return };
    let read = data.len() - decoder.rest().len();
    let mut encoder = Encoder::new();
    encode(&value, &mut encoder);
    assert_eq!(encoder.finish(), data[..read]);
}

/// Everything that a daemon does with a document works.
fn usable(document: &Document) {
    let rendered = document.render();
    drop(conflict::conflicts(document, &rendered));
    let saved = document.save().unwrap();
    let loaded = Document::load(document.id().clone(), &saved).unwrap();
    assert_eq!(loaded.render(), rendered);
}

/// A host that lacks the latest change, and what that change builds on.
fn behind() -> (Host, Vec<Dot>) {
    let (_, mut changes) = history();
    let latest = changes.pop().unwrap();
    let mut host = Host::new(3, "f/a.toml");
    host.receive(&changes.iter().collect::<Vec<_>>());
    (host, latest.dependencies.clone())
}

/// A file with two concurrent edits, and one over both.
fn history() -> (Host, Vec<SignedEnvelope>) {
    let (mut one, mut other) = (Host::new(1, "f/a.toml"), Host::new(2, "f/a.toml"));
    let first = one.save(&one.document.render(), FILE).unwrap();
    other.receive(&[&first]);
    let text = String::from_utf8_lossy(FILE);
    let ours = one.save(&one.document.render(), text.replace("8080", "9090").as_bytes()).unwrap();
    let theirs = other.save(&other.document.render(), text.replace("8080", "7070").as_bytes()).unwrap();
    one.receive(&[&theirs]);
    let list = text.replace("port = 8080", "[[list]]\nname = \"é\"\nn = 1");
    let last = one.save(&one.document.render(), list.as_bytes()).unwrap();
    (one, vec![first, ours, theirs, last])
}

/// A chunk with this body and a right checksum.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut hashed = Encoder::new();
    hashed.u8(1).bytes(body);
    let hashed = hashed.finish();
    [&[0x85, 0x6f, 0x4a, 0x83][..], &Sha256::digest(&hashed)[..4], &hashed].concat()
}

/// Real ones to begin with.
#[cfg(test)]
pub(super) mod seeds {
    use super::*;

    pub(crate) fn envelopes() -> Vec<Vec<u8>> {
        history().1.iter().map(|envelope| envelope.bytes().to_vec()).collect()
    }

    pub(crate) fn changes() -> Vec<Vec<u8>> {
        let body = |chunk: &[u8]| Decoder::new(&chunk[9..]).bytes(limits::CHANGE_BYTES, "body").unwrap().to_vec();
        history().1.iter().map(|envelope| body(&envelope.change)).collect()
    }

    pub(crate) fn snapshots() -> Vec<Vec<u8>> {
        vec![history().0.document.save().unwrap()]
    }

    pub(crate) fn cells() -> Vec<Vec<u8>> {
        let (host, _) = history();
        let (id, _) = host.document.state().shown_epoch().unwrap();
        let fragments = &host.document.state().epoch(id).unwrap().fragments;
        let parts = fragments.values().flat_map(|it| [&it.content, &it.placement, &it.decor]);
        let mut cells: Vec<Vec<u8>> = parts.flat_map(|part| &part.0).map(|candidate| candidate.cell.encode()).collect();
        let mut encoder = Encoder::new();
        host.document.version().encode(&mut encoder);
        cells.push(encoder.finish());
        cells
    }
}
