//! What certificates say, whoever signed them.

use std::time::Duration;

use murmurate_crdt::id::{MeshId, NodeId};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::template::Validity;
use crate::limits::NAME_BYTES;

/// The scheme of the URIs by which certificates name meshes and nodes.
const SCHEME: &str = "murmurate:";
/// What an Ed25519 SubjectPublicKeyInfo has before the 32 bytes of the key (RFC 8410, section 4).
const ED25519_KEY_PREFIX: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why a certificate can't be used, before it is asked who signed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It is no X.509 certificate.
    #[error("it is no X.509 certificate ({0})")]
    Malformed(String),
    /// It isn't exactly one mesh and node that it names.
    #[error("it doesn't name exactly one mesh and node")]
    NoMember,
    /// Its key is of another kind.
    #[error("its key is not an Ed25519 key")]
    KeyType,
    /// Its subject is laid out in another way than an authority does it.
    #[error("its subject is not one common name")]
    Subject,
    /// The name is too long, empty, or holds control characters.
    #[error("a node's name has 1 to {NAME_BYTES} bytes and no control characters")]
    Name,
    /// It isn't one of an authority or recovery key.
    #[error("it is no certificate of a mesh's authority or recovery key")]
    NoAnchor,
    /// The authority and the recovery key are of two meshes.
    #[error("the certificates of the authority and of the recovery key name two meshes")]
    TwoMeshes,
    /// It is for another key than the one at hand.
    #[error("it is for another key than the one at hand")]
    AnotherKey,
    /// Its validity can't be read, or ends before it begins.
    #[error("when it is valid can't be told")]
    Validity,
    /// There are too many certificates, or too few.
    #[error("a member shows 2 certificates, its own and its issuer's, and here are {0}")]
    ChainLength(usize),
    /// The issuer's certificate is one of another mesh than the member's.
    #[error("it was issued for another mesh than the issuer's")]
    IssuerOfAnotherMesh,
}

/// Whom a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The mesh.
    pub mesh: MeshId,
    /// The node.
    pub node: NodeId,
    /// The node's name.
    pub name: String,
}

/// Whom an issuer's certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IssuerName {
    pub(crate) mesh: MeshId,
    pub(crate) node: NodeId,
}

pub(super) fn mesh_uri(mesh: MeshId) -> String {
    format!("{SCHEME}{mesh}")
}

pub(super) fn member_uri(mesh: MeshId, node: NodeId) -> String {
    format!("{SCHEME}{mesh}/{node}")
}

fn parse_member_uri(uri: &str) -> Option<(MeshId, NodeId)> {
    let (mesh, node) = uri.strip_prefix(SCHEME)?.split_once('/')?;
    Some((mesh.parse().ok()?, node.parse().ok()?))
}

pub(crate) fn check_name(name: &str) -> Result<(), CertificateError> {
    if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
        return Err(CertificateError::Name);
    }
    Ok(())
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<EndEntityCert<'a>, CertificateError> {
    EndEntityCert::try_from(certificate).map_err(|error| CertificateError::Malformed(error.to_string()))
}

/// The only URI in a certificate.
fn single_uri<'a>(certificate: &EndEntityCert<'a>) -> Option<&'a str> {
    let mut uris = certificate.valid_uri_names();
    match (uris.next(), uris.next()) {
        (Some(uri), None) => Some(uri),
        _ => None,
    }
}

/// Whom the certificate names. Who signed it isn't checked, nor whether its key is the node's: see [`node_id_matches`].
pub(crate) fn read_member(certificate: &CertificateDer<'_>) -> Result<Member, CertificateError> {
    let certificate = parse(certificate)?;
    let (mesh, node) = single_uri(&certificate).and_then(parse_member_uri).ok_or(CertificateError::NoMember)?;
    let name = common_name(certificate.subject()).ok_or(CertificateError::Subject)?;
    check_name(name)?;
    Ok(Member { mesh, node, name: name.to_owned() })
}

/// Whom an issuer's certificate names. Who signed it isn't checked, nor whether it is an issuer's at all.
pub(crate) fn read_issuer(certificate: &CertificateDer<'_>) -> Result<IssuerName, CertificateError> {
    let certificate = parse(certificate)?;
    let (mesh, node) = single_uri(&certificate).and_then(parse_member_uri).ok_or(CertificateError::NoMember)?;
    Ok(IssuerName { mesh, node })
}

/// Checks that this can be the certificate of a mesh's authority or recovery key, and gives the mesh.
pub(super) fn check_anchor(certificate: &CertificateDer<'_>) -> Result<MeshId, CertificateError> {
    let malformed = |error: webpki::Error| CertificateError::Malformed(error.to_string());
    webpki::anchor_from_trusted_cert(certificate).map_err(malformed)?;
    ed25519_key(certificate)?;
    let parsed = parse(certificate)?;
    let mesh = single_uri(&parsed).and_then(|uri| uri.strip_prefix(SCHEME)).and_then(|mesh| mesh.parse().ok());
    mesh.ok_or(CertificateError::NoAnchor)
}

