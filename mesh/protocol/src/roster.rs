//! Who belongs to the mesh: a grow-only set of statements signed by its authority.
//!
//! ```text
//! version u8 │ mesh, 16 bytes │ kind varint │ length-prefixed payload │ Ed25519 signature, 64 bytes
//! kind 1, admit: public key, 32 bytes │ length-prefixed name │ issue time varint, ms │ (fields of newer builds)
//! ```
//! The signature is over [`SIGNATURE_CONTEXT`] and everything before it. Statements of an unknown kind are verified,
//! kept and passed on, so that a newer build behind this one gets them.

use std::collections::BTreeMap;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use murmurate_crdt::id::{MeshId, NodeId};
use murmurate_crdt::wire::{DecodeError, Decoder, Encoder};
use sha2::{Digest, Sha256};

use crate::summary::{EMPTY, Hash};

/// The version of a statement's layout.
pub const FORMAT_VERSION: u8 = 1;
/// What keeps a signature of a statement from being taken for one of anything else.
pub const SIGNATURE_CONTEXT: &[u8] = b"murmurate admission 1\0";
/// The largest statement: a name, a key and room for a newer build's fields.
pub const STATEMENT_BYTES: usize = 2_048;
/// The longest name of a host: a DNS name.
pub const NAME_BYTES: usize = 255;
/// Statements of a mesh: renewals of 500 members over years. Beyond, new ones are refused with a clear error.
pub const STATEMENTS: usize = 65_536;
const KIND_ADMIT: u64 = 1;
const SIGNATURE_BYTES: usize = 64;

/// A statement is refused. The roster wasn't changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// It can't be read.
    #[error("the statement can't be read: {0}")]
    Unreadable(#[from] DecodeError),
    /// It is about another mesh.
    #[error("the statement is for mesh {0}, not for this one")]
    OtherMesh(MeshId),
    /// The signature isn't the authority's.
    #[error("the statement isn't signed by this mesh's authority")]
    BadSignature,
    /// The roster has reached [`STATEMENTS`].
    #[error("the roster holds {STATEMENTS} statements, which is its limit")]
    Full,
}

/// The node that a statement admits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The node's Ed25519 public key; its id is the key's hash.
    pub key: VerifyingKey,
    /// What people call the host.
    pub name: String,
    /// The issuer's clock, milliseconds since 1970 UTC. Of two names the later issued one is shown.
    pub issued_ms: u64,
}

impl Admitted {
    /// The admitted node's id.
    #[must_use]
    pub fn node(&self) -> NodeId {
        NodeId::of_public_key(self.key.as_bytes())
    }
}

/// A signed statement about the mesh's members, as it travels and is stored. Not necessarily verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    bytes: Vec<u8>,
    mesh: MeshId,
    admitted: Option<Admitted>,
}

impl Admission {
    /// The authority admits a node.
    ///
    /// # Errors
    /// When the name is empty, too long, or holds control characters.
    pub fn admit(
        mesh: MeshId,
        authority: &SigningKey,
        key: &VerifyingKey,
        name: &str,
        issued_ms: u64,
    ) -> Result<Self, DecodeError> {
        let mut payload = Encoder::new();
        payload.raw(key.as_bytes()).text(name).varint(issued_ms);
        let mut encoder = Encoder::new();
        encoder.u8(FORMAT_VERSION).raw(&mesh.0).varint(KIND_ADMIT).bytes(&payload.finish());
        Self::decode(sign(authority, encoder.finish()))
    }

    /// Reads a statement; [`Roster::insert`] verifies it.
    ///
    /// # Errors
    /// When the layout is another version's or a field is past its limit.
    pub fn decode(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        if bytes.len() > STATEMENT_BYTES {
            return Err(DecodeError::Invalid { what: "statement", why: "larger than the limit" });
        }
        let body_bytes = bytes.len().checked_sub(SIGNATURE_BYTES).ok_or(DecodeError::Truncated("statement"))?;
        let mut decoder = Decoder::new(&bytes[..body_bytes]);
        if decoder.u8("statement version")? != FORMAT_VERSION {
            return Err(DecodeError::Invalid { what: "statement version", why: "unknown to this build" });
        }
        let mesh = MeshId(decoder.array("mesh")?);
        let kind = decoder.varint("statement kind")?;
        let payload = decoder.bytes(STATEMENT_BYTES, "payload")?;
        decoder.finish()?;
        let admitted = if kind == KIND_ADMIT { Some(decode_admitted(payload)?) } else { None };
        Ok(Self { bytes, mesh, admitted })
    }

