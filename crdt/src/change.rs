//! The guards that an automerge change passes before automerge sees it.
//!
//! automerge accepts a chunk whose checksum is wrong, and expands run lengths that 111 bytes can set to two million
//! operations. So the chunk's frame is read here first: checksum, writer, sequence, and the number of rows of every
//! column, without expanding one. The layout is the automerge binary format's change chunk
//! (<https://automerge.org/automerge-binary-format-spec/>).

use sha2::{Digest, Sha256};

use crate::envelope::SignedEnvelope;
use crate::id::{ChangeHash, Writer};
use crate::limits;
use crate::wire::{DecodeError, Decoder};

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHUNK_TYPE_CHANGE: u8 = 1;
const CHECKSUM_BYTES: usize = 4;
/// Columns of a change: automerge knows 15, later versions may add some.
const COLUMNS: usize = 64;
/// Other writers that one change's operations refer to.
const OTHER_ACTORS: usize = limits::DEPENDENCIES;

/// Why a change is refused before it reaches a document. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The chunk's layout is broken.
    #[error("the change is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// The chunk's bytes aren't those that its checksum was made of.
    #[error("the change's checksum doesn't fit its bytes")]
    Checksum,
    /// The chunk is another writer's, or has another sequence, than its envelope says.
    #[error("the change inside is {inside}, its envelope says {outside}")]
    NotTheEnvelopes {
        /// What the chunk says.
        inside: String,
        /// What the envelope says.
        outside: String,
    },
    /// More operations than [`limits::CHANGE_OPERATIONS`].
    #[error("the change holds over {limit} operations", limit = limits::CHANGE_OPERATIONS)]
    TooManyOperations,
}

/// What a change chunk says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeFrame {
    /// The name that automerge gives the change.
    pub hash: ChangeHash,
    /// The changes it directly builds on.
    pub dependencies: Vec<ChangeHash>,
    /// Whose change it is.
    pub writer: Writer,
    /// The how-manieth of its writer's changes of this document.
    pub sequence: u64,
    /// The counter of its first operation.
    pub start_op: u64,
    /// An upper bound of how many operations it holds.
    pub operations: u64,
}

/// Checks everything about an envelope's change that can be checked without its document.
///
/// # Errors
/// When the chunk is malformed, damaged, too large, or not the one that the envelope speaks of.
pub fn check(envelope: &SignedEnvelope) -> Result<ChangeFrame, ChangeError> {
    let frame = ChangeFrame::read(&envelope.change)?;
    if frame.writer != envelope.dot.writer || frame.sequence != envelope.dot.sequence {
        return Err(ChangeError::NotTheEnvelopes {
            inside: format!("{}:{}", frame.writer, frame.sequence),
            outside: envelope.dot.to_string(),
        });
    }
    Ok(frame)
}

impl ChangeFrame {
    /// Reads the frame of exactly one uncompressed change chunk.
    ///
    /// # Errors
    /// When it is anything else, is damaged, or passes a limit.
    pub fn read(chunk: &[u8]) -> Result<Self, ChangeError> {
        if chunk.len() > limits::CHANGE_BYTES {
            return Err(DecodeError::Invalid { what: "change", why: "larger than the limit" }.into());
        }
        let (hash, body) = checked_body(chunk)?;
        let mut decoder = Decoder::new(body);
        let dependencies = read_hashes(&mut decoder)?;
        let writer = Writer::from_bytes(decoder.bytes(Writer::BYTES, "actor")?)?;
        let sequence = decoder.varint("sequence")?;
        let start_op = decoder.varint("start op")?;
        let _time = signed(&mut decoder, "time")?;
        let _message = decoder.text(limits::NOTE_BYTES, "message")?;
        for _ in 0..decoder.size(OTHER_ACTORS, "other actors")? {
            decoder.bytes(Writer::BYTES, "other actor")?;
        }
        let operations = count_operations(&mut decoder)?;
        Ok(Self { hash, dependencies, writer, sequence, start_op, operations })
    }
}

