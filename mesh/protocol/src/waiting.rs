//! Verified changes that wait for what they depend on.
//!
//! Each entry waits for one dot at a time, the first of its needs that is missing, and is looked at again only when that
//! dot is applied. So a run of n changes in reverse order costs n log n. When the bytes pass a limit, the entries
//! farthest from what is applied are dropped: they could be used last, and anti-entropy brings them again.

use std::collections::{BTreeMap, BTreeSet};

use murmurate_crdt::clock::Dot;
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::{ActorId, DocumentId, Lane, NodeId, Writer};

/// What an entry costs besides twice its bytes (as received, and its change decoded): the maps' nodes.
const OVERHEAD_BYTES: usize = 512;

/// About how much memory a change takes while it waits.
pub(crate) fn cost_bytes(envelope: &SignedEnvelope) -> usize {
    2 * envelope.bytes().len() + OVERHEAD_BYTES
}

/// A change as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) envelope: SignedEnvelope,
    /// The peer that sent it.
    pub(crate) from: NodeId,
    /// Whether it came as a new change, to be relayed, or as an answer of anti-entropy.
    pub(crate) pushed: bool,
}

/// A change, and how many of its dependencies are known to be applied.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) arrival: Arrival,
    pub(crate) checked: usize,
}

#[derive(Debug)]
struct Entry {
    candidate: Candidate,
    needs: Dot,
    distance: u64,
}

/// The buffer.
#[derive(Debug)]
pub(crate) struct Waiting {
    entries: BTreeMap<u64, Entry>,
    by_dot: BTreeMap<(DocumentId, Dot), u64>,
    by_need: BTreeSet<(DocumentId, Dot, u64)>,
    by_distance: BTreeSet<(NodeId, u64, u64)>,
    bytes_of_peers: BTreeMap<NodeId, usize>,
    bytes: usize,
    next_id: u64,
    limit_per_peer_bytes: usize,
    limit_bytes: usize,
}

