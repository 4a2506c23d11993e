//! Of whom gossip may tell: members of the roster, in their latest incarnation, as many as a digest has room for.

use std::collections::{BTreeMap, BTreeSet};

use murmurate_crdt::id::NodeId;

use super::incarnation::{Incarnation, ShortId};
use super::message::{Message, Part};
use crate::limits;

/// Decides what of a message is let in and out.
#[derive(Debug)]
pub(super) struct Admission {
    own: NodeId,
    own_generation: u64,
    members: BTreeMap<ShortId, NodeId>,
    /// Members whose ids begin like another's.
    alike: Vec<NodeId>,
    /// Incarnations that chitchat holds.
    held: BTreeSet<Incarnation>,
    highest: BTreeMap<ShortId, u64>,
    /// How many incarnations found no room.
    refused: u64,
}

impl Admission {
    pub(super) fn new(own: NodeId) -> Self {
        let mut admission = Self {
            own,
            own_generation: 0,
            members: BTreeMap::new(),
            alike: Vec::new(),
            held: BTreeSet::new(),
            highest: BTreeMap::new(),
            refused: 0,
        };
        admission.set_members(&BTreeSet::new());
        admission
    }

    /// Replaces who belongs to the mesh. Of two whose ids begin alike the lower one is heard of.
    pub(super) fn set_members(&mut self, members: &BTreeSet<NodeId>) {
        self.members = BTreeMap::from([(ShortId::of(&self.own), self.own)]);
        self.alike.clear();
        for node in members {
            let known = self.members.entry(ShortId::of(node)).or_insert(*node);
            if known != node {
                self.alike.push(*node);
            }
        }
        let members = &self.members;
        self.highest.retain(|id, _| members.contains_key(id));
    }

    /// chitchat begins anew as this incarnation, and knows nobody else.
    pub(super) fn begin(&mut self, own: Incarnation) {
        self.own_generation = own.generation;
        self.held = BTreeSet::from([own]);
    }

    /// Takes over whom chitchat holds.
    pub(super) fn set_held(&mut self, held: BTreeSet<Incarnation>) {
        self.held = held;
    }

    /// The member with this incarnation, if it is its latest.
    pub(super) fn member(&self, of: Incarnation) -> Option<NodeId> {
        let node = self.members.get(&of.id)?;
        self.counts(of).then_some(*node)
    }

