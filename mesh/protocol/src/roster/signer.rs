//! Who signs a statement, and how it shows that it may.

use ed25519_dalek::{SigningKey, VerifyingKey};
use murmurate_crdt::id::NodeId;
use murmurate_crdt::wire::{DecodeError, Decoder, Encoder};

use super::fact::{Fact, decode_key};
use super::limits::GRANT_BYTES;
use super::statement::Statement;

mod tag {
    pub(super) const AUTHORITY: u8 = 0;
    pub(super) const RECOVERY: u8 = 1;
    pub(super) const ISSUER: u8 = 2;
    pub(super) const OWN: u8 = 3;
}

/// Who signs, with the key to do it.
#[derive(Debug, Clone, Copy)]
pub enum Signer<'a> {
    /// The mesh's authority.
    Authority(&'a SigningKey),
    /// The mesh's recovery key.
    Recovery(&'a SigningKey),
    /// A member that may admit, renew and revoke.
    Issuer {
        /// The key that the grant names.
        key: &'a SigningKey,
        /// The statement that made it an issuer ([`Fact::Issuer`]): it travels along, so that what the issuer signs
        /// proves itself.
        grant: &'a Statement,
    },
    /// A node about itself, with its node key.
    Own(&'a SigningKey),
}

/// Who signed a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedBy {
    /// The mesh's authority.
    Authority,
    /// The mesh's recovery key.
    Recovery,
    /// A member that was made an issuer.
    Issuer(NodeId),
    /// The node itself.
    Own(NodeId),
}

/// What a statement carries to be verified by, beside its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    Authority,
    Recovery,
    Issuer(Box<Grant>),
    Own(VerifyingKey),
}

/// The statement that made a node an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) statement: Statement,
    pub(super) key: VerifyingKey,
}

impl Grant {
    /// Only the authority and the recovery key can sign a grant, so that grants don't nest.
    pub(super) fn of(statement: Statement) -> Result<Self, DecodeError> {
        match statement.fact() {
            Some(&Fact::Issuer { key, .. }) => Ok(Self { statement, key }),
            _ => Err(DecodeError::Invalid { what: "grant", why: "doesn't make anybody an issuer" }),
        }
    }
}

impl Signer<'_> {
    pub(super) fn key(&self) -> &SigningKey {
        let (Self::Authority(key) | Self::Recovery(key) | Self::Issuer { key, .. } | Self::Own(key)) = self;
        key
    }

    pub(super) fn encode(&self, e: &mut Encoder) -> Result<(), DecodeError> {
        match self {
            Self::Authority(_) => e.u8(tag::AUTHORITY),
            Self::Recovery(_) => e.u8(tag::RECOVERY),
            Self::Issuer { key, grant } => {
                if Grant::of((*grant).clone())?.key != key.verifying_key() {
                    return Err(DecodeError::Invalid { what: "grant", why: "names another key" });
                }
                e.u8(tag::ISSUER).bytes(grant.bytes())
            }
            Self::Own(key) => e.u8(tag::OWN).raw(key.verifying_key().as_bytes()),
        };
        Ok(())
    }
}

impl Proof {
    /// Reads the signer. A grant inside a grant is refused before it is read: memory and depth are bounded.
    pub(super) fn decode(d: &mut Decoder<'_>, is_grant: bool) -> Result<Self, DecodeError> {
        Ok(match d.u8("signer")? {
            tag::AUTHORITY => Self::Authority,
            tag::RECOVERY => Self::Recovery,
            tag::ISSUER if !is_grant => {
                let grant = Statement::decode_grant(d.bytes(GRANT_BYTES, "grant")?)?;
                Self::Issuer(Box::new(Grant::of(grant)?))
            }
            tag::OWN if !is_grant => Self::Own(decode_key(d, "signer's key")?),
            _ => return Err(DecodeError::Invalid { what: "signer", why: "unknown, or not one that grants" }),
        })
    }

    pub(super) fn signed_by(&self) -> SignedBy {
        match self {
            Self::Authority => SignedBy::Authority,
            Self::Recovery => SignedBy::Recovery,
            Self::Issuer(grant) => SignedBy::Issuer(grant.statement.node()),
            Self::Own(key) => SignedBy::Own(NodeId::of_public_key(key.as_bytes())),
        }
    }
}
