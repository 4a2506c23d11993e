//! chitchat's messages, as they are read before chitchat sees them.
//!
//! chitchat takes what it is sent at its word: keys that aren't ASCII, versions that go down or whole tables of strangers
//! end its task or fill its memory. So each message is read here first, by rules that are narrower than its own, and
//! written anew. What is written has one form only: nodes in order, the changes in blocks that aren't compressed, since the
//! frame is compressed as a whole.
//!
//! ```text
//!  message  magic u16, version u8, kind u8, then      (integers little-endian)
//!  0 Syn    digest, mesh                              mesh, key, value, id: length u16, bytes
//!  1 SynAck digest, delta
//!  2 Ack    delta
//!  3 another mesh
//!  digest   count u16, then per node: incarnation, heartbeat u64, collected u64, version u64
//!  incarnation  id, generation u64, 4 u8, address 4 bytes, port u16
//!  delta    blocks: 2 u8, length u16, bytes; 0 u8 ends them. In them, one after the other:
//!           0 u8, incarnation, collected u64, from u64      a node: what follows came after this version of it
//!           1 u8, key, value, version u64, status u8        one of its keys
//!           2 u8, version u64                               its version, where there is no key
//! ```

use murmurate_crdt::wire::{DecodeError, Decoder, Encoder};

use super::incarnation::{Incarnation, ShortId};
use crate::limits;

const MAGIC: u16 = 45_139;
const VERSION: u8 = 0;
const NO_MORE_BLOCKS: u8 = 0;
const COMPRESSED_BLOCK: u8 = 1;
const PLAIN_BLOCK: u8 = 2;
const NODE: u8 = 0;
const ENTRY: u8 = 1;
const NODE_VERSION: u8 = 2;
/// The only status of a key: it is set. Keys are never deleted, so that no node's versions are ever collected.
const SET: u8 = 0;
/// [`super::incarnation::NO_ADDRESS`], as chitchat writes it.
const ADDRESS: [u8; 7] = [4, 0, 0, 0, 0, 0, 0];
/// The highest version and heartbeat that are taken: far from where adding one would overflow.
const HIGHEST: u64 = 1 << 62;

/// What is known of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) of: Incarnation,
    pub(super) heartbeat: u64,
    pub(super) version: u64,
}

/// One key of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) version: u64,
}

/// What changed at one node after a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) of: Incarnation,
    pub(super) from: u64,
    pub(super) entries: Vec<Entry>,
    /// The node's version, where there are no entries to tell it.
    pub(super) version: Option<u64>,
}

/// A message of chitchat's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// What the sender knows.
    Syn { mesh: String, digest: Vec<Known> },
    /// What the receiver of a Syn knows, and what its sender lacks.
    SynAck { digest: Vec<Known>, delta: Vec<Change> },
    /// What the sender of a SynAck lacks.
    Ack { delta: Vec<Change> },
    /// The Syn was of another mesh.
    OtherMesh,
}

/// Where in a message a node is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// In what the sender knows.
    Digest,
    /// In what the sender tells.
    Delta,
}

/// Who wrote the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// This host's chitchat: changes may be compressed, and in any order.
    Own,
    /// A peer.
    Peer,
}

fn invalid(what: &'static str, why: &'static str) -> DecodeError {
    DecodeError::Invalid { what, why }
}

impl Message {
    /// Reads a message, all of it.
    pub(super) fn read(bytes: &[u8], source: Source) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        if u16_of(&mut decoder, "magic")? != MAGIC || decoder.u8("version")? != VERSION {
            return Err(invalid("message", "not of chitchat, or of another version"));
        }
        let message = match decoder.u8("kind")? {
            0 => {
                let digest = read_digest(&mut decoder)?;
                Self::Syn { mesh: text(&mut decoder, limits::GOSSIP_KEY_BYTES, "mesh")?, digest }
            }
            1 => Self::SynAck { digest: read_digest(&mut decoder)?, delta: read_delta(&mut decoder, source)? },
            2 => Self::Ack { delta: read_delta(&mut decoder, source)? },
            3 => Self::OtherMesh,
            _ => return Err(invalid("kind", "unknown")),
        };
        decoder.finish()?;
        Ok(message)
    }

    /// Writes it in its one form.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut encoder = Encoder::new();
        encoder.raw(&MAGIC.to_le_bytes()).u8(VERSION);
        match self {
            Self::Syn { mesh, digest } => {
                encoder.u8(0);
                write_digest(&mut encoder, digest);
                write_text(&mut encoder, mesh);
            }
            Self::SynAck { digest, delta } => {
                encoder.u8(1);
                write_digest(&mut encoder, digest);
                write_delta(&mut encoder, delta);
            }
            Self::Ack { delta } => {
                encoder.u8(2);
                write_delta(&mut encoder, delta);
            }
            Self::OtherMesh => {
                encoder.u8(3);
            }
        }
        encoder.finish()
    }

    /// Keeps what is said of the incarnations that are let in.
    pub(super) fn retain(&mut self, mut keeps: impl FnMut(Incarnation, Part) -> bool) {
        let (digest, delta) = match self {
            Self::Syn { digest, .. } => (Some(digest), None),
            Self::SynAck { digest, delta } => (Some(digest), Some(delta)),
            Self::Ack { delta } => (None, Some(delta)),
            Self::OtherMesh => (None, None),
        };
        digest.into_iter().for_each(|digest| digest.retain(|known| keeps(known.of, Part::Digest)));
        delta.into_iter().for_each(|delta| delta.retain(|change| keeps(change.of, Part::Delta)));
    }
}

