//! A stolen node: what a member takes of it after it learnt of the revocation, another member held before that one learnt;
//! nothing written after all knew is in; nothing that a member held is lost; and all rosters are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use murmurate_crdt::clock::Dot;
use murmurate_crdt::id::DocumentId;

use crate::common;
use crate::sim::world::World;

type Name = (DocumentId, Dot);

/// What an observer who sees everything knows of the thief's changes.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) is_revoked: bool,
    pub(crate) all_know_since: Option<Duration>,
    /// What each member took while it didn't know.
    taken: BTreeMap<u8, BTreeSet<Name>>,
    /// What a member that knows now took while it didn't.
    history: BTreeSet<Name>,
}

impl Watch {
    pub(crate) fn takes(&mut self, host: u8, knew: bool, changes: impl Iterator<Item = Name>) {
        for change in changes {
            if knew {
                assert!(self.history.contains(&change), "host {host} knew, and took {} {}", change.0, change.1);
            } else {
                self.taken.entry(host).or_default().insert(change);
            }
        }
    }

    pub(crate) fn learns(&mut self, host: u8) {
        self.history.append(&mut self.taken.remove(&host).unwrap_or_default());
    }
}

pub(crate) fn check(world: &World) {
    let members = || world.hosts.iter().filter(|host| !world.scenario.is_thief(host.number));
    let rosters: BTreeSet<_> =
        members().filter_map(|host| host.engine.as_ref()).map(|engine| engine.roster().hash()).collect();
    assert_eq!(rosters.len(), 1, "the members' rosters differ");
    let Some(theft) = world.scenario.theft else { return };
    let thief = common::node(theft.thief);
    assert!(members().all(|host| host.engine.as_ref().is_some_and(|engine| engine.roster().is_revoked(thief))));
    let all_know_since = world.revocation.all_know_since.expect("all know in the end");
    for ((document, dot), written) in world.history.iter().filter(|(_, written)| written.author == theft.thief) {
        let holders = members().filter(|host| host.disk.get(document, *dot).is_some()).count();
        assert!(holders == 0 || holders == members().count(), "{document} {dot}: held by {holders} members");
        assert!(holders == 0 || written.at <= all_know_since, "{document} {dot} was written after all knew");
    }
}