/// When a certificate of any kind is valid. Its dates are checked before anything else, and the error names them.
pub(crate) fn validity(certificate: &CertificateDer<'_>) -> Result<Validity, CertificateError> {
    let certificate = parse(certificate)?;
    let error_at = |at| {
        let usage = KeyUsage::server_auth();
        certificate.verify_for_usage(&[webpki::ring::ED25519], &[], &[], at, usage, None, None).err()
    };
    let not_before_ms = match error_at(UnixTime::since_unix_epoch(Duration::ZERO)) {
        Some(webpki::Error::CertNotValidYet { not_before, .. }) => milliseconds(not_before),
        _ => 0,
    };
    match error_at(UnixTime::since_unix_epoch(Duration::from_secs(u64::MAX))) {
        Some(webpki::Error::CertExpired { not_after, .. }) => {
            Ok(Validity { not_before_ms, not_after_ms: milliseconds(not_after) })
        }
        _ => Err(CertificateError::Validity),
    }
}

fn milliseconds(time: UnixTime) -> u64 {
    time.as_secs().saturating_mul(1_000)
}

/// Whether the node id that the certificate names is the hash of the certificate's key.
pub(crate) fn node_id_matches(certificate: &CertificateDer<'_>) -> Result<bool, CertificateError> {
    let member = read_member(certificate)?;
    Ok(member.node == NodeId::of_public_key(&ed25519_key(certificate)?))
}

/// The content of a DER value with this tag and a length below 128, and what follows it.
fn der_value(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = bytes.split_first_chunk::<2>()?;
    if found != tag || length >= 0x80 {
        return None;
    }
    rest.split_at_checked(usize::from(length))
}

/// The common name of a subject that is nothing else: `SET { SEQUENCE { OID 2.5.4.3, UTF8String } }`.
fn common_name(subject: &[u8]) -> Option<&str> {
    const SEQUENCE: u8 = 0x30;
    const SET: u8 = 0x31;
    const OID: u8 = 0x06;
    const UTF8_STRING: u8 = 0x0c;
    const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    let (set, rest) = der_value(subject, SET)?;
    let (attribute, more) = der_value(set, SEQUENCE)?;
    let (oid, value) = der_value(attribute, OID)?;
    let (name, end) = der_value(value, UTF8_STRING)?;
    if oid != COMMON_NAME || !(rest.is_empty() && more.is_empty() && end.is_empty()) {
        return None;
    }
    std::str::from_utf8(name).ok()
}