    /// How many incarnations chitchat holds.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    pub(super) fn alike(&self) -> &[NodeId] {
        &self.alike
    }

    fn is_own(&self, of: Incarnation) -> bool {
        of.id == ShortId::of(&self.own)
    }

    /// Whether this is a member's latest incarnation, as far as is known.
    fn counts(&self, of: Incarnation) -> bool {
        if self.is_own(of) {
            return of.generation == self.own_generation;
        }
        self.members.contains_key(&of.id) && self.highest.get(&of.id).is_none_or(|highest| *highest <= of.generation)
    }

    /// Whether chitchat may hold it, too.
    fn takes(&mut self, of: Incarnation) -> bool {
        if !self.counts(of) {
            return false;
        }
        if self.held.contains(&of) {
            return true;
        }
        let of_node = Incarnation { id: of.id, generation: 0 }..=Incarnation { id: of.id, generation: u64::MAX };
        let has_room = self.held.len() < limits::GOSSIP_NODES;
        if !has_room || self.held.range(of_node).count() >= limits::GOSSIP_INCARNATIONS {
            self.refused += 1;
            return false;
        }
        self.held.insert(of);
        self.highest.insert(of.id, of.generation);
        true
    }

    /// Strikes out of a peer's message what isn't let in. What it tells of this host itself isn't either.
    pub(super) fn let_in(&mut self, message: &mut Message) {
        message.retain(|of, part| (part == Part::Digest || !self.is_own(of)) && self.takes(of));
    }

    /// Strikes out of an own message what others would strike out: chitchat goes on telling of the dead for a while.
    pub(super) fn let_out(&self, message: &mut Message) {
        message.retain(|of, _| self.counts(of));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gossip::message::{Change, Known};

    fn node(number: u16) -> NodeId {
        let mut id = [0; 32];
        id[..2].copy_from_slice(&number.to_be_bytes());
        NodeId(id)
    }

    fn incarnation(number: u16, generation: u64) -> Incarnation {
        Incarnation::new(&node(number), generation, 0)
    }

    fn told(of: &[Incarnation]) -> Message {
        let known = |of: &Incarnation| Known { of: *of, heartbeat: 1, version: 1 };
        let change = |of: &Incarnation| Change { of: *of, from: 0, entries: Vec::new(), version: Some(1) };
        Message::SynAck { digest: of.iter().map(known).collect(), delta: of.iter().map(change).collect() }
    }

    fn parts(message: &Message) -> (Vec<Incarnation>, Vec<Incarnation>) {
        let Message::SynAck { digest, delta } = message else { panic!("{message:?}") };
        (digest.iter().map(|known| known.of).collect(), delta.iter().map(|change| change.of).collect())
    }

    /// Of node 0, in a mesh of so many.
    fn admission(members: u16) -> Admission {
        let mut admission = Admission::new(node(0));
        admission.set_members(&(0..members).map(node).collect());
        admission.begin(incarnation(0, 5));
        admission
    }

    fn let_in(admission: &mut Admission, of: &[Incarnation]) -> (Vec<Incarnation>, Vec<Incarnation>) {
        let mut message = told(of);
        admission.let_in(&mut message);
        parts(&message)
    }

    #[test]
    fn strangers_and_old_incarnations_are_struck_out_and_nobody_tells_a_host_of_itself() {
        let mut admission = admission(3);
        let (own, peer, later, stranger) = (incarnation(0, 5), incarnation(1, 7), incarnation(1, 8), incarnation(9, 1));
        let other_selves = [incarnation(0, 4), incarnation(0, 6)];
        assert_eq!(let_in(&mut admission, &[own, peer, stranger]), (vec![own, peer], vec![peer]));
        assert_eq!(let_in(&mut admission, &other_selves), (vec![], vec![]));
        assert_eq!(admission.member(peer), Some(node(1)));
        assert_eq!(let_in(&mut admission, &[later]), (vec![later], vec![later]));
        assert_eq!(let_in(&mut admission, &[peer]), (vec![], vec![]));
        assert_eq!((admission.member(peer), admission.member(later)), (None, Some(node(1))));
        let mut message = told(&[own, peer, later]);
        admission.let_out(&mut message);
        assert_eq!(parts(&message).0, [own, later]);
        // Who leaves the mesh is hidden, too.
        admission.set_members(&BTreeSet::new());
        assert_eq!(let_in(&mut admission, &[later]).0, []);
    }

    #[test]
    fn past_the_limits_incarnations_find_no_room() {
        let mut admission = admission(u16::MAX);
        for number in 1..2_000 {
            let_in(&mut admission, &[incarnation(number, 1)]);
        }
        assert_eq!(admission.held(), limits::GOSSIP_NODES);
        assert_eq!(admission.refused(), 2 * (2_000 - limits::GOSSIP_NODES as u64));
        // One that is held is still heard of; one that chitchat forgot leaves its place to others.
        assert_eq!(let_in(&mut admission, &[incarnation(7, 1)]).0.len(), 1);
        admission.set_held(BTreeSet::from([incarnation(0, 5)]));
        assert_eq!(let_in(&mut admission, &[incarnation(1_999, 1)]).0.len(), 1);
        for generation in 2..1_000 {
            let_in(&mut admission, &[incarnation(1_999, generation)]);
        }
        assert_eq!(admission.held(), 1 + limits::GOSSIP_INCARNATIONS);
    }

    #[test]
    fn of_members_that_begin_alike_one_is_heard_of_and_the_other_told() {
        let (mut low, mut high) = (node(1), node(1));
        (low.0[31], high.0[31]) = (1, 2);
        let mut admission = admission(0);
        admission.set_members(&BTreeSet::from([high, low]));
        assert_eq!(admission.member(Incarnation::new(&high, 1, 0)), Some(low));
        assert_eq!(admission.alike(), [high]);
    }
}