/// The chunk's hash and contents, once its checksum is found right.
fn checked_body(chunk: &[u8]) -> Result<(ChangeHash, &[u8]), ChangeError> {
    let mut decoder = Decoder::new(chunk);
    if decoder.array("magic")? != MAGIC {
        return Err(DecodeError::Invalid { what: "magic", why: "not an automerge chunk" }.into());
    }
    let checksum = decoder.array::<CHECKSUM_BYTES>("checksum")?;
    let hashed = decoder.rest();
    if decoder.u8("chunk type")? != CHUNK_TYPE_CHANGE {
        return Err(DecodeError::Invalid { what: "chunk type", why: "not an uncompressed change" }.into());
    }
    let body = decoder.bytes(limits::CHANGE_BYTES, "chunk")?;
    decoder.finish()?;
    let hash: [u8; 32] = Sha256::digest(hashed).into();
    if hash[..CHECKSUM_BYTES] != checksum {
        return Err(ChangeError::Checksum);
    }
    Ok((ChangeHash(hash), body))
}

fn read_hashes(decoder: &mut Decoder<'_>) -> Result<Vec<ChangeHash>, DecodeError> {
    let count = decoder.size(limits::DEPENDENCIES, "dependencies")?;
    (0..count).map(|_| decoder.array("dependency").map(ChangeHash)).collect()
}

/// A signed LEB128 integer; automerge accepts forms longer than needed, so they are accepted here.
fn signed(decoder: &mut Decoder<'_>, what: &'static str) -> Result<i64, DecodeError> {
    let mut value = 0i64;
    let mut shift = 0u32;
    loop {
        let byte = decoder.u8(what)?;
        if shift >= 64 {
            return Err(DecodeError::Invalid { what, why: "the number passes 64 bits" });
        }
        value |= i64::from(byte & 0x7f).wrapping_shl(shift);
        shift += 7;
        if byte & 0x80 == 0 {
            let negative = byte & 0x40 != 0 && shift < 64;
            return Ok(if negative { value | (-1i64).wrapping_shl(shift) } else { value });
        }
    }
}

/// The kinds of columns, in the low three bits of a column's specification.
mod column {
    pub(super) const GROUP: u64 = 0;
    pub(super) const DELTA: u64 = 3;
    pub(super) const BOOLEAN: u64 = 4;
    pub(super) const STRING: u64 = 5;
    pub(super) const VALUE_METADATA: u64 = 6;
    pub(super) const VALUE: u64 = 7;
    pub(super) const DEFLATE_BIT: u64 = 8;
}

/// The largest number of rows of any column.
fn count_operations(decoder: &mut Decoder<'_>) -> Result<u64, ChangeError> {
    let mut columns = Vec::new();
    for _ in 0..decoder.size(COLUMNS, "columns")? {
        let specification = decoder.varint("column")?;
        let length = decoder.size(limits::CHANGE_BYTES, "column length")?;
        columns.push((specification, length));
    }
    let mut most = 0;
    let mut value_bytes = None;
    for (specification, length) in columns {
        if specification & column::DEFLATE_BIT != 0 {
            return Err(DecodeError::Invalid { what: "column", why: "compressed" }.into());
        }
        let data = decoder.raw(length, "column data")?;
        let kind = specification & 7;
        let rows = match kind {
            column::BOOLEAN => boolean_rows(data)?,
            column::VALUE => {
                if value_bytes.is_some_and(|announced| announced != length as u64) {
                    return Err(DecodeError::Invalid { what: "values", why: "not as long as announced" }.into());
                }
                0
            }
            _ => {
                let (rows, sum) = run_length_rows(data, kind)?;
                value_bytes = (kind == column::VALUE_METADATA).then_some(sum);
                if kind == column::GROUP { rows.max(sum) } else { rows }
            }
        };
        most = most.max(rows);
        if most > limits::CHANGE_OPERATIONS {
            return Err(ChangeError::TooManyOperations);
        }
    }
    Ok(most)
}

/// Rows of a run-length column, and the sum over its rows: of the values of a group column, of the lengths of values
/// announced by a metadata column, 0 for others.
fn run_length_rows(data: &[u8], kind: u64) -> Result<(u64, u64), DecodeError> {
    let mut decoder = Decoder::new(data);
    let (mut rows, mut sum) = (0u64, 0u64);
    while !decoder.is_empty() {
        let count = signed(&mut decoder, "run length")?;
        let (repeat, literals) = match count {
            0 => {
                rows = rows.saturating_add(decoder.varint("null run")?);
                continue;
            }
            1.. => (count.unsigned_abs(), 1),
            _ => (1, count.unsigned_abs()),
        };
        for _ in 0..literals {
            let value = run_value(&mut decoder, kind)?;
            rows = rows.saturating_add(repeat);
            sum = sum.saturating_add(value.saturating_mul(repeat));
        }
    }
    Ok((rows, sum))
}

