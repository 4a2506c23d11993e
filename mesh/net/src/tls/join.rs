//! The joiner's side of a handshake: it shows nothing, and takes only the one host whose key it knows.

use std::sync::{Arc, Mutex, PoisonError};

use murmurate_crdt::id::{MeshId, NodeId};
use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::verify::{no_tls12, unix_ms};
use super::{JOIN_ALPN, TlsError, WallTime, provider};
use crate::environment::Clock;
use crate::identity::{Chain, ed25519_key, read_member};

/// By what the host is known that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pin {
    /// By its node key, as a ticket says it.
    Key([u8; 32]),
    /// By its node id.
    Node(NodeId),
}

impl Pin {
    fn matches(&self, key: &[u8; 32]) -> bool {
        match self {
            Self::Key(pinned) => pinned == key,
            Self::Node(node) => *node == NodeId::of_public_key(key),
        }
    }
}

/// Why who answered isn't the host that is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// It is of another mesh.
    Mesh(MeshId),
    /// It has another key.
    Key,
    /// Its certificates aren't valid now.
    Clock { from_ms: u64, until_ms: u64, now_ms: u64 },
    /// It shows no member's certificate.
    Certificate(String),
}

/// What the verifier noted about its handshake.
#[derive(Debug, Clone, Default)]
pub(crate) struct PinNote(Arc<Mutex<Option<Mismatch>>>);

impl PinNote {
    /// Why the handshake was refused here, if it was.
    pub(crate) fn take(&self) -> Option<Mismatch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[derive(Debug)]
struct PinnedVerifier {
    mesh: MeshId,
    pin: Pin,
    algorithms: WebPkiSupportedAlgorithms,
    note: PinNote,
}

impl PinnedVerifier {
    /// Names the mesh first, then the host, then the clock. The key alone is what is trusted: its holder signs the
    /// handshake. The rest is said to help people.
    fn check(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Mismatch> {
        let unusable = |error: crate::identity::CertificateError| Mismatch::Certificate(error.to_string());
        let member = read_member(certificate).map_err(unusable)?;
        if member.mesh != self.mesh {
            return Err(Mismatch::Mesh(member.mesh));
        }
        if !self.pin.matches(&ed25519_key(certificate).map_err(unusable)?) {
            return Err(Mismatch::Key);
        }
        let validity = Chain::read(certificate, intermediates).map_err(unusable)?.both_valid();
        let now_ms = unix_ms(now);
        if !validity.contains(now_ms) {
            let (from_ms, until_ms) = (validity.not_before_ms, validity.not_after_ms);
            return Err(Mismatch::Clock { from_ms, until_ms, now_ms });
        }
        Ok(())
    }
}

impl ServerCertVerifier for PinnedVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.check(end_entity, intermediates, now) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(mismatch) => {
                *self.note.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(mismatch);
                Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// For one handshake with the host of `mesh` that is known by `pin`.
pub(crate) fn client(
    mesh: MeshId,
    pin: Pin,
    clock: &Arc<dyn Clock>,
    note: PinNote,
) -> Result<QuicClientConfig, TlsError> {
    let provider = provider();
    let algorithms = provider.signature_verification_algorithms;
    let mut config = rustls::ClientConfig::builder_with_details(provider, Arc::new(WallTime(Arc::clone(clock))))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedVerifier { mesh, pin, algorithms, note }))
        .with_no_client_auth();
    config.alpn_protocols = vec![JOIN_ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(config.try_into()?)
}
