//! What chitchat holds, told as what changed since it was last looked at.

use std::collections::{BTreeMap, BTreeSet};

use chitchat::{Chitchat, NodeState};
use murmurate_crdt::id::NodeId;

use super::admission::Admission;
use super::incarnation::Incarnation;
use super::{Heard, Life};

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct View {
    told: BTreeMap<NodeId, Heard>,
}

impl View {
    /// What is to be told now that chitchat says this. Who was alive and isn't any more, or isn't there any more, is told
    /// to be silent; but not while chitchat has just begun, and knows too little.
    pub(super) fn changes(&mut self, said: Vec<Heard>, has_just_begun: bool) -> Vec<Heard> {
        let said: Vec<Heard> = said.into_iter().map(|heard| self.with_former(heard, has_just_begun)).collect();
        let mut changes = if has_just_begun { Vec::new() } else { self.lost(&said) };
        changes.extend(said.into_iter().filter(|heard| self.told.get(&heard.node) != Some(heard)));
        self.told.extend(changes.iter().map(|heard| (heard.node, heard.clone())));
        changes
    }

    /// What is said of a member, with what was known of its life before.
    fn with_former(&self, mut heard: Heard, has_just_begun: bool) -> Heard {
        let former = self.told.get(&heard.node).filter(|former| former.generation == heard.generation);
        heard.life = match (heard.life, former.map(|former| former.life)) {
            (Life::Unknown, Some(Life::Live)) if has_just_begun => Life::Live,
            (Life::Unknown, Some(Life::Live | Life::Silent)) => Life::Silent,
            (life, _) => life,
        };
        heard
    }

    fn lost(&self, said: &[Heard]) -> Vec<Heard> {
        let present: BTreeSet<NodeId> = said.iter().map(|heard| heard.node).collect();
        let lost = self.told.values().filter(|told| told.life == Life::Live && !present.contains(&told.node));
        lost.map(|told| Heard { life: Life::Silent, ..told.clone() }).collect()
    }
}

/// The incarnations that chitchat holds.
pub(super) fn held(chitchat: &Chitchat) -> BTreeSet<Incarnation> {
    chitchat.node_states().keys().filter_map(Incarnation::of_chitchat_id).collect()
}

/// What chitchat says of the other members.
pub(super) fn heard(chitchat: &Chitchat, own: NodeId, admission: &Admission) -> Vec<Heard> {
    let live: BTreeSet<_> = chitchat.live_nodes().collect();
    let of = |state: &NodeState| {
        let incarnation = Incarnation::of_chitchat_id(state.chitchat_id())?;
        let node = admission.member(incarnation).filter(|node| *node != own)?;
        let keys = state.key_values().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let life = if live.contains(state.chitchat_id()) { Life::Live } else { Life::Unknown };
        Some(Heard { node, generation: incarnation.host_generation(), life, keys })
    };
    chitchat.node_states().values().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(generation: u64, life: Life) -> Heard {
        Heard { node: NodeId([1; 32]), generation, life, keys: BTreeMap::new() }
    }

    #[test]
    fn only_changes_are_told_and_silence_only_of_who_was_heard() {
        let mut view = View::default();
        let mut told = |said: &[Heard], has_just_begun| view.changes(said.to_vec(), has_just_begun);
        let (unknown, live, silent) = (heard(1, Life::Unknown), heard(1, Life::Live), heard(1, Life::Silent));
        let (unknown, live, silent) = ([unknown], [live], [silent]);
        assert_eq!(told(&unknown, true), unknown);
        assert_eq!(told(&unknown, false), []);
        assert_eq!(told(&live, false), live);
        assert_eq!(told(&live, false), []);
        assert_eq!(told(&unknown, false), silent);
        assert_eq!(told(&live, false), live);
        // chitchat was started anew.
        assert_eq!(told(&[], true), []);
        assert_eq!(told(&unknown, true), []);
        assert_eq!(told(&[], false), silent);
        assert_eq!(told(&[], false), []);
        // Another life of the host's.
        assert_eq!(told(&[heard(2, Life::Unknown)], false), [heard(2, Life::Unknown)]);
    }
}
