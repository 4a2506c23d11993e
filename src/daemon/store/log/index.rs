//! What is where: rebuilt from the log at opening, kept in memory. It holds places in the log, never envelopes: 50 to
//! 100 bytes a change.

use std::collections::BTreeMap;

use murmurate_crdt::clock::{Dot, VersionVector};
use murmurate_crdt::id::{DocumentId, Generation, Writer};

use super::checksum::BodyCheck;
use super::frame::Frame;
use super::interner::Interner;
use super::item::{Body, Item};

/// Where a body is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location {
    /// The segment's number.
    pub(super) segment: u32,
    /// From the start of the segment.
    pub(super) offset: u32,
    pub(super) length: u32,
    pub(super) check: BodyCheck,
}

/// A stored change.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredChange {
    pub(super) apply_index: u64,
    pub(super) location: Location,
}

/// What is stored of one document.
#[derive(Debug, Default)]
pub(super) struct DocumentIndex {
    pub(super) generation: Generation,
    /// Of each writer its changes: that with sequence 1 first, without gaps.
    pub(super) writers: BTreeMap<Writer, Vec<StoredChange>>,
    /// Of all envelopes.
    pub(super) bytes: u64,
    /// The newest snapshot.
    pub(super) snapshot: Option<(VersionVector, Location)>,
}

/// The place of a change in the order of application.
#[derive(Debug, Clone, Copy)]
struct AppliedEntry {
    document: u32,
    writer: u32,
    sequence: u64,
}

/// The whole index.
#[derive(Debug, Default)]
pub(super) struct Index {
    documents: BTreeMap<DocumentId, DocumentIndex>,
    /// The change with apply index 1 first, without gaps.
    applied: Vec<AppliedEntry>,
    applied_documents: Interner<DocumentId>,
    applied_writers: Interner<Writer>,
    states: BTreeMap<String, Location>,
    quarantined: BTreeMap<(DocumentId, Dot), Vec<Location>>,
}

impl DocumentIndex {
    /// The sequence that `writer`'s next change has.
    pub(super) fn next_sequence(&self, writer: Writer) -> u64 {
        self.writers.get(&writer).map_or(0, Vec::len) as u64 + 1
    }

    /// One change.
    pub(super) fn change(&self, dot: Dot) -> Option<&StoredChange> {
        let position = usize::try_from(dot.sequence.checked_sub(1)?).ok()?;
        self.writers.get(&dot.writer)?.get(position)
    }

    /// A writer's changes from sequence `first` to `last`, as far as they are stored.
    pub(super) fn range(&self, writer: Writer, first: u64, last: u64) -> &[StoredChange] {
        let changes = self.writers.get(&writer).map_or(&[][..], Vec::as_slice);
        let end = usize::try_from(last).unwrap_or(usize::MAX).min(changes.len());
        let start = usize::try_from(first.saturating_sub(1)).unwrap_or(usize::MAX).min(end);
        &changes[start..end]
    }

    /// Which changes are stored.
    pub(super) fn vector(&self) -> VersionVector {
        let last = |(&writer, changes): (&Writer, &Vec<StoredChange>)| Dot { writer, sequence: changes.len() as u64 };
        self.writers.iter().map(last).collect()
    }
}

impl Index {
    pub(super) fn documents(&self) -> impl Iterator<Item = (&DocumentId, &DocumentIndex)> {
        self.documents.iter()
    }

    pub(super) fn document(&self, document: &DocumentId) -> Option<&DocumentIndex> {
        self.documents.get(document)
    }

    pub(super) fn state(&self, key: &str) -> Option<Location> {
        self.states.get(key).copied()
    }

