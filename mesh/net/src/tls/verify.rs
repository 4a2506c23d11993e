//! Who may connect: whoever shows a valid chain to one of this mesh's anchors, for a key that it holds.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use murmurate_crdt::id::NodeId;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::KeyUsage;

use super::door::Wanted;
use crate::identity::{Anchors, Chain, ChainError, node_id_matches, read_member};
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
    pub(super) anchors: Anchors,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    pub(super) revoked: Revoked,
    pub(super) wanted: Wanted,
    pub(super) note: Note,
}

/// Milliseconds since 1970 UTC.
pub(super) fn unix_ms(time: UnixTime) -> u64 {
    time.as_secs().saturating_mul(1_000)
}

impl MemberVerifier {
    /// Names the mesh first, because an accident is likelier than an attack; what it says is trusted only after the
    /// signatures were checked, and so are the dates.
    fn check(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        usage: KeyUsage,
        now_ms: u64,
    ) -> Result<(), RefuseReason> {
        let unusable = |error: crate::identity::CertificateError| RefuseReason::BadCertificate(error.to_string());
        let member = read_member(certificate).map_err(unusable)?;
        if member.mesh != self.anchors.mesh() {
            return Err(RefuseReason::AnotherMesh { theirs: member.mesh });
        }
        let chain = Chain::read(certificate, intermediates).map_err(unusable)?;
        chain.check_signatures(&self.anchors, usage).map_err(RefuseReason::from)?;
        check_dates(&chain, now_ms)?;
        if !node_id_matches(certificate).map_err(unusable)? {
            return Err(RefuseReason::NodeIdMismatch);
        }
        if self.revoked.contains(&member.node) {
            return Err(RefuseReason::Revoked { node: member.node });
        }
        if self.revoked.contains(&chain.issuer.node) {
            return Err(RefuseReason::IssuerRevoked { issuer: chain.issuer.node });
        }
        Ok(())
    }

    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        usage: KeyUsage,
        now: UnixTime,
    ) -> Result<(), Error> {
        self.check(certificate, intermediates, usage, unix_ms(now)).map_err(|reason| {
            let error = alert_of(&reason);
            self.note.write(reason);
            Error::InvalidCertificate(error)
        })
    }
}

fn check_dates(chain: &Chain<'_>, now_ms: u64) -> Result<(), RefuseReason> {
    if now_ms > chain.validity.not_after_ms {
        return Err(RefuseReason::Expired { since_ms: chain.validity.not_after_ms });
    }
    if now_ms < chain.validity.not_before_ms {
        return Err(RefuseReason::NotYetValid { until_ms: chain.validity.not_before_ms, now_ms });
    }
    if !chain.issuer_validity.contains(now_ms) {
        return Err(RefuseReason::IssuerNotValid {
            issuer: chain.issuer.node,
            from_ms: chain.issuer_validity.not_before_ms,
            until_ms: chain.issuer_validity.not_after_ms,
            now_ms,
        });
    }
    Ok(())
}

impl From<ChainError> for RefuseReason {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Foreign => Self::ForeignAuthority,
            ChainError::NotAnIssuer(node) => Self::NotAnIssuer { node },
            ChainError::Unusable(why) => Self::BadCertificate(why),
        }
    }
}

/// The error whose TLS alert tells the other side the most; the numbers are listed in `PeerRefusal`.
fn alert_of(reason: &RefuseReason) -> CertificateError {
    match reason {
        RefuseReason::AnotherMesh { .. } => CertificateError::ApplicationVerificationFailure,
        RefuseReason::ForeignAuthority | RefuseReason::NotAnIssuer { .. } => CertificateError::UnknownIssuer,
        RefuseReason::Expired { .. } => CertificateError::Expired,
        RefuseReason::NotYetValid { .. } => CertificateError::NotValidYet,
        RefuseReason::IssuerNotValid { .. } => CertificateError::Expired,
        RefuseReason::Revoked { .. } | RefuseReason::IssuerRevoked { .. } => CertificateError::Revoked,
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
pub(super) fn no_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedCipherSuite))
}

impl ServerCertVerifier for MemberVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(end_entity, intermediates, KeyUsage::server_auth(), now)?;
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
    fn offer_client_auth(&self) -> bool {
        !self.wanted.is_join()
    }

    fn client_auth_mandatory(&self) -> bool {
        !self.wanted.is_join()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(end_entity, intermediates, KeyUsage::client_auth(), now)?;
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
