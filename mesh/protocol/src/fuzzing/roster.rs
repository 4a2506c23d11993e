//! Statements of the roster.

use ed25519_dalek::{SigningKey, VerifyingKey};
use murmurate_crdt::id::{MeshId, NodeId};

use crate::roster::{Fact, Own, Roots, Roster, Signer, Statement};
use crate::summary::EMPTY;

pub(super) const MESH: MeshId = MeshId([0x4d; 16]);
/// Bytes of an input that make one statement.
const BYTES_PER_STATEMENT: usize = 4;
/// More statements find nothing that fewer don't, and each is signed and verified.
const STATEMENTS: usize = 24;

/// A statement: read as its own bytes, and refused by a roster unless it leads back to its roots.
pub fn statement(data: &[u8]) {
    let Ok(statement) = Statement::decode(data) else { return };
    assert_eq!(&statement.bytes()[..], data);
    assert_eq!(Statement::decode(statement.bytes().clone()).as_ref(), Ok(&statement));
    let mut roster = empty();
    let is_new = roster.insert(statement.clone()).is_ok_and(|inserted| inserted.is_new());
    assert_eq!(roster.statements().count(), usize::from(is_new));
    assert!(!roster.insert(statement).is_ok_and(|inserted| inserted.is_new()), "it is new twice");
}

/// Each four bytes are a statement: its kind, who signs, about whom, and when. Given in any order, and twice, they make one
/// roster.
pub fn roster(data: &[u8]) {
    let statements: Vec<Statement> =
        data.chunks_exact(BYTES_PER_STATEMENT).take(STATEMENTS).filter_map(signed).collect();
    let (mut one, mut other) = (empty(), empty());
    statements.iter().for_each(|statement| drop(one.insert(statement.clone())));
    statements.iter().rev().chain(&statements).for_each(|statement| drop(other.insert(statement.clone())));
    assert_eq!(one.hash(), other.hash(), "the order matters");
    assert_eq!(one.revoked_hash(), other.revoked_hash());
    let list = |roster: &Roster| roster.statements().cloned().collect::<Vec<_>>();
    assert_eq!(list(&one), list(&other));
    assert_eq!(one.members().collect::<Vec<_>>(), other.members().collect::<Vec<_>>());
    for node in one.members() {
        assert!(!one.is_revoked(node) && one.is_admitted(node) && one.key(node).is_some());
    }
    assert!(one.issuers().all(|(node, _)| !one.is_revoked(node)), "a revoked node issues");
    assert_eq!(one.after(EMPTY, &[]).count(), one.statements().count());
}

pub(super) fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

pub(super) fn node(number: u8) -> NodeId {
    NodeId::of_public_key(key(number).verifying_key().as_bytes())
}

pub(super) fn roots() -> Roots {
    Roots { authority: key(0xaa).verifying_key(), recovery: key(0xbb).verifying_key() }
}

pub(super) fn admission(number: u8) -> Statement {
    let fact = Fact::Admit { key: key(number).verifying_key(), name: format!("host-{number}"), issued_ms: 1 };
    Statement::new(MESH, Signer::Authority(&key(0xaa)), &fact).unwrap()
}

fn empty() -> Roster {
    Roster::new(MESH, roots())
}

fn issuer_key(number: u8) -> SigningKey {
    key(number ^ 0x40)
}

fn grant(number: u8, issued_ms: u64) -> Fact {
    Fact::Issuer { node: node(number), key: issuer_key(number).verifying_key(), certificate: vec![number], issued_ms }
}

/// A statement as four bytes choose it; `None` where the signer may not say it.
fn signed(bytes: &[u8]) -> Option<Statement> {
    let &[kind, signer, about, order] = bytes else { return None };
    let about = about % 5;
    let subject: VerifyingKey = key(about).verifying_key();
    let issued_ms = u64::from(order);
    let fact = match kind % 5 {
        0 => Fact::Admit { key: subject, name: format!("host-{order}"), issued_ms },
        1 => Fact::Renew { node: node(about), not_after_ms: issued_ms + 1, issued_ms },
        2 => Fact::Revoke { node: node(about), reason: String::new(), issued_ms },
        3 => grant(about, issued_ms),
        _ => Fact::Own(Own {
            key: subject,
            sequence: issued_ms,
            addresses: vec![format!("10.0.0.{about}:{order}")],
            issuer_key: issuer_key(about).verifying_key(),
            left: order % 2 == 1,
            version: String::new(),
        }),
    };
    let (authority, recovery) = (key(0xaa), key(0xbb));
    let issuer = signer / 4 % 5;
    let granted = Statement::new(MESH, Signer::Recovery(&recovery), &grant(issuer, 1)).unwrap();
    let (own, issuers) = (key(about), issuer_key(issuer));
    let signer = match signer % 4 {
        0 => Signer::Authority(&authority),
        1 => Signer::Recovery(&recovery),
        2 => Signer::Issuer { key: &issuers, grant: &granted },
        _ => Signer::Own(&own),
    };
    Statement::new(MESH, signer, &fact).ok()
}
