//! What a roster says of the nodes.

use ed25519_dalek::VerifyingKey;
use murmurate_crdt::id::NodeId;

use super::fact::{Fact, Own, kind};
use super::set::Roster;
use super::signer::SignedBy;
use super::statement::Statement;

/// Why a node isn't a member any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation<'a> {
    /// Why, for people; may be empty.
    pub reason: &'a str,
    /// When it was signed, on the signer's clock: milliseconds since 1970 UTC.
    pub issued_ms: u64,
    /// Who signed it.
    pub signed_by: SignedBy,
}

impl Roster {
    fn latest(&self, node: NodeId, kind: u8) -> Option<&Statement> {
        self.statements.get(self.latest.get(&(node, kind))?)
    }

    /// The statement that admitted a node.
    #[must_use]
    pub fn admission(&self, node: NodeId) -> Option<&Statement> {
        self.latest(node, kind::ADMIT)
    }

    /// Whether a node was ever admitted.
    #[must_use]
    pub fn is_admitted(&self, node: NodeId) -> bool {
        self.latest.contains_key(&(node, kind::ADMIT))
    }

    /// The members, in the order of their ids: who was admitted and isn't revoked. Who left is still one.
    pub fn members(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.admitted().filter(|&node| !self.is_revoked(node))
    }

    /// All who were ever admitted, in the order of their ids.
    pub fn admitted(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.latest.keys().filter(|(_, kind)| *kind == kind::ADMIT).map(|(node, _)| *node)
    }

    /// The public key of a node that was ever admitted.
    #[must_use]
    pub fn key(&self, node: NodeId) -> Option<&VerifyingKey> {
        match self.admission(node)?.fact()? {
            Fact::Admit { key, .. } => Some(key),
            _ => None,
        }
    }

    /// What people call the host of a node that was ever admitted.
    #[must_use]
    pub fn name(&self, node: NodeId) -> Option<&str> {
        match self.admission(node)?.fact()? {
            Fact::Admit { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Whether a node is revoked.
    #[must_use]
    pub fn is_revoked(&self, node: NodeId) -> bool {
        self.revoked.contains(&node)
    }

    /// Why a node is revoked; `None` if it isn't.
    #[must_use]
    pub fn revocation(&self, node: NodeId) -> Option<Revocation<'_>> {
        let statement = self.latest(node, kind::REVOKE)?;
        match statement.fact()? {
            Fact::Revoke { reason, issued_ms, .. } => {
                Some(Revocation { reason, issued_ms: *issued_ms, signed_by: statement.signed_by() })
            }
            _ => None,
        }
    }

    /// The revoked nodes, in the order of their ids.
    pub fn revoked(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.revoked.iter().copied()
    }

    /// The nodes that may admit, renew and revoke, each with the statement that says so, in the order of their ids.
    pub fn issuers(&self) -> impl Iterator<Item = (NodeId, &Statement)> {
        let grants = self.latest.iter().filter(|((_, kind), _)| *kind == kind::ISSUER);
        let valid = grants.filter(|((node, _), _)| !self.is_revoked(*node));
        valid.filter_map(|((node, _), digest)| Some((*node, self.statements.get(digest)?)))
    }

    /// What a node said last of itself.
    #[must_use]
    pub fn own(&self, node: NodeId) -> Option<&Own> {
        match self.latest(node, kind::OWN)?.fact()? {
            Fact::Own(own) => Some(own),
            _ => None,
        }
    }

    /// Where a node says that it can be dialled.
    #[must_use]
    pub fn addresses(&self, node: NodeId) -> &[String] {
        self.own(node).map_or(&[], |own| &own.addresses)
    }

    /// Whether a node said that it left the mesh.
    #[must_use]
    pub fn has_left(&self, node: NodeId) -> bool {
        self.own(node).is_some_and(|own| own.left)
    }

    /// The version of a node's program.
    #[must_use]
    pub fn version(&self, node: NodeId) -> Option<&str> {
        self.own(node).map(|own| own.version.as_str())
    }

    /// Until when the certificate issued last to a node is valid.
    #[must_use]
    pub fn not_after_ms(&self, node: NodeId) -> Option<u64> {
        match self.latest(node, kind::RENEW)?.fact()? {
            Fact::Renew { not_after_ms, .. } => Some(*not_after_ms),
            _ => None,
        }
    }
}