/// The Ed25519 public key in a certificate.
pub(crate) fn ed25519_key(certificate: &CertificateDer<'_>) -> Result<[u8; 32], CertificateError> {
    let key_info = parse(certificate)?.subject_public_key_info();
    let key = key_info.as_ref().strip_prefix(ED25519_KEY_PREFIX).ok_or(CertificateError::KeyType)?;
    key.try_into().map_err(|_| CertificateError::KeyType)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Random;
    use crate::identity::{Anchors, Chain, Identity, IdentityError, IssueError, Issuer, ThrowawayMesh, generate_key};

    const NOW_MS: u64 = 1_780_000_000_000;

    fn mesh(id: u8, seed: u64) -> ThrowawayMesh {
        ThrowawayMesh::new(MeshId([id; 16]), &mut Random::seeded(seed).rng(), NOW_MS).unwrap()
    }

    fn key(seed: u64) -> ed25519_dalek::SigningKey {
        generate_key(&mut Random::seeded(seed).rng())
    }

    #[test]
    fn a_certificate_says_what_was_issued() {
        let mesh = mesh(7, 1);
        let public_key = key(2).verifying_key().to_bytes();
        for name in ["a", "web-1.example.org", "höst", &"x".repeat(NAME_BYTES)] {
            let chain = mesh.issuer().issue(&public_key, name, NOW_MS, NOW_MS + 1_000).unwrap();
            let node = NodeId::of_public_key(&public_key);
            let member = Member { mesh: mesh.anchors().mesh(), node, name: name.to_owned() };
            assert_eq!(read_member(&chain[0]), Ok(member));
            assert_eq!(node_id_matches(&chain[0]), Ok(true));
            assert_eq!(read_issuer(&chain[1]).unwrap().node, mesh.issuer().node());
            let identity = Identity::new(key(2), chain, mesh.anchors().clone()).unwrap();
            assert_eq!(identity.validity(), Validity { not_before_ms: NOW_MS, not_after_ms: NOW_MS + 1_000 });
            assert_eq!(identity.issuer(), mesh.issuer().node());
        }
    }

    #[test]
    fn names_and_times_that_no_certificate_may_hold_are_refused() {
        let mesh = mesh(7, 1);
        for name in ["", "a\nb", "a\0", &"x".repeat(NAME_BYTES + 1)] {
            let error = mesh.issuer().issue(&[1; 32], name, NOW_MS, NOW_MS + 1).unwrap_err();
            assert!(matches!(error, IssueError::Name(_)), "{name:?}");
        }
        let issue = |from, until| mesh.issuer().issue(&[1; 32], "a", from, until);
        assert!(matches!(issue(NOW_MS + 5, NOW_MS + 5), Err(IssueError::Validity { .. })));
        // Before the issuer was one.
        assert!(matches!(issue(0, NOW_MS - 1), Err(IssueError::Validity { .. })));
        assert!(issue(0, u64::MAX).is_ok());
    }

    #[test]
    fn a_certificate_ends_with_its_issuers() {
        let mesh = mesh(7, 1);
        let issuer_key = key(9);
        let node = NodeId([9; 32]);
        let granted =
            mesh.authority().grant(issuer_key.verifying_key().as_bytes(), node, NOW_MS, NOW_MS + 10_000).unwrap();
        let issuer = Issuer::new(issuer_key, granted).unwrap();
        let chain = issuer.issue(&key(2).verifying_key().to_bytes(), "a", 0, NOW_MS + 99_000).unwrap();
        assert_eq!(validity(&chain[0]), Ok(Validity { not_before_ms: NOW_MS, not_after_ms: NOW_MS + 10_000 }));
    }

    #[test]
    fn parts_that_do_not_belong_together_are_no_identity() {
        let (ours, other, elsewhere) = (mesh(7, 1), mesh(7, 2), mesh(8, 1));
        let chain = ours.issuer().issue(&key(3).verifying_key().to_bytes(), "a", NOW_MS, NOW_MS + 1_000).unwrap();
        let with = |key, chain: &[CertificateDer<'static>], anchors: &Anchors| {
            Identity::new(key, chain.to_vec(), anchors.clone())
        };
        assert!(matches!(with(key(3), &chain, other.anchors()), Err(IdentityError::NotVouchedFor(_))));
        assert!(matches!(with(key(3), &chain, elsewhere.anchors()), Err(IdentityError::AnotherMesh { .. })));
        assert!(matches!(with(key(4), &chain, ours.anchors()), Err(IdentityError::AnotherKey { .. })));
        for wrong in [&chain[..1], &[chain[0].clone(), chain[1].clone(), chain[1].clone()]] {
            let error = with(key(3), wrong, ours.anchors()).unwrap_err();
            assert!(matches!(error, IdentityError::Certificate(CertificateError::ChainLength(_))), "{error}");
        }
        // The authority itself certifies no member, and a member no other.
        let by_authority = [chain[0].clone(), ours.authority().certificate().clone()];
        assert!(with(key(3), &by_authority, ours.anchors()).is_err());
        let by_member = [chain[0].clone(), chain[0].clone()];
        assert!(with(key(3), &by_member, ours.anchors()).is_err());
    }

    #[test]
    fn the_recovery_key_makes_issuers_too() {
        let mesh = mesh(7, 1);
        let (issuer_key, node) = (key(9), NodeId([9; 32]));
        let granted =
            mesh.recovery().grant(issuer_key.verifying_key().as_bytes(), node, NOW_MS, NOW_MS + 10_000).unwrap();
        let issuer = Issuer::new(issuer_key, granted).unwrap();
        let chain = issuer.issue(&key(2).verifying_key().to_bytes(), "a", NOW_MS, NOW_MS + 1_000).unwrap();
        Identity::new(key(2), chain, mesh.anchors().clone()).unwrap();
        let found = mesh.anchors().with_key(mesh.recovery().key().clone()).unwrap();
        assert_eq!(found.certificate(), mesh.recovery().certificate());
        assert!(matches!(mesh.anchors().with_key(key(5)), Err(CertificateError::AnotherKey)));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_reading_a_certificate_panic(flips in proptest::collection::vec((0..2, 0..600_usize, 1..=255_u8), 0..8)) {
            let mesh = mesh(7, 1);
            let chain = mesh.issuer().issue(&[1; 32], "a", NOW_MS, NOW_MS + 1_000).unwrap();
            let mut bytes: Vec<Vec<u8>> = chain.iter().map(|certificate| certificate.to_vec()).collect();
            for (which, index, mask) in flips {
                let certificate = &mut bytes[usize::from(which == 1)];
                let index = index % certificate.len();
                certificate[index] ^= mask;
            }
            let chain: Vec<CertificateDer<'static>> = bytes.into_iter().map(CertificateDer::from).collect();
            for certificate in &chain {
                let _ = read_member(certificate);
                let _ = node_id_matches(certificate);
                let _ = validity(certificate);
                let _ = check_anchor(certificate);
            }
            if let Ok(read) = Chain::of(&chain) {
                let _ = read.check_signatures(mesh.anchors(), KeyUsage::server_auth());
            }
        }
    }
}
