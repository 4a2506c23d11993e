//! Reads frames from a segment whose contents aren't known to be sound.

use super::super::disk::read_exact_at;
use super::super::error::StoreError;
use super::frame::{Frame, FrameHeader, HEADER_BYTES};
use super::segment::Segment;

/// What is read from the disk at once: several group commits.
const WINDOW_BYTES: u64 = 256 << 10;

/// A window that moves over a segment.
pub(super) struct FrameReader<'a> {
    segment: &'a Segment,
    /// The segment's length.
    length: u64,
    window: Vec<u8>,
    window_start: u64,
}

impl<'a> FrameReader<'a> {
    /// Reads from `segment`.
    ///
    /// # Errors
    /// When its length can't be read.
    pub(super) fn new(segment: &'a Segment) -> Result<Self, StoreError> {
        let length = segment.file.length().map_err(StoreError::io("read the length of", &segment.name))?;
        Ok(Self { segment, length, window: Vec::new(), window_start: 0 })
    }

    /// The segment's length.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The frame that begins at `offset`, if there is a whole one; its bodies aren't checked.
    ///
    /// # Errors
    /// When the disk fails, or a frame that is sound can't be understood.
    pub(super) fn frame(&mut self, offset: u64) -> Result<Option<Frame>, StoreError> {
        let salt = self.segment.header.salt;
        let bytes = self.bytes(offset, HEADER_BYTES as u64)?;
        let header = bytes.and_then(<[u8]>::first_chunk).and_then(|bytes| FrameHeader::decode(salt, bytes));
        let Some(header) = header else { return Ok(None) };
        if offset + header.total_bytes() > self.length {
            return Ok(None);
        }
        let directory = self.bytes(offset + HEADER_BYTES as u64, header.directory_bytes.into())?;
        let Some(directory) = directory.filter(|directory| header.matches(salt, directory)) else { return Ok(None) };
        Frame::decode(&header, directory).map(Some).map_err(|_| StoreError::Corrupt {
            file: self.segment.name.clone(),
            offset,
            why: "a sound commit that this build can't read; a newer one may have written it",
        })
    }

    /// Bytes of the segment; `None` beyond its end.
    ///
    /// # Errors
    /// When the disk fails.
    pub(super) fn bytes(&mut self, offset: u64, length: u64) -> Result<Option<&[u8]>, StoreError> {
        if offset + length > self.length {
            return Ok(None);
        }
        let window_end = self.window_start + self.window.len() as u64;
        if offset < self.window_start || offset + length > window_end {
            self.move_window(offset, length)?;
        }
        let start = usize::try_from(offset - self.window_start).unwrap_or(usize::MAX);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(self.window.get(start..).and_then(|rest| rest.get(..length)))
    }

    fn move_window(&mut self, offset: u64, length: u64) -> Result<(), StoreError> {
        let bytes = length.max(WINDOW_BYTES).min(self.length - offset);
        self.window.clear();
        self.window.resize(usize::try_from(bytes).unwrap_or(usize::MAX), 0);
        let read = read_exact_at(&*self.segment.file, &mut self.window, offset);
        read.map_err(StoreError::io("read", &self.segment.name))?;
        self.window_start = offset;
        Ok(())
    }
}
