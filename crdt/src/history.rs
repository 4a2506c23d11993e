//! Which changes a document holds: by writer and sequence, by hash, and by operation.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::clock::{Dot, VersionVector};
use crate::id::{ChangeHash, Writer};
use crate::state::Operation;

/// What is kept of every change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRecord {
    /// automerge's name for it.
    pub hash: ChangeHash,
    /// The counter of its first operation.
    pub start_op: u64,
    /// The counter of its last operation.
    pub max_op: u64,
    /// What it directly builds on, without the genesis.
    pub dependencies: Vec<ChangeHash>,
    /// The author's wall clock, milliseconds since 1970 UTC. For display only.
    pub time_ms: u64,
    /// The user on the author's host, if known. For display only.
    pub user: String,
}

/// The changes of one document, without the genesis.
#[derive(Debug, Clone, Default)]
pub struct History {
    by_writer: BTreeMap<Writer, Vec<ChangeRecord>>,
    by_hash: HashMap<ChangeHash, Dot>,
}

impl History {
    /// Takes in the next change of its writer.
    pub fn push(&mut self, writer: Writer, record: ChangeRecord) {
        let records = self.by_writer.entry(writer).or_default();
        let dot = Dot { writer, sequence: records.len() as u64 + 1 };
        self.by_hash.insert(record.hash, dot);
        records.push(record);
    }

    /// How many changes of each writer there are.
    #[must_use]
    pub fn version(&self) -> VersionVector {
        self.by_writer.iter().map(|(&writer, records)| Dot { writer, sequence: records.len() as u64 }).collect()
    }

    /// The last sequence of a writer, 0 if there is none.
    #[must_use]
    pub fn last_sequence(&self, writer: Writer) -> u64 {
        self.by_writer.get(&writer).map_or(0, |records| records.len() as u64)
    }

    /// The dot of a change; `None` for the genesis and for unknown changes.
    #[must_use]
    pub fn dot(&self, hash: &ChangeHash) -> Option<Dot> {
        self.by_hash.get(hash).copied()
    }

    /// What is kept of a change.
    #[must_use]
    pub fn record(&self, dot: Dot) -> Option<&ChangeRecord> {
        let index = usize::try_from(dot.sequence.checked_sub(1)?).ok()?;
        self.by_writer.get(&dot.writer)?.get(index)
    }

    /// The change that an operation belongs to.
    #[must_use]
    pub fn dot_of(&self, operation: Operation) -> Option<Dot> {
        let records = self.by_writer.get(&operation.writer)?;
        let sequence = records.partition_point(|record| record.start_op <= operation.counter);
        (sequence > 0).then_some(Dot { writer: operation.writer, sequence: sequence as u64 })
    }

    /// The last change of a writer.
    #[must_use]
    pub fn last(&self, writer: Writer) -> Option<&ChangeRecord> {
        self.by_writer.get(&writer)?.last()
    }

    /// Whether `change` is one of `heads` or an ancestor of one. Only what is younger than `change` is looked at.
    #[must_use]
    pub fn is_in(&self, change: &ChangeRecord, heads: &[ChangeHash]) -> bool {
        let mut seen: HashSet<ChangeHash> = heads.iter().copied().collect();
        let mut next: Vec<ChangeHash> = heads.to_vec();
        while let Some(hash) = next.pop() {
            if hash == change.hash {
                return true;
            }
            let Some(record) = self.dot(&hash).and_then(|dot| self.record(dot)) else { continue };
            if record.start_op > change.start_op {
                next.extend(record.dependencies.iter().filter(|hash| seen.insert(**hash)));
            }
        }
        false
    }

    /// The point in history that has these changes and all that they build on.
    ///
    /// # Errors
    /// The first of them that isn't here.
    pub fn heads_of(&self, dots: &[Dot]) -> Result<Vec<ChangeHash>, Dot> {
        let records = dots.iter().map(|dot| self.record(*dot).ok_or(*dot)).collect::<Result<Vec<_>, _>>()?;
        let oldest = records.iter().map(|record| record.start_op).min().unwrap_or_default();
        let mut heads: BTreeSet<ChangeHash> = records.iter().map(|record| record.hash).collect();
        let mut seen = HashSet::new();
        let mut below: Vec<ChangeHash> = records.iter().flat_map(|record| &record.dependencies).copied().collect();
        while let Some(hash) = below.pop() {
            if !seen.insert(hash) {
                continue;
            }
            heads.remove(&hash);
            let record = self.dot(&hash).and_then(|dot| self.record(dot));
            below.extend(record.filter(|record| record.start_op > oldest).iter().flat_map(|it| &it.dependencies));
        }
        Ok(heads.into_iter().collect())
    }

    /// How many changes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether there is no change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ActorId, Lane};

    /// Two writers: `a1 <- a2`, `a1 <- b1`, and `b2` on both.
    #[test]
    fn heads_are_the_changes_that_no_other_of_them_builds_on() {
        let writer = |number| Writer { actor: ActorId([number; 16]), lane: Lane::API };
        let (a, b) = (writer(1), writer(2));
        let hash = |number| ChangeHash([number; 32]);
        let record = |number: u8, dependencies: &[u8]| ChangeRecord {
            hash: hash(number),
            start_op: u64::from(number),
            max_op: u64::from(number),
            dependencies: dependencies.iter().map(|number| hash(*number)).collect(),
            time_ms: 0,
            user: String::new(),
        };
        let mut history = History::default();
        history.push(a, record(1, &[]));
        history.push(a, record(2, &[1]));
        history.push(b, record(3, &[1]));
        history.push(b, record(4, &[2, 3]));
        let dot = |writer, sequence| Dot { writer, sequence };
        let rows: [(&[Dot], &[u8]); 5] = [
            (&[], &[]),
            (&[dot(a, 2)], &[2]),
            (&[dot(b, 1), dot(a, 2)], &[2, 3]),
            (&[dot(a, 1), dot(b, 1), dot(a, 2)], &[2, 3]),
            (&[dot(a, 1), dot(a, 2), dot(b, 2)], &[4]),
        ];
        for (dots, expected) in rows {
            let expected = expected.iter().map(|number| hash(*number)).collect();
            assert_eq!(history.heads_of(dots), Ok(expected), "{dots:?}");
        }
        assert_eq!(history.heads_of(&[dot(a, 3)]), Err(dot(a, 3)));
    }
}
