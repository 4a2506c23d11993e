//! One thing that a frame stores: what it is, and its bytes or where they are.

use murmurate_crdt::clock::{Dot, VersionVector};
use murmurate_crdt::id::{DocumentId, Generation};
use murmurate_crdt::limits;
use murmurate_crdt::wire::{DecodeError, Decoder, Encoder};

use super::checksum::BodyCheck;

/// The longest key of the node's state: room for a prefix and a document's id.
pub(super) const STATE_KEY_BYTES: usize = limits::PATH_BYTES + 256;

mod kind {
    pub(super) const CHANGE: u8 = 1;
    pub(super) const STATE: u8 = 2;
    pub(super) const STATE_REMOVED: u8 = 3;
    pub(super) const SNAPSHOT: u8 = 4;
    pub(super) const QUARANTINED: u8 = 5;
}

/// Where an item's bytes are among the bodies of its frame, and how they are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Body {
    /// From the start of the frame's bodies.
    pub(super) offset: u64,
    pub(super) length: u32,
    pub(super) check: BodyCheck,
}

/// What a frame stores, with bodies as bytes (`B = &[u8]`, to be written) or as places (`B = Body`, written).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item<B> {
    Change { document: DocumentId, generation: Generation, dot: Dot, body: B },
    State { key: String, body: B },
    StateRemoved { key: String },
    Snapshot { document: DocumentId, vector: VersionVector, body: B },
    Quarantined { document: DocumentId, dot: Dot, body: B },
}

impl<B> Item<B> {
    /// The same item with another form of its body.
    pub(super) fn map_body<C>(self, map: impl FnOnce(B) -> C) -> Item<C> {
        match self {
            Self::Change { document, generation, dot, body } => {
                Item::Change { document, generation, dot, body: map(body) }
            }
            Self::State { key, body } => Item::State { key, body: map(body) },
            Self::StateRemoved { key } => Item::StateRemoved { key },
            Self::Snapshot { document, vector, body } => Item::Snapshot { document, vector, body: map(body) },
            Self::Quarantined { document, dot, body } => Item::Quarantined { document, dot, body: map(body) },
        }
    }

    /// Its body, if it has one.
    pub(super) fn body(&self) -> Option<&B> {
        match self {
            Self::Change { body, .. }
            | Self::State { body, .. }
            | Self::Snapshot { body, .. }
            | Self::Quarantined { body, .. } => Some(body),
            Self::StateRemoved { .. } => None,
        }
    }
}

impl Item<Body> {
    /// Writes the item's entry in the directory of its frame.
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        match self {
            Self::Change { document, generation, dot, .. } => {
                encoder.u8(kind::CHANGE).text(document.as_str());
                encode_generation(*generation, encoder);
                dot.encode(encoder);
            }
            Self::State { key, .. } => {
                encoder.u8(kind::STATE).text(key);
            }
            Self::StateRemoved { key } => {
                encoder.u8(kind::STATE_REMOVED).text(key);
            }
            Self::Snapshot { document, vector, .. } => {
                encoder.u8(kind::SNAPSHOT).text(document.as_str());
                vector.encode(encoder);
            }
            Self::Quarantined { document, dot, .. } => {
                encoder.u8(kind::QUARANTINED).text(document.as_str());
                dot.encode(encoder);
            }
        }
        if let Some(body) = self.body() {
            encoder.varint(body.length.into()).raw(&body.check);
        }
    }

    /// Reads an entry whose body begins at `bodies_read` and moves that on.
    pub(super) fn decode(decoder: &mut Decoder<'_>, bodies_read: &mut u64) -> Result<Self, DecodeError> {
        let item = match decoder.u8("item")? {
            kind::CHANGE => Item::Change {
                document: decode_document(decoder)?,
                generation: decode_generation(decoder)?,
                dot: Dot::decode(decoder)?,
                body: (),
            },
            kind::STATE => Item::State { key: decode_key(decoder)?, body: () },
            kind::STATE_REMOVED => return Ok(Item::StateRemoved { key: decode_key(decoder)? }),
            kind::SNAPSHOT => Item::Snapshot {
                document: decode_document(decoder)?,
                vector: VersionVector::decode(decoder)?,
                body: (),
            },
            kind::QUARANTINED => {
                Item::Quarantined { document: decode_document(decoder)?, dot: Dot::decode(decoder)?, body: () }
            }
            _ => return Err(DecodeError::Invalid { what: "item", why: "of a kind unknown to this build" }),
        };
        let body = decode_body(decoder, bodies_read)?;
        Ok(item.map_body(|()| body))
    }
}

fn decode_body(decoder: &mut Decoder<'_>, bodies_read: &mut u64) -> Result<Body, DecodeError> {
    let length = u32::try_from(decoder.varint("length")?)
        .map_err(|_| DecodeError::Invalid { what: "length", why: "past the limit" })?;
    let body = Body { offset: *bodies_read, length, check: decoder.array("checksum")? };
    *bodies_read += u64::from(length);
    Ok(body)
}

fn decode_key(decoder: &mut Decoder<'_>) -> Result<String, DecodeError> {
    Ok(decoder.text(STATE_KEY_BYTES, "state key")?.to_owned())
}

fn decode_document(decoder: &mut Decoder<'_>) -> Result<DocumentId, DecodeError> {
    DocumentId::new(decoder.text(limits::PATH_BYTES, "document")?)
}

/// The number, and the cut where there was one.
fn encode_generation(generation: Generation, encoder: &mut Encoder) {
    encoder.varint(generation.number.into());
    if generation.number > 0 {
        encoder.raw(&generation.cut);
    }
}

fn decode_generation(decoder: &mut Decoder<'_>) -> Result<Generation, DecodeError> {
    let number = u32::try_from(decoder.varint("generation")?)
        .map_err(|_| DecodeError::Invalid { what: "generation", why: "past the limit" })?;
    let cut = if number > 0 { decoder.array("cut")? } else { Generation::default().cut };
    Ok(Generation { number, cut })
}
