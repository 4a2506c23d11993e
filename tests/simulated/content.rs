//! A file's bytes: as programs see them, and as they are on the disk.

use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

/// A crash leaves each sector old or new.
const SECTOR_BYTES: u64 = 512;

#[derive(Debug, Default, Clone)]
pub(crate) struct Content {
    /// What programs read.
    pub(crate) seen: Vec<u8>,
    /// What is there after a crash, at least.
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Truncate,
}

fn put(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let start = usize::try_from(offset).unwrap();
    let end = start + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(bytes);
}

impl Content {
    /// Bytes that are on the disk.
    pub(crate) fn durable(bytes: &[u8]) -> Self {
        Self { seen: bytes.to_vec(), durable: bytes.to_vec(), pending: Vec::new() }
    }

    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        put(&mut self.seen, offset, bytes);
        self.pending.push(Change::Write(offset, bytes.to_vec()));
    }

    pub(crate) fn truncate(&mut self) {
        self.seen.clear();
        self.pending.push(Change::Truncate);
    }

    pub(crate) fn sync(&mut self) {
        self.durable.clone_from(&self.seen);
        self.pending.clear();
    }

    /// Of what wasn't synced, each sector reaches the disk with a likelihood of `percent`.
    pub(crate) fn sync_in_part(&mut self, percent: u32, random: &mut ChaCha20Rng) {
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Write(offset, bytes) => self.write_in_part(offset, &bytes, percent, random),
                Change::Truncate if random.next_u32() % 100 < percent => self.durable.clear(),
                Change::Truncate => {}
            }
        }
    }

    fn write_in_part(&mut self, mut offset: u64, mut rest: &[u8], percent: u32, random: &mut ChaCha20Rng) {
        while !rest.is_empty() {
            let length = usize::try_from(SECTOR_BYTES - offset % SECTOR_BYTES).unwrap().min(rest.len());
            if random.next_u32() % 100 < percent {
                put(&mut self.durable, offset, &rest[..length]);
            }
            offset += length as u64;
            rest = &rest[length..];
        }
    }

    /// The machine stops and begins anew; see [`Self::sync_in_part`].
    pub(crate) fn crash(&mut self, percent: u32, random: &mut ChaCha20Rng) {
        self.sync_in_part(percent, random);
        self.seen.clone_from(&self.durable);
    }

    /// Changes what is on the disk.
    pub(crate) fn damage(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        change(&mut self.seen);
        self.sync();
    }
}
