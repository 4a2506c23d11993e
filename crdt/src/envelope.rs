//! A change on its way between hosts: who wrote it, what it builds on, and a signature over all of it.
//!
//! ```text
//! version u8 │ (tag varint, length-prefixed value)* in rising order of tags │ Ed25519 signature, 64 bytes
//! ```
//! An odd tag must be understood by whoever applies the change: an envelope with an unknown odd tag waits. Unknown even
//! tags are kept and relayed, because the bytes are relayed as they came. The signature is over
//! [`SIGNATURE_CONTEXT`], the mesh id and everything before the signature.

use std::sync::Arc;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::clock::Dot;
use crate::id::{DocumentId, Generation, MeshId, NodeId};
use crate::limits;
use crate::wire::{DecodeError, Decoder, Encoder};

/// The version of the envelope's layout.
pub const FORMAT_VERSION: u8 = 1;
/// The mesh level that this build writes and understands: limits, winner and render rules, codecs.
pub const MESH_LEVEL: u64 = 1;
/// What keeps a signature of an envelope from being taken for one of anything else.
pub const SIGNATURE_CONTEXT: &[u8] = b"murmurate envelope 1\0";
const SIGNATURE_BYTES: usize = 64;

mod tag {
    pub(super) const LEVEL: u64 = 1;
    pub(super) const DOCUMENT: u64 = 3;
    pub(super) const GENERATION: u64 = 5;
    pub(super) const SET: u64 = 7;
    pub(super) const ENCRYPTION: u64 = 9;
    pub(super) const AUTHOR: u64 = 11;
    pub(super) const DOT: u64 = 13;
    pub(super) const TIME: u64 = 15;
    pub(super) const DEPENDENCIES: u64 = 17;
    pub(super) const USER: u64 = 18;
    pub(super) const MESSAGE: u64 = 20;
    pub(super) const CHANGE: u64 = 21;
}

/// The place of a change in a set that becomes visible at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetMember {
    /// The set, chosen at random by its author.
    pub id: [u8; 16],
    /// This change's place in it, from 0.
    pub index: u16,
    /// How many changes the set has.
    pub count: u16,
}

/// What a change says of itself, and the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The mesh level at which it was written.
    pub level: u64,
    /// The document it changes.
    pub document: DocumentId,
    /// The life of the document it belongs to.
    pub generation: Generation,
    /// The set it is part of, if any.
    pub set: Option<SetMember>,
    /// The node that signs it.
    pub author: NodeId,
    /// Whose how-manieth change of the document it is.
    pub dot: Dot,
    /// The author's wall clock, milliseconds since 1970 UTC. For display only.
    pub time_ms: u64,
    /// The changes it directly builds on: the dots of the automerge change's dependencies, without the genesis.
    pub dependencies: Vec<Dot>,
    /// The user on the author's host, if known. For display only.
    pub user: String,
    /// What the user said about it. For display only.
    pub message: String,
    /// One uncompressed automerge change chunk.
    pub change: Vec<u8>,
}

/// An envelope with its signature, as it travels and is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedEnvelope {
    envelope: Envelope,
    understood: bool,
    bytes: Arc<[u8]>,
}

/// The signature isn't the author's over these bytes in this mesh.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signature of {document} {dot} isn't that of node {author} in this mesh")]
pub struct BadSignature {
    /// Who is said to have signed.
    pub author: NodeId,
    /// The document.
    pub document: DocumentId,
    /// The change.
    pub dot: Dot,
}

fn field(encoder: &mut Encoder, tag: u64, write: impl FnOnce(&mut Encoder)) {
    let mut value = Encoder::new();
    write(&mut value);
    encoder.varint(tag).bytes(&value.finish());
}

impl Envelope {
    /// Signs the envelope for `mesh`. The key must be the author's: receivers refuse all else.
    #[must_use]
    pub fn sign(self, mesh: MeshId, key: &SigningKey) -> SignedEnvelope {
        let mut encoder = Encoder::new();
        self.encode(&mut encoder);
        let mut bytes = encoder.finish();
        let signature = key.sign(&signed_bytes(mesh, &bytes));
        bytes.extend_from_slice(&signature.to_bytes());
        SignedEnvelope { envelope: self, understood: true, bytes: bytes.into() }
    }

