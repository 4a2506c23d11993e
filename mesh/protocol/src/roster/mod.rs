//! Who belongs to the mesh: statements about its nodes, each signed and each a proof of itself.
//!
//! ```text
//!  authority ─┐ admit, renew, revoke, issuer            ┌─▶ members, keys, names      (who may write)
//!  recovery  ─┤                                          ├─▶ revoked                   (who no longer may)
//!  issuers   ─┤ admit, renew, revoke  ──▶ Statement ──▶ Roster ─▶ issuers, validity    (who may admit)
//!  each node ─┘ own: addresses, leaving                  └─▶ addresses, left, version  (where it is)
//! ```
//! Of each kind of statement about each node the latest counts, and only that one is kept: the one with the highest
//! order, which is the issuer's clock or the node's own counter. So a roster is a map whose entries only rise, and hosts
//! that were given the same statements, in whatever order and however often, hold the same.
//!
//! Nothing takes a revocation back: it counts whatever else is stated about the node, before or after. A revoked
//! issuer's statements stay: which of them it made before, nobody could tell. Whom it admitted wrongly is revoked in turn.

mod fact;
mod limits;
mod set;
mod signer;
mod statement;
#[cfg(test)]
mod tests;
mod views;

use ed25519_dalek::VerifyingKey;

pub use fact::{Fact, Own};
pub use limits::{
    ADDRESS_BYTES, ADDRESSES, CERTIFICATE_BYTES, GRANT_BYTES, NAME_BYTES, REASON_BYTES, REVOCATIONS, STATEMENT_BYTES,
    STATEMENTS, VERSION_BYTES,
};
pub use set::{Inserted, Roster, StatementError};
pub use signer::{SignedBy, Signer};
pub use statement::{FORMAT_VERSION, SIGNATURE_CONTEXT, Statement};
pub use views::Revocation;

/// The two keys that every statement leads back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roots {
    /// The authority's, on the host where the mesh was made.
    pub authority: VerifyingKey,
    /// The recovery key, kept offline: it may all that the authority may.
    pub recovery: VerifyingKey,
}
