//! A whole mesh whose keys are kept nowhere: for `dev` and for tests.

use ed25519_dalek::SigningKey;
use murmurate_crdt::id::{MeshId, NodeId};
use rand_core::CryptoRng;
use rustls_pki_types::CertificateDer;

use super::template::END_OF_TIME_MS;
use super::{Anchors, Authority, Identity, IdentityError, IssueError, Issuer, generate_key};

/// The keys of a mesh that is forgotten with its process.
#[derive(Debug, Clone)]
pub struct ThrowawayMesh {
    authority: Authority,
    recovery: Authority,
    anchors: Anchors,
    issuer: Issuer,
    valid_from_ms: u64,
}

impl ThrowawayMesh {
    /// New keys for `mesh`, whose certificates are valid from then on. Its issuer is a node of its own, which never runs.
    ///
    /// # Errors
    /// When a certificate can't be made.
    pub fn new(mesh: MeshId, rng: &mut impl CryptoRng, valid_from_ms: u64) -> Result<Self, IdentityError> {
        Self::with_authority(mesh, generate_key(rng), rng, valid_from_ms)
    }

    /// As [`ThrowawayMesh::new`], with a given key of the authority.
    ///
    /// # Errors
    /// When a certificate can't be made.
    pub fn with_authority(
        mesh: MeshId,
        key: SigningKey,
        rng: &mut impl CryptoRng,
        valid_from_ms: u64,
    ) -> Result<Self, IdentityError> {
        let authority = Authority::new(mesh, key, valid_from_ms)?;
        let recovery = Authority::throwaway(mesh, rng, valid_from_ms)?;
        let anchors = Anchors::new(authority.certificate().clone(), recovery.certificate().clone())?;
        let node = NodeId::of_public_key(generate_key(rng).verifying_key().as_bytes());
        let issuer = issuer(&authority, node, generate_key(rng), valid_from_ms)?;
        Ok(Self { authority, recovery, anchors, issuer, valid_from_ms })
    }

    /// The authority.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The recovery key.
    #[must_use]
    pub fn recovery(&self) -> &Authority {
        &self.recovery
    }

    /// What its members trust.
    #[must_use]
    pub fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    /// Its issuer.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Another issuer, at this node.
    ///
    /// # Errors
    /// When a certificate can't be made.
    pub fn issuer_at(&self, node: NodeId, rng: &mut impl CryptoRng) -> Result<Issuer, IdentityError> {
        issuer(&self.authority, node, generate_key(rng), self.valid_from_ms)
    }

    /// The identity of the member with this key, with a certificate of the issuer that is valid between two moments, in
    /// milliseconds since 1970 UTC.
    ///
    /// # Errors
    /// When the name can't be a node's, or it would end before it begins.
    pub fn member(
        &self,
        key: SigningKey,
        name: &str,
        not_before_ms: u64,
        not_after_ms: u64,
    ) -> Result<Identity, IdentityError> {
        let public_key = key.verifying_key().to_bytes();
        let chain = self.issuer.issue(&public_key, name, not_before_ms, not_after_ms)?;
        Identity::new(key, chain, self.anchors.clone())
    }
}

fn issuer(authority: &Authority, node: NodeId, key: SigningKey, valid_from_ms: u64) -> Result<Issuer, IdentityError> {
    let certificate: Result<CertificateDer<'static>, IssueError> =
        authority.grant(key.verifying_key().as_bytes(), node, valid_from_ms, END_OF_TIME_MS);
    Ok(Issuer::new(key, certificate?)?)
}
