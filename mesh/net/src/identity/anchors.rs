//! What all members of a mesh trust.

use ed25519_dalek::SigningKey;
use murmurate_crdt::id::MeshId;
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use super::Authority;
use super::certificate::{CertificateError, check_anchor, ed25519_key};

/// What the fingerprint is a hash of, before the certificates.
const FINGERPRINT_CONTEXT: &[u8] = b"murmurate anchors 1\0";

/// The certificates of a mesh's authority and of its recovery key. Whoever a chain leads to one of them from, is a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchors {
    mesh: MeshId,
    authority: CertificateDer<'static>,
    recovery: CertificateDer<'static>,
}

impl Anchors {
    /// The anchors with these certificates.
    ///
    /// # Errors
    /// When one isn't an anchor's, or they are of two meshes.
    pub fn new(
        authority: CertificateDer<'static>,
        recovery: CertificateDer<'static>,
    ) -> Result<Self, CertificateError> {
        let mesh = check_anchor(&authority)?;
        if check_anchor(&recovery)? != mesh {
            return Err(CertificateError::TwoMeshes);
        }
        Ok(Self { mesh, authority, recovery })
    }

    /// The mesh.
    #[must_use]
    pub fn mesh(&self) -> MeshId {
        self.mesh
    }

    /// The authority's certificate.
    #[must_use]
    pub fn authority(&self) -> &CertificateDer<'static> {
        &self.authority
    }

    /// The recovery key's certificate.
    #[must_use]
    pub fn recovery(&self) -> &CertificateDer<'static> {
        &self.recovery
    }

    /// The authority's Ed25519 public key, which checks the roster's statements.
    ///
    /// # Errors
    /// Never for anchors that were made by [`Anchors::new`].
    pub fn authority_key(&self) -> Result<[u8; 32], CertificateError> {
        ed25519_key(&self.authority)
    }

    /// The Ed25519 public key of the recovery key, which checks the roster's statements too.
    ///
    /// # Errors
    /// Never for anchors that were made by [`Anchors::new`].
    pub fn recovery_key(&self) -> Result<[u8; 32], CertificateError> {
        ed25519_key(&self.recovery)
    }

    /// By which people and tickets know a mesh: SHA-256 over both certificates.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new().chain_update(FINGERPRINT_CONTEXT);
        for certificate in [&self.authority, &self.recovery] {
            hash.update((certificate.len() as u64).to_be_bytes());
            hash.update(certificate);
        }
        hash.finalize().into()
    }

    /// The authority, or the recovery key, that this key is.
    ///
    /// # Errors
    /// When it is neither.
    pub fn with_key(&self, key: SigningKey) -> Result<Authority, CertificateError> {
        let public_key = key.verifying_key().to_bytes();
        let mut certificates = [&self.authority, &self.recovery].into_iter();
        let own = certificates.find(|certificate| ed25519_key(certificate) == Ok(public_key));
        Authority::with_certificate(key, own.ok_or(CertificateError::AnotherKey)?.clone())
    }
}
