//! What a store must hold after a series of batches, kept in plain collections.

use std::collections::BTreeMap;

use murmurate_crdt::clock::{Dot, VersionVector};
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::DocumentId;
use proptest::prelude::*;

use super::fixtures::*;
use crate::daemon::store::{Applied, Batch, LogStore, Snapshot, Store};

/// What a batch is made from: it becomes one when it is known what comes before it.
#[derive(Debug, Clone)]
pub(super) struct BatchShape {
    /// Document, actor, size.
    changes: Vec<(u8, u8, usize)>,
    /// Key, size of the value or none.
    states: Vec<(u8, Option<usize>)>,
    snapshot_of: Option<u8>,
    quarantined: Vec<(u8, usize)>,
    /// Whether it begins with a change that is stored.
    repeats: bool,
}

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![10 => 0usize..300, 3 => 300usize..3_000, 1 => 3_000usize..12_000]
}

pub(super) fn batch_shape() -> impl Strategy<Value = BatchShape> {
    let changes = proptest::collection::vec((0u8..3, 0u8..3, size()), 0..6);
    let states = proptest::collection::vec((0u8..4, proptest::option::of(size())), 0..3);
    let quarantined = proptest::collection::vec((0u8..3, size()), 0..2);
    (changes, states, proptest::option::weighted(0.2, 0u8..3), quarantined, any::<bool>()).prop_map(
        |(changes, states, snapshot_of, quarantined, repeats)| BatchShape {
            changes,
            states,
            snapshot_of,
            quarantined,
            repeats,
        },
    )
}

/// All that a store tells.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Model {
    pub(super) applied: Vec<Applied>,
    pub(super) documents: BTreeMap<DocumentId, (VersionVector, Vec<SignedEnvelope>)>,
    snapshots: BTreeMap<DocumentId, Snapshot>,
    states: Vec<(String, Vec<u8>)>,
    quarantined: BTreeMap<(DocumentId, Dot), Vec<SignedEnvelope>>,
}

/// Different for each use, so that nothing passes for another.
fn payload(size: usize, index: usize) -> Vec<u8> {
    (0..size).map(|position| u8::try_from((position * 7 + index * 31) % 251).unwrap()).collect()
}

impl Model {
    /// The batch of this shape that can be committed now.
    pub(super) fn batch(&self, shape: &BatchShape) -> Batch {
        let mut after = self.clone();
        let mut batch = Batch::default();
        if shape.repeats {
            batch.changes.extend(self.documents.values().filter_map(|(_, changes)| changes.last()).cloned());
        }
        for &(name, actor, size) in &shape.changes {
            let document = document(&name.to_string());
            let vector = after.documents.get(&document).map(|(vector, _)| vector.clone()).unwrap_or_default();
            let next = dot(actor, vector.get(dot(actor, 1).writer) + 1);
            let heads: Vec<_> = vector.iter().map(|(writer, sequence)| Dot { writer, sequence }).collect();
            let change = change_after(&document, next, &heads, &payload(size, after.applied.len()));
            after.apply(&change);
            batch.changes.push(change);
        }
        for &(key, size) in &shape.states {
            batch.states.push((format!("key/{key}"), size.map(|size| payload(size, after.applied.len()))));
        }
        if let Some(document) = shape.snapshot_of.map(|name| document(&name.to_string()))
            && let Some((vector, changes)) = after.documents.get(&document)
        {
            batch.snapshots.push((document, vector.clone(), payload(changes.len(), 1)));
        }
        for &(name, size) in &shape.quarantined {
            batch.quarantined.push(change(&document(&name.to_string()), dot(9, 1), &payload(size, 0)));
        }
        batch
    }

    /// Takes a committed batch in.
    pub(super) fn commit(&mut self, batch: &Batch) {
        batch.changes.iter().for_each(|change| self.apply(change));
        for (key, value) in &batch.states {
            self.states.retain(|(kept, _)| kept != key);
            self.states.extend(value.iter().map(|value| (key.clone(), value.clone())));
        }
        self.states.sort();
        for (document, vector, bytes) in &batch.snapshots {
            self.snapshots.insert(document.clone(), Snapshot { vector: vector.clone(), bytes: bytes.clone() });
        }
        for envelope in &batch.quarantined {
            let kept = self.quarantined.entry((envelope.document.clone(), envelope.dot)).or_default();
            if !kept.contains(envelope) {
                kept.push(envelope.clone());
            }
        }
    }

    fn apply(&mut self, change: &SignedEnvelope) {
        let (vector, changes) = self.documents.entry(change.document.clone()).or_default();
        if vector.includes(change.dot) {
            return;
        }
        vector.include(change.dot);
        changes.push(change.clone());
        let apply_index = self.applied.len() as u64 + 1;
        self.applied.push(Applied { apply_index, document: change.document.clone(), dot: change.dot });
    }

    /// What a store holds.
    pub(super) fn of(store: &LogStore) -> Self {
        let mut model = Self { applied: store.applied_since(0, usize::MAX).unwrap(), ..Self::default() };
        assert_eq!(store.last_apply_index().unwrap(), model.applied.len() as u64);
        for record in store.documents().unwrap() {
            let document = record.document;
            let loaded = store.load(&document).unwrap().unwrap();
            let all = VersionVector::missing_in(&record.vector, &VersionVector::new());
            let changes = store.changes(&document, &all, usize::MAX).unwrap();
            let included = loaded.snapshot.as_ref().map(|snapshot| snapshot.vector.clone()).unwrap_or_default();
            let after: Vec<_> = changes.iter().filter(|change| !included.includes(change.dot)).cloned().collect();
            assert_eq!(loaded.changes, after);
            model.snapshots.extend(loaded.snapshot.map(|snapshot| (document.clone(), snapshot)));
            model.documents.insert(document, (record.vector, changes));
        }
        model.states = store.states("").unwrap();
        for record in store.quarantined().unwrap() {
            let kept = store.quarantined_changes(&record.document, record.dot).unwrap();
            model.quarantined.insert((record.document, record.dot), kept);
        }
        model
    }
}
