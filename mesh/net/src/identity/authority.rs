//! The keys that say who may say who is a member: a mesh's authority, and its recovery key.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey};
use murmurate_crdt::id::{MeshId, NodeId};
use rand_core::CryptoRng;
use rcgen::Issuer as Signatory;
use rustls_pki_types::CertificateDer;

use super::certificate::{CertificateError, check_anchor, ed25519_key};
use super::keys::{CertificateSigner, PublicKey, generate_key};
use super::template::{self, Validity};

/// A mesh's authority, or its recovery key: the key, and the certificate that all members hold.
#[derive(Clone)]
pub struct Authority {
    mesh: MeshId,
    key: SigningKey,
    certificate: CertificateDer<'static>,
}

/// No certificate was made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The name can't stand in a certificate.
    #[error("no certificate was issued: {0}")]
    Name(CertificateError),
    /// It would end before it begins.
    #[error(
        "no certificate was issued: it would be valid from {not_before_ms} to {not_after_ms} ms after 1970; has the issuer's own \
         expired, or is the clock wrong?"
    )]
    Validity {
        /// The first moment.
        not_before_ms: u64,
        /// The last moment.
        not_after_ms: u64,
    },
    /// The certificate couldn't be encoded.
    #[error("no certificate was issued: {0}")]
    Encoding(#[from] rcgen::Error),
}

/// Refuses what would end before it begins.
pub(super) fn check_validity(validity: Validity) -> Result<(), IssueError> {
    let Validity { not_before_ms, not_after_ms } = validity;
    if not_before_ms >= not_after_ms {
        return Err(IssueError::Validity { not_before_ms, not_after_ms });
    }
    Ok(())
}

impl Authority {
    /// The authority, or the recovery key, of `mesh`. Its certificate is the same whenever it is made from the same
    /// arguments.
    ///
    /// # Errors
    /// When the certificate can't be encoded.
    pub fn new(mesh: MeshId, key: SigningKey, valid_from_ms: u64) -> Result<Self, IssueError> {
        let parameters = template::anchor(mesh, key.verifying_key().as_bytes(), valid_from_ms)?;
        let certificate = parameters.self_signed(&CertificateSigner::new(&key))?.der().clone();
        Ok(Self { mesh, key, certificate })
    }

    /// An authority with a new key that is kept nowhere: for `dev` and for tests.
    ///
    /// # Errors
    /// When the certificate can't be encoded.
    pub fn throwaway(mesh: MeshId, rng: &mut impl CryptoRng, wall_ms: u64) -> Result<Self, IssueError> {
        Self::new(mesh, generate_key(rng), wall_ms)
    }

    /// The authority with this key and certificate, as they were kept.
    ///
    /// # Errors
    /// When the certificate isn't an anchor's, or another key's.
    pub fn with_certificate(key: SigningKey, certificate: CertificateDer<'static>) -> Result<Self, CertificateError> {
        let mesh = check_anchor(&certificate)?;
        if ed25519_key(&certificate)? != key.verifying_key().to_bytes() {
            return Err(CertificateError::AnotherKey);
        }
        Ok(Self { mesh, key, certificate })
    }

    /// The mesh it speaks for.
    #[must_use]
    pub fn mesh(&self) -> MeshId {
        self.mesh
    }

    /// Its key, which also signs the roster's statements (each under a context of its own).
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Its public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// Its certificate, self-signed.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The Ed25519 signature over `statement`, which must begin with a context that no other kind of statement has.
    #[must_use]
    pub fn sign(&self, statement: &[u8]) -> [u8; 64] {
        self.key.sign(statement).to_bytes()
    }

    /// The certificate by which `node` may issue members' certificates between two moments, in milliseconds since 1970 UTC,
    /// with a key of its own for that.
    ///
    /// # Errors
    /// When the certificate would end before it begins.
    pub fn grant(
        &self,
        issuer_public_key: &[u8; 32],
        node: NodeId,
        not_before_ms: u64,
        not_after_ms: u64,
    ) -> Result<CertificateDer<'static>, IssueError> {
        let validity = Validity { not_before_ms, not_after_ms };
        check_validity(validity)?;
        let parameters = template::issuer(self.mesh, issuer_public_key, node, validity)?;
        sign(&self.key, self.mesh, parameters, issuer_public_key)
    }
}

/// The certificate for `public_key`, signed with `key`.
pub(super) fn sign(
    key: &SigningKey,
    mesh: MeshId,
    parameters: rcgen::CertificateParams,
    public_key: &[u8; 32],
) -> Result<CertificateDer<'static>, IssueError> {
    let signer = template::signer(mesh, key.verifying_key().as_bytes(), 0);
    let signatory = Signatory::from_params(&signer, CertificateSigner::new(key));
    Ok(parameters.signed_by(&PublicKey(*public_key), &signatory)?.der().clone())
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("mesh", &self.mesh).finish_non_exhaustive()
    }
}
