//! Reads the log at opening: rebuilds the index, cuts what a crash left unfinished, and refuses what is damaged.
//!
//! ```text
//!  segment 1: frame frame frame        segment 2: frame frame ✂ torn frame, zeros
//!             └── each must be valid ──────────────────┘     └── never acknowledged, if no valid frame follows
//! ```
//! Only the last frame can be unfinished: each is on disk before the next is written, and before its commit returns.

use std::sync::Arc;

use rand_core::Rng;

use super::super::disk::Disk;
use super::super::error::StoreError;
use super::super::record::StoreId;
use super::LogOptions;
use super::bodies::Bodies;
use super::checksum::Salt;
use super::frame::{ALIGNMENT_BYTES, Frame};
use super::frame_reader::FrameReader;
use super::index::Index;
use super::segment::{self, Segment, SegmentHeader};
use super::writer::LogWriter;

/// An opened log.
pub(super) struct Recovered {
    pub(super) header: SegmentHeader,
    pub(super) index: Index,
    pub(super) bodies: Bodies,
    pub(super) writer: LogWriter,
}

/// The log as far as it was read.
struct Recovery {
    index: Index,
    next_commit: u64,
}

/// A frame that was read, and where it begins.
type Found = (u64, Frame);

/// Opens the log on `disk`; an empty disk gets a new one.
///
/// # Errors
/// When the disk fails, something before the last frame is damaged, or a newer build wrote it.
pub(super) fn recover(disk: Arc<dyn Disk>, options: LogOptions, random: &mut dyn Rng) -> Result<Recovered, StoreError> {
    let segments = open_segments(&*disk, options, random)?;
    // A sync of names that failed before leaves open whether the last segment's name is on disk.
    disk.sync_names().map_err(StoreError::io("sync the directory of", &segments[0].name))?;
    let header = segments[0].header;
    let mut bodies = Bodies::new(header.salt);
    let mut recovery = Recovery { index: Index::default(), next_commit: 1 };
    for pair in segments.windows(2) {
        recovery.read_full_segment(&pair[0], &pair[1])?;
        bodies.add(&pair[0]);
    }
    let last = &segments[segments.len() - 1];
    let position = recovery.read_last_segment(last)?;
    bodies.add(last);
    let Recovery { index, next_commit } = recovery;
    let writer = LogWriter::new(disk, options, Arc::clone(last), position, next_commit)?;
    Ok(Recovered { header, index, bodies, writer })
}

/// All segments in order; the first one is made where there is none.
fn open_segments(disk: &dyn Disk, options: LogOptions, random: &mut dyn Rng) -> Result<Vec<Arc<Segment>>, StoreError> {
    let place = disk.describe("");
    let names = disk.list().map_err(StoreError::io("list", &place))?;
    for name in names.iter().filter(|name| segment::is_unfinished(name)) {
        disk.remove(name).map_err(StoreError::io("remove", &disk.describe(name)))?;
    }
    // The names are sorted, and the numbers in them have one width.
    let numbers: Vec<u32> = names.iter().filter_map(|name| segment::number_of(name)).collect();
    let mut segments = Vec::with_capacity(numbers.len());
    for (&number, expected) in numbers.iter().zip(1..) {
        if number != expected {
            return Err(StoreError::Corrupt { file: place, offset: 0, why: "a segment between others isn't there" });
        }
        segments.push(Arc::new(Segment::open(disk, number)?));
    }
    if segments.is_empty() {
        segments.push(Arc::new(Segment::create(disk, first_header(random), options.allocation_bytes)?));
    }
    Ok(segments)
}

fn first_header(random: &mut dyn Rng) -> SegmentHeader {
    let mut drawn = || {
        let mut bytes = [0; 16];
        random.fill_bytes(&mut bytes);
        bytes
    };
    SegmentHeader { number: 1, first_commit: 1, store_id: StoreId(drawn()), salt: Salt(drawn()) }
}

