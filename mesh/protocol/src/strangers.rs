//! Changes of authors whose admission isn't known yet. They aren't refused: the admission may be on its way.

use std::collections::BTreeMap;

use murmurate_crdt::clock::Dot;
use murmurate_crdt::id::{DocumentId, NodeId};
use sha2::{Digest, Sha256};

use crate::limits::{UNKNOWN_AUTHORS, UNKNOWN_BYTES};
use crate::summary::Hash;
use crate::waiting::{Arrival, cost_bytes};

/// Nothing is verified yet, so two different changes may claim one dot: the digest tells them apart.
type Name = (DocumentId, Dot, Hash);

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    New,
    Known,
    NoRoom,
}

/// The changes of unknown authors.
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    by_author: BTreeMap<NodeId, BTreeMap<Name, Arrival>>,
    bytes: usize,
}

impl Strangers {
    /// Lets a change wait for its author's admission, if there is room.
    pub(crate) fn insert(&mut self, arrival: Arrival) -> Kept {
        let envelope = &arrival.envelope;
        let (author, cost) = (envelope.author, cost_bytes(envelope));
        let no_room = self.by_author.len() >= UNKNOWN_AUTHORS && !self.knows(author);
        if no_room || self.bytes + cost > UNKNOWN_BYTES {
            return Kept::NoRoom;
        }
        let name = (envelope.document.clone(), envelope.dot, Sha256::digest(envelope.bytes()).into());
        let is_new = self.by_author.entry(author).or_default().insert(name, arrival).is_none();
        self.bytes += if is_new { cost } else { 0 };
        if is_new { Kept::New } else { Kept::Known }
    }

    pub(crate) fn knows(&self, author: NodeId) -> bool {
        self.by_author.contains_key(&author)
    }

    /// Takes out the changes of an author that is known now, each writer's in order.
    pub(crate) fn release(&mut self, author: NodeId) -> Vec<Arrival> {
        let arrivals: Vec<Arrival> = self.by_author.remove(&author).unwrap_or_default().into_values().collect();
        self.bytes -= arrivals.iter().map(|arrival| cost_bytes(&arrival.envelope)).sum::<usize>();
        arrivals
    }

    /// Drops the changes of an author.
    pub(crate) fn remove(&mut self, author: NodeId) {
        drop(self.release(author));
    }

    pub(crate) fn authors(&self) -> Vec<NodeId> {
        self.by_author.keys().copied().collect()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waiting::tests::arrival;

    #[test]
    fn changes_of_unknown_authors_are_kept_once_within_the_limits() {
        let mut strangers = Strangers::default();
        let of_author = |author: u16, change: &[u8]| {
            let [low, high] = author.to_le_bytes();
            let mut id = [low; 32];
            id[0] = high;
            arrival(NodeId(id), 1, &[], change)
        };
        assert_eq!(strangers.insert(of_author(1, b"a")), Kept::New);
        assert_eq!(strangers.insert(of_author(1, b"a")), Kept::Known);
        assert_eq!(strangers.insert(of_author(1, b"b")), Kept::New, "nothing is verified: another change of that name");
        assert_eq!(strangers.release(of_author(1, b"").envelope.author).len(), 2);
        assert_eq!(strangers.bytes(), 0);
        for author in 0..u16::try_from(UNKNOWN_AUTHORS).unwrap() {
            assert_eq!(strangers.insert(of_author(author, b"a")), Kept::New);
        }
        assert_eq!(strangers.insert(of_author(999, b"a")), Kept::NoRoom, "too many authors");
        let large = vec![0; UNKNOWN_BYTES / 2];
        assert_eq!(strangers.insert(of_author(1, &large)), Kept::NoRoom, "too many bytes");
    }
}
