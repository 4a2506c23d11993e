//! The end of the log, where frames are written: one at a time, each on disk before the next.

use std::sync::Arc;

use super::super::disk::Disk;
use super::super::error::StoreError;
use super::LogOptions;
use super::frame::ALIGNMENT_BYTES;
use super::segment::{self, Segment, SegmentHeader, ZEROS_BYTES};

/// The end of the log.
pub(super) struct LogWriter {
    disk: Arc<dyn Disk>,
    options: LogOptions,
    segment: Arc<Segment>,
    /// Where the next frame begins.
    position: u64,
    /// Up to here the segment's space is written, with frames or zeros.
    allocated: u64,
    /// The number of the next frame.
    next_commit: u64,
    /// The error since which it isn't known what is on disk.
    poisoned: Option<String>,
}

/// Where a frame was written.
pub(super) struct Place {
    pub(super) segment: Arc<Segment>,
    pub(super) offset: u64,
}

impl LogWriter {
    /// Goes on in `segment` at `position`, the end of its last frame.
    ///
    /// # Errors
    /// When the segment's length can't be read.
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        options: LogOptions,
        segment: Arc<Segment>,
        position: u64,
        next_commit: u64,
    ) -> Result<Self, StoreError> {
        let allocated = segment.file.length().map_err(StoreError::io("read the length of", &segment.name))?;
        Ok(Self { disk, options, segment, position, allocated, next_commit, poisoned: None })
    }

    /// The number of the next frame.
    ///
    /// # Errors
    /// [`StoreError::Poisoned`].
    pub(super) fn next_commit(&self) -> Result<u64, StoreError> {
        match &self.poisoned {
            Some(first) => Err(StoreError::Poisoned { first: first.clone() }),
            None => Ok(self.next_commit),
        }
    }

    /// Writes a frame; it is on disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::Full`] when there is no space and the log is as it was; after any other error the writer is
    /// poisoned.
    pub(super) fn append(&mut self, frame: &[u8]) -> Result<Place, StoreError> {
        self.next_commit()?;
        let result = self.try_append(frame);
        if let Err(error) = &result {
            self.poison(error);
        }
        result
    }

    /// Writes no more after `error`, unless it is one that leaves the log as it was.
    pub(super) fn poison(&mut self, error: &StoreError) {
        if !matches!(error, StoreError::Full { .. }) {
            self.poisoned = Some(error.to_string());
        }
    }

    fn try_append(&mut self, frame: &[u8]) -> Result<Place, StoreError> {
        let is_empty = self.position == segment::HEADER_BYTES as u64;
        if !is_empty && self.position + frame.len() as u64 > self.options.segment_bytes {
            self.begin_segment()?;
        }
        self.allocate(frame.len())?;
        let (file, offset) = (&self.segment.file, self.position);
        if let Err(source) = file.write_at(frame, offset) {
            let error = self.write_error(frame.len(), source);
            return Err(if matches!(error, StoreError::Full { .. }) { self.erased(error)? } else { error });
        }
        file.sync().map_err(StoreError::io("sync", &self.segment.name))?;
        self.position += frame.len() as u64;
        self.next_commit += 1;
        Ok(Place { segment: Arc::clone(&self.segment), offset })
    }

    /// Takes the start of a frame away that had no space for its end: the end may be nothing but padding, and the frame, which
    /// was refused, would be read as a whole one. Gives `full` again.
    ///
    /// # Errors
    /// When that can't be done: then it isn't known what is on disk.
    fn erased(&self, full: StoreError) -> Result<StoreError, StoreError> {
        let file = &self.segment.file;
        file.write_at(&[0; ALIGNMENT_BYTES], self.position).map_err(StoreError::io("write", &self.segment.name))?;
        file.sync().map_err(StoreError::io("sync", &self.segment.name))?;
        Ok(full)
    }

    fn begin_segment(&mut self) -> Result<(), StoreError> {
        let number = self.segment.header.number + 1;
        let header = SegmentHeader { number, first_commit: self.next_commit, ..self.segment.header };
        self.segment = Arc::new(Segment::create(&*self.disk, header, self.options.allocation_bytes)?);
        self.position = segment::HEADER_BYTES as u64;
        self.allocated = self.options.allocation_bytes.max(self.position);
        Ok(())
    }

    /// Has space for `bytes` more: zeros are written well ahead, and synced with the next frame.
    fn allocate(&mut self, bytes: usize) -> Result<(), StoreError> {
        let needed = self.position + bytes as u64;
        if needed <= self.allocated {
            return Ok(());
        }
        let end = (needed + self.options.allocation_bytes).next_multiple_of(ZEROS_BYTES as u64);
        let written = segment::write_zeros(&*self.segment.file, self.allocated, end);
        written.map_err(|source| self.write_error(bytes, source))?;
        self.allocated = end;
        Ok(())
    }

    fn write_error(&self, bytes: usize, source: std::io::Error) -> StoreError {
        let file = self.segment.name.clone();
        if StoreError::is_out_of_space(&source) {
            return StoreError::Full { bytes, file, source };
        }
        StoreError::io("write", &file)(source)
    }
}
