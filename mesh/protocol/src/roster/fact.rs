//! What a statement says, and the bytes of it.

use ed25519_dalek::VerifyingKey;
use murmurate_crdt::id::NodeId;
use murmurate_crdt::wire::{DecodeError, Decoder, Encoder};

use super::limits::{ADDRESS_BYTES, ADDRESSES, CERTIFICATE_BYTES, NAME_BYTES, REASON_BYTES, VERSION_BYTES};
use super::signer::Proof;

/// The kinds of statements, as numbered on the wire.
pub(super) mod kind {
    pub(in crate::roster) const ADMIT: u8 = 1;
    pub(in crate::roster) const RENEW: u8 = 2;
    pub(in crate::roster) const REVOKE: u8 = 3;
    pub(in crate::roster) const ISSUER: u8 = 4;
    pub(in crate::roster) const OWN: u8 = 5;
}

/// What a statement says.
///
/// Times are milliseconds since 1970 UTC on the signer's clock. Of several statements of one kind about one node, the
/// one issued last counts (of a node's own: the one with the highest sequence); ties go to the higher digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A node is a member.
    Admit {
        /// The node's Ed25519 public key; its id is the key's hash.
        key: VerifyingKey,
        /// What people call the host: 1 to [`NAME_BYTES`] bytes without control characters.
        name: String,
        /// When this was signed.
        issued_ms: u64,
    },
    /// A member got a certificate.
    Renew {
        /// Which member.
        node: NodeId,
        /// Until when it is valid.
        not_after_ms: u64,
        /// When this was signed.
        issued_ms: u64,
    },
    /// A node is no member any more, for good.
    Revoke {
        /// Which node.
        node: NodeId,
        /// Why, for people: at most [`REASON_BYTES`] bytes without control characters.
        reason: String,
        /// When this was signed.
        issued_ms: u64,
    },
    /// A member may admit, renew and revoke. Only the authority and the recovery key can say so.
    Issuer {
        /// Which member.
        node: NodeId,
        /// The key that it signs certificates and statements with; not its node key.
        key: VerifyingKey,
        /// Its certificate (DER): not looked at here.
        certificate: Vec<u8>,
        /// When this was signed.
        issued_ms: u64,
    },
    /// What a node says of itself.
    Own(Own),
}

/// What a node says of itself. Nobody else can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// The node's public key.
    pub key: VerifyingKey,
    /// Counts its own statements: the highest counts.
    pub sequence: u64,
    /// Where it can be dialled: at most [`ADDRESSES`] of at most [`ADDRESS_BYTES`] bytes without control characters.
    pub addresses: Vec<String>,
    /// The key with which it would sign if it were made an issuer.
    pub issuer_key: VerifyingKey,
    /// Whether it left the mesh on purpose.
    pub left: bool,
    /// The version of its program: at most [`VERSION_BYTES`] bytes without control characters.
    pub version: String,
}

impl Own {
    /// The node's id.
    #[must_use]
    pub fn node(&self) -> NodeId {
        NodeId::of_public_key(self.key.as_bytes())
    }
}

impl Fact {
    /// The node that it is about.
    #[must_use]
    pub fn node(&self) -> NodeId {
        match self {
            Self::Admit { key, .. } => NodeId::of_public_key(key.as_bytes()),
            Self::Renew { node, .. } | Self::Revoke { node, .. } | Self::Issuer { node, .. } => *node,
            Self::Own(own) => own.node(),
        }
    }

    pub(super) fn kind(&self) -> u8 {
        match self {
            Self::Admit { .. } => kind::ADMIT,
            Self::Renew { .. } => kind::RENEW,
            Self::Revoke { .. } => kind::REVOKE,
            Self::Issuer { .. } => kind::ISSUER,
            Self::Own(_) => kind::OWN,
        }
    }

    /// What it is compared by with others of its kind about its node.
    pub(super) fn order(&self) -> u64 {
        match self {
            Self::Admit { issued_ms, .. }
            | Self::Renew { issued_ms, .. }
            | Self::Revoke { issued_ms, .. }
            | Self::Issuer { issued_ms, .. } => *issued_ms,
            Self::Own(own) => own.sequence,
        }
    }

