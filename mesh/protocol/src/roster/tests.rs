use ed25519_dalek::SigningKey;
use murmurate_crdt::id::{MeshId, NodeId};
use murmurate_crdt::wire::{DecodeError, Encoder};

use super::*;
use crate::summary::EMPTY;

const MESH: MeshId = MeshId([5; 16]);
const AUTHORITY: u8 = 0;
const RECOVERY: u8 = 1;
const ISSUER: u8 = 2;
const ISSUER_KEY: u8 = 3;
const MEMBER: u8 = 4;

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn node(member: u8) -> NodeId {
    NodeId::of_public_key(key(member).verifying_key().as_bytes())
}

fn roster() -> Roster {
    let [authority, recovery] = [AUTHORITY, RECOVERY].map(|number| key(number).verifying_key());
    Roster::new(MESH, Roots { authority, recovery })
}

fn state(fact: &Fact) -> Statement {
    Statement::new(MESH, Signer::Authority(&key(AUTHORITY)), fact).unwrap()
}

fn admit(member: u8, name: &str, issued_ms: u64) -> Fact {
    Fact::Admit { key: key(member).verifying_key(), name: name.to_owned(), issued_ms }
}

fn renew(member: u8, not_after_ms: u64, issued_ms: u64) -> Fact {
    Fact::Renew { node: node(member), not_after_ms, issued_ms }
}

fn revoke(member: u8, reason: &str) -> Fact {
    Fact::Revoke { node: node(member), reason: reason.to_owned(), issued_ms: 7 }
}

fn make_issuer() -> Fact {
    let key = key(ISSUER_KEY).verifying_key();
    Fact::Issuer { node: node(ISSUER), key, certificate: vec![1, 2, 3], issued_ms: 1 }
}

fn own(member: u8, sequence: u64) -> Own {
    Own {
        key: key(member).verifying_key(),
        sequence,
        addresses: vec![format!("host:{sequence}"), "[2001:db8::1]:7301".to_owned()],
        issuer_key: key(9).verifying_key(),
        left: false,
        version: "1.2.3".to_owned(),
    }
}

fn state_own(own: &Own, signer: u8) -> Result<Statement, DecodeError> {
    Statement::new(MESH, Signer::Own(&key(signer)), &Fact::Own(own.clone()))
}

/// A statement of any kind, signed by any key, as another build may make it.
fn raw(kind: u8, node: NodeId, order: u64, payload: &[u8], signer: &[u8], key: &SigningKey) -> Vec<u8> {
    let mut e = Encoder::new();
    e.u8(FORMAT_VERSION).raw(&MESH.0).u8(kind).raw(&node.0).varint(order).bytes(payload).raw(signer);
    statement::sign(key, e.finish())
}

#[test]
fn each_fact_is_read_back_and_shown() {
    let mut roster = roster();
    let grant = state(&make_issuer());
    let (issuer_key, recovery) = (key(ISSUER_KEY), key(RECOVERY));
    let issuer = Signer::Issuer { key: &issuer_key, grant: &grant };
    let rows = [
        (Signer::Recovery(&recovery), make_issuer(), SignedBy::Recovery),
        (issuer, admit(MEMBER, "db-1", 2), SignedBy::Issuer(node(ISSUER))),
        (issuer, renew(MEMBER, 99, 3), SignedBy::Issuer(node(ISSUER))),
        (Signer::Own(&key(MEMBER)), Fact::Own(own(MEMBER, 1)), SignedBy::Own(node(MEMBER))),
        (issuer, revoke(MEMBER, "the laptop is gone"), SignedBy::Issuer(node(ISSUER))),
    ];
    for (signer, fact, signed_by) in rows {
        let statement = Statement::new(MESH, signer, &fact).unwrap();
        assert_eq!(Statement::decode(statement.bytes().clone()), Ok(statement.clone()));
        assert_eq!((statement.fact(), statement.signed_by()), (Some(&fact), signed_by));
        assert!(roster.insert(statement.clone()).unwrap().is_new(), "{fact:?}");
        assert_eq!(roster.insert(statement), Ok(Inserted::default()), "{fact:?} is known");
    }
    let member = node(MEMBER);
    assert_eq!((roster.name(member), roster.key(member)), (Some("db-1"), Some(&key(MEMBER).verifying_key())));
    assert_eq!((roster.not_after_ms(member), roster.own(member)), (Some(99), Some(&own(MEMBER, 1))));
    assert_eq!((roster.version(member), roster.has_left(member)), (Some("1.2.3"), false));
    assert_eq!(roster.addresses(member), ["host:1", "[2001:db8::1]:7301"]);
    let revocation = roster.revocation(member).unwrap();
    assert_eq!((revocation.reason, revocation.issued_ms), ("the laptop is gone", 7));
    assert_eq!((roster.members().count(), roster.admitted().count()), (0, 1));
    assert_eq!(roster.revoked().collect::<Vec<_>>(), [member]);
    assert_eq!(roster.issuers().map(|(node, _)| node).collect::<Vec<_>>(), [node(ISSUER)]);
}

