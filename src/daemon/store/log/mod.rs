//! The append log: frames in segments, an index in memory.
//!
//! ```text
//!            ┌ plan: refuse, or decide what is new (index)
//!  commit ───┤ frame: lay it out, with checksums
//!            │ writer: write into space that is there, fdatasync         ◀── one commit at a time (mutex)
//!            └ index: take the frame in                                  ◀── reads wait for this only
//!  open ───── recovery: frames of all segments ──▶ index; cut the unfinished last one
//!  reads ──── index: where ──▶ bodies: read, check
//! ```

mod bodies;
mod checksum;
mod frame;
mod frame_reader;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod index;
mod interner;
mod item;
mod plan;
mod recovery;
mod segment;
mod writer;

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use murmurate_crdt::clock::{Dot, Range};
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::DocumentId;
use rand_core::Rng;

use self::bodies::Bodies;
use self::frame::Frame;
use self::index::{DocumentIndex, Index, Location, StoredChange};
use self::plan::Plan;
use self::writer::LogWriter;
use super::Store;
use super::batch::{Batch, Committed};
use super::disk::Disk;
use super::error::StoreError;
use super::record::{Applied, DocumentRecord, QuarantinedRecord, Snapshot, StoreId, StoredDocument};

/// Sizes of the log's files.
#[derive(Debug, Clone, Copy)]
pub struct LogOptions {
    /// A segment that passes this gets no more frames. Larger: fewer open files. Smaller: space comes back sooner, once
    /// old segments can go.
    pub segment_bytes: u64,
    /// How far ahead space is written with zeros. Larger: fewer syncs that write metadata, but each takes longer.
    pub allocation_bytes: u64,
}

impl Default for LogOptions {
    /// 1 GiB of changes in 32 files; zeros for some 500 puts, written and synced in well under a millisecond.
    fn default() -> Self {
        Self { segment_bytes: 32 << 20, allocation_bytes: 256 << 10 }
    }
}

/// A [`Store`] in an append log.
pub struct LogStore {
    store_id: StoreId,
    writer: Mutex<LogWriter>,
    shared: RwLock<Shared>,
}

/// What reads need. Only commits change it, only when their frame is on disk.
struct Shared {
    index: Index,
    bodies: Bodies,
}

/// What a panic within the store leaves behind isn't trusted.
fn panicked<T>(_: PoisonError<T>) -> StoreError {
    StoreError::Poisoned { first: "a panic within the store".to_owned() }
}

impl LogStore {
    /// Opens the store on `disk`; an empty disk gets a new one, whose id is drawn from `random`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when anything acknowledged is damaged, as far as the index needs it;
    /// [`StoreError::NewerFormat`]; [`StoreError::Io`].
    pub fn open(disk: Arc<dyn Disk>, options: LogOptions, random: &mut dyn Rng) -> Result<Self, StoreError> {
        let recovered = recovery::recover(disk, options, random)?;
        let shared = Shared { index: recovered.index, bodies: recovered.bodies };
        let store_id = recovered.header.store_id;
        Ok(Self { store_id, writer: Mutex::new(recovered.writer), shared: RwLock::new(shared) })
    }

    fn read(&self) -> Result<RwLockReadGuard<'_, Shared>, StoreError> {
        self.shared.read().map_err(panicked)
    }

    /// Writes a plan's frame and takes it in.
    fn write(&self, writer: &mut LogWriter, bytes: &[u8], frame: &Frame) -> Result<u64, StoreError> {
        let place = writer.append(bytes)?;
        let mut shared = self.shared.write().map_err(panicked)?;
        shared.bodies.add(&place.segment);
        if let Err(why) = shared.index.take_in(place.segment.header.number, place.offset, frame) {
            let error = StoreError::Corrupt { file: place.segment.name.clone(), offset: place.offset, why };
            writer.poison(&error);
            return Err(error);
        }
        Ok(shared.index.last_apply_index())
    }
}

impl Store for LogStore {
    fn commit(&self, batch: &Batch) -> Result<Committed, StoreError> {
        plan::check_size(batch)?;
        let mut writer = self.writer.lock().map_err(panicked)?;
        let commit = writer.next_commit()?;
        let (changes, last_apply_index, layout) = {
            // Only this commit could be waiting to change what is read here.
            let shared = self.read()?;
            let last_apply_index = shared.index.last_apply_index();
            let plan = Plan::new(batch, &shared.index, &shared.bodies)?;
            let is_empty = plan.items.is_empty();
            let frame = || Frame::build(shared.bodies.salt(), commit, last_apply_index + 1, plan.items);
            (plan.changes, last_apply_index, if is_empty { None } else { Some(frame()?) })
        };
        let last_apply_index = match layout {
            Some((bytes, frame)) => self.write(&mut writer, &bytes, &frame)?,
            None => last_apply_index,
        };
        Ok(Committed { changes, last_apply_index })
    }

    fn documents(&self) -> Result<Vec<DocumentRecord>, StoreError> {
        let shared = self.read()?;
        Ok(shared.index.documents().map(|(document, known)| record(document, known)).collect())
    }

