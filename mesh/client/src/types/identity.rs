use serde::{Deserialize, Serialize};

use super::{Member, Time, Transition, V1};

/// Everything that this host knows of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// The document's version.
    pub v: V1,
    /// How it fares.
    #[serde(flatten)]
    pub member: Member,
    /// Which of its starts is known of: later ones have higher numbers. Absent while none is.
    #[serde(default)]
    pub generation: Option<u64>,
    /// The latest changes of its state since this host's daemon started, the last one last.
    #[serde(default)]
    pub history: Vec<Transition>,
    /// Where it says that it is reached.
    pub addresses: Vec<String>,
    /// When it was admitted, by its issuer's clock.
    pub admitted: Option<Time>,
    /// When its certificate ends; absent while that isn't known.
    pub certificate_ends: Option<Time>,
    /// Whether it may issue certificates and tickets.
    pub issuer: bool,
    /// Why and when it was revoked, if it was.
    pub revoked: Option<Revocation>,
}

/// A node that is a member no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Its name.
    pub name: String,
    /// Its node id, in hexadecimal.
    pub id: String,
    /// Why.
    pub reason: String,
    /// When, by its issuer's clock.
    pub time: Time,
}

/// The mesh's keys and certificates, as this host knows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyStatus {
    /// The document's version.
    pub v: V1,
    /// The mesh's id.
    pub mesh: String,
    /// The fingerprint of the mesh's authority and recovery key: the same on all of its hosts.
    pub fingerprint: String,
    /// This host's certificate.
    pub certificate: CertificateStatus,
    /// The hosts that may issue certificates and tickets, by name.
    pub issuers: Vec<Issuer>,
    /// Whether the authority's key, which makes issuers, is on this host.
    pub authority_here: bool,
    /// Where the recovery key was left on this host, though it should be kept apart from all hosts.
    pub recovery_key: Option<String>,
    /// The nodes that are members no more, by name.
    pub revoked: Vec<Revocation>,
}

/// A host's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateStatus {
    /// From when on it is valid.
    pub begins: Time,
    /// Until when.
    pub ends: Time,
    /// From when on it is renewed.
    pub renewed_from: Time,
    /// Why the last attempt to renew it failed, if it did.
    pub problem: Option<String>,
}

/// A host that may issue certificates and tickets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuer {
    /// Its name.
    pub name: String,
    /// Its node id, in hexadecimal.
    pub id: String,
    /// Since when, by the clock of who granted it.
    pub since: Time,
    /// Whether it is the host that answers.
    #[serde(rename = "self")]
    pub is_self: bool,
}

/// A request: a host may issue certificates and tickets from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddIssuer {
    /// Its name or the beginning of its id.
    pub node: String,
    /// The recovery key's text, where the authority's key isn't on the host that is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_key: Option<String>,
}

/// A host may issue from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerAdded {
    /// The document's version.
    pub v: V1,
    /// Which host.
    pub issuer: Issuer,
}

/// A request: a host is a member no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeNode {
    /// Its name or the beginning of its id.
    pub node: String,
    /// Why, for people.
    #[serde(default)]
    pub reason: String,
    /// The recovery key's text, where the host that is asked isn't an issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_key: Option<String>,
}

/// A host is a member no more, as far as this host's word has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRevoked {
    /// The document's version.
    pub v: V1,
    /// Which, and why.
    pub revoked: Revocation,
}

/// This host has left the mesh; its daemon ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// The document's version.
    pub v: V1,
    /// Where its keys and its store were put aside.
    pub aside: String,
    /// How many other hosts know of it already.
    pub told: u64,
}