#[test]
fn who_may_not_say_something_cant() {
    let grant = state(&make_issuer());
    let (issuer_key, wrong_key) = (key(ISSUER_KEY), key(9));
    let issuer = Signer::Issuer { key: &issuer_key, grant: &grant };
    let admission = state(&admit(ISSUER, "a", 1));
    let own_of_member = Fact::Own(own(MEMBER, 1));
    let rows = [
        ("an issuer makes no issuers", issuer, make_issuer()),
        ("nor a node itself", Signer::Own(&key(ISSUER)), make_issuer()),
        ("nor does it admit itself", Signer::Own(&key(MEMBER)), admit(MEMBER, "a", 1)),
        ("nor revoke", Signer::Own(&key(MEMBER)), revoke(ISSUER, "")),
        ("the authority doesn't speak for a node", Signer::Authority(&key(AUTHORITY)), own_of_member.clone()),
        ("nor an issuer", issuer, own_of_member.clone()),
        ("nor another node", Signer::Own(&key(ISSUER)), own_of_member),
        ("not the key of the grant", Signer::Issuer { key: &wrong_key, grant: &grant }, admit(MEMBER, "a", 1)),
        ("not a grant", Signer::Issuer { key: &issuer_key, grant: &admission }, admit(MEMBER, "a", 1)),
    ];
    for (what, signer, fact) in rows {
        assert!(Statement::new(MESH, signer, &fact).is_err(), "{what}");
    }
}

#[test]
fn forged_statements_are_refused() {
    let forged_grant = Statement::new(MESH, Signer::Authority(&key(9)), &make_issuer()).unwrap();
    let issuer_key = key(ISSUER_KEY);
    let by_forged_grant = Signer::Issuer { key: &issuer_key, grant: &forged_grant };
    let foreign_mesh = MeshId([6; 16]);
    let foreign = Statement::new(foreign_mesh, Signer::Authority(&key(AUTHORITY)), &admit(MEMBER, "a", 1)).unwrap();
    let mut changed = state(&revoke(MEMBER, "stolen")).bytes().to_vec();
    let at = changed.len() - 66;
    changed[at] ^= 1;
    let rows = [
        (
            Statement::new(MESH, Signer::Authority(&key(9)), &admit(MEMBER, "a", 1)).unwrap(),
            StatementError::BadSignature,
        ),
        (
            Statement::new(MESH, Signer::Recovery(&key(AUTHORITY)), &admit(MEMBER, "a", 1)).unwrap(),
            StatementError::BadSignature,
        ),
        (Statement::new(MESH, by_forged_grant, &admit(MEMBER, "a", 1)).unwrap(), StatementError::BadSignature),
        (Statement::decode(changed).unwrap(), StatementError::BadSignature),
        (foreign, StatementError::OtherMesh(foreign_mesh)),
    ];
    let mut roster = roster();
    for (statement, error) in rows {
        assert_eq!(roster.insert(statement), Err(error));
    }
    assert_eq!((roster.hash(), roster.revoked_hash()), (EMPTY, EMPTY));
}

