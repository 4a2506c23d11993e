//! What a batch writes, decided before anything is written: every refusal happens here.

use std::collections::BTreeMap;

use murmurate_crdt::clock::Dot;
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::{DocumentId, Generation, Writer};

use super::super::batch::{Batch, CommittedChange};
use super::super::error::StoreError;
use super::bodies::Bodies;
use super::frame::FRAME_BYTES;
use super::index::{DocumentIndex, Index};
use super::item::{Item, STATE_KEY_BYTES};

/// What a batch writes.
pub(super) struct Plan<'a> {
    /// The new things in it.
    pub(super) items: Vec<Item<&'a [u8]>>,
    /// The outcome for each of its changes.
    pub(super) changes: Vec<CommittedChange>,
}

/// A plan in the making.
struct Planner<'a> {
    index: &'a Index,
    bodies: &'a Bodies,
    /// What the batch adds to each document.
    added: BTreeMap<&'a DocumentId, AddedChanges<'a>>,
    last_apply_index: u64,
    plan: Plan<'a>,
}

/// The batch's new changes of one document.
struct AddedChanges<'a> {
    generation: Generation,
    writers: BTreeMap<Writer, Vec<(&'a SignedEnvelope, CommittedChange)>>,
}

impl<'a> Plan<'a> {
    /// Decides what `batch` writes after what is in `index`.
    ///
    /// # Errors
    /// Why the batch is refused, or why what it repeats couldn't be read.
    pub(super) fn new(batch: &'a Batch, index: &'a Index, bodies: &'a Bodies) -> Result<Self, StoreError> {
        let plan = Self { items: Vec::new(), changes: Vec::with_capacity(batch.changes.len()) };
        let last_apply_index = index.last_apply_index();
        let mut planner = Planner { index, bodies, added: BTreeMap::new(), last_apply_index, plan };
        batch.changes.iter().try_for_each(|envelope| planner.change(envelope))?;
        batch.states.iter().try_for_each(|(key, value)| planner.state(key, value.as_deref()))?;
        for (document, vector, bytes) in &batch.snapshots {
            if vector.iter().any(|(writer, sequence)| !planner.knows(document, Dot { writer, sequence })) {
                return Err(StoreError::SnapshotAhead { document: document.clone() });
            }
            let (document, vector) = (document.clone(), vector.clone());
            planner.plan.items.push(Item::Snapshot { document, vector, body: bytes });
        }
        planner.quarantine(&batch.quarantined)?;
        Ok(planner.plan)
    }
}

impl<'a> Planner<'a> {
    fn change(&mut self, envelope: &'a SignedEnvelope) -> Result<(), StoreError> {
        let stored = self.stored(envelope)?;
        let outcome = match stored {
            Some(apply_index) => CommittedChange { apply_index, already_stored: true },
            None => self.new_change(envelope)?,
        };
        self.plan.changes.push(outcome);
        Ok(())
    }

    /// The apply index of the same bytes, if they are stored or come earlier in the batch.
    fn stored(&self, envelope: &SignedEnvelope) -> Result<Option<u64>, StoreError> {
        let (document, dot) = (&envelope.document, envelope.dot);
        let two_changes = || StoreError::TwoChangesWithOneDot { document: document.clone(), dot };
        if let Some(stored) = self.index.document(document).and_then(|known| known.change(dot)) {
            let is_same = *self.bodies.read(stored.location)? == **envelope.bytes();
            return if is_same { Ok(Some(stored.apply_index)) } else { Err(two_changes()) };
        }
        let added = self.added.get(document).and_then(|added| added.writers.get(&dot.writer)).into_iter().flatten();
        match added.into_iter().find(|(added, _)| added.dot == dot) {
            Some((added, _)) if added.bytes() != envelope.bytes() => Err(two_changes()),
            Some((_, outcome)) => Ok(Some(outcome.apply_index)),
            None => Ok(None),
        }
    }

