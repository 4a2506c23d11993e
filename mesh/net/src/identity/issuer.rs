//! A node that may issue members' certificates.

use std::fmt;

use ed25519_dalek::SigningKey;
use murmurate_crdt::id::{MeshId, NodeId};
use rustls_pki_types::CertificateDer;

use super::authority::{IssueError, check_validity, sign};
use super::certificate::{CertificateError, IssuerName, check_name, ed25519_key, read_issuer, validity};
use super::template::{self, Validity};

/// An issuer's key, which isn't its node's, and the certificate that the authority or the recovery key gave it.
#[derive(Clone)]
pub struct Issuer {
    key: SigningKey,
    certificate: CertificateDer<'static>,
    name: IssuerName,
    validity: Validity,
}

impl Issuer {
    /// The issuer with this key and certificate. Who signed the certificate isn't checked: members do that.
    ///
    /// # Errors
    /// When the certificate isn't an issuer's, or another key's.
    pub fn new(key: SigningKey, certificate: CertificateDer<'static>) -> Result<Self, CertificateError> {
        let name = read_issuer(&certificate)?;
        if ed25519_key(&certificate)? != key.verifying_key().to_bytes() {
            return Err(CertificateError::AnotherKey);
        }
        let validity = validity(&certificate)?;
        Ok(Self { key, certificate, name, validity })
    }

    /// The mesh whose members it certifies.
    #[must_use]
    pub fn mesh(&self) -> MeshId {
        self.name.mesh
    }

    /// Whose certificate it is.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.name.node
    }

    /// The key, which also signs the roster's statements (each under a context of its own).
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The issuer's certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// When the issuer's certificate holds.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// A chain for the node with this key: its certificate, then the issuer's. It is valid between two moments, in
    /// milliseconds since 1970 UTC, and no longer than the issuer's own certificate.
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
    ) -> Result<Vec<CertificateDer<'static>>, IssueError> {
        check_name(name).map_err(IssueError::Name)?;
        let validity = Validity { not_before_ms, not_after_ms }.within(self.validity);
        check_validity(validity)?;
        let parameters = template::member(self.name.mesh, public_key, name, validity)?;
        let certificate = sign(&self.key, self.name.mesh, parameters, public_key)?;
        Ok(vec![certificate, self.certificate.clone()])
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("name", &self.name).field("validity", &self.validity).finish_non_exhaustive()
    }
}