#[test]
fn of_each_kind_about_a_node_the_latest_counts_in_any_order() {
    let mut left = own(MEMBER, 3);
    left.left = true;
    let statements = [
        state(&admit(MEMBER, "old", 1)),
        state(&admit(MEMBER, "new", 2)),
        state(&renew(MEMBER, 500, 1)),
        state(&renew(MEMBER, 400, 2)),
        state_own(&own(MEMBER, 2), MEMBER).unwrap(),
        state_own(&left, MEMBER).unwrap(),
    ];
    let (mut one, mut other) = (roster(), roster());
    let mut dropped = 0;
    statements.iter().for_each(|statement| dropped += one.insert(statement.clone()).unwrap().dropped.len());
    assert_eq!(dropped, 3);
    for statement in statements.iter().rev() {
        assert!(other.insert(statement.clone()).unwrap().dropped.is_empty(), "nothing later comes");
    }
    assert!(one.statements().eq(other.statements()));
    assert_eq!(one.hash(), other.hash());
    let member = node(MEMBER);
    assert_eq!((one.name(member), one.not_after_ms(member), one.has_left(member)), (Some("new"), Some(400), true));
    assert_eq!(one.members().collect::<Vec<_>>(), [member], "who left is a member still");
}

#[test]
fn a_revocation_counts_whatever_else_is_stated_before_or_after() {
    let statements = [state(&revoke(MEMBER, "")), state(&admit(MEMBER, "a", 100)), state(&renew(MEMBER, 9, 100))];
    for turn in 0..3 {
        let mut roster = roster();
        for at in 0..3 {
            roster.insert(statements[(at + turn) % 3].clone()).unwrap();
        }
        assert!(roster.is_revoked(node(MEMBER)) && roster.members().count() == 0);
        assert_eq!(roster.key(node(MEMBER)), Some(&key(MEMBER).verifying_key()), "its old changes can be checked");
    }
    let mut roster = roster();
    roster.insert(state(&make_issuer())).unwrap();
    assert_eq!(roster.issuers().count(), 1);
    roster.insert(state(&revoke(ISSUER, ""))).unwrap();
    assert_eq!(roster.issuers().count(), 0);
}

#[test]
fn what_a_node_says_of_itself_waits_for_its_admission_within_a_limit() {
    let mut roster = roster();
    let words = |sequence| state_own(&own(MEMBER, sequence), MEMBER).unwrap();
    for sequence in [2, 1, 3] {
        assert_eq!(roster.insert(words(sequence)), Ok(Inserted::default()));
    }
    assert_eq!((roster.hash(), roster.own(node(MEMBER))), (EMPTY, None));
    let admission = state(&admit(MEMBER, "a", 1));
    let inserted = roster.insert(admission.clone()).unwrap();
    assert_eq!(inserted, Inserted { added: vec![admission, words(3)], dropped: Vec::new() });

    let many = u16::try_from(limits::EARLY).unwrap() + 10;
    let stranger = |number: u16| {
        let [low, high] = number.to_le_bytes();
        let mut seed = [77; 32];
        (seed[0], seed[1]) = (low, high);
        SigningKey::from_bytes(&seed)
    };
    for number in 0..many {
        let key = stranger(number);
        let words = Own { key: key.verifying_key(), ..own(MEMBER, 1) };
        roster.insert(Statement::new(MESH, Signer::Own(&key), &Fact::Own(words)).unwrap()).unwrap();
    }
    let mut came = 0;
    for number in 0..many {
        let fact = Fact::Admit { key: stranger(number).verifying_key(), name: "a".to_owned(), issued_ms: 1 };
        came += roster.insert(state(&fact)).unwrap().added.len() - 1;
    }
    assert_eq!(came, limits::EARLY);
}