    /// The fields that are its kind's own.
    pub(super) fn payload(&self) -> Vec<u8> {
        let mut e = Encoder::new();
        match self {
            Self::Admit { key, name, .. } => e.raw(key.as_bytes()).text(name),
            Self::Renew { not_after_ms, .. } => e.varint(*not_after_ms),
            Self::Revoke { reason, .. } => e.text(reason),
            Self::Issuer { key, certificate, .. } => e.raw(key.as_bytes()).bytes(certificate),
            Self::Own(own) => {
                e.varint(own.addresses.len() as u64);
                own.addresses.iter().for_each(|address| {
                    e.text(address);
                });
                e.raw(own.issuer_key.as_bytes()).u8(u8::from(own.left)).text(&own.version)
            }
        };
        e.finish()
    }

    /// Reads what was signed by `proof`; `None` for a kind that this build doesn't know. What is behind the known fields
    /// is a newer build's.
    pub(super) fn decode(
        kind: u8,
        node: NodeId,
        order: u64,
        payload: &[u8],
        proof: &Proof,
    ) -> Result<Option<Self>, DecodeError> {
        let mut d = Decoder::new(payload);
        let fact = match (kind, proof) {
            (kind::ADMIT, Proof::Authority | Proof::Recovery | Proof::Issuer(_)) => decode_admit(&mut d, order)?,
            (kind::RENEW, Proof::Authority | Proof::Recovery | Proof::Issuer(_)) => {
                Self::Renew { node, not_after_ms: d.varint("end of validity")?, issued_ms: order }
            }
            (kind::REVOKE, Proof::Authority | Proof::Recovery | Proof::Issuer(_)) => {
                Self::Revoke { node, reason: decode_text(&mut d, REASON_BYTES, "reason")?, issued_ms: order }
            }
            (kind::ISSUER, Proof::Authority | Proof::Recovery) => {
                let key = decode_key(&mut d, "issuer key")?;
                let certificate = d.bytes(CERTIFICATE_BYTES, "certificate")?.to_vec();
                Self::Issuer { node, key, certificate, issued_ms: order }
            }
            (kind::OWN, Proof::Own(key)) => Self::Own(decode_own(&mut d, *key, order)?),
            (kind::ADMIT..=kind::OWN, _) => {
                return Err(DecodeError::Invalid { what: "signer", why: "one that may not say this" });
            }
            _ => return Ok(None),
        };
        if fact.node() != node {
            return Err(DecodeError::Invalid { what: "node", why: "not the hash of the key" });
        }
        Ok(Some(fact))
    }
}

pub(super) fn decode_key(d: &mut Decoder<'_>, what: &'static str) -> Result<VerifyingKey, DecodeError> {
    VerifyingKey::from_bytes(&d.array(what)?).map_err(|_| DecodeError::Invalid { what, why: "not an Ed25519 key" })
}

/// Text that is shown on terminals.
fn decode_text(d: &mut Decoder<'_>, limit_bytes: usize, what: &'static str) -> Result<String, DecodeError> {
    let text = d.text(limit_bytes, what)?;
    if text.chars().any(char::is_control) {
        return Err(DecodeError::Invalid { what, why: "with control characters" });
    }
    Ok(text.to_owned())
}

fn decode_filled(d: &mut Decoder<'_>, limit_bytes: usize, what: &'static str) -> Result<String, DecodeError> {
    let text = decode_text(d, limit_bytes, what)?;
    if text.is_empty() { Err(DecodeError::Invalid { what, why: "empty" }) } else { Ok(text) }
}

fn decode_admit(d: &mut Decoder<'_>, issued_ms: u64) -> Result<Fact, DecodeError> {
    let key = decode_key(d, "public key")?;
    Ok(Fact::Admit { key, name: decode_filled(d, NAME_BYTES, "name")?, issued_ms })
}

fn decode_own(d: &mut Decoder<'_>, key: VerifyingKey, sequence: u64) -> Result<Own, DecodeError> {
    let mut addresses = Vec::new();
    for _ in 0..d.size(ADDRESSES, "addresses")? {
        addresses.push(decode_filled(d, ADDRESS_BYTES, "address")?);
    }
    let issuer_key = decode_key(d, "issuer key")?;
    let left = match d.u8("left")? {
        0 => false,
        1 => true,
        _ => return Err(DecodeError::Invalid { what: "left", why: "neither 0 nor 1" }),
    };
    Ok(Own { key, sequence, addresses, issuer_key, left, version: decode_text(d, VERSION_BYTES, "version")? })
}