/// Reads one value of a run-length column and returns what it adds to the column's sum.
fn run_value(decoder: &mut Decoder<'_>, kind: u64) -> Result<u64, DecodeError> {
    match kind {
        column::DELTA => signed(decoder, "delta").map(|_| 0),
        column::STRING => decoder.bytes(limits::CHANGE_BYTES, "text").map(|_| 0),
        column::GROUP => decoder.varint("group"),
        column::VALUE_METADATA => decoder.varint("value metadata").map(|metadata| metadata >> 4),
        _ => decoder.varint("integer").map(|_| 0),
    }
}

fn boolean_rows(data: &[u8]) -> Result<u64, DecodeError> {
    let mut decoder = Decoder::new(data);
    let mut rows = 0u64;
    while !decoder.is_empty() {
        rows = rows.saturating_add(decoder.varint("boolean run")?);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use automerge::transaction::Transactable;
    use automerge::{ActorId, Automerge, ROOT};
    use proptest::prelude::*;

    /// A real change of `puts` registers.
    fn chunk(puts: usize) -> Vec<u8> {
        let mut document = Automerge::new().with_actor(ActorId::from([7u8; Writer::BYTES].to_vec().as_slice()));
        let mut transaction = document.transaction();
        for index in 0..puts {
            transaction.put(ROOT, format!("key{}", index % 1000), vec![1u8, 2, 3]).unwrap();
        }
        transaction.commit();
        document.get_last_local_change().unwrap().raw_bytes().to_vec()
    }

    /// A chunk with this body and a right checksum.
    fn sealed(body: &[u8]) -> Vec<u8> {
        let mut hashed = crate::wire::Encoder::new();
        hashed.u8(CHUNK_TYPE_CHANGE).bytes(body);
        let hashed = hashed.finish();
        [&MAGIC[..], &Sha256::digest(&hashed)[..4], &hashed].concat()
    }

    #[test]
    fn a_real_change_is_read_as_automerge_reads_it() {
        for puts in [1, 2, 500] {
            let bytes = chunk(puts);
            let change = automerge::Change::from_bytes(bytes.clone()).unwrap();
            let frame = ChangeFrame::read(&bytes).unwrap();
            assert_eq!(frame.hash.0, change.hash().0);
            assert_eq!((frame.sequence, frame.start_op), (change.seq(), change.start_op().get()));
            assert_eq!(frame.operations, puts as u64);
        }
    }

    #[test]
    fn a_flipped_bit_is_found_by_the_checksum() {
        let mut bytes = chunk(3);
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        assert_eq!(ChangeFrame::read(&bytes), Err(ChangeError::Checksum));
    }

    #[test]
    fn a_small_chunk_with_two_million_operations_is_refused() {
        let mut body = crate::wire::Encoder::new();
        body.varint(0).bytes(&[7; Writer::BYTES]).varint(1).varint(1).u8(0).text("").varint(0);
        // One action column: a run of 2,000,000 puts.
        let column = [0x80, 0x89, 0xfa, 0x00, 1];
        body.varint(1).varint(0x42).varint(column.len() as u64).raw(&column);
        let body = body.finish();
        assert_eq!(ChangeFrame::read(&sealed(&body)), Err(ChangeError::TooManyOperations));
    }

    #[test]
    fn run_lengths_are_counted_without_expanding_them() {
        let two_million = [0x80, 0x89, 0xfa, 0x00, 1];
        assert_eq!(run_length_rows(&two_million, 2), Ok((2_000_000, 0)));
        assert_eq!(run_length_rows(&[0x7e, 1, 2], 2), Ok((2, 0)));
        assert_eq!(run_length_rows(&[0, 9], 2), Ok((9, 0)));
        assert_eq!(run_length_rows(&[2, 5], column::GROUP), Ok((2, 10)));
    }

    proptest! {
        #![proptest_config(crate::testing::cases(256))]

        #[test]
        fn mutated_chunks_never_panic(puts in 1usize..20, at: proptest::sample::Index, byte: u8, seal: bool) {
            let mut bytes = chunk(puts);
            let index = at.index(bytes.len());
            bytes[index] = byte;
            let bytes = if seal { sealed(bytes.get(11..).unwrap_or(&[])) } else { bytes };
            let _ = ChangeFrame::read(&bytes);
        }

        #[test]
        fn random_bodies_never_panic(body: Vec<u8>) {
            let _ = ChangeFrame::read(&sealed(&body));
        }
    }
}