    fn encode(&self, encoder: &mut Encoder) {
        encoder.u8(FORMAT_VERSION);
        field(encoder, tag::LEVEL, |e| {
            e.varint(self.level);
        });
        field(encoder, tag::DOCUMENT, |e| {
            e.raw(self.document.as_str().as_bytes());
        });
        if self.generation != Generation::default() {
            field(encoder, tag::GENERATION, |e| {
                e.varint(self.generation.number.into()).raw(&self.generation.cut);
            });
        }
        if let Some(set) = self.set {
            field(encoder, tag::SET, |e| {
                e.raw(&set.id).varint(set.index.into()).varint(set.count.into());
            });
        }
        field(encoder, tag::AUTHOR, |e| {
            e.raw(&self.author.0);
        });
        field(encoder, tag::DOT, |e| self.dot.encode(e));
        field(encoder, tag::TIME, |e| {
            e.varint(self.time_ms);
        });
        field(encoder, tag::DEPENDENCIES, |e| self.dependencies.iter().for_each(|dot| dot.encode(e)));
        if !self.user.is_empty() {
            field(encoder, tag::USER, |e| {
                e.raw(self.user.as_bytes());
            });
        }
        if !self.message.is_empty() {
            field(encoder, tag::MESSAGE, |e| {
                e.raw(self.message.as_bytes());
            });
        }
        field(encoder, tag::CHANGE, |e| {
            e.raw(&self.change);
        });
    }
}

impl SignedEnvelope {
    /// Reads an envelope. The signature is not checked yet: see [`Self::verify`].
    ///
    /// # Errors
    /// When the layout is another version's, a field is missing, repeated, out of order or past its limit.
    pub fn decode(bytes: impl Into<Arc<[u8]>>) -> Result<Self, DecodeError> {
        let bytes = bytes.into();
        if bytes.len() > limits::ENVELOPE_BYTES {
            return Err(DecodeError::Invalid { what: "envelope", why: "larger than the limit" });
        }
        let signature_at = bytes.len().checked_sub(SIGNATURE_BYTES).ok_or(DecodeError::Truncated("envelope"))?;
        let (envelope, understood) = decode_fields(&bytes[..signature_at])?;
        Ok(Self { envelope, understood, bytes })
    }

    /// Checks the author's signature.
    ///
    /// # Errors
    /// When `key` isn't the author's, or the bytes aren't what it signed for `mesh`.
    pub fn verify(&self, mesh: MeshId, key: &VerifyingKey) -> Result<(), BadSignature> {
        let (body, signature) = self.bytes.split_at(self.bytes.len() - SIGNATURE_BYTES);
        let is_author = NodeId::of_public_key(key.as_bytes()) == self.author;
        let is_signed = Signature::from_slice(signature)
            .is_ok_and(|signature| key.verify_strict(&signed_bytes(mesh, body), &signature).is_ok());
        if is_author && is_signed {
            return Ok(());
        }
        Err(BadSignature { author: self.author, document: self.document.clone(), dot: self.dot })
    }

    /// Whether every field that must be understood is. An envelope that isn't understood waits for a newer build.
    #[must_use]
    pub fn is_understood(&self) -> bool {
        self.understood && self.envelope.level <= MESH_LEVEL
    }

    /// The bytes as they travel, signature included.
    #[must_use]
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }
}

impl std::ops::Deref for SignedEnvelope {
    type Target = Envelope;

    fn deref(&self) -> &Envelope {
        &self.envelope
    }
}

fn signed_bytes(mesh: MeshId, body: &[u8]) -> Vec<u8> {
    [SIGNATURE_CONTEXT, &mesh.0, body].concat()
}

/// The fields read so far; those without a default are checked for at the end.
#[derive(Default)]
struct Fields {
    level: Option<u64>,
    document: Option<DocumentId>,
    generation: Generation,
    set: Option<SetMember>,
    author: Option<NodeId>,
    dot: Option<Dot>,
    time_ms: u64,
    dependencies: Vec<Dot>,
    user: String,
    message: String,
    change: Option<Vec<u8>>,
}