fn u16_of(decoder: &mut Decoder<'_>, what: &'static str) -> Result<u16, DecodeError> {
    Ok(u16::from_le_bytes(decoder.array(what)?))
}

fn u64_of(decoder: &mut Decoder<'_>, what: &'static str) -> Result<u64, DecodeError> {
    Ok(u64::from_le_bytes(decoder.array(what)?))
}

/// A number that one can still be added to.
fn count_of(decoder: &mut Decoder<'_>, what: &'static str) -> Result<u64, DecodeError> {
    let count = u64_of(decoder, what)?;
    if count <= HIGHEST { Ok(count) } else { Err(invalid(what, "past the limit")) }
}

fn bytes_of<'a>(decoder: &mut Decoder<'a>, limit: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
    let length = usize::from(u16_of(decoder, what)?);
    if length > limit {
        return Err(invalid(what, "past the limit"));
    }
    decoder.raw(length, what)
}

fn text(decoder: &mut Decoder<'_>, limit: usize, what: &'static str) -> Result<String, DecodeError> {
    let bytes = bytes_of(decoder, limit, what)?;
    str::from_utf8(bytes).map(str::to_owned).map_err(|_| invalid(what, "not UTF-8"))
}

/// Keys are printable ASCII: chitchat cuts them by bytes.
fn key(decoder: &mut Decoder<'_>) -> Result<String, DecodeError> {
    let key = text(decoder, limits::GOSSIP_KEY_BYTES, "key")?;
    let is_plain = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
    if is_plain { Ok(key) } else { Err(invalid("key", "empty, or not of printable ASCII")) }
}

fn incarnation(decoder: &mut Decoder<'_>) -> Result<Incarnation, DecodeError> {
    let id = bytes_of(decoder, limits::GOSSIP_KEY_BYTES, "node")?;
    let id = ShortId::of_text(id).ok_or(invalid("node", "not the beginning of a node id"))?;
    let generation = u64_of(decoder, "generation")?;
    if decoder.array("address")? != ADDRESS {
        return Err(invalid("address", "there is one, and none is taken"));
    }
    Ok(Incarnation { id, generation })
}

/// No tombstones are ever collected, since there are none.
fn collected(decoder: &mut Decoder<'_>) -> Result<(), DecodeError> {
    if u64_of(decoder, "collected")? == 0 { Ok(()) } else { Err(invalid("collected", "keys aren't deleted")) }
}

fn read_digest(decoder: &mut Decoder<'_>) -> Result<Vec<Known>, DecodeError> {
    let count = usize::from(u16_of(decoder, "digest")?);
    let mut digest: Vec<Known> = Vec::new();
    for _ in 0..count {
        let of = incarnation(decoder)?;
        if digest.last().is_some_and(|last| last.of >= of) {
            return Err(invalid("digest", "not in order"));
        }
        let heartbeat = count_of(decoder, "heartbeat")?;
        collected(decoder)?;
        digest.push(Known { of, heartbeat, version: count_of(decoder, "version")? });
    }
    Ok(digest)
}

fn read_delta(decoder: &mut Decoder<'_>, source: Source) -> Result<Vec<Change>, DecodeError> {
    let stream = read_blocks(decoder, source)?;
    let mut decoder = Decoder::new(&stream);
    let mut delta: Vec<Change> = Vec::new();
    while !decoder.is_empty() {
        match decoder.u8("change")? {
            NODE => {
                let of = incarnation(&mut decoder)?;
                if source == Source::Peer && delta.last().is_some_and(|last| last.of >= of) {
                    return Err(invalid("delta", "not in order"));
                }
                collected(&mut decoder)?;
                delta.push(Change { of, from: count_of(&mut decoder, "from")?, entries: Vec::new(), version: None });
            }
            ENTRY => read_entry(&mut decoder, delta.last_mut())?,
            NODE_VERSION => {
                let version = count_of(&mut decoder, "version")?;
                match delta.last_mut() {
                    Some(change) if change.entries.is_empty() && change.version.is_none() => {
                        change.version = Some(version);
                    }
                    _ => return Err(invalid("delta", "a version that belongs to no node, or to one with keys")),
                }
            }
            _ => return Err(invalid("change", "unknown")),
        }
    }
    // The order in which chitchat shuffles them must not show.
    delta.sort_by_key(|change| change.of);
    Ok(delta)
}