#[test]
fn a_full_roster_takes_revocations_and_what_replaces_something() {
    let mut roster = roster();
    roster.insert(state(&admit(MEMBER, "a", 1))).unwrap();
    // As many as the limit allows, without signing each.
    for number in 1..limits::STATEMENTS {
        let mut hash = EMPTY;
        hash[..8].copy_from_slice(&number.to_be_bytes());
        roster.statements.insert(hash, state_nothing());
    }
    assert_eq!(roster.insert(state(&admit(ISSUER, "b", 1))), Err(StatementError::Full));
    assert_eq!(roster.insert(state(&renew(MEMBER, 1, 1))), Err(StatementError::Full));
    assert!(roster.insert(state(&admit(MEMBER, "b", 2))).unwrap().is_new());
    assert!(roster.insert(state(&revoke(ISSUER, ""))).unwrap().is_new());
}

fn state_nothing() -> Statement {
    static NOTHING: std::sync::LazyLock<Statement> = std::sync::LazyLock::new(|| state(&renew(MEMBER, 1, 1)));
    NOTHING.clone()
}

#[test]
fn texts_that_could_deceive_or_overflow_are_refused() {
    let bad = ["a\nb", "\u{1b}[2J"];
    let long = |limit| "x".repeat(limit + 1);
    for name in bad.into_iter().chain(["", &long(NAME_BYTES)]) {
        assert!(Statement::new(MESH, Signer::Authority(&key(AUTHORITY)), &admit(MEMBER, name, 1)).is_err(), "{name:?}");
    }
    for reason in bad.into_iter().chain([&long(REASON_BYTES)[..]]) {
        let fact = revoke(MEMBER, reason);
        assert!(Statement::new(MESH, Signer::Authority(&key(AUTHORITY)), &fact).is_err(), "{reason:?}");
    }
    for address in bad.into_iter().chain(["", &long(ADDRESS_BYTES)]) {
        let words = Own { addresses: vec![address.to_owned()], ..own(MEMBER, 1) };
        assert!(state_own(&words, MEMBER).is_err(), "{address:?}");
    }
    for version in bad.into_iter().chain([&long(VERSION_BYTES)[..]]) {
        assert!(state_own(&Own { version: version.to_owned(), ..own(MEMBER, 1) }, MEMBER).is_err(), "{version:?}");
    }
    let too_many = Own { addresses: vec!["host:1".to_owned(); ADDRESSES + 1], ..own(MEMBER, 1) };
    assert!(state_own(&too_many, MEMBER).is_err());
}

#[test]
fn the_largest_statements_are_within_the_limit() {
    let key_of_issuer = key(ISSUER_KEY);
    let Fact::Issuer { node, key: issuer_key, issued_ms, .. } = make_issuer() else { unreachable!() };
    let largest = Fact::Issuer { node, key: issuer_key, certificate: vec![7; CERTIFICATE_BYTES], issued_ms };
    let grant = state(&largest);
    let fact = revoke(MEMBER, &"x".repeat(REASON_BYTES));
    let by_issuer = Statement::new(MESH, Signer::Issuer { key: &key_of_issuer, grant: &grant }, &fact).unwrap();
    let addresses = vec!["x".repeat(ADDRESS_BYTES); ADDRESSES];
    let words = state_own(&Own { addresses, version: "x".repeat(VERSION_BYTES), ..own(MEMBER, u64::MAX) }, MEMBER);
    for bytes in [grant.bytes().len() * 2 - 100, by_issuer.bytes().len(), words.unwrap().bytes().len() * 3 / 2] {
        assert!(bytes < STATEMENT_BYTES, "{bytes}: leaves room for fields to come");
    }
    assert!(grant.bytes().len() < GRANT_BYTES);
}

