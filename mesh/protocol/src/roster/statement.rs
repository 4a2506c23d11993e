//! One signed statement.
//!
//! ```text
//! version u8 │ mesh, 16 bytes │ kind u8 │ node, 32 bytes │ order varint │ length-prefixed payload │ signer │ signature, 64 bytes
//! signer: 0 authority │ 1 recovery │ 2 issuer, length-prefixed grant │ 3 the node itself, public key, 32 bytes
//! ```
//! The Ed25519 signature is over [`SIGNATURE_CONTEXT`] and everything before it. Kind, node and order stand outside the
//! payload so that a build that doesn't know the kind verifies, keeps, replaces and passes on what newer builds say, and
//! both hold the same roster.

use std::sync::Arc;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use murmurate_crdt::id::{MeshId, NodeId};
use murmurate_crdt::wire::{DecodeError, Decoder, Encoder};
use sha2::{Digest, Sha256};

use super::Roots;
use super::fact::Fact;
use super::limits::STATEMENT_BYTES;
use super::set::StatementError;
use super::signer::{Proof, SignedBy, Signer};
use crate::summary::Hash;

/// The version of a statement's layout.
pub const FORMAT_VERSION: u8 = 1;
/// What keeps a signature of a statement from being taken for one of anything else.
pub const SIGNATURE_CONTEXT: &[u8] = b"murmurate statement 1\0";
const SIGNATURE_BYTES: usize = 64;

/// A signed statement about a node of the mesh, as it travels and is stored. Not necessarily verified: that is
/// [`super::Roster::insert`]'s. Copies share their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement(Arc<Content>);

#[derive(Debug, PartialEq, Eq)]
struct Content {
    bytes: Arc<[u8]>,
    digest: Hash,
    mesh: MeshId,
    kind: u8,
    node: NodeId,
    order: u64,
    fact: Option<Fact>,
    proof: Proof,
}

impl Statement {
    /// States a fact.
    ///
    /// # Errors
    /// When a field is past its limit, the signer may not say this, or the grant isn't the signer's. Nothing is signed.
    pub fn new(mesh: MeshId, signer: Signer<'_>, fact: &Fact) -> Result<Self, DecodeError> {
        let mut e = Encoder::new();
        e.u8(FORMAT_VERSION).raw(&mesh.0).u8(fact.kind()).raw(&fact.node().0).varint(fact.order());
        e.bytes(&fact.payload());
        signer.encode(&mut e)?;
        Self::decode(sign(signer.key(), e.finish()))
    }

    /// Reads a statement, without verifying it.
    ///
    /// # Errors
    /// When the layout is another version's, a field is past its limit, or the signer is of a kind that may not say this.
    pub fn decode(bytes: impl Into<Arc<[u8]>>) -> Result<Self, DecodeError> {
        Self::decode_nested(bytes.into(), false)
    }

    pub(super) fn decode_grant(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_nested(bytes.into(), true)
    }

    fn decode_nested(bytes: Arc<[u8]>, is_grant: bool) -> Result<Self, DecodeError> {
        if bytes.len() > STATEMENT_BYTES {
            return Err(DecodeError::Invalid { what: "statement", why: "larger than the limit" });
        }
        let body_bytes = bytes.len().checked_sub(SIGNATURE_BYTES).ok_or(DecodeError::Truncated("statement"))?;
        let mut d = Decoder::new(&bytes[..body_bytes]);
        if d.u8("statement version")? != FORMAT_VERSION {
            return Err(DecodeError::Invalid { what: "statement version", why: "unknown to this build" });
        }
        let mesh = MeshId(d.array("mesh")?);
        let kind = d.u8("statement kind")?;
        let node = NodeId(d.array("node")?);
        let order = d.varint("order")?;
        let payload = d.bytes(STATEMENT_BYTES, "payload")?;
        let proof = Proof::decode(&mut d, is_grant)?;
        d.finish()?;
        if matches!(proof.signed_by(), SignedBy::Own(signer) if signer != node) {
            return Err(DecodeError::Invalid { what: "signer", why: "a node that speaks about another" });
        }
        let fact = Fact::decode(kind, node, order, payload, &proof)?;
        let digest = Sha256::digest(&bytes).into();
        Ok(Self(Arc::new(Content { bytes, digest, mesh, kind, node, order, fact, proof })))
    }

    /// What it says; `None` for a kind of statement that this build doesn't know.
    #[must_use]
    pub fn fact(&self) -> Option<&Fact> {
        self.0.fact.as_ref()
    }

    /// The node that it is about.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.0.node
    }

    /// Who signed it, as it says.
    #[must_use]
    pub fn signed_by(&self) -> SignedBy {
        self.0.proof.signed_by()
    }

    /// The bytes as they travel, signature included.
    #[must_use]
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.0.bytes
    }

    /// Its name in the roster: the SHA-256 of its bytes.
    #[must_use]
    pub fn digest(&self) -> Hash {
        self.0.digest
    }

    pub(super) fn kind(&self) -> u8 {
        self.0.kind
    }

    /// What decides between two of one kind about one node.
    pub(super) fn rank(&self) -> (u64, Hash) {
        (self.0.order, self.0.digest)
    }

    /// Checks the signatures; a grant whose digest is `verified` isn't checked again.
    pub(super) fn verify(
        &self,
        mesh: MeshId,
        roots: &Roots,
        verified: &dyn Fn(&Hash) -> bool,
    ) -> Result<(), StatementError> {
        if self.0.mesh != mesh {
            return Err(StatementError::OtherMesh(self.0.mesh));
        }
        match &self.0.proof {
            Proof::Authority => self.verify_signature(&roots.authority),
            Proof::Recovery => self.verify_signature(&roots.recovery),
            Proof::Own(key) => self.verify_signature(key),
            Proof::Issuer(grant) => {
                if !verified(&grant.statement.digest()) {
                    grant.statement.verify(mesh, roots, &|_| false)?;
                }
                self.verify_signature(&grant.key)
            }
        }
    }

    fn verify_signature(&self, key: &VerifyingKey) -> Result<(), StatementError> {
        let (body, signature) = self.0.bytes.split_at(self.0.bytes.len() - SIGNATURE_BYTES);
        let signature = Signature::from_slice(signature).map_err(|_| StatementError::BadSignature)?;
        key.verify_strict(&[SIGNATURE_CONTEXT, body].concat(), &signature).map_err(|_| StatementError::BadSignature)
    }
}

pub(super) fn sign(key: &SigningKey, mut body: Vec<u8>) -> Vec<u8> {
    let signature = key.sign(&[SIGNATURE_CONTEXT, &body].concat());
    body.extend_from_slice(&signature.to_bytes());
    body
}