impl Waiting {
    pub(crate) fn new(limit_per_peer_bytes: usize, limit_bytes: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            by_dot: BTreeMap::new(),
            by_need: BTreeSet::new(),
            by_distance: BTreeSet::new(),
            bytes_of_peers: BTreeMap::new(),
            bytes: 0,
            next_id: 0,
            limit_per_peer_bytes,
            limit_bytes,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The waiting change with this dot.
    pub(crate) fn get(&self, document: &DocumentId, dot: Dot) -> Option<&SignedEnvelope> {
        let id = self.by_dot.get(&(document.clone(), dot))?;
        self.entries.get(id).map(|entry| &entry.candidate.arrival.envelope)
    }

    /// Lets a change wait for `needs`; its writer's last applied sequence is `distance` before it. Returns how many
    /// changes were dropped to make room, from which peer.
    pub(crate) fn insert(&mut self, candidate: Candidate, needs: Dot, distance: u64) -> Option<(NodeId, usize)> {
        let id = self.next_id;
        self.next_id += 1;
        let Arrival { envelope, from, .. } = &candidate.arrival;
        let (document, from, cost) = (envelope.document.clone(), *from, cost_bytes(envelope));
        self.by_dot.insert((document.clone(), envelope.dot), id);
        self.by_need.insert((document, needs, id));
        self.by_distance.insert((from, distance, id));
        *self.bytes_of_peers.entry(from).or_default() += cost;
        self.bytes += cost;
        self.entries.insert(id, Entry { candidate, needs, distance });
        self.make_room(from)
    }

    fn make_room(&mut self, from: NodeId) -> Option<(NodeId, usize)> {
        let of_peer = self.drop_farthest(from, |waiting| {
            waiting.bytes_of_peers.get(&from).is_some_and(|&bytes| bytes > waiting.limit_per_peer_bytes)
        });
        let greediest = *self.bytes_of_peers.iter().max_by_key(|(_, bytes)| **bytes)?.0;
        let of_greediest = self.drop_farthest(greediest, |waiting| waiting.bytes > waiting.limit_bytes);
        let (peer, dropped) = if of_peer > 0 { (from, of_peer) } else { (greediest, of_greediest) };
        (dropped > 0).then_some((peer, dropped))
    }

    fn drop_farthest(&mut self, peer: NodeId, too_much: impl Fn(&Self) -> bool) -> usize {
        let mut dropped = 0;
        while too_much(self) {
            let farthest = self.by_distance.range((peer, 0, 0)..=(peer, u64::MAX, u64::MAX)).next_back();
            let Some(&(_, _, id)) = farthest else { break };
            self.remove(id);
            dropped += 1;
        }
        dropped
    }

    fn remove(&mut self, id: u64) -> Option<Candidate> {
        let Entry { candidate, needs, distance } = self.entries.remove(&id)?;
        let Arrival { envelope, from, .. } = &candidate.arrival;
        self.by_dot.remove(&(envelope.document.clone(), envelope.dot));
        self.by_need.remove(&(envelope.document.clone(), needs, id));
        self.by_distance.remove(&(*from, distance, id));
        let cost = cost_bytes(envelope);
        self.bytes -= cost;
        if let Some(bytes) = self.bytes_of_peers.get_mut(from) {
            *bytes -= cost;
            if *bytes == 0 {
                self.bytes_of_peers.remove(from);
            }
        }
        Some(candidate)
    }

    /// Takes out the changes that waited for this dot, which was applied just now.
    pub(crate) fn release(&mut self, document: &DocumentId, applied: Dot) -> Vec<Candidate> {
        let range = (document.clone(), applied, 0)..=(document.clone(), applied, u64::MAX);
        let ids: Vec<u64> = self.by_need.range(range).map(|&(_, _, id)| id).collect();
        ids.into_iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Takes out all of a document's changes.
    pub(crate) fn remove_document(&mut self, document: &DocumentId) {
        let lowest = Dot { writer: Writer { actor: ActorId::default(), lane: Lane::API }, sequence: 0 };
        let of_document = self.by_dot.range((document.clone(), lowest)..);
        let ids: Vec<u64> = of_document.take_while(|((other, _), _)| other == document).map(|(_, &id)| id).collect();
        ids.into_iter().for_each(|id| drop(self.remove(id)));
    }

    /// Takes out all changes of an author.
    pub(crate) fn remove_author(&mut self, author: NodeId) {
        let is_theirs = |entry: &Entry| entry.candidate.arrival.envelope.author == author;
        let ids: Vec<u64> = self.entries.iter().filter(|(_, entry)| is_theirs(entry)).map(|(&id, _)| id).collect();
        ids.into_iter().for_each(|id| drop(self.remove(id)));
    }

    /// Takes out one change.
    pub(crate) fn take(&mut self, document: &DocumentId, dot: Dot) -> Option<SignedEnvelope> {
        let id = *self.by_dot.get(&(document.clone(), dot))?;
        self.remove(id).map(|candidate| candidate.arrival.envelope)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::index::Index;
    use ed25519_dalek::SigningKey;
    use murmurate_crdt::envelope::Envelope;
    use murmurate_crdt::id::{Generation, MeshId};

    pub(crate) fn dot(sequence: u64) -> Dot {
        Dot { writer: Writer { actor: ActorId([1; 16]), lane: Lane::API }, sequence }
    }

    /// A change that isn't validly signed: only what passed the checks comes to the buffers.
    pub(crate) fn arrival(author: NodeId, sequence: u64, dependencies: &[Dot], change: &[u8]) -> Arrival {
        let envelope = Envelope {
            level: 1,
            document: DocumentId::new("web/a").unwrap(),
            generation: Generation::default(),
            set: None,
            author,
            dot: dot(sequence),
            time_ms: 0,
            dependencies: dependencies.to_vec(),
            user: String::new(),
            message: String::new(),
            change: change.to_vec(),
        };
        let envelope = envelope.sign(MeshId([0; 16]), &SigningKey::from_bytes(&[1; 32]));
        Arrival { envelope, from: NodeId([7; 32]), pushed: true }
    }

    #[test]
    fn a_long_run_in_reverse_order_looks_at_each_change_once() {
        const COUNT: u64 = 10_000;
        let mut index = Index::default();
        let mut waiting = Waiting::new(usize::MAX, usize::MAX);
        for sequence in (2..=COUNT).rev() {
            let arrival = arrival(NodeId([2; 32]), sequence, &[], b"x");
            let (needs, checked) = index.unmet(&arrival.envelope, 0).unwrap();
            assert_eq!(needs, dot(sequence - 1));
            waiting.insert(Candidate { arrival, checked }, needs, sequence);
        }
        let document = DocumentId::new("web/a").unwrap();
        let (mut looked_at, mut last) = (0, dot(1));
        index.apply(&document, Generation::default(), last);
        while let Some(candidate) = waiting.release(&document, last).pop() {
            looked_at += 1;
            last = candidate.arrival.envelope.dot;
            assert!(index.unmet(&candidate.arrival.envelope, candidate.checked).is_none());
            index.apply(&document, Generation::default(), last);
        }
        assert_eq!((looked_at, last), (COUNT - 1, dot(COUNT)));
        assert_eq!((waiting.len(), waiting.bytes()), (0, 0));
        assert!(waiting.by_dot.is_empty() && waiting.by_need.is_empty() && waiting.by_distance.is_empty());
    }

    #[test]
    fn the_peer_that_fills_the_buffer_is_the_one_that_loses() {
        let small = cost_bytes(&arrival(NodeId([2; 32]), 2, &[], b"x").envelope);
        let mut waiting = Waiting::new(100 * small, 10 * small);
        let insert = |waiting: &mut Waiting, from: u8, sequence| {
            let mut arrival = arrival(NodeId([2; 32]), sequence, &[], b"x");
            arrival.from = NodeId([from; 32]);
            waiting.insert(Candidate { arrival, checked: 0 }, dot(1), sequence)
        };
        for sequence in 2..=10 {
            assert_eq!(insert(&mut waiting, 1, sequence), None);
        }
        assert_eq!(insert(&mut waiting, 2, 20), None);
        assert_eq!(insert(&mut waiting, 2, 21), Some((NodeId([1; 32]), 1)));
        let document = DocumentId::new("web/a").unwrap();
        assert!(waiting.get(&document, dot(10)).is_none(), "its farthest");
        assert!(waiting.get(&document, dot(21)).is_some());
    }
}