fn read_entry(decoder: &mut Decoder<'_>, change: Option<&mut Change>) -> Result<(), DecodeError> {
    let change = change.filter(|change| change.version.is_none()).ok_or(invalid("delta", "a key of no node"))?;
    if change.entries.len() >= limits::GOSSIP_KEYS {
        return Err(invalid("delta", "too many keys of one node"));
    }
    let entry = Entry {
        key: key(decoder)?,
        value: text(decoder, limits::GOSSIP_VALUE_BYTES, "value")?,
        version: count_of(decoder, "version")?,
    };
    if decoder.u8("status")? != SET {
        return Err(invalid("status", "keys aren't deleted"));
    }
    if entry.version <= change.entries.last().map_or(0, |last| last.version) {
        return Err(invalid("delta", "versions don't rise"));
    }
    change.entries.push(entry);
    Ok(())
}

fn read_blocks(decoder: &mut Decoder<'_>, source: Source) -> Result<Vec<u8>, DecodeError> {
    let mut stream = Vec::new();
    loop {
        let kind = decoder.u8("block")?;
        match kind {
            NO_MORE_BLOCKS => return Ok(stream),
            PLAIN_BLOCK => stream.extend_from_slice(bytes_of(decoder, usize::from(u16::MAX), "block")?),
            COMPRESSED_BLOCK if source == Source::Own => {
                let block = bytes_of(decoder, usize::from(u16::MAX), "block")?;
                let block = zstd::bulk::decompress(block, usize::from(u16::MAX));
                stream.extend_from_slice(&block.map_err(|_| invalid("block", "can't be decompressed"))?);
            }
            _ => return Err(invalid("block", "unknown, or compressed by itself")),
        }
        if stream.len() > limits::GOSSIP_MESSAGE_BYTES {
            return Err(invalid("delta", "past the limit"));
        }
    }
}

fn write_bytes(encoder: &mut Encoder, bytes: &[u8]) {
    // All that is written was read within limits below 65,536.
    encoder.raw(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes()).raw(bytes);
}

fn write_text(encoder: &mut Encoder, text: &str) {
    write_bytes(encoder, text.as_bytes());
}

fn write_numbers(encoder: &mut Encoder, numbers: &[u64]) {
    for number in numbers {
        encoder.raw(&number.to_le_bytes());
    }
}

fn write_incarnation(encoder: &mut Encoder, of: Incarnation) {
    write_text(encoder, &of.id.to_string());
    write_numbers(encoder, &[of.generation]);
    encoder.raw(&ADDRESS);
}

fn write_digest(encoder: &mut Encoder, digest: &[Known]) {
    encoder.raw(&u16::try_from(digest.len()).unwrap_or(u16::MAX).to_le_bytes());
    for known in digest {
        write_incarnation(encoder, known.of);
        write_numbers(encoder, &[known.heartbeat, 0, known.version]);
    }
}

fn write_delta(encoder: &mut Encoder, delta: &[Change]) {
    let mut stream = Encoder::new();
    for change in delta {
        stream.u8(NODE);
        write_incarnation(&mut stream, change.of);
        write_numbers(&mut stream, &[0, change.from]);
        for entry in &change.entries {
            stream.u8(ENTRY);
            write_text(&mut stream, &entry.key);
            write_text(&mut stream, &entry.value);
            write_numbers(&mut stream, &[entry.version]);
            stream.u8(SET);
        }
        if let Some(version) = change.version {
            stream.u8(NODE_VERSION);
            write_numbers(&mut stream, &[version]);
        }
    }
    for block in stream.finish().chunks(usize::from(u16::MAX)) {
        encoder.u8(PLAIN_BLOCK);
        write_bytes(encoder, block);
    }
    encoder.u8(NO_MORE_BLOCKS);
}

#[cfg(test)]
mod tests {
    use murmurate_crdt::id::NodeId;

    use super::*;

    fn of(number: u8, generation: u64) -> Incarnation {
        Incarnation::new(&NodeId([number; 32]), generation, 0)
    }

    fn entry(key: &str, version: u64) -> Entry {
        Entry { key: key.into(), value: "value".into(), version }
    }