#[test]
fn a_statement_of_a_kind_to_come_is_verified_kept_replaced_and_passed_on() {
    let kind = 77;
    let newer = |order, payload: &[u8]| {
        Statement::decode(raw(kind, node(MEMBER), order, payload, &[0], &key(AUTHORITY))).unwrap()
    };
    let mut roster = roster();
    assert_eq!(newer(1, b"whatever").fact(), None);
    assert!(roster.insert(newer(2, b"whatever")).unwrap().is_new());
    assert!(!roster.insert(newer(1, b"before")).unwrap().is_new());
    assert_eq!(roster.insert(newer(3, b"after")).unwrap().dropped, [newer(2, b"whatever").digest()]);
    assert!(roster.after(EMPTY, &[]).eq([&newer(3, b"after")]));
    assert_eq!((roster.after(EMPTY, &[node(MEMBER)]).count(), roster.after(EMPTY, &[node(ISSUER)]).count()), (1, 0));
    let forged = Statement::decode(raw(kind, node(MEMBER), 9, b"", &[0], &key(9))).unwrap();
    assert_eq!(roster.insert(forged), Err(StatementError::BadSignature));
    let of_itself = [&[3][..], key(MEMBER).verifying_key().as_bytes()].concat();
    let of_itself = Statement::decode(raw(kind + 1, node(MEMBER), 1, b"", &of_itself, &key(MEMBER))).unwrap();
    assert!(!roster.insert(of_itself.clone()).unwrap().is_new(), "it isn't admitted");
    assert_eq!(roster.insert(state(&admit(MEMBER, "a", 1))).unwrap().added.get(1), Some(&of_itself));
}

#[test]
fn statements_are_given_page_by_page_and_about_some_nodes_only() {
    let mut roster = roster();
    for fact in [admit(MEMBER, "a", 1), renew(MEMBER, 1, 1), revoke(MEMBER, ""), admit(ISSUER, "b", 1), make_issuer()] {
        roster.insert(state(&fact)).unwrap();
    }
    for (nodes, expected) in [(&[][..], 5), (&[node(MEMBER)], 3), (&[node(ISSUER), node(ISSUER)], 2), (&[node(9)], 0)] {
        let mut digests: Vec<_> = roster.after(EMPTY, nodes).map(Statement::digest).collect();
        assert!(digests.len() == expected && digests.is_sorted());
        while !digests.is_empty() {
            let after = digests.remove(0);
            assert!(roster.after(after, nodes).map(Statement::digest).eq(digests.iter().copied()));
        }
    }
}

#[test]
fn bad_layouts_are_refused() {
    let admission = |node: NodeId| {
        let payload = [&key(MEMBER).verifying_key().as_bytes()[..], &[1, b'a']].concat();
        Statement::decode(raw(1, node, 1, &payload, &[0], &key(AUTHORITY)))
    };
    assert!(admission(node(MEMBER)).is_ok());
    assert!(admission(node(ISSUER)).is_err(), "the id isn't the key's");
    let revoke = |signer: &[u8]| Statement::decode(raw(3, node(MEMBER), 1, &[0], signer, &key(AUTHORITY)));
    assert!(revoke(&[0]).is_ok() && revoke(&[1]).is_ok());
    assert!(revoke(&[0, 0]).is_err(), "bytes behind the signer");
    assert!(revoke(&[4]).is_err() && revoke(&[]).is_err() && revoke(&[2, 0]).is_err());
    let grant = state(&make_issuer());
    let nested = |grant: &[u8]| {
        let mut e = Encoder::new();
        e.u8(2).bytes(grant);
        Statement::decode(raw(3, node(MEMBER), 1, &[0], &e.finish(), &key(ISSUER_KEY)))
    };
    let by_issuer = nested(grant.bytes()).unwrap();
    assert!(nested(by_issuer.bytes()).is_err(), "what an issuer signed grants nothing");
    assert!(nested(state(&admit(MEMBER, "a", 1)).bytes()).is_err());
    assert!(Statement::decode(vec![1; STATEMENT_BYTES + 1]).is_err());
    let mut other_version = grant.bytes().to_vec();
    other_version[0] = 2;
    assert!(Statement::decode(other_version).is_err());
}
