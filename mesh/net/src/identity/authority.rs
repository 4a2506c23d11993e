//! The one key that says who is a member of a mesh.

use std::fmt;
use std::time::Duration;

use ed25519_dalek::{Signer, SigningKey};
use murmurate_crdt::id::{MeshId, NodeId};
use rand_core::CryptoRng;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyUsagePurpose, PublicKeyData, SanType, SerialNumber, SignatureAlgorithm,
};
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use super::certificate::{CertificateError, check_name, member_uri, mesh_uri};
use super::{IdentityError, generate_key};

/// The last moment that a certificate can name (RFC 5280, section 4.1.2.5): the end of the year 9999.
const END_OF_TIME_MS: u64 = 253_402_300_799_000;
/// Bytes of a serial number; RFC 5280 allows 20, and the first bit must be 0.
const SERIAL_BYTES: usize = 16;

/// A mesh's authority: its key, and the certificate that all members hold.
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
    #[error("no certificate was issued: it would be valid from {not_before_ms} to {not_after_ms} ms after 1970")]
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

/// A public key, as rcgen wants it.
struct PublicKey([u8; 32]);

impl PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

/// The authority's key, as rcgen wants it. Ed25519 signatures are the same whoever makes them (RFC 8032).
struct CertificateSigner<'a> {
    key: &'a SigningKey,
    public_key: [u8; 32],
}

impl<'a> CertificateSigner<'a> {
    fn new(key: &'a SigningKey) -> Self {
        Self { key, public_key: key.verifying_key().to_bytes() }
    }
}

impl PublicKeyData for CertificateSigner<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.public_key
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for CertificateSigner<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.key.sign(message).to_bytes().to_vec())
    }
}

impl Authority {
    /// The authority of `mesh` with this key. Its certificate is the same whenever it is made from the same arguments.
    ///
    /// # Errors
    /// When the certificate can't be encoded.
    pub fn new(mesh: MeshId, key: SigningKey, valid_from_ms: u64) -> Result<Self, IssueError> {
        let certificate = authority_parameters(mesh, valid_from_ms)?.self_signed(&CertificateSigner::new(&key))?;
        let certificate = certificate.der().clone();
        Ok(Self { mesh, key, certificate })
    }

    /// An authority with a new key that is kept nowhere: for `dev` and for tests.
    ///
    /// # Errors
    /// When the certificate can't be encoded.
    pub fn throwaway(mesh: MeshId, rng: &mut impl CryptoRng, wall_ms: u64) -> Result<Self, IssueError> {
        Self::new(mesh, generate_key(rng), wall_ms)
    }

    /// The authority with these parts, as they were kept.
    pub(super) fn from_parts(
        mesh: MeshId,
        key: SigningKey,
        certificate: CertificateDer<'static>,
    ) -> Result<Self, IdentityError> {
        super::certificate::check_authority(mesh, &key, &certificate).map_err(IdentityError::AnotherAuthority)?;
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

    /// A certificate for the node with this key, valid between two moments, in milliseconds since 1970 UTC (certificates
    /// know only seconds).
    ///
    /// # Errors
    /// When the name isn't 1 to [`crate::limits::NAME_BYTES`] bytes without control characters, or the certificate would end
    /// before it begins.
    pub fn issue(
        &self,
        public_key: &[u8; 32],
        name: &str,
        not_before_ms: u64,
        not_after_ms: u64,
    ) -> Result<CertificateDer<'static>, IssueError> {
        check_name(name).map_err(IssueError::Name)?;
        if not_before_ms >= not_after_ms {
            return Err(IssueError::Validity { not_before_ms, not_after_ms });
        }
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = common_name(name);
        let node = NodeId::of_public_key(public_key);
        parameters.subject_alt_names = vec![SanType::URI(member_uri(self.mesh, node).try_into()?)];
        parameters.not_before = date_time(not_before_ms);
        parameters.not_after = date_time(not_after_ms);
        parameters.serial_number = Some(serial_number(public_key, not_before_ms, not_after_ms));
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        let issuer_parameters = authority_parameters(self.mesh, 0)?;
        let issuer = Issuer::from_params(&issuer_parameters, CertificateSigner::new(&self.key));
        Ok(parameters.signed_by(&PublicKey(*public_key), &issuer)?.der().clone())
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("mesh", &self.mesh).finish_non_exhaustive()
    }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished_name = DistinguishedName::new();
    distinguished_name.push(DnType::CommonName, name);
    distinguished_name
}

fn date_time(ms: u64) -> time::OffsetDateTime {
    time::OffsetDateTime::UNIX_EPOCH + Duration::from_millis(ms.min(END_OF_TIME_MS))
}

/// Unique as RFC 5280 wants it, without a counter or randomness: two certificates of one key differ in their validity.
fn serial_number(public_key: &[u8; 32], not_before_ms: u64, not_after_ms: u64) -> SerialNumber {
    let digest = Sha256::new()
        .chain_update(public_key)
        .chain_update(not_before_ms.to_be_bytes())
        .chain_update(not_after_ms.to_be_bytes())
        .finalize();
    let mut serial: [u8; SERIAL_BYTES] = std::array::from_fn(|index| digest[index]);
    // Positive, and without leading zeros.
    serial[0] = serial[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&serial)
}

fn authority_parameters(mesh: MeshId, valid_from_ms: u64) -> Result<CertificateParams, IssueError> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = common_name(&format!("murmurate {mesh}"));
    parameters.subject_alt_names = vec![SanType::URI(mesh_uri(mesh).try_into()?)];
    parameters.not_before = date_time(valid_from_ms);
    parameters.not_after = date_time(END_OF_TIME_MS);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Ok(parameters)
}
