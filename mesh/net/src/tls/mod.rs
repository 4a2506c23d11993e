//! TLS 1.3 with the mesh's own anchors: mutual between members, and one-sided with those who want to become one.
//!
//! Each handshake has a verifier of its own, which notes precisely why it refused; the alert tells the other side less.
//! Sessions are never resumed: a resumed one would skip the check of the certificate.

mod door;
pub(crate) mod join;
mod verify;

pub(crate) use verify::{Note, Revoked};

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use murmurate_crdt::id::NodeId;
use quinn::crypto::rustls::{NoInitialCipherSuite, QuicClientConfig, QuicServerConfig};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};

use crate::environment::{Clock, Environment};
use crate::identity::{Identity, private_key_der};
use door::{Door, Wanted};
use verify::MemberVerifier;

/// The protocol between members, as the handshake names it. Another number is another, incompatible protocol.
pub(crate) const ALPN: &[u8] = b"murmurate/1";
/// The protocol with those who have no certificate yet.
pub(crate) const JOIN_ALPN: &[u8] = b"murmurate-join/1";
/// What dialling sides name as the server: certificates aren't bound to host names.
pub(crate) const SERVER_NAME: &str = "murmurate.invalid";

/// Why TLS couldn't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// rustls refused the key or certificate.
    #[error("TLS refuses this node's key or certificate: {0}")]
    Rustls(#[from] rustls::Error),
    /// The build lacks what QUIC begins with.
    #[error("TLS lacks the cipher suite that QUIC begins with: {0}")]
    Suite(#[from] NoInitialCipherSuite),
    /// Another node's identity can't take the place of this one's.
    #[error("the identity is that of node {theirs}, and this network runs as node {ours}; nothing was changed")]
    AnotherNode {
        /// Whom the new identity is of.
        theirs: NodeId,
        /// As whom the network runs.
        ours: NodeId,
    },
}

#[derive(Debug)]
struct WallTime(Arc<dyn Clock>);

impl TimeProvider for WallTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(self.0.wall_ms())))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Who this node is, ready for handshakes.
struct Shown {
    identity: Identity,
    certified: Arc<CertifiedKey>,
}

impl Shown {
    fn new(identity: Identity, provider: &CryptoProvider) -> Result<Arc<Self>, TlsError> {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(private_key_der(identity.key())));
        // Checks that the key is the certificate's.
        let certified = CertifiedKey::from_der(identity.chain().to_vec(), key, provider)?;
        Ok(Arc::new(Self { identity, certified: Arc::new(certified) }))
    }
}

/// Makes the TLS half of each handshake.
pub(crate) struct Tls {
    node: NodeId,
    shown: RwLock<Arc<Shown>>,
    clock: Arc<dyn Clock>,
    provider: Arc<CryptoProvider>,
    revoked: Revoked,
}

impl Tls {
    /// Checks the identity by making one configuration of each kind.
    pub(crate) fn new(identity: Identity, environment: &Environment) -> Result<Self, TlsError> {
        let provider = provider();
        let node = identity.node_id();
        let shown = RwLock::new(Shown::new(identity, &provider)?);
        let tls = Self { node, shown, clock: Arc::clone(&environment.clock), provider, revoked: Revoked::default() };
        tls.server(Note::default())?;
        tls.client(Note::default())?;
        Ok(tls)
    }

    /// The node's own id.
    pub(crate) fn node_id(&self) -> NodeId {
        self.node
    }

    /// Who this node is now.
    pub(crate) fn identity(&self) -> Identity {
        self.shown().identity.clone()
    }

    /// Shows other certificates from the next handshake on.
    pub(crate) fn set_identity(&self, identity: Identity) -> Result<(), TlsError> {
        let theirs = identity.node_id();
        if theirs != self.node {
            return Err(TlsError::AnotherNode { theirs, ours: self.node });
        }
        let shown = Shown::new(identity, &self.provider)?;
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = shown;
        Ok(())
    }

    /// The nodes whose certificates count no more.
    pub(crate) fn revoked(&self) -> &Revoked {
        &self.revoked
    }

    fn shown(&self) -> Arc<Shown> {
        Arc::clone(&self.shown.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn verifier(&self, shown: &Shown, wanted: Wanted, note: Note) -> Arc<MemberVerifier> {
        Arc::new(MemberVerifier {
            anchors: shown.identity.anchors().clone(),
            algorithms: self.provider.signature_verification_algorithms,
            revoked: self.revoked.clone(),
            wanted,
            note,
        })
    }

    fn time(&self) -> Arc<WallTime> {
        Arc::new(WallTime(Arc::clone(&self.clock)))
    }

    /// For one accepted handshake, with a member or with somebody who wants to become one.
    pub(crate) fn server(&self, note: Note) -> Result<QuicServerConfig, TlsError> {
        let shown = self.shown();
        let wanted = Wanted::default();
        let door = Door::new(Arc::clone(&shown.certified), wanted.clone());
        let mut config = rustls::ServerConfig::builder_with_details(Arc::clone(&self.provider), self.time())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(self.verifier(&shown, wanted, note))
            .with_cert_resolver(Arc::new(door));
        config.alpn_protocols = vec![ALPN.to_vec(), JOIN_ALPN.to_vec()];
        config.send_tls13_tickets = 0;
        Ok(config.try_into()?)
    }

    /// For one dialled handshake with a member.
    pub(crate) fn client(&self, note: Note) -> Result<QuicClientConfig, TlsError> {
        let shown = self.shown();
        let mut config = rustls::ClientConfig::builder_with_details(Arc::clone(&self.provider), self.time())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier(&shown, Wanted::default(), note))
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&shown.certified))));
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        Ok(config.try_into()?)
    }
}
