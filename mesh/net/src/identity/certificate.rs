//! What certificates say: names in them, and who signed them.

use ed25519_dalek::SigningKey;
use murmurate_crdt::id::{MeshId, NodeId};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

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

pub(super) fn check_name(name: &str) -> Result<(), CertificateError> {
    if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
        return Err(CertificateError::Name);
    }
    Ok(())
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<EndEntityCert<'a>, CertificateError> {
    EndEntityCert::try_from(certificate).map_err(|error| CertificateError::Malformed(error.to_string()))
}

/// Whom the certificate names. Who signed it isn't checked, nor whether its key is the node's: see [`node_id_matches`].
pub(crate) fn read_member(certificate: &CertificateDer<'_>) -> Result<Member, CertificateError> {
    let certificate = parse(certificate)?;
    let mut uris = certificate.valid_uri_names();
    let (Some(uri), None) = (uris.next(), uris.next()) else { return Err(CertificateError::NoMember) };
    let (mesh, node) = parse_member_uri(uri).ok_or(CertificateError::NoMember)?;
    let name = common_name(certificate.subject()).ok_or(CertificateError::Subject)?;
    check_name(name)?;
    Ok(Member { mesh, node, name: name.to_owned() })
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
pub(super) fn ed25519_key(certificate: &CertificateDer<'_>) -> Result<[u8; 32], CertificateError> {
    let key_info = parse(certificate)?.subject_public_key_info();
    let key = key_info.as_ref().strip_prefix(ED25519_KEY_PREFIX).ok_or(CertificateError::KeyType)?;
    key.try_into().map_err(|_| CertificateError::KeyType)
}

/// Checks that `authority` signed the certificate and that it is valid `now` for this usage.
pub(crate) fn check_chain(
    certificate: &CertificateDer<'_>,
    authority: &CertificateDer<'_>,
    usage: KeyUsage,
    now: UnixTime,
) -> Result<(), webpki::Error> {
    let anchor = webpki::anchor_from_trusted_cert(authority)?;
    EndEntityCert::try_from(certificate)?.verify_for_usage(
        &[webpki::ring::ED25519],
        &[anchor],
        &[],
        now,
        usage,
        None,
        None,
    )?;
    Ok(())
}

/// Checks that `authority` signed the certificate, whenever it is valid.
pub(super) fn check_signer(certificate: &CertificateDer<'_>, authority: &CertificateDer<'_>) -> Result<(), String> {
    let check = |at| check_chain(certificate, authority, KeyUsage::server_auth(), at);
    let result = match check(UnixTime::since_unix_epoch(std::time::Duration::ZERO)) {
        Err(webpki::Error::CertNotValidYet { not_before, .. }) => check(not_before),
        result => result,
    };
    result.map_err(|error| error.to_string())
}

/// Checks that this is the certificate of the authority of `mesh` with this key.
pub(super) fn check_authority(mesh: MeshId, key: &SigningKey, certificate: &CertificateDer<'_>) -> Result<(), String> {
    let malformed = |error: webpki::Error| error.to_string();
    let anchor = webpki::anchor_from_trusted_cert(certificate).map_err(malformed)?;
    let parsed = EndEntityCert::try_from(certificate).map_err(malformed)?;
    if parsed.valid_uri_names().next() != Some(&mesh_uri(mesh)) {
        return Err(format!("authority.crt is not of mesh {mesh}"));
    }
    // An anchor's key comes without the outer SEQUENCE.
    if !anchor.subject_public_key_info.ends_with(key.verifying_key().as_bytes()) {
        return Err("authority.key is not the key of authority.crt".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Random;
    use crate::identity::{Authority, Identity, IdentityError, IssueError, generate_key};

    const NOW_MS: u64 = 1_780_000_000_000;

    fn authority(seed: u64) -> Authority {
        Authority::throwaway(MeshId([7; 16]), &mut Random::seeded(seed).rng(), NOW_MS).unwrap()
    }

    #[test]
    fn a_certificate_says_what_was_issued() {
        let authority = authority(1);
        let key = generate_key(&mut Random::seeded(2).rng());
        let public_key = key.verifying_key().to_bytes();
        for name in ["a", "web-1.example.org", "höst", &"x".repeat(NAME_BYTES)] {
            let certificate = authority.issue(&public_key, name, NOW_MS, NOW_MS + 1_000).unwrap();
            let node = NodeId::of_public_key(&public_key);
            assert_eq!(read_member(&certificate), Ok(Member { mesh: authority.mesh(), node, name: name.to_owned() }));
            assert_eq!(node_id_matches(&certificate), Ok(true));
            Identity::new(key.clone(), certificate, authority.certificate().clone()).unwrap();
        }
    }

    #[test]
    fn names_and_times_that_no_certificate_may_hold_are_refused() {
        for name in ["", "a\nb", "a\0", &"x".repeat(NAME_BYTES + 1)] {
            let error = authority(1).issue(&[1; 32], name, 0, 1).unwrap_err();
            assert!(matches!(error, IssueError::Name(_)), "{name:?}");
        }
        assert!(matches!(authority(1).issue(&[1; 32], "a", 5, 5), Err(IssueError::Validity { .. })));
        assert!(authority(1).issue(&[1; 32], "a", 0, u64::MAX).is_ok());
    }

    #[test]
    fn parts_that_do_not_belong_together_are_no_identity() {
        let (ours, other) = (authority(1), authority(2));
        let key = generate_key(&mut Random::seeded(3).rng());
        let certificate = ours.issue(&key.verifying_key().to_bytes(), "a", NOW_MS, NOW_MS + 1_000).unwrap();
        let with =
            |key, authority: &Authority| Identity::new(key, certificate.clone(), authority.certificate().clone());
        assert!(matches!(with(key.clone(), &other), Err(IdentityError::AnotherAuthority(_))));
        let another_key = generate_key(&mut Random::seeded(4).rng());
        assert!(matches!(with(another_key, &ours), Err(IdentityError::AnotherKey { .. })));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_reading_a_certificate_panic(flips in proptest::collection::vec((0..600_usize, 1..=255_u8), 0..8)) {
            let authority = authority(1);
            let mut bytes = authority.issue(&[1; 32], "a", NOW_MS, NOW_MS + 1_000).unwrap().to_vec();
            for (index, mask) in flips {
                let index = index % bytes.len();
                bytes[index] ^= mask;
            }
            let certificate = CertificateDer::from(bytes);
            let _ = read_member(&certificate);
            let _ = node_id_matches(&certificate);
            let _ = check_signer(&certificate, authority.certificate());
        }
    }
}
