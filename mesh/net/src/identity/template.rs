//! What each kind of certificate says, before it is signed.

use std::time::Duration;

use murmurate_crdt::id::{MeshId, NodeId};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    SanType, SerialNumber,
};
use sha2::{Digest, Sha256};

use super::certificate::{member_uri, mesh_uri};

/// The last moment that a certificate can name (RFC 5280, section 4.1.2.5): the end of the year 9999.
pub(super) const END_OF_TIME_MS: u64 = 253_402_300_799_000;
/// Bytes of a serial number; RFC 5280 allows 20, and the first bit must be 0.
const SERIAL_BYTES: usize = 16;
/// Issuers are signed by an anchor, and sign members; nobody else signs.
const ANCHOR_PATH_LENGTH: u8 = 1;
const ISSUER_PATH_LENGTH: u8 = 0;
/// Bytes of a key's hash in its owner's name; enough that a mesh's few signers have different names.
const KEY_NAME_BYTES: usize = 8;

/// When a certificate holds, in milliseconds since 1970 UTC (certificates know only seconds).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub not_before_ms: u64,
    /// The last moment.
    pub not_after_ms: u64,
}

impl Validity {
    /// Whether it holds at this moment.
    #[must_use]
    pub fn contains(&self, now_ms: u64) -> bool {
        (self.not_before_ms..=self.not_after_ms).contains(&now_ms)
    }

    /// The part of it within `outer`; ends before it begins where there is none.
    pub(super) fn within(self, outer: Self) -> Self {
        Self {
            not_before_ms: self.not_before_ms.max(outer.not_before_ms),
            not_after_ms: self.not_after_ms.min(outer.not_after_ms),
        }
    }
}

/// The certificate of the authority or of the recovery key with this public key.
pub(super) fn anchor(
    mesh: MeshId,
    public_key: &[u8; 32],
    valid_from_ms: u64,
) -> Result<CertificateParams, rcgen::Error> {
    let validity = Validity { not_before_ms: valid_from_ms, not_after_ms: END_OF_TIME_MS };
    let mut parameters = signer(mesh, public_key, ANCHOR_PATH_LENGTH);
    parameters.subject_alt_names = vec![SanType::URI(mesh_uri(mesh).try_into()?)];
    hold(&mut parameters, validity);
    Ok(parameters)
}

/// The certificate by which `node` may sign members with this public key, which isn't the node's own.
pub(super) fn issuer(
    mesh: MeshId,
    public_key: &[u8; 32],
    node: NodeId,
    validity: Validity,
) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = signer(mesh, public_key, ISSUER_PATH_LENGTH);
    parameters.subject_alt_names = vec![SanType::URI(member_uri(mesh, node).try_into()?)];
    parameters.serial_number = Some(serial_number(public_key, validity));
    hold(&mut parameters, validity);
    Ok(parameters)
}

/// The certificate of the node with this public key.
pub(super) fn member(
    mesh: MeshId,
    public_key: &[u8; 32],
    name: &str,
    validity: Validity,
) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = common_name(name);
    let node = NodeId::of_public_key(public_key);
    parameters.subject_alt_names = vec![SanType::URI(member_uri(mesh, node).try_into()?)];
    parameters.serial_number = Some(serial_number(public_key, validity));
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    hold(&mut parameters, validity);
    Ok(parameters)
}

/// What the certificates have in common by which others are signed. As an issuer's name, this is all that rcgen wants.
pub(super) fn signer(mesh: MeshId, public_key: &[u8; 32], path_length: u8) -> CertificateParams {
    let hash = NodeId::of_public_key(public_key);
    let key_name: String = hash.0[..KEY_NAME_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = common_name(&format!("murmurate {mesh} {key_name}"));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters
}

fn hold(parameters: &mut CertificateParams, validity: Validity) {
    parameters.not_before = date_time(validity.not_before_ms);
    parameters.not_after = date_time(validity.not_after_ms);
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished_name = DistinguishedName::new();
    distinguished_name.push(DnType::CommonName, name);
    distinguished_name
}

fn date_time(ms: u64) -> time::OffsetDateTime {
    time::OffsetDateTime::UNIX_EPOCH + Duration::from_millis(ms.min(END_OF_TIME_MS))
}

/// Unique as RFC 5280 wants it, without a counter or randomness: two certificates of one key differ in their validity.
fn serial_number(public_key: &[u8; 32], validity: Validity) -> SerialNumber {
    let digest = Sha256::new()
        .chain_update(public_key)
        .chain_update(validity.not_before_ms.to_be_bytes())
        .chain_update(validity.not_after_ms.to_be_bytes())
        .finalize();
    let mut serial: [u8; SERIAL_BYTES] = std::array::from_fn(|index| digest[index]);
    // Positive, and without leading zeros.
    serial[0] = serial[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&serial)
}
