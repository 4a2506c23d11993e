//! Who a node is: its long-lived key, and the certificates by which the mesh vouches for it.
//!
//! ```text
//!  Authority, recovery key ──▶ Anchors ───────────────────────────────────────────┐
//!     │ grant(issuer's public key, node, validity)                                │
//!     ▼                                                                           ▼
//!  Issuer ──issue(public key, name, validity)──▶ chain: member, issuer ───▶ Identity ◀──▶ identity directory
//!                                                                   node key ─────┘
//! ```

mod anchors;
mod authority;
mod certificate;
mod chain;
mod directory;
mod issuer;
mod keys;
mod template;
mod throwaway;

pub use anchors::Anchors;
pub use authority::{Authority, IssueError};
pub use certificate::{CertificateError, Member};
pub use directory::{
    DirectoryError, NewDirectory, load, load_authority, load_issuer, load_issuer_key, load_key, load_statements,
    parse_key, save, save_authority, save_certificates, save_issuer, save_key, save_statements,
};
pub use issuer::Issuer;
pub use keys::generate_key;
pub use rustls_pki_types::CertificateDer;
pub use template::Validity;
pub use throwaway::ThrowawayMesh;

pub(crate) use certificate::{check_name, ed25519_key, node_id_matches, read_issuer, read_member};
pub(crate) use chain::{Chain, ChainError};
pub(crate) use keys::private_key_der;

use std::fmt;

use ed25519_dalek::SigningKey;
use murmurate_crdt::id::{MeshId, NodeId};
use webpki::KeyUsage;

/// A node's key and certificates, and what its mesh trusts. They belong together: this is checked when one is made.
#[derive(Clone)]
pub struct Identity {
    key: SigningKey,
    chain: Vec<CertificateDer<'static>>,
    anchors: Anchors,
    member: Member,
    issuer: NodeId,
    validity: Validity,
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
    /// The anchors are another mesh's.
    #[error("the node's certificate is of mesh {certified}, but the anchors are those of mesh {held}")]
    AnotherMesh {
        /// The mesh that the certificate names.
        certified: MeshId,
        /// The anchors'.
        held: MeshId,
    },
    /// The anchors don't vouch for the certificate.
    #[error("the anchors don't vouch for the node's certificate: {0}")]
    NotVouchedFor(String),
    /// A certificate couldn't be made in the first place.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

impl Identity {
    /// The identity with these parts; the chain is the node's certificate and its issuer's. They may have expired: that is a
    /// matter of the handshake.
    ///
    /// # Errors
    /// When they don't belong together.
    pub fn new(key: SigningKey, chain: Vec<CertificateDer<'static>>, anchors: Anchors) -> Result<Self, IdentityError> {
        let read = Chain::of(&chain)?;
        let held = NodeId::of_public_key(key.verifying_key().as_bytes());
        if read.member.node != held || !node_id_matches(&chain[0])? {
            return Err(IdentityError::AnotherKey { certified: read.member.node, held });
        }
        if read.member.mesh != anchors.mesh() {
            return Err(IdentityError::AnotherMesh { certified: read.member.mesh, held: anchors.mesh() });
        }
        read.check_signatures(&anchors, KeyUsage::server_auth())
            .map_err(|error| IdentityError::NotVouchedFor(error.to_string()))?;
        let validity = read.both_valid();
        let (member, issuer) = (read.member.clone(), read.issuer.node);
        Ok(Self { key, chain, anchors, member, issuer, validity })
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
        &self.chain[0]
    }

    /// The node's certificate, then its issuer's.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// What the mesh trusts.
    #[must_use]
    pub fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    /// The node that issued the certificate.
    #[must_use]
    pub fn issuer(&self) -> NodeId {
        self.issuer
    }

    /// When the node's certificate and its issuer's both hold.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("member", &self.member)
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}
