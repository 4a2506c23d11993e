//! Items that were announced and haven't come.

use std::collections::BTreeMap;
use std::time::Duration;

use murmurate_crdt::id::NodeId;

use crate::engine::Filled;
use crate::limits::{ANNOUNCERS, GRAFT_AFTER, GRAFT_NEXT_AFTER, MISSING_ITEMS};
use crate::message::ItemId;

#[derive(Debug)]
struct Announced {
    by: Vec<NodeId>,
    graft_at: Duration,
}

/// Items by name.
#[derive(Debug, Default)]
pub(super) struct Missing {
    items: BTreeMap<ItemId, Announced>,
    /// No graft is due before.
    wakes: Option<Duration>,
}

impl Missing {
    /// Waits for an item, if there is room.
    pub(super) fn announced(&mut self, id: ItemId, by: NodeId, now: Duration) -> bool {
        if self.items.len() >= MISSING_ITEMS && !self.items.contains_key(&id) {
            return false;
        }
        let graft_at = now + GRAFT_AFTER;
        self.wakes = self.wakes.or(Some(graft_at));
        let announced = self.items.entry(id).or_insert_with(|| Announced { by: Vec::new(), graft_at });
        if announced.by.len() < ANNOUNCERS && !announced.by.contains(&by) {
            announced.by.push(by);
        }
        true
    }

    pub(super) fn remove(&mut self, id: &ItemId) {
        self.items.remove(id);
    }

    pub(super) fn filled(&self) -> Filled {
        Filled { held: self.items.len(), limit: MISSING_ITEMS }
    }

    pub(super) fn wakes(&self) -> Option<Duration> {
        self.wakes
    }

    /// Whom to ask for what now. An item that nobody else can be asked for is forgotten.
    pub(super) fn due(&mut self, now: Duration, is_linked: impl Fn(NodeId) -> bool) -> BTreeMap<NodeId, Vec<ItemId>> {
        let mut grafts: BTreeMap<NodeId, Vec<ItemId>> = BTreeMap::new();
        if self.wakes.is_none_or(|at| at > now) {
            return grafts;
        }
        self.items.retain(|id, announced| {
            if announced.graft_at > now {
                return true;
            }
            announced.by.retain(|&peer| is_linked(peer));
            if announced.by.is_empty() {
                return false;
            }
            grafts.entry(announced.by.remove(0)).or_default().push(*id);
            announced.graft_at = now + GRAFT_NEXT_AFTER;
            true
        });
        self.wakes = self.items.values().map(|announced| announced.graft_at).min();
        grafts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_announced_an_item_is_asked_in_turn_until_it_comes_or_all_were() {
        let (a, b, c) = (NodeId([1; 32]), NodeId([2; 32]), NodeId([3; 32]));
        let (id, ms) = ([7; 16], Duration::from_millis);
        let mut missing = Missing::default();
        for peer in [a, b, c, b] {
            missing.announced(id, peer, ms(0));
        }
        let asked = |missing: &mut Missing, at| missing.due(ms(at), |peer| peer != b).into_keys().collect::<Vec<_>>();
        assert!(asked(&mut missing, 99).is_empty() && missing.wakes() == Some(ms(100)));
        assert_eq!(asked(&mut missing, 100), [a]);
        assert_eq!(asked(&mut missing, 600), [c], "who has no link any more isn't asked");
        assert!(asked(&mut missing, 1_100).is_empty() && missing.wakes().is_none());
        missing.announced(id, a, ms(2_000));
        missing.remove(&id);
        assert!(asked(&mut missing, 9_000).is_empty());
    }
}