    fn changes(
        &self,
        document: &DocumentId,
        ranges: &[Range],
        budget_bytes: usize,
    ) -> Result<Vec<SignedEnvelope>, StoreError> {
        let shared = self.read()?;
        let Some(known) = shared.index.document(document) else { return Ok(Vec::new()) };
        let within = |range: &Range| known.range(range.writer, range.first, range.last).to_vec();
        let wanted = within_budget(in_apply_order(ranges.iter().flat_map(within).collect()), budget_bytes);
        let bodies = shared.bodies.clone();
        drop(shared);
        read_envelopes(&bodies, document, &wanted)
    }

    fn load(&self, document: &DocumentId) -> Result<Option<StoredDocument>, StoreError> {
        let shared = self.read()?;
        let Some(known) = shared.index.document(document) else { return Ok(None) };
        let (generation, vector, snapshot) = (known.generation, known.vector(), known.snapshot.clone());
        let included = |writer| snapshot.as_ref().map_or(0, |(vector, _)| vector.get(writer));
        let after = known.writers.keys().flat_map(|&writer| known.range(writer, included(writer) + 1, u64::MAX));
        let wanted = in_apply_order(after.copied().collect());
        let bodies = shared.bodies.clone();
        drop(shared);
        let snapshot = snapshot.map(|(vector, location)| Ok(Snapshot { vector, bytes: bodies.read(location)? }));
        let snapshot = snapshot.transpose()?;
        let changes = read_envelopes(&bodies, document, &wanted)?;
        Ok(Some(StoredDocument { generation, vector, snapshot, changes }))
    }

    fn change(&self, document: &DocumentId, dot: Dot) -> Result<Option<SignedEnvelope>, StoreError> {
        let shared = self.read()?;
        let Some(&stored) = shared.index.document(document).and_then(|known| known.change(dot)) else {
            return Ok(None);
        };
        let bodies = shared.bodies.clone();
        drop(shared);
        Ok(read_envelopes(&bodies, document, &[stored.location])?.pop())
    }

    fn applied_since(&self, apply_index: u64, limit: usize) -> Result<Vec<Applied>, StoreError> {
        let shared = self.read()?;
        let applied = shared.index.applied_since(apply_index).take(limit);
        Ok(applied
            .map(|(apply_index, document, dot)| Applied { apply_index, document: document.clone(), dot })
            .collect())
    }

    fn quarantined(&self) -> Result<Vec<QuarantinedRecord>, StoreError> {
        let shared = self.read()?;
        let record = |document: &DocumentId, dot, location: &Location| QuarantinedRecord {
            document: document.clone(),
            dot,
            bytes: location.length.into(),
        };
        let all = shared.index.quarantined();
        Ok(all
            .flat_map(|(document, dot, kept)| kept.iter().map(move |location| record(document, dot, location)))
            .collect())
    }

    fn quarantined_changes(&self, document: &DocumentId, dot: Dot) -> Result<Vec<SignedEnvelope>, StoreError> {
        let shared = self.read()?;
        let wanted = shared.index.quarantined_at(document, dot).to_vec();
        let bodies = shared.bodies.clone();
        drop(shared);
        read_envelopes(&bodies, document, &wanted)
    }

    fn state(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let shared = self.read()?;
        let Some(location) = shared.index.state(key) else { return Ok(None) };
        let bodies = shared.bodies.clone();
        drop(shared);
        bodies.read(location).map(Some)
    }

    fn states(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let shared = self.read()?;
        let found: Vec<_> = shared.index.states(prefix).map(|(key, location)| (key.clone(), location)).collect();
        let bodies = shared.bodies.clone();
        drop(shared);
        found.into_iter().map(|(key, location)| Ok((key, bodies.read(location)?))).collect()
    }

    fn store_id(&self) -> StoreId {
        self.store_id
    }

    fn last_apply_index(&self) -> Result<u64, StoreError> {
        Ok(self.read()?.index.last_apply_index())
    }
}

fn record(document: &DocumentId, known: &DocumentIndex) -> DocumentRecord {
    let vector = known.vector();
    let changes = vector.changes();
    DocumentRecord { document: document.clone(), generation: known.generation, vector, changes, bytes: known.bytes }
}

/// Where the changes are, what was applied first in front. Each follows all that it depends on.
fn in_apply_order(mut changes: Vec<StoredChange>) -> Vec<Location> {
    changes.sort_unstable_by_key(|change| change.apply_index);
    changes.dedup_by_key(|change| change.apply_index);
    changes.into_iter().map(|change| change.location).collect()
}

/// As many as have `budget_bytes` together, and at least one.
fn within_budget(mut locations: Vec<Location>, budget_bytes: usize) -> Vec<Location> {
    let mut rest = budget_bytes;
    let mut fits = |location: &Location| {
        let left = rest.checked_sub(location.length as usize);
        rest = left.unwrap_or(0);
        left.is_some()
    };
    let count = locations.iter().take_while(|location| fits(location)).count();
    locations.truncate(count.max(1));
    locations
}

fn read_envelopes(
    bodies: &Bodies,
    document: &DocumentId,
    locations: &[Location],
) -> Result<Vec<SignedEnvelope>, StoreError> {
    let mut envelopes = Vec::with_capacity(locations.len());
    bodies.read_all(locations, |position, body| {
        let envelope = SignedEnvelope::decode(body).ok().filter(|envelope| envelope.document == *document);
        let unreadable = || bodies.corrupt(&locations[position], "no envelope of this document is stored here");
        envelopes.push(envelope.ok_or_else(unreadable)?);
        Ok(())
    })?;
    Ok(envelopes)
}