    /// The node it admits; `None` for a kind of statement that this build doesn't know.
    #[must_use]
    pub fn admitted(&self) -> Option<&Admitted> {
        self.admitted.as_ref()
    }

    /// The bytes as they travel, signature included.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its name in the roster: the SHA-256 of its bytes.
    #[must_use]
    pub fn digest(&self) -> Hash {
        Sha256::digest(&self.bytes).into()
    }

    fn verify(&self, mesh: MeshId, authority: &VerifyingKey) -> Result<(), AdmissionError> {
        if self.mesh != mesh {
            return Err(AdmissionError::OtherMesh(self.mesh));
        }
        let (body, signature) = self.bytes.split_at(self.bytes.len() - SIGNATURE_BYTES);
        let signature = Signature::from_slice(signature).map_err(|_| AdmissionError::BadSignature)?;
        authority
            .verify_strict(&[SIGNATURE_CONTEXT, body].concat(), &signature)
            .map_err(|_| AdmissionError::BadSignature)
    }
}

fn sign(authority: &SigningKey, mut body: Vec<u8>) -> Vec<u8> {
    let signature = authority.sign(&[SIGNATURE_CONTEXT, &body].concat());
    body.extend_from_slice(&signature.to_bytes());
    body
}

fn decode_admitted(payload: &[u8]) -> Result<Admitted, DecodeError> {
    let mut decoder = Decoder::new(payload);
    let key = VerifyingKey::from_bytes(&decoder.array("public key")?)
        .map_err(|_| DecodeError::Invalid { what: "public key", why: "not an Ed25519 key" })?;
    let name = decoder.text(NAME_BYTES, "name")?;
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(DecodeError::Invalid { what: "name", why: "empty or with control characters" });
    }
    Ok(Admitted { key, name: name.to_owned(), issued_ms: decoder.varint("issue time")? })
}

/// The verified statements of one mesh. It only grows; equal sets have equal hashes.
#[derive(Debug, Clone)]
pub struct Roster {
    mesh: MeshId,
    authority: VerifyingKey,
    statements: BTreeMap<Hash, Admission>,
    /// Of each node the digest of the statement that names it: the latest issued, ties by digest.
    nodes: BTreeMap<NodeId, Hash>,
    hash: Hash,
}

impl Roster {
    /// A roster without members.
    #[must_use]
    pub fn new(mesh: MeshId, authority: VerifyingKey) -> Self {
        Self { mesh, authority, statements: BTreeMap::new(), nodes: BTreeMap::new(), hash: EMPTY }
    }

    /// Verifies and takes in a statement; says whether it was new.
    ///
    /// # Errors
    /// When it is another mesh's, isn't signed by the authority, or the roster is full.
    pub fn insert(&mut self, admission: Admission) -> Result<bool, AdmissionError> {
        let digest = admission.digest();
        if self.statements.contains_key(&digest) {
            return Ok(false);
        }
        admission.verify(self.mesh, &self.authority)?;
        if self.statements.len() >= STATEMENTS {
            return Err(AdmissionError::Full);
        }
        self.index(&admission, digest);
        self.hash.iter_mut().zip(digest).for_each(|(sum, byte)| *sum ^= byte);
        self.statements.insert(digest, admission);
        Ok(true)
    }

    fn index(&mut self, admission: &Admission, digest: Hash) {
        let Some(admitted) = admission.admitted() else { return };
        let node = admitted.node();
        let shown = self.admitted(node).map(|shown| (shown.issued_ms, self.nodes[&node]));
        if shown.is_none_or(|shown| (admitted.issued_ms, digest) > shown) {
            self.nodes.insert(node, digest);
        }
    }

    fn admitted(&self, node: NodeId) -> Option<&Admitted> {
        self.statements.get(self.nodes.get(&node)?)?.admitted()
    }

    /// The public key of a member.
    #[must_use]
    pub fn key(&self, node: NodeId) -> Option<&VerifyingKey> {
        self.admitted(node).map(|admitted| &admitted.key)
    }

    /// What people call a member's host.
    #[must_use]
    pub fn name(&self, node: NodeId) -> Option<&str> {
        self.admitted(node).map(|admitted| admitted.name.as_str())
    }

