//! Ed25519 keys as certificates and files hold them.

use ed25519_dalek::{Signer, SigningKey};
use rand_core::CryptoRng;
use rcgen::{PublicKeyData, SignatureAlgorithm};

/// What an Ed25519 private key in PKCS #8 has before its 32 bytes (RFC 8410, section 7), in the older layout without the
/// public key, which every tool reads.
const PRIVATE_KEY_PREFIX: &[u8] =
    &[0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A new Ed25519 key from `rng`.
pub fn generate_key(rng: &mut impl CryptoRng) -> SigningKey {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    SigningKey::from_bytes(&seed)
}

/// The key as PKCS #8 DER.
pub(crate) fn private_key_der(key: &SigningKey) -> Vec<u8> {
    [PRIVATE_KEY_PREFIX, key.as_bytes()].concat()
}

/// A public key, as rcgen wants it.
pub(super) struct PublicKey(pub(super) [u8; 32]);

impl PublicKeyData for PublicKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

/// A key that signs certificates, as rcgen wants it. Ed25519 signatures are the same whoever makes them (RFC 8032).
pub(super) struct CertificateSigner<'a> {
    key: &'a SigningKey,
    public_key: [u8; 32],
}

impl<'a> CertificateSigner<'a> {
    pub(super) fn new(key: &'a SigningKey) -> Self {
        Self { key, public_key: key.verifying_key().to_bytes() }
    }
}

impl PublicKeyData for CertificateSigner<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.public_key
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for CertificateSigner<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.key.sign(message).to_bytes().to_vec())
    }
}