fn decode_fields(body: &[u8]) -> Result<(Envelope, bool), DecodeError> {
    let mut decoder = Decoder::new(body);
    if decoder.u8("format version")? != FORMAT_VERSION {
        return Err(DecodeError::Invalid { what: "format version", why: "unknown to this build" });
    }
    let mut fields = Fields::default();
    let mut understood = true;
    let mut last_tag = 0;
    while !decoder.is_empty() {
        let tag = decoder.varint("tag")?;
        if tag <= last_tag {
            return Err(DecodeError::Invalid { what: "tag", why: "fields aren't in order" });
        }
        last_tag = tag;
        let value = decoder.bytes(limits::ENVELOPE_BYTES, "field")?;
        understood &= decode_field(&mut fields, tag, value)?;
    }
    Ok((fields.complete()?, understood))
}

/// Reads one field; says whether it was understood or need not be.
fn decode_field(fields: &mut Fields, tag: u64, value: &[u8]) -> Result<bool, DecodeError> {
    let mut value = Decoder::new(value);
    match tag {
        tag::LEVEL => fields.level = Some(value.varint("level")?),
        tag::DOCUMENT => {
            fields.document = Some(DocumentId::new(rest_as_text(&mut value, "document", limits::PATH_BYTES)?)?)
        }
        tag::GENERATION => fields.generation = decode_generation(&mut value)?,
        tag::SET => fields.set = Some(decode_set(&mut value)?),
        tag::ENCRYPTION => return Ok(false),
        tag::AUTHOR => fields.author = Some(NodeId(value.array("author")?)),
        tag::DOT => fields.dot = Some(Dot::decode(&mut value)?),
        tag::TIME => fields.time_ms = value.varint("time")?,
        tag::DEPENDENCIES => fields.dependencies = decode_dependencies(&mut value)?,
        tag::USER => fields.user = rest_as_text(&mut value, "user", limits::NOTE_BYTES)?.into(),
        tag::MESSAGE => fields.message = rest_as_text(&mut value, "message", limits::NOTE_BYTES)?.into(),
        tag::CHANGE => {
            fields.change = Some(value.rest().to_vec());
            value = Decoder::new(&[]);
        }
        unknown => return Ok(unknown % 2 == 0),
    }
    value.finish()?;
    Ok(true)
}

fn rest_as_text<'a>(value: &mut Decoder<'a>, what: &'static str, limit: usize) -> Result<&'a str, DecodeError> {
    let length = value.rest().len();
    if length > limit {
        return Err(DecodeError::Invalid { what, why: "longer than the limit" });
    }
    std::str::from_utf8(value.raw(length, what)?).map_err(|_| DecodeError::Invalid { what, why: "not UTF-8" })
}

fn decode_generation(value: &mut Decoder<'_>) -> Result<Generation, DecodeError> {
    let number = u32::try_from(value.varint("generation")?)
        .map_err(|_| DecodeError::Invalid { what: "generation", why: "past the limit" })?;
    Ok(Generation { number, cut: value.array("cut")? })
}

fn decode_set(value: &mut Decoder<'_>) -> Result<SetMember, DecodeError> {
    let id = value.array("set id")?;
    let mut number =
        |what| u16::try_from(value.varint(what)?).map_err(|_| DecodeError::Invalid { what, why: "past the limit" });
    let (index, count) = (number("set index")?, number("set count")?);
    if index >= count {
        return Err(DecodeError::Invalid { what: "set index", why: "outside the set" });
    }
    Ok(SetMember { id, index, count })
}

fn decode_dependencies(value: &mut Decoder<'_>) -> Result<Vec<Dot>, DecodeError> {
    let mut dependencies = Vec::new();
    while !value.is_empty() {
        if dependencies.len() == limits::DEPENDENCIES {
            return Err(DecodeError::Invalid { what: "dependencies", why: "more than the limit" });
        }
        dependencies.push(Dot::decode(value)?);
    }
    Ok(dependencies)
}

impl Fields {
    fn complete(self) -> Result<Envelope, DecodeError> {
        let missing = |what| DecodeError::Invalid { what, why: "missing" };
        Ok(Envelope {
            level: self.level.ok_or(missing("level"))?,
            document: self.document.ok_or(missing("document"))?,
            generation: self.generation,
            set: self.set,
            author: self.author.ok_or(missing("author"))?,
            dot: self.dot.ok_or(missing("dot"))?,
            time_ms: self.time_ms,
            dependencies: self.dependencies,
            user: self.user,
            message: self.message,
            change: self.change.ok_or(missing("change"))?,
        })
    }
}
