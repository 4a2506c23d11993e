//! Why a handshake was refused, in words that say what to do about it; and the log of it, rate limited.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use murmurate_crdt::id::{MeshId, NodeId};
use quinn::ConnectionError;

use crate::limits;

/// Why no connection came about with someone who answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefuseReason {
    /// The peer showed no certificate.
    NoCertificate,
    /// The certificate is one of another mesh.
    AnotherMesh {
        /// The mesh it names.
        theirs: MeshId,
    },
    /// The certificate names this mesh, but neither its authority nor its recovery key vouches for it.
    ForeignAuthority,
    /// The certificate was signed by a node that isn't an issuer.
    NotAnIssuer {
        /// Which.
        node: NodeId,
    },
    /// The issuer's certificate isn't valid now: it expired, or isn't valid yet.
    IssuerNotValid {
        /// The issuer.
        issuer: NodeId,
        /// From when on it is, in milliseconds since 1970 UTC.
        from_ms: u64,
        /// Until when.
        until_ms: u64,
        /// What this host takes for the time.
        now_ms: u64,
    },
    /// The membership of the node that issued the certificate was revoked, and with it all that it issued.
    IssuerRevoked {
        /// The issuer.
        issuer: NodeId,
    },
    /// The certificate has expired.
    Expired {
        /// When, in milliseconds since 1970 UTC.
        since_ms: u64,
    },
    /// The certificate isn't valid yet: one of the clocks is wrong.
    NotYetValid {
        /// From when on, in milliseconds since 1970 UTC.
        until_ms: u64,
        /// What this host takes for the time.
        now_ms: u64,
    },
    /// The node id that the certificate names isn't that of its key.
    NodeIdMismatch,
    /// The certificate isn't one that a mesh's authority makes.
    BadCertificate(String),
    /// The node's membership was revoked.
    Revoked {
        /// Whose.
        node: NodeId,
    },
    /// The peer holds this node's own identity, and it is another process.
    OwnIdentity,
    /// A peer says that another process with this node's identity is connected to it.
    OwnIdentityElsewhere,
    /// Another process with the same identity as the peer is connected already, and alive.
    IdentityInUse {
        /// Whose identity.
        node: NodeId,
    },
    /// The peer refused this node.
    RefusedByPeer(PeerRefusal),
    /// What answered doesn't speak the protocol.
    Protocol(String),
}

impl RefuseReason {
    /// A word per kind, to count and to rate limit by.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::NoCertificate => "no certificate",
            Self::AnotherMesh { .. } => "another mesh",
            Self::ForeignAuthority => "foreign authority",
            Self::NotAnIssuer { .. } => "not an issuer",
            Self::IssuerNotValid { .. } => "issuer not valid",
            Self::IssuerRevoked { .. } => "issuer revoked",
            Self::Expired { .. } => "expired",
            Self::NotYetValid { .. } => "not yet valid",
            Self::NodeIdMismatch => "node id mismatch",
            Self::BadCertificate(_) => "bad certificate",
            Self::Revoked { .. } => "revoked",
            Self::OwnIdentity => "own identity",
            Self::OwnIdentityElsewhere => "own identity elsewhere",
            Self::IdentityInUse { .. } => "identity in use",
            Self::RefusedByPeer(_) => "refused by peer",
            Self::Protocol(_) => "protocol",
        }
    }
}

/// A moment for people.
pub(crate) fn date(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map_or_else(|| format!("{ms} ms after 1970"), |timestamp| timestamp.to_string())
}

impl fmt::Display for RefuseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => f.write_str("the peer showed no certificate"),
            Self::AnotherMesh { theirs } => write!(f, "the peer's certificate is of another mesh, {theirs}"),
            Self::ForeignAuthority => f.write_str("the peer's certificate isn't signed by this mesh's authority"),
            Self::NotAnIssuer { node } => {
                write!(
                    f,
                    "the peer's certificate was signed by node {node}, which this mesh's authority made no issuer"
                )
            }
            Self::IssuerNotValid { issuer, from_ms, until_ms, now_ms } => write!(
                f,
                "the peer's certificate was issued by node {issuer}, whose right to do so holds from {} to {}, and this host \
                 takes it for {}: check the clock, or grant it again",
                date(*from_ms),
                date(*until_ms),
                date(*now_ms)
            ),
            Self::IssuerRevoked { issuer } => write!(
                f,
                "the peer's certificate was issued by node {issuer}, whose membership is revoked: it has to be renewed at \
                 another issuer"
            ),
            Self::Expired { since_ms } => {
                write!(f, "the peer's certificate expired at {}: renew it, or check this host's clock", date(*since_ms))
            }
            Self::NotYetValid { until_ms, now_ms } => write!(
                f,
                "the peer's certificate is not yet valid, check the clock: valid from {}, and this host takes it for {}",
                date(*until_ms),
                date(*now_ms)
            ),
            Self::NodeIdMismatch => f.write_str("the peer's certificate names a node id that isn't its key's"),
            Self::BadCertificate(why) => write!(f, "the peer's certificate is unusable: {why}"),
            Self::Revoked { node } => write!(f, "the membership of node {node} is revoked"),
            Self::OwnIdentity => f.write_str(
                "another process holds this node's own identity (a copied data directory?); give one of them a new one",
            ),
            Self::OwnIdentityElsewhere => f.write_str(
                "the peer is connected to another process with this node's identity (a copied data directory?); \
                 give one of them a new one",
            ),
            Self::IdentityInUse { node } => write!(
                f,
                "another process with the identity of node {node} is connected and alive (a copied data directory?)"
            ),
            Self::RefusedByPeer(refusal) => refusal.fmt(f),
            Self::Protocol(why) => write!(f, "the handshake failed: {why}"),
        }
    }
}