impl Recovery {
    /// Reads a segment that `next` follows: all its frames were acknowledged.
    fn read_full_segment(&mut self, segment: &Segment, next: &Segment) -> Result<(), StoreError> {
        let expected =
            SegmentHeader { number: next.header.number, first_commit: next.header.first_commit, ..segment.header };
        if next.header != expected {
            return Err(corrupt(next, 0, "the segment is of another store"));
        }
        // A frame may follow that was written without enough space and then, larger, begun anew in the next segment.
        let (last, end) = self.read_frames(segment, next.header.first_commit)?;
        if let Some(found) = last {
            self.take_in(segment, &found)?;
        }
        if self.next_commit != next.header.first_commit {
            return Err(corrupt(segment, end, "acknowledged commits are missing from here on"));
        }
        Ok(())
    }

    /// Reads the last segment and gives the end of its last whole frame. A frame after that was never acknowledged: it
    /// will be overwritten.
    fn read_last_segment(&mut self, segment: &Segment) -> Result<u64, StoreError> {
        let (last, end) = self.read_frames(segment, u64::MAX)?;
        let Some((offset, frame)) = last else { return Ok(end) };
        let bytes = FrameReader::new(segment)?.bytes(offset, frame.total_bytes)?.map(<[u8]>::to_vec);
        let Some(bytes) = bytes.filter(|bytes| frame.bodies_match(segment.header.salt, bytes)) else {
            tracing::warn!(file = segment.name, offset, "cut a commit that a crash left unfinished");
            self.next_commit -= 1;
            return Ok(offset);
        };
        // A sync that failed before this opening may have left the frame in the page cache only, where it reads well.
        // No later sync would write it. Writing the same bytes again does, and before anyone relies on them.
        segment.file.write_at(&bytes, offset).map_err(StoreError::io("write", &segment.name))?;
        segment.file.sync().map_err(StoreError::io("sync", &segment.name))?;
        self.take_in(segment, &(offset, frame))?;
        Ok(end)
    }

    /// Takes in all valid frames before commit `limit` from the start of a segment but the last, which it gives, with
    /// its end.
    fn read_frames(&mut self, segment: &Segment, limit: u64) -> Result<(Option<Found>, u64), StoreError> {
        if segment.header.first_commit != self.next_commit {
            return Err(corrupt(segment, 0, "the segment doesn't go on from the one before"));
        }
        let mut reader = FrameReader::new(segment)?;
        let mut offset = segment::HEADER_BYTES as u64;
        let mut last: Option<Found> = None;
        while self.next_commit < limit
            && let Some(frame) = reader.frame(offset)?.filter(|frame| frame.commit == self.next_commit)
        {
            if let Some(found) = &last {
                self.take_in(segment, found)?;
            }
            self.next_commit += 1;
            let next = offset + frame.total_bytes;
            last = Some((offset, frame));
            offset = next;
        }
        self.refuse_later_frames(&mut reader, segment, offset, limit)?;
        Ok((last, offset))
    }

    /// A valid frame beyond the first invalid one means that acknowledged bytes were damaged.
    fn refuse_later_frames(
        &self,
        reader: &mut FrameReader<'_>,
        segment: &Segment,
        end: u64,
        limit: u64,
    ) -> Result<(), StoreError> {
        let expected = self.next_commit..limit;
        let mut offset = end;
        while offset < reader.length() {
            if reader.frame(offset)?.is_some_and(|frame| expected.contains(&frame.commit)) {
                return Err(corrupt(segment, end, "a damaged commit, with sound ones after it"));
            }
            offset += ALIGNMENT_BYTES as u64;
        }
        Ok(())
    }

    fn take_in(&mut self, segment: &Segment, (offset, frame): &Found) -> Result<(), StoreError> {
        self.index.take_in(segment.header.number, *offset, frame).map_err(|why| corrupt(segment, *offset, why))
    }
}

fn corrupt(segment: &Segment, offset: u64, why: &'static str) -> StoreError {
    StoreError::Corrupt { file: segment.name.clone(), offset, why }
}