    fn change(entries: Vec<Entry>, version: Option<u64>) -> Change {
        Change { of: of(1, 1), from: 0, entries, version }
    }

    fn ack(change: Change) -> Message {
        Message::Ack { delta: vec![change] }
    }

    fn known(of: Incarnation) -> Known {
        Known { of, heartbeat: 3, version: 2 }
    }

    #[test]
    fn messages_are_read_as_they_were_written() {
        let digest = vec![known(of(1, 1)), known(of(1, 2)), known(of(2, 1))];
        let delta = vec![change(vec![entry("name", 1), entry("zone", 2)], None)];
        let large = change(
            (1..=32)
                .map(|version| Entry { value: "v".repeat(limits::GOSSIP_VALUE_BYTES), ..entry("k", version) })
                .collect(),
            None,
        );
        for message in [
            Message::Syn { mesh: "ab".repeat(16), digest: digest.clone() },
            Message::SynAck { digest, delta: delta.clone() },
            Message::Ack { delta },
            Message::Ack { delta: (1..5).map(|number| Change { of: of(number, 1), ..large.clone() }).collect() },
            ack(change(Vec::new(), Some(7))),
            ack(change(Vec::new(), None)),
            Message::OtherMesh,
        ] {
            let bytes = message.write();
            assert_eq!(Message::read(&bytes, Source::Peer), Ok(message));
            for length in 0..bytes.len().min(2_000) {
                assert!(Message::read(&bytes[..length], Source::Peer).is_err());
            }
        }
    }

    /// What is here ended chitchat's task, or would once it added one, or is what no host says.
    #[test]
    fn what_chitchat_would_choke_on_is_refused() {
        let rows = [
            ("a key that isn't ASCII", ack(change(vec![entry("\u{e9}", 1)], None))),
            ("an empty key", ack(change(vec![entry("", 1)], None))),
            ("a version lower than its keys", ack(change(vec![entry("a", 5)], Some(1)))),
            ("equal versions", ack(change(vec![entry("a", 5), entry("b", 5)], None))),
            ("no version", ack(change(vec![entry("a", 0)], None))),
            ("the last version there is", ack(change(vec![entry("a", u64::MAX)], None))),
            ("that of a node", ack(change(Vec::new(), Some(u64::MAX)))),
            ("too many keys", ack(change((1..=33).map(|version| entry("a", version)).collect(), None))),
            ("a long key", ack(change(vec![entry(&"a".repeat(33), 1)], None))),
            (
                "a long value",
                ack(change(vec![Entry { value: "a".repeat(limits::GOSSIP_VALUE_BYTES + 1), ..entry("a", 1) }], None)),
            ),
            ("a node twice", Message::Ack { delta: vec![change(Vec::new(), None); 2] }),
            ("another order", Message::Syn { mesh: String::new(), digest: vec![known(of(2, 1)), known(of(1, 1))] }),
            (
                "the last heartbeat there is",
                Message::Syn { mesh: String::new(), digest: vec![Known { heartbeat: u64::MAX, ..known(of(1, 1)) }] },
            ),
        ];
        for (what, message) in rows {
            assert!(Message::read(&message.write(), Source::Peer).is_err(), "{what}");
        }
        let plain = Message::SynAck { digest: vec![known(of(1, 1))], delta: Vec::new() }.write();
        let (address, collected, last) = (4 + 2 + 2 + 10 + 8 + 1, 4 + 2 + 2 + 10 + 8 + 7 + 8, plain.len() - 1);
        for (at, what) in
            [(0, "magic"), (2, "version"), (3, "kind"), (address, "address"), (collected, "collected"), (last, "block")]
        {
            let mut bytes = plain.clone();
            bytes[at] = 9;
            assert!(Message::read(&bytes, Source::Peer).is_err(), "{what}");
        }
        assert!(Message::read(&[plain, vec![0]].concat(), Source::Peer).is_err(), "more");
    }

    #[test]
    fn compressed_blocks_are_taken_from_chitchat_itself_only() {
        let stream = ack(change(vec![entry("name", 1)], None)).write();
        let inner = &stream[HEADER_BYTES + 3..stream.len() - 1];
        let compressed = zstd::bulk::compress(inner, 3).unwrap();
        let length = u16::try_from(compressed.len()).unwrap().to_le_bytes();
        let bytes = [&stream[..HEADER_BYTES], &[COMPRESSED_BLOCK], &length, &compressed, &[NO_MORE_BLOCKS]].concat();
        assert_eq!(Message::read(&bytes, Source::Own), Ok(ack(change(vec![entry("name", 1)], None))));
        assert!(Message::read(&bytes, Source::Peer).is_err());
    }

    /// What begins every message.
    const HEADER_BYTES: usize = 4;
}