/// A TLS alert by which the other side refused this one (RFC 8446, section 6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerRefusal {
    /// The alert's number.
    pub alert: u8,
}

/// The QUIC error codes that carry TLS alerts begin here (RFC 9001, section 4.8).
const CRYPTO_ERROR: u64 = 0x100;
/// `certificate_required`.
const CERTIFICATE_REQUIRED: u8 = 116;

fn alert(code: quinn::TransportErrorCode) -> Option<u8> {
    u64::from(code).checked_sub(CRYPTO_ERROR).and_then(|alert| u8::try_from(alert).ok())
}

/// `certificate_revoked`.
const CERTIFICATE_REVOKED: u8 = 44;
/// `certificate_expired`.
const CERTIFICATE_EXPIRED: u8 = 45;

impl PeerRefusal {
    /// Whether another certificate may help: this one has expired there, or it or its issuer was revoked.
    #[must_use]
    pub fn asks_for_renewal(&self) -> bool {
        matches!(self.alert, CERTIFICATE_REVOKED | CERTIFICATE_EXPIRED)
    }

    /// The refusal that an error carries, if it does.
    pub(crate) fn of_error(error: &ConnectionError) -> Option<Self> {
        match error {
            ConnectionError::ConnectionClosed(close) => alert(close.error_code).map(|alert| Self { alert }),
            _ => None,
        }
    }
}

impl fmt::Display for PeerRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.alert {
            42 => "it is malformed, or names a node id that isn't its key's",
            44 => "this node's membership is revoked",
            45 => "it has expired or isn't valid yet; check the clocks of both hosts, then renew it",
            46 => "it has no use for it",
            48 => "it isn't signed by the authority of the peer's mesh",
            49 => "it is of another mesh than the peer's",
            51 => "this node doesn't hold its key",
            CERTIFICATE_REQUIRED => "there was none",
            120 => return f.write_str("the peer doesn't speak this version of the protocol"),
            alert => return write!(f, "the peer refused the handshake: TLS alert {alert}"),
        };
        write!(f, "the peer refused our certificate: {why}")
    }
}

/// The reason in a failed handshake; `noted` is what this side's certificate check wrote down. `None` where nobody
/// answered, or both sides only crossed each other.
pub(crate) fn reason_of(error: &ConnectionError, noted: Option<RefuseReason>) -> Option<RefuseReason> {
    if let Some(noted) = noted {
        return Some(noted);
    }
    if let Some(refusal) = PeerRefusal::of_error(error) {
        return Some(RefuseReason::RefusedByPeer(refusal));
    }
    match error {
        ConnectionError::TransportError(error) if alert(error.code) == Some(CERTIFICATE_REQUIRED) => {
            Some(RefuseReason::NoCertificate)
        }
        ConnectionError::TransportError(error) => Some(RefuseReason::Protocol(error.to_string())),
        ConnectionError::VersionMismatch => {
            Some(RefuseReason::Protocol("no common version of QUIC; is another service on this port?".to_owned()))
        }
        _ => None,
    }
}

/// Remembers which refusals were named lately.
#[derive(Debug, Default)]
pub(crate) struct RefusalLog {
    named: Mutex<BTreeMap<(IpAddr, &'static str), Duration>>,
}

impl RefusalLog {
    /// Whether to name this refusal now: the first of its kind from its host, and then every
    /// [`limits::REFUSAL_LOG_INTERVAL`].
    pub(crate) fn is_due(&self, now: Duration, address: SocketAddr, kind: &'static str) -> bool {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (address.ip(), kind);
        let is_recent = |at: &Duration| now.saturating_sub(*at) < limits::REFUSAL_LOG_INTERVAL;
        if named.get(&key).is_some_and(is_recent) {
            return false;
        }
        if named.len() >= limits::REFUSALS_REMEMBERED {
            named.retain(|_, at| is_recent(at));
        }
        // Full of recent ones: someone floods from many addresses, and one more line would tell nothing new.
        if named.len() >= limits::REFUSALS_REMEMBERED {
            return false;
        }
        named.insert(key, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_refusal_is_named_once_in_a_while_and_another_at_once() {
        let log = RefusalLog::default();
        let address = |last| SocketAddr::from(([10, 0, 0, last], 1));
        let at = Duration::from_secs;
        assert!(log.is_due(at(1), address(1), RefuseReason::NoCertificate.kind()));
        assert!(!log.is_due(at(2), address(1), RefuseReason::NoCertificate.kind()));
        assert!(log.is_due(at(2), address(1), RefuseReason::ForeignAuthority.kind()));
        assert!(log.is_due(at(2), address(2), RefuseReason::NoCertificate.kind()));
        assert!(log.is_due(at(11), address(1), RefuseReason::NoCertificate.kind()));
    }

    #[test]
    fn a_flood_from_many_hosts_takes_bounded_memory() {
        let log = RefusalLog::default();
        for host in 0..10_000_u32 {
            let address = SocketAddr::from((host.to_be_bytes(), 1));
            log.is_due(Duration::from_secs(1), address, RefuseReason::NoCertificate.kind());
        }
        assert!(log.named.lock().unwrap().len() <= limits::REFUSALS_REMEMBERED);
        assert!(log.is_due(Duration::from_secs(60), SocketAddr::from(([1; 4], 1)), RefuseReason::NoCertificate.kind()));
    }

    #[test]
    fn a_wrong_clock_is_named_with_both_times() {
        let text = RefuseReason::NotYetValid { until_ms: 1_700_000_000_000, now_ms: 0 }.to_string();
        assert!(text.contains("not yet valid, check the clock"), "{text}");
        assert!(text.contains("2023-11-14T22:13:20Z") && text.contains("1970-01-01T00:00:00Z"), "{text}");
    }
}
