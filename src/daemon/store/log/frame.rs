//! A frame is one commit on disk.
//!
//! ```text
//!  magic u32 │ directory bytes u32 │ bodies bytes u32 │ commit u64 │ header checksum u32 │ checksum, 16 bytes
//!  directory: first apply index, then of each item its kind, its names, and its body's length and checksum
//!  bodies, one after the other │ zeros up to a multiple of 8
//! ```
//! Integers are little endian. The checksum covers header and directory, the directory's checksums cover the bodies:
//! what is stored can be listed without reading it, and each body can be checked alone. The header's own checksum keeps
//! a search through damaged bytes from believing lengths that a peer has put into a change.

use murmurate_crdt::wire::{DecodeError, Decoder, Encoder};

use super::super::error::StoreError;
use super::checksum::{FrameCheck, Salt};
use super::item::{Body, Item};

/// The header's length.
pub(super) const HEADER_BYTES: usize = 40;
/// The part of the header that the header's checksum covers.
const FIELDS_BYTES: usize = 20;
/// The part of the header that the frame's checksum covers.
const CHECKED_BYTES: usize = 24;
/// Frames begin at multiples of this, so that a search for them is quick.
pub(super) const ALIGNMENT_BYTES: usize = 8;
const MAGIC: [u8; 4] = *b"MuFr";

/// One commit. Several envelopes of the largest size fit, and it is still held in memory without harm.
pub(super) const FRAME_BYTES: usize = 64 << 20;

/// A frame's header.
#[derive(Debug, Clone, Copy)]
pub(super) struct FrameHeader {
    pub(super) directory_bytes: u32,
    bodies_bytes: u32,
    pub(super) commit: u64,
    check: FrameCheck,
}

/// What a frame stores, without the bodies.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// Counts the commits of a store from 1.
    pub(super) commit: u64,
    /// The apply index of its first change; the others follow in order.
    pub(super) first_apply_index: u64,
    /// In the order of the batch.
    pub(super) items: Vec<Item<Body>>,
    /// Where the bodies begin, from the start of the frame.
    pub(super) bodies_at: u64,
    /// From the start of the frame to that of the next.
    pub(super) total_bytes: u64,
}

impl FrameHeader {
    /// Reads a header, if these bytes are one.
    pub(super) fn decode(salt: Salt, bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let mut decoder = Decoder::new(bytes);
        let mut word = || decoder.array::<4>("header").ok();
        let (magic, directory, bodies) = (word()?, word()?, word()?);
        let header = Self {
            directory_bytes: u32::from_le_bytes(directory),
            bodies_bytes: u32::from_le_bytes(bodies),
            commit: u64::from_le_bytes(decoder.array("commit").ok()?),
            check: bytes.last_chunk().copied()?,
        };
        let is_whole = magic == MAGIC && header.encode(salt) == *bytes;
        (is_whole && header.total_bytes() <= FRAME_BYTES as u64).then_some(header)
    }

    fn encode(&self, salt: Salt) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&self.directory_bytes.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.bodies_bytes.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.commit.to_le_bytes());
        let check = salt.header_check(&bytes[..FIELDS_BYTES]);
        bytes[FIELDS_BYTES..CHECKED_BYTES].copy_from_slice(&check);
        bytes[CHECKED_BYTES..].copy_from_slice(&self.check);
        bytes
    }

    /// Whether this directory is what was written with this header.
    pub(super) fn matches(&self, salt: Salt, directory: &[u8]) -> bool {
        self.frame_check(salt, directory) == self.check
    }

    fn frame_check(&self, salt: Salt, directory: &[u8]) -> FrameCheck {
        salt.frame_check(&self.encode(salt)[..CHECKED_BYTES], directory)
    }

    /// From the start of the frame to that of the next.
    pub(super) fn total_bytes(&self) -> u64 {
        let bytes = HEADER_BYTES as u64 + u64::from(self.directory_bytes) + u64::from(self.bodies_bytes);
        bytes.next_multiple_of(ALIGNMENT_BYTES as u64)
    }
}

