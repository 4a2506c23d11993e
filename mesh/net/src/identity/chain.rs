//! From a member's certificate to an anchor: member ◀── issuer ◀── authority or recovery key.

use std::time::Duration;

use murmurate_crdt::id::NodeId;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::Anchors;
use super::certificate::{CertificateError, IssuerName, Member, read_issuer, read_member, validity};
use super::template::Validity;

/// Certificates of a chain: the member's and its issuer's.
const CERTIFICATES: usize = 2;

/// A member's certificate and its issuer's: what they say, before it is known who signed them.
pub(crate) struct Chain<'a> {
    certificate: &'a CertificateDer<'a>,
    issuer_certificate: &'a CertificateDer<'a>,
    pub(crate) member: Member,
    pub(crate) issuer: IssuerName,
    pub(crate) validity: Validity,
    pub(crate) issuer_validity: Validity,
}

/// Why the anchors don't vouch for a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChainError {
    /// The signatures don't lead to an anchor.
    #[error("it isn't signed by the mesh's authority, nor by an issuer of it")]
    Foreign,
    /// It was signed with a key that the authority gave no right to.
    #[error("it was signed by node {0}, which is no issuer")]
    NotAnIssuer(NodeId),
    /// Something else.
    #[error("{0}")]
    Unusable(String),
}

impl<'a> Chain<'a> {
    /// Reads the member's certificate and what else was shown, which must be exactly the issuer's.
    pub(crate) fn read(
        certificate: &'a CertificateDer<'a>,
        intermediates: &'a [CertificateDer<'a>],
    ) -> Result<Self, CertificateError> {
        let member = read_member(certificate)?;
        let [issuer_certificate] = intermediates else {
            return Err(CertificateError::ChainLength(intermediates.len() + 1));
        };
        let issuer = read_issuer(issuer_certificate)?;
        if issuer.mesh != member.mesh {
            return Err(CertificateError::IssuerOfAnotherMesh);
        }
        let (validity, issuer_validity) = (validity(certificate)?, validity(issuer_certificate)?);
        Ok(Self { certificate, issuer_certificate, member, issuer, validity, issuer_validity })
    }

    /// Reads a whole chain.
    pub(crate) fn of(certificates: &'a [CertificateDer<'a>]) -> Result<Self, CertificateError> {
        match certificates.split_first() {
            Some((certificate, intermediates)) if certificates.len() == CERTIFICATES => {
                Self::read(certificate, intermediates)
            }
            _ => Err(CertificateError::ChainLength(certificates.len())),
        }
    }

    /// When both certificates are valid; ends before it begins where they never are.
    pub(crate) fn both_valid(&self) -> Validity {
        self.validity.within(self.issuer_validity)
    }

    /// Checks that the signatures lead to an anchor, whenever the certificates are valid.
    pub(crate) fn check_signatures(&self, anchors: &Anchors, usage: KeyUsage) -> Result<(), ChainError> {
        let both = self.both_valid();
        if both.not_before_ms > both.not_after_ms {
            return Err(ChainError::Unusable("it is valid only when its issuer's certificate isn't".to_owned()));
        }
        let at = UnixTime::since_unix_epoch(Duration::from_millis(both.not_before_ms));
        self.verify(anchors, usage, at).map_err(|error| self.meaning(&error))
    }

    fn verify(&self, anchors: &Anchors, usage: KeyUsage, at: UnixTime) -> Result<(), webpki::Error> {
        let trusted = [
            webpki::anchor_from_trusted_cert(anchors.authority())?,
            webpki::anchor_from_trusted_cert(anchors.recovery())?,
        ];
        let intermediates = std::slice::from_ref(self.issuer_certificate);
        let algorithms = &[webpki::ring::ED25519];
        EndEntityCert::try_from(self.certificate)?
            .verify_for_usage(algorithms, &trusted, intermediates, at, usage, None, None)
            .map(drop)
    }

    fn meaning(&self, error: &webpki::Error) -> ChainError {
        match error {
            webpki::Error::UnknownIssuer | webpki::Error::InvalidSignatureForPublicKey => ChainError::Foreign,
            webpki::Error::EndEntityUsedAsCa => ChainError::NotAnIssuer(self.issuer.node),
            error => ChainError::Unusable(error.to_string()),
        }
    }
}