    fn new_change(&mut self, envelope: &'a SignedEnvelope) -> Result<CommittedChange, StoreError> {
        self.check_order(envelope)?;
        let (document, dot, generation) = (&envelope.document, envelope.dot, envelope.generation);
        let added = self.added.entry(document).or_insert_with(|| AddedChanges { generation, writers: BTreeMap::new() });
        self.last_apply_index += 1;
        let outcome = CommittedChange { apply_index: self.last_apply_index, already_stored: false };
        added.writers.entry(dot.writer).or_default().push((envelope, outcome));
        let body = envelope.bytes();
        self.plan.items.push(Item::Change { document: document.clone(), generation, dot, body });
        Ok(outcome)
    }

    /// Whether the change comes after all that it must come after.
    fn check_order(&self, envelope: &SignedEnvelope) -> Result<(), StoreError> {
        let (document, dot) = (&envelope.document, envelope.dot);
        let stored = self.generation(document).unwrap_or(envelope.generation);
        if stored != envelope.generation {
            let (found, stored) = (envelope.generation.number, stored.number);
            return Err(StoreError::OtherGeneration { document: document.clone(), dot, found, stored });
        }
        let expected = self.next_sequence(document, dot.writer);
        if dot.sequence != expected {
            return Err(StoreError::SequenceGap { document: document.clone(), dot, expected });
        }
        match envelope.dependencies.iter().find(|&&dependency| !self.knows(document, dependency)) {
            Some(&missing) => Err(StoreError::DependencyMissing { document: document.clone(), dot, missing }),
            None => Ok(()),
        }
    }

    fn generation(&self, document: &DocumentId) -> Option<Generation> {
        let stored = self.index.document(document).map(|known| known.generation);
        stored.or_else(|| self.added.get(document).map(|added| added.generation))
    }

    fn next_sequence(&self, document: &DocumentId, writer: Writer) -> u64 {
        let next = self.index.document(document).map_or(1, |known: &DocumentIndex| known.next_sequence(writer));
        let added = self.added.get(document).and_then(|added| added.writers.get(&writer)).map_or(0, Vec::len);
        next + added as u64
    }

    /// Whether the change is stored, or was added before.
    fn knows(&self, document: &DocumentId, dot: Dot) -> bool {
        dot.sequence < self.next_sequence(document, dot.writer)
    }

    fn state(&mut self, key: &str, value: Option<&'a [u8]>) -> Result<(), StoreError> {
        if key.len() > STATE_KEY_BYTES {
            return Err(StoreError::BatchTooLarge { bytes: key.len(), limit: STATE_KEY_BYTES });
        }
        let key = key.to_owned();
        self.plan.items.push(match value {
            Some(body) => Item::State { key, body },
            None => Item::StateRemoved { key },
        });
        Ok(())
    }

    /// Keeps the envelopes that aren't in the quarantine yet.
    fn quarantine(&mut self, envelopes: &'a [SignedEnvelope]) -> Result<(), StoreError> {
        for (position, envelope) in envelopes.iter().enumerate() {
            let is_repeated = envelopes[..position].contains(envelope);
            if !is_repeated && !self.is_quarantined(envelope)? {
                let (document, dot) = (envelope.document.clone(), envelope.dot);
                self.plan.items.push(Item::Quarantined { document, dot, body: envelope.bytes() });
            }
        }
        Ok(())
    }

    fn is_quarantined(&self, envelope: &SignedEnvelope) -> Result<bool, StoreError> {
        for &location in self.index.quarantined_at(&envelope.document, envelope.dot) {
            if *self.bodies.read(location)? == **envelope.bytes() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The bytes that a batch brings, without what is said of them.
pub(super) fn check_size(batch: &Batch) -> Result<(), StoreError> {
    let envelopes = batch.changes.iter().chain(&batch.quarantined).map(|envelope| envelope.bytes().len());
    let states = batch.states.iter().map(|(_, value)| value.as_ref().map_or(0, Vec::len));
    let snapshots = batch.snapshots.iter().map(|(_, _, bytes)| bytes.len());
    let bytes = envelopes.chain(states).chain(snapshots).fold(0, usize::saturating_add);
    if bytes > FRAME_BYTES { Err(StoreError::BatchTooLarge { bytes, limit: FRAME_BYTES }) } else { Ok(()) }
}
