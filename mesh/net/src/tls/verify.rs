//! Who may connect: whoever shows a valid certificate of this mesh's authority, for a key that it holds.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use murmurate_crdt::id::{MeshId, NodeId};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::KeyUsage;

use crate::identity::{check_chain, node_id_matches, read_member};
use crate::refusal::RefuseReason;

/// What a verifier noted about its handshake.
#[derive(Debug, Clone, Default)]
pub(crate) struct Note(Arc<Mutex<Option<RefuseReason>>>);

impl Note {
    fn write(&self, reason: RefuseReason) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    /// Why the handshake was refused here, if it was.
    pub(crate) fn take(&self) -> Option<RefuseReason> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The nodes whose certificates count no more, shared with every verifier.
#[derive(Debug, Clone, Default)]
pub(crate) struct Revoked(Arc<RwLock<BTreeSet<NodeId>>>);

impl Revoked {
    /// Replaces the set.
    pub(crate) fn set(&self, nodes: BTreeSet<NodeId>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = nodes;
    }

    /// Whether this node's certificate counts no more.
    pub(crate) fn contains(&self, node: &NodeId) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(node)
    }
}

/// Checks one peer's certificate, and notes why it was refused.
#[derive(Debug)]
pub(super) struct MemberVerifier {
    pub(super) mesh: MeshId,
    pub(super) authority: CertificateDer<'static>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    pub(super) revoked: Revoked,
    pub(super) note: Note,
}

fn milliseconds(time: UnixTime) -> u64 {
    time.as_secs().saturating_mul(1_000)
}

impl MemberVerifier {
    /// Names the mesh first, because an accident is likelier than an attack; what it says is trusted only after the
    /// signature was checked.
    fn check(&self, certificate: &CertificateDer<'_>, usage: KeyUsage, now: UnixTime) -> Result<(), RefuseReason> {
        let unusable = |error: crate::identity::CertificateError| RefuseReason::BadCertificate(error.to_string());
        let member = read_member(certificate).map_err(unusable)?;
        if member.mesh != self.mesh {
            return Err(RefuseReason::AnotherMesh { theirs: member.mesh });
        }
        self.check_signature_and_time(certificate, usage, now)?;
        if !node_id_matches(certificate).map_err(unusable)? {
            return Err(RefuseReason::NodeIdMismatch);
        }
        if self.revoked.contains(&member.node) {
            return Err(RefuseReason::Revoked { node: member.node });
        }
        Ok(())
    }

    fn check_signature_and_time(
        &self,
        certificate: &CertificateDer<'_>,
        usage: KeyUsage,
        now: UnixTime,
    ) -> Result<(), RefuseReason> {
        let check = |at| check_chain(certificate, &self.authority, usage, at);
        let error = match check(now) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // Dates are looked at before signatures; but whether they mean anything, only the signature says.
        let (valid_at, reason) = match error {
            webpki::Error::CertExpired { not_after, .. } => {
                (not_after, RefuseReason::Expired { since_ms: milliseconds(not_after) })
            }
            webpki::Error::CertNotValidYet { not_before, .. } => {
                let (until_ms, now_ms) = (milliseconds(not_before), milliseconds(now));
                (not_before, RefuseReason::NotYetValid { until_ms, now_ms })
            }
            error => return Err(reason_of(&error)),
        };
        check(valid_at).map_err(|error| reason_of(&error))?;
        Err(reason)
    }

    fn verify(&self, certificate: &CertificateDer<'_>, usage: KeyUsage, now: UnixTime) -> Result<(), Error> {
        self.check(certificate, usage, now).map_err(|reason| {
            let error = alert_of(&reason);
            self.note.write(reason);
            Error::InvalidCertificate(error)
        })
    }
}

fn reason_of(error: &webpki::Error) -> RefuseReason {
    match error {
        webpki::Error::UnknownIssuer | webpki::Error::InvalidSignatureForPublicKey => RefuseReason::ForeignAuthority,
        error => RefuseReason::BadCertificate(error.to_string()),
    }
}

/// The error whose TLS alert tells the other side the most; the numbers are listed in `PeerRefusal`.
fn alert_of(reason: &RefuseReason) -> CertificateError {
    match reason {
        RefuseReason::AnotherMesh { .. } => CertificateError::ApplicationVerificationFailure,
        RefuseReason::ForeignAuthority => CertificateError::UnknownIssuer,
        RefuseReason::Expired { .. } => CertificateError::Expired,
        RefuseReason::NotYetValid { .. } => CertificateError::NotValidYet,
        RefuseReason::Revoked { .. } => CertificateError::Revoked,
        _ => CertificateError::BadEncoding,
    }
}

impl MemberVerifier {
    fn verify_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }
}

/// TLS 1.2 is never offered; whoever signs as if it were breaks the rules.
fn no_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedCipherSuite))
}

impl ServerCertVerifier for MemberVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(end_entity, KeyUsage::server_auth(), now)?;
        Ok(ServerCertVerified::assertion())
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
        self.verify_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for MemberVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(end_entity, KeyUsage::client_auth(), now)?;
        Ok(ClientCertVerified::assertion())
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
        self.verify_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