    /// The members, in the order of their ids.
    pub fn members(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.keys().copied()
    }

    /// The XOR of the statements' digests. Each occurs once, so none cancels another; and what is verified here was
    /// signed by one authority, which has no use for a collision.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Statements with a digest above `after`, in rising order; those about `nodes` only, if any is named.
    pub fn after<'a>(&'a self, after: Hash, nodes: &'a [NodeId]) -> impl Iterator<Item = (Hash, &'a Admission)> + 'a {
        use std::ops::Bound::{Excluded, Unbounded};
        let wanted = move |admission: &Admission| {
            nodes.is_empty() || admission.admitted().is_some_and(|admitted| nodes.contains(&admitted.node()))
        };
        let range = self.statements.range((Excluded(after), Unbounded));
        range.filter(move |(_, admission)| wanted(admission)).map(|(&digest, admission)| (digest, admission))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESH: MeshId = MeshId([5; 16]);

    fn key(number: u8) -> SigningKey {
        SigningKey::from_bytes(&[number; 32])
    }

    fn admission(member: u8, name: &str, issued_ms: u64) -> Admission {
        Admission::admit(MESH, &key(0), &key(member).verifying_key(), name, issued_ms).unwrap()
    }

    fn roster() -> Roster {
        Roster::new(MESH, key(0).verifying_key())
    }

    fn node(member: u8) -> NodeId {
        NodeId::of_public_key(key(member).verifying_key().as_bytes())
    }

    #[test]
    fn the_same_statements_in_any_order_make_the_same_roster() {
        let statements = [admission(1, "a", 1), admission(1, "b", 2), admission(2, "c", 1)];
        let (mut one, mut other) = (roster(), roster());
        statements.iter().for_each(|statement| assert_eq!(one.insert(statement.clone()), Ok(true)));
        statements.iter().rev().for_each(|statement| assert_eq!(other.insert(statement.clone()), Ok(true)));
        assert_eq!(one.insert(statements[0].clone()), Ok(false));
        assert_eq!(one.hash(), other.hash());
        assert_eq!((one.name(node(1)), other.name(node(1))), (Some("b"), Some("b")), "the later issued name");
        assert_eq!(one.key(node(2)), Some(&key(2).verifying_key()));
        assert_eq!((one.members().count(), one.key(node(3))), (2, None));
    }

    #[test]
    fn what_the_authority_didnt_sign_for_this_mesh_is_refused() {
        let forged = Admission::admit(MESH, &key(9), &key(1).verifying_key(), "a", 1).unwrap();
        let foreign = Admission::admit(MeshId([6; 16]), &key(0), &key(1).verifying_key(), "a", 1).unwrap();
        let mut changed = admission(1, "a", 1).bytes().to_vec();
        let name_at = changed.len() - SIGNATURE_BYTES - 2;
        changed[name_at] = b'b';
        let rows = [
            (forged, AdmissionError::BadSignature),
            (foreign, AdmissionError::OtherMesh(MeshId([6; 16]))),
            (Admission::decode(changed).unwrap(), AdmissionError::BadSignature),
        ];
        let mut roster = roster();
        for (statement, error) in rows {
            assert_eq!(roster.insert(statement), Err(error));
        }
        assert_eq!(roster.hash(), EMPTY);
    }

    #[test]
    fn names_that_could_deceive_or_overflow_are_refused() {
        for name in ["", "a\nb", "\u{1b}[2J", &"x".repeat(NAME_BYTES + 1)] {
            assert!(Admission::admit(MESH, &key(0), &key(1).verifying_key(), name, 1).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_statement_of_a_kind_to_come_is_verified_kept_and_passed_on() {
        let mut encoder = Encoder::new();
        encoder.u8(FORMAT_VERSION).raw(&MESH.0).varint(77).bytes(b"whatever");
        let statement = Admission::decode(sign(&key(0), encoder.finish())).unwrap();
        let mut roster = roster();
        assert_eq!(statement.admitted(), None);
        assert_eq!(roster.insert(statement.clone()), Ok(true));
        assert_eq!(roster.after(EMPTY, &[]).map(|(_, kept)| kept.clone()).collect::<Vec<_>>(), [statement]);
        assert_eq!(roster.after(EMPTY, &[node(1)]).count(), 0);
    }
}