impl Frame {
    /// Lays out a commit: what is written, and what an index needs of it.
    ///
    /// # Errors
    /// [`StoreError::BatchTooLarge`].
    pub(super) fn build(
        salt: Salt,
        commit: u64,
        first_apply_index: u64,
        drafts: Vec<Item<&[u8]>>,
    ) -> Result<(Vec<u8>, Self), StoreError> {
        let (items, bodies) = place_bodies(salt, drafts)?;
        let mut encoder = Encoder::new();
        encoder.varint(first_apply_index);
        items.iter().for_each(|item| item.encode(&mut encoder));
        let directory = encoder.finish();
        let mut header = FrameHeader {
            directory_bytes: bounded(directory.len())?,
            bodies_bytes: bounded(bodies.iter().map(|body| body.len()).sum())?,
            commit,
            check: FrameCheck::default(),
        };
        let total = header.total_bytes();
        bounded(usize::try_from(total).unwrap_or(usize::MAX))?;
        header.check = header.frame_check(salt, &directory);
        let frame = Self { commit, first_apply_index, items, bodies_at: bodies_at(&directory), total_bytes: total };
        Ok((concatenate(&header.encode(salt), &directory, &bodies, total), frame))
    }

    /// Reads a directory that matches its header.
    pub(super) fn decode(header: &FrameHeader, directory: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(directory);
        let first_apply_index = decoder.varint("apply index")?;
        let mut items = Vec::new();
        let mut bodies_read = 0;
        while !decoder.is_empty() {
            items.push(Item::decode(&mut decoder, &mut bodies_read)?);
        }
        if bodies_read != u64::from(header.bodies_bytes) {
            return Err(DecodeError::Invalid { what: "directory", why: "it lists other bodies than the header" });
        }
        let total_bytes = header.total_bytes();
        Ok(Self { commit: header.commit, first_apply_index, items, bodies_at: bodies_at(directory), total_bytes })
    }

    /// Whether all bodies are what was written; `bytes` is the whole frame.
    pub(super) fn bodies_match(&self, salt: Salt, bytes: &[u8]) -> bool {
        self.items.iter().filter_map(Item::body).all(|body| {
            let start = usize::try_from(self.bodies_at + body.offset).unwrap_or(usize::MAX);
            let bytes = bytes.get(start..).and_then(|rest| rest.get(..body.length as usize));
            bytes.is_some_and(|bytes| salt.body_check(bytes) == body.check)
        })
    }
}

type Placed<'a> = (Vec<Item<Body>>, Vec<&'a [u8]>);

/// Puts the bodies one after the other.
fn place_bodies(salt: Salt, drafts: Vec<Item<&[u8]>>) -> Result<Placed<'_>, StoreError> {
    let mut offset = 0;
    let mut items = Vec::with_capacity(drafts.len());
    let mut bodies = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let length = bounded(draft.body().map_or(0, |bytes| bytes.len()))?;
        items.push(draft.map_body(|bytes| {
            bodies.push(bytes);
            Body { offset, length, check: salt.body_check(bytes) }
        }));
        offset += u64::from(length);
    }
    Ok((items, bodies))
}

fn bodies_at(directory: &[u8]) -> u64 {
    (HEADER_BYTES + directory.len()) as u64
}

fn concatenate(header: &[u8], directory: &[u8], bodies: &[&[u8]], total_bytes: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(usize::try_from(total_bytes).unwrap_or(0));
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(directory);
    bodies.iter().for_each(|body| bytes.extend_from_slice(body));
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT_BYTES), 0);
    bytes
}

/// A length within a frame.
fn bounded(bytes: usize) -> Result<u32, StoreError> {
    let too_large = StoreError::BatchTooLarge { bytes, limit: FRAME_BYTES };
    if bytes > FRAME_BYTES { Err(too_large) } else { u32::try_from(bytes).map_err(|_| too_large) }
}
