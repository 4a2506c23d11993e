//! Hosts that were given the same statements hold the same roster, whatever the order, duplicates and detours.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use murmurate_crdt::id::NodeId;
use murmurate_protocol::{Fact, Roster, SignedBy, Signer, Statement};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::common;

const NODES: u8 = 4;

/// Statements of all kinds about a few nodes, some of them issuers; signed once.
static STATEMENTS: LazyLock<Vec<Statement>> = LazyLock::new(|| {
    let mut statements = Vec::new();
    for number in 0..NODES {
        let node = common::node(number);
        for time in 0..3 {
            let key = common::key(number).verifying_key();
            let admit = Fact::Admit { key, name: format!("name-{time}"), issued_ms: time };
            let renew = Fact::Renew { node, not_after_ms: 9 - time, issued_ms: time };
            let revoke = Fact::Revoke { node, reason: format!("reason {time}"), issued_ms: time };
            statements.extend([&admit, &renew].map(common::state));
            statements.extend([&admit, &renew, &revoke].map(|fact| common::issue(0, fact)));
            statements.push(common::own(number, time, time == 2));
        }
        let recovery = common::recovery();
        statements.push(Statement::new(common::MESH, Signer::Recovery(&recovery), &common::revoke(number)).unwrap());
        statements.push(common::grant(number));
    }
    statements
});

fn picks() -> impl Strategy<Value = Vec<usize>> {
    vec(0..STATEMENTS.len(), 0..40)
}

fn roster(picks: &[usize]) -> Roster {
    let mut roster = Roster::new(common::MESH, common::roots());
    picks.iter().for_each(|&pick| drop(roster.insert(STATEMENTS[pick].clone()).unwrap()));
    roster
}

/// All that a roster shows.
fn view(roster: &Roster) -> Vec<impl PartialEq + std::fmt::Debug + use<>> {
    let nodes = (0..NODES).map(common::node);
    let issuers: BTreeSet<NodeId> = roster.issuers().map(|(node, _)| node).collect();
    let members: BTreeSet<NodeId> = roster.members().collect();
    nodes
        .map(|node| {
            let revocation = roster.revocation(node).map(|revocation| revocation.reason.to_owned());
            let own = (roster.addresses(node).to_vec(), roster.has_left(node), roster.version(node).map(str::to_owned));
            let name = roster.name(node).map(str::to_owned);
            let standing = (members.contains(&node), issuers.contains(&node), roster.is_revoked(node));
            (name, roster.key(node).copied(), roster.not_after_ms(node), revocation, own, standing)
        })
        .collect()
}

/// What must be in a roster, by the definition: of each kind about each node the latest, and what a node says of itself
/// only if it is admitted.
fn expected(picks: &[usize]) -> BTreeSet<[u8; 32]> {
    let given: Vec<&Statement> = picks.iter().map(|&pick| &STATEMENTS[pick]).collect();
    let order = |statement: &Statement| match statement.fact().unwrap() {
        Fact::Admit { issued_ms, .. } => (0, *issued_ms),
        Fact::Renew { issued_ms, .. } => (1, *issued_ms),
        Fact::Revoke { issued_ms, .. } => (2, *issued_ms),
        Fact::Issuer { issued_ms, .. } => (3, *issued_ms),
        Fact::Own(own) => (4, own.sequence),
    };
    let admitted: BTreeSet<NodeId> =
        given.iter().filter(|given| order(given).0 == 0).map(|given| given.node()).collect();
    let mut latest = BTreeMap::new();
    for statement in given {
        let is_own = matches!(statement.signed_by(), SignedBy::Own(_));
        if is_own && !admitted.contains(&statement.node()) {
            continue;
        }
        let (kind, order) = order(statement);
        let rank = (order, statement.digest());
        let former = latest.entry((statement.node(), kind)).or_insert(rank);
        *former = rank.max(*former);
    }
    latest.into_values().map(|(_, digest)| digest).collect()
}

fn digests(roster: &Roster) -> BTreeSet<[u8; 32]> {
    roster.statements().map(Statement::digest).collect()
}

/// Gives `to` all that `from` holds.
fn give(from: &Roster, to: &mut Roster) {
    from.statements().for_each(|statement| drop(to.insert(statement.clone()).unwrap()));
}

proptest! {
    #[test]
    fn any_order_and_duplicates_make_the_same_roster(
        (one, other) in picks().prop_flat_map(|picks| {
            let doubled = [&picks[..], &picks[..]].concat();
            (Just(picks), Just(doubled).prop_shuffle())
        })
    ) {
        let expected = expected(&one);
        let (one, other) = (roster(&one), roster(&other));
        prop_assert_eq!(digests(&one), expected);
        prop_assert!(one.statements().eq(other.statements()));
        prop_assert_eq!((one.hash(), one.revoked_hash()), (other.hash(), other.revoked_hash()));
        prop_assert_eq!(view(&one), view(&other));
    }

    #[test]
    fn hosts_with_different_parts_end_up_with_the_same_once_they_gave_each_other_theirs(a in picks(), b in picks()) {
        let (mut one, mut other) = (roster(&a), roster(&b));
        // The second time brings what waited for an admission that the other side held.
        for _ in 0..2 {
            give(&one, &mut other);
            give(&other, &mut one);
        }
        let whole = [a, b].concat();
        prop_assert_eq!(digests(&one), expected(&whole));
        prop_assert_eq!(one.hash(), other.hash());
        prop_assert_eq!(view(&one), view(&roster(&whole)));
    }

    #[test]
    fn hashes_are_equal_exactly_when_the_statements_are(a in picks(), b in picks()) {
        let (one, other) = (roster(&a), roster(&b));
        prop_assert_eq!(one.hash() == other.hash(), digests(&one) == digests(&other));
        let revoked = |roster: &Roster| roster.revoked().collect::<Vec<_>>();
        prop_assert_eq!(one.revoked_hash() == other.revoked_hash(), revoked(&one) == revoked(&other));
    }

    #[test]
    fn a_revoked_node_is_no_member_whatever_comes_after(a in picks(), b in picks()) {
        let mut roster = roster(&a);
        let revoked: BTreeSet<NodeId> = roster.revoked().collect();
        b.iter().for_each(|&pick| drop(roster.insert(STATEMENTS[pick].clone()).unwrap()));
        prop_assert!(revoked.iter().all(|&node| roster.is_revoked(node)));
        prop_assert!(roster.members().all(|node| !revoked.contains(&node)));
        prop_assert!(roster.issuers().all(|(node, _)| !revoked.contains(&node)));
    }
}
