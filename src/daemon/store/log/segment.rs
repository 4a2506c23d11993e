//! A segment is one file of the log: a header, then frames.
//!
//! ```text
//!  "murmstor" │ format version u32 │ number u32 │ first commit u64 │ store id 16 │ salt 16 │ checksum 8   (64 bytes)
//! ```
//! A segment gets its name only when its header is on disk, and it gets frames only when its name is.

use std::sync::Arc;

use super::super::disk::{Disk, DiskFile, read_exact_at};
use super::super::error::StoreError;
use super::super::record::StoreId;
use super::checksum::Salt;

/// The version of everything that is in a segment.
pub(super) const FORMAT_VERSION: u32 = 1;
/// The header's length: the first frame follows.
pub(super) const HEADER_BYTES: usize = 64;
const CHECKED_BYTES: usize = 56;
const MAGIC: [u8; 8] = *b"murmstor";
/// Ends the name of a segment that isn't made to the end; a crash may leave one.
const UNFINISHED: &str = ".new";
/// Zeros are written in pieces of this size. In larger ones Linux would keep them in the page cache as large folios,
/// and count all of a folio as written for each small write into it later.
pub(super) const ZEROS_BYTES: usize = 4096;

/// What a segment says of itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// Counts the segments of a store from 1.
    pub(super) number: u32,
    /// The commit of its first frame.
    pub(super) first_commit: u64,
    pub(super) store_id: StoreId,
    pub(super) salt: Salt,
}

/// An open segment.
pub(super) struct Segment {
    pub(super) header: SegmentHeader,
    /// What to call it in messages.
    pub(super) name: String,
    pub(super) file: Arc<dyn DiskFile>,
}

impl SegmentHeader {
    fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first_commit.to_le_bytes());
        bytes[24..40].copy_from_slice(&self.store_id.0);
        bytes[40..56].copy_from_slice(&self.salt.0);
        let check = self.salt.segment_check(&bytes[..CHECKED_BYTES]);
        bytes[CHECKED_BYTES..].copy_from_slice(&check);
        bytes
    }

    fn decode(bytes: &[u8; HEADER_BYTES], file: &str) -> Result<Self, StoreError> {
        let corrupt = |why| StoreError::Corrupt { file: file.to_owned(), offset: 0, why };
        if bytes[0..8] != MAGIC {
            return Err(corrupt("this isn't the beginning of a segment"));
        }
        let found = u32::from_le_bytes(part(bytes, 8));
        if found > FORMAT_VERSION {
            return Err(StoreError::NewerFormat { file: file.to_owned(), found, supported: FORMAT_VERSION });
        }
        let header = Self {
            number: u32::from_le_bytes(part(bytes, 12)),
            first_commit: u64::from_le_bytes(part(bytes, 16)),
            store_id: StoreId(part(bytes, 24)),
            salt: Salt(part(bytes, 40)),
        };
        if header.encode() != *bytes {
            return Err(corrupt("the segment's header doesn't match its checksum"));
        }
        Ok(header)
    }
}

/// `N` bytes of a header, from `at`.
fn part<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    std::array::from_fn(|index| bytes[at + index])
}

/// The file of a segment.
fn file_name(number: u32) -> String {
    format!("segment-{number:010}.log")
}

/// The segment that a file is, if it is one.
pub(super) fn number_of(file: &str) -> Option<u32> {
    let number = file.strip_prefix("segment-")?.strip_suffix(".log")?.parse().ok()?;
    (file_name(number) == file).then_some(number)
}

/// Whether a file is a segment that wasn't made to the end.
pub(super) fn is_unfinished(file: &str) -> bool {
    file.strip_suffix(UNFINISHED).and_then(number_of).is_some()
}

impl Segment {
    /// Opens a segment and reads its header.
    ///
    /// # Errors
    /// When the disk fails, the header is damaged, or a newer build wrote it.
    pub(super) fn open(disk: &dyn Disk, number: u32) -> Result<Self, StoreError> {
        let file_name = file_name(number);
        let name = disk.describe(&file_name);
        let file = disk.open(&file_name).map_err(StoreError::io("open", &name))?;
        let mut bytes = [0; HEADER_BYTES];
        read_exact_at(&*file, &mut bytes, 0).map_err(StoreError::io("read the header of", &name))?;
        let header = SegmentHeader::decode(&bytes, &name)?;
        if header.number != number {
            return Err(StoreError::Corrupt { file: name, offset: 0, why: "the segment is under another one's name" });
        }
        Ok(Self { header, name, file })
    }

    /// Makes a segment of `bytes`, durable with its name.
    ///
    /// # Errors
    /// [`StoreError::Full`] when there is no space and nothing was changed, else [`StoreError::Io`].
    pub(super) fn create(disk: &dyn Disk, header: SegmentHeader, bytes: u64) -> Result<Self, StoreError> {
        let file_name = file_name(header.number);
        let unfinished = format!("{file_name}{UNFINISHED}");
        let name = disk.describe(&file_name);
        let made = fill(disk, &unfinished, &header, bytes);
        let file = made.map_err(|source| {
            if StoreError::is_out_of_space(&source) {
                // What is left of it is emptied by the next attempt, or removed at the next opening.
                let _ = disk.remove(&unfinished);
                return StoreError::Full { bytes: HEADER_BYTES, file: name.clone(), source };
            }
            StoreError::io("make", &name)(source)
        })?;
        file.sync().map_err(StoreError::io("sync", &name))?;
        disk.rename(&unfinished, &file_name).map_err(StoreError::io("name", &name))?;
        disk.sync_names().map_err(StoreError::io("sync the directory of", &name))?;
        Ok(Self { header, name, file })
    }
}

fn fill(disk: &dyn Disk, name: &str, header: &SegmentHeader, bytes: u64) -> std::io::Result<Arc<dyn DiskFile>> {
    let file = disk.create(name)?;
    write_zeros(&*file, 0, bytes.max(HEADER_BYTES as u64))?;
    file.write_at(&header.encode(), 0)?;
    Ok(file)
}

/// Writes zeros from `start` to `end`, so that the space is there and a later sync needs no metadata.
pub(super) fn write_zeros(file: &dyn DiskFile, start: u64, end: u64) -> std::io::Result<()> {
    let mut offset = start;
    while offset < end {
        let length = (end - offset).min(ZEROS_BYTES as u64);
        file.write_at(&[0; ZEROS_BYTES][..usize::try_from(length).unwrap_or(ZEROS_BYTES)], offset)?;
        offset += length;
    }
    Ok(())
}
