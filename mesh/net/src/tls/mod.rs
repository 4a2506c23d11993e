//! Mutual TLS 1.3 with the mesh's own authority.
//!
//! Each handshake has a verifier of its own, which notes precisely why it refused; the alert tells the other side less.
//! Sessions are never resumed: a resumed one would skip the check of the certificate.

mod verify;

pub(crate) use verify::{Note, Revoked};

use std::sync::Arc;
use std::time::Duration;

use murmurate_crdt::id::NodeId;
use quinn::crypto::rustls::{NoInitialCipherSuite, QuicClientConfig, QuicServerConfig};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};

use crate::environment::{Clock, Environment};
use crate::identity::{Identity, private_key_der};
use verify::MemberVerifier;

/// The protocol's name in the handshake. Another number is another, incompatible protocol.
pub(crate) const ALPN: &[u8] = b"murmurate/1";
/// What dialling sides name as the server: certificates aren't bound to host names.
pub(crate) const SERVER_NAME: &str = "murmurate.invalid";

/// Why TLS couldn't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// rustls refused the key or certificate.
    #[error("TLS refuses this node's key or certificate: {0}")]
    Rustls(#[from] rustls::Error),
    /// The authority's certificate is unusable.
    #[error("the authority's certificate is unusable: {0}")]
    Authority(webpki::Error),
    /// The build lacks what QUIC begins with.
    #[error("TLS lacks the cipher suite that QUIC begins with: {0}")]
    Suite(#[from] NoInitialCipherSuite),
}

#[derive(Debug)]
struct WallTime(Arc<dyn Clock>);

impl TimeProvider for WallTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(self.0.wall_ms())))
    }
}

/// Makes the TLS half of each handshake.
pub(crate) struct Tls {
    identity: Identity,
    clock: Arc<dyn Clock>,
    provider: Arc<CryptoProvider>,
    revoked: Revoked,
}

impl Tls {
    /// Checks the identity by making one configuration of each kind.
    pub(crate) fn new(identity: Identity, environment: &Environment) -> Result<Self, TlsError> {
        webpki::anchor_from_trusted_cert(identity.authority()).map_err(TlsError::Authority)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = Self { identity, clock: Arc::clone(&environment.clock), provider, revoked: Revoked::default() };
        tls.server(Note::default())?;
        tls.client(Note::default())?;
        Ok(tls)
    }

    /// The node's own id.
    pub(crate) fn node_id(&self) -> NodeId {
        self.identity.node_id()
    }

    /// The nodes whose certificates count no more.
    pub(crate) fn revoked(&self) -> &Revoked {
        &self.revoked
    }

    fn certificate_and_key(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = PrivatePkcs8KeyDer::from(private_key_der(self.identity.key()));
        (vec![self.identity.certificate().clone()], key.into())
    }

    fn verifier(&self, note: Note) -> Arc<MemberVerifier> {
        Arc::new(MemberVerifier {
            mesh: self.identity.mesh(),
            authority: self.identity.authority().clone(),
            algorithms: self.provider.signature_verification_algorithms,
            revoked: self.revoked.clone(),
            note,
        })
    }

    fn time(&self) -> Arc<WallTime> {
        Arc::new(WallTime(Arc::clone(&self.clock)))
    }

    /// For one accepted handshake.
    pub(crate) fn server(&self, note: Note) -> Result<QuicServerConfig, TlsError> {
        let (certificates, key) = self.certificate_and_key();
        let mut config = rustls::ServerConfig::builder_with_details(Arc::clone(&self.provider), self.time())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(self.verifier(note))
            .with_single_cert(certificates, key)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.send_tls13_tickets = 0;
        Ok(config.try_into()?)
    }

    /// For one dialled handshake.
    pub(crate) fn client(&self, note: Note) -> Result<QuicClientConfig, TlsError> {
        let (certificates, key) = self.certificate_and_key();
        let mut config = rustls::ClientConfig::builder_with_details(Arc::clone(&self.provider), self.time())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier(note))
            .with_client_auth_cert(certificates, key)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        Ok(config.try_into()?)
    }
}
