//! Who a node is: its long-lived key, and the certificate by which the mesh's authority vouches for it.
//!
//! ```text
//!  Authority ──issue(public key, name, validity)──▶ certificate ─┐
//!  node key ─────────────────────────────────────────────────────┼──▶ Identity ◀──▶ identity directory
//!  authority's certificate ──────────────────────────────────────┘
//! ```

mod authority;
mod certificate;
mod directory;

pub use authority::{Authority, IssueError};
pub use certificate::{CertificateError, Member};
pub use directory::{DirectoryError, load, load_authority, save, save_authority, save_certificate};

pub(crate) use certificate::{check_chain, node_id_matches, read_member};

use std::fmt;

use ed25519_dalek::SigningKey;
use murmurate_crdt::id::{MeshId, NodeId};
use rand_core::CryptoRng;
use rustls_pki_types::CertificateDer;

/// A new Ed25519 key from `rng`.
pub fn generate_key(rng: &mut impl CryptoRng) -> SigningKey {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    SigningKey::from_bytes(&seed)
}

/// What an Ed25519 private key in PKCS #8 has before its 32 bytes (RFC 8410, section 7), in the older layout without the
/// public key, which every tool reads.
const PRIVATE_KEY_PREFIX: &[u8] =
    &[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The key as PKCS #8 DER.
pub(crate) fn private_key_der(key: &SigningKey) -> Vec<u8> {
    [PRIVATE_KEY_PREFIX, key.as_bytes()].concat()
}

/// A node's key and certificate, and the certificate of its mesh's authority. They belong together: this is checked
/// when one is made.
#[derive(Clone)]
pub struct Identity {
    key: SigningKey,
    certificate: CertificateDer<'static>,
    authority: CertificateDer<'static>,
    member: Member,
}

/// The parts of an identity don't belong together. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A certificate can't be used.
    #[error("the node's certificate is unusable: {0}")]
    Certificate(#[from] CertificateError),
    /// The certificate is another key's.
    #[error("the node's certificate is for node {certified}, but the key is that of node {held}")]
    AnotherKey {
        /// Whom the certificate names.
        certified: NodeId,
        /// Whose key it is.
        held: NodeId,
    },
    /// The authority's certificate isn't that of the one who signed.
    #[error("the node's certificate isn't signed by the authority in authority.crt: {0}")]
    AnotherAuthority(String),
}

impl Identity {
    /// The identity with these parts. The certificate may have expired: that is a matter of the handshake.
    ///
    /// # Errors
    /// When they don't belong together.
    pub fn new(
        key: SigningKey,
        certificate: CertificateDer<'static>,
        authority: CertificateDer<'static>,
    ) -> Result<Self, IdentityError> {
        let member = read_member(&certificate)?;
        let held = NodeId::of_public_key(key.verifying_key().as_bytes());
        if member.node != held || !node_id_matches(&certificate)? {
            return Err(IdentityError::AnotherKey { certified: member.node, held });
        }
        certificate::check_signer(&certificate, &authority).map_err(IdentityError::AnotherAuthority)?;
        Ok(Self { key, certificate, authority, member })
    }

    /// The mesh it is a member of.
    #[must_use]
    pub fn mesh(&self) -> MeshId {
        self.member.mesh
    }

    /// The node's id: the hash of its public key.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.member.node
    }

    /// The node's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.member.name
    }

    /// The node's key, which also signs its changes.
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The node's certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The certificate of the mesh's authority.
    #[must_use]
    pub fn authority(&self) -> &CertificateDer<'static> {
        &self.authority
    }

    /// The authority's Ed25519 public key, which checks the roster's statements.
    ///
    /// # Errors
    /// When its certificate holds none.
    pub fn authority_key(&self) -> Result<[u8; 32], CertificateError> {
        certificate::ed25519_key(&self.authority)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("member", &self.member).finish_non_exhaustive()
    }
}