    /// The keys that begin with `prefix`, in order.
    pub(super) fn states<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a String, Location)> {
        let from_prefix = self.states.range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded));
        from_prefix.take_while(move |(key, _)| key.starts_with(prefix)).map(|(key, &location)| (key, location))
    }

    pub(super) fn quarantined(&self) -> impl Iterator<Item = (&DocumentId, Dot, &[Location])> {
        self.quarantined.iter().map(|((document, dot), locations)| (document, *dot, locations.as_slice()))
    }

    pub(super) fn quarantined_at(&self, document: &DocumentId, dot: Dot) -> &[Location] {
        self.quarantined.get(&(document.clone(), dot)).map_or(&[], Vec::as_slice)
    }

    /// The highest apply index, 0 if nothing is applied.
    pub(super) fn last_apply_index(&self) -> u64 {
        self.applied.len() as u64
    }

    /// The changes after `apply_index`, each with its own.
    pub(super) fn applied_since(&self, apply_index: u64) -> impl Iterator<Item = (u64, &DocumentId, Dot)> {
        let start = usize::try_from(apply_index).unwrap_or(usize::MAX).min(self.applied.len());
        self.applied[start..].iter().zip(start as u64 + 1..).map(|(entry, index)| {
            let writer = *self.applied_writers.get(entry.writer);
            (index, self.applied_documents.get(entry.document), Dot { writer, sequence: entry.sequence })
        })
    }

    /// Takes in a frame that is on disk, at `frame_offset` of a segment.
    ///
    /// # Errors
    /// When it doesn't go on from what was taken in before: what the log says can't be.
    pub(super) fn take_in(&mut self, segment: u32, frame_offset: u64, frame: &Frame) -> Result<(), &'static str> {
        if frame.first_apply_index != self.last_apply_index() + 1 {
            return Err("the apply indexes don't go on from the frame before");
        }
        for item in &frame.items {
            let place = |body: &Body| locate(segment, frame_offset + frame.bodies_at, body);
            match item {
                Item::Change { document, generation, dot, body } => {
                    self.take_in_change(document, *generation, *dot, place(body)?)?;
                }
                Item::State { key, body } => {
                    self.states.insert(key.clone(), place(body)?);
                }
                Item::StateRemoved { key } => {
                    self.states.remove(key);
                }
                Item::Snapshot { document, vector, body } => {
                    let document = self.documents.get_mut(document).ok_or("a snapshot of an unknown document")?;
                    document.snapshot = Some((vector.clone(), place(body)?));
                }
                Item::Quarantined { document, dot, body } => {
                    self.quarantined.entry((document.clone(), *dot)).or_default().push(place(body)?);
                }
            }
        }
        Ok(())
    }

    fn take_in_change(
        &mut self,
        document: &DocumentId,
        generation: Generation,
        dot: Dot,
        location: Location,
    ) -> Result<(), &'static str> {
        let entry = self
            .documents
            .entry(document.clone())
            .or_insert_with(|| DocumentIndex { generation, ..DocumentIndex::default() });
        if entry.generation != generation || entry.next_sequence(dot.writer) != dot.sequence {
            return Err("a change isn't the next of its writer and generation");
        }
        let apply_index = self.applied.len() as u64 + 1;
        entry.writers.entry(dot.writer).or_default().push(StoredChange { apply_index, location });
        entry.bytes += u64::from(location.length);
        self.applied.push(AppliedEntry {
            document: self.applied_documents.number(document)?,
            writer: self.applied_writers.number(&dot.writer)?,
            sequence: dot.sequence,
        });
        self.release(document, dot, location);
        Ok(())
    }

    /// A change that is applied leaves the quarantine; another one with its dot stays.
    fn release(&mut self, document: &DocumentId, dot: Dot, location: Location) {
        if self.quarantined.is_empty() {
            return;
        }
        let key = (document.clone(), dot);
        let Some(locations) = self.quarantined.get_mut(&key) else { return };
        locations.retain(|kept| kept.length != location.length || kept.check != location.check);
        if locations.is_empty() {
            self.quarantined.remove(&key);
        }
    }
}

fn locate(segment: u32, bodies_at: u64, body: &Body) -> Result<Location, &'static str> {
    let offset = u32::try_from(bodies_at + body.offset).map_err(|_| "a body lies beyond the end of any segment")?;
    Ok(Location { segment, offset, length: body.length, check: body.check })
}
