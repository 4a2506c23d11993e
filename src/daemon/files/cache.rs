//! The last known bytes of files, as far as they fit: to recognise content that was cut off.
//!
//! Bytes, not hashes of line beginnings: configuration is small, and a cut in the middle of a line is seen too. A file
//! whose bytes were dropped is held when it is empty or was written to just now.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::limits::CACHED_BYTES;

/// Bytes by path; the least recently stored go first when [`CACHED_BYTES`] are passed.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    entries: BTreeMap<String, (u64, Bytes)>,
    order: BTreeMap<u64, String>,
    stored: u64,
    total_bytes: usize,
}

impl Cache {
    /// The last known bytes of a file.
    pub(crate) fn get(&self, path: &str) -> Option<&Bytes> {
        self.entries.get(path).map(|(_, bytes)| bytes)
    }

    /// These are known now.
    pub(crate) fn put(&mut self, path: &str, bytes: Bytes) {
        self.remove(path);
        self.stored += 1;
        self.total_bytes += bytes.len();
        self.order.insert(self.stored, path.to_owned());
        self.entries.insert(path.to_owned(), (self.stored, bytes));
        while self.total_bytes > CACHED_BYTES {
            let Some((_, oldest)) = self.order.pop_first() else { return };
            self.remove(&oldest);
        }
    }

    /// The file is gone.
    pub(crate) fn remove(&mut self, path: &str) {
        if let Some((stored, bytes)) = self.entries.remove(path) {
            self.order.remove(&stored);
            self.total_bytes -= bytes.len();
        }
    }
}

/// Whether `bytes` look like `base` while it is written, or like nothing at all.
pub(crate) fn is_cut_off(bytes: &[u8], base: &[u8]) -> bool {
    bytes.is_empty() || (bytes.len() < base.len() && base.starts_with(bytes))
}

/// Whether `bytes` are `base` with whole lines added at its end.
pub(crate) fn is_grown(bytes: &[u8], base: &[u8]) -> bool {
    bytes.len() > base.len()
        && bytes.starts_with(base)
        && !base.is_empty()
        && base.ends_with(b"\n")
        && bytes.ends_with(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_bytes_go_when_there_are_too_many() {
        let mut cache = Cache::default();
        let half = Bytes::from(vec![0; CACHED_BYTES / 2]);
        for path in ["a", "b", "a", "c"] {
            cache.put(path, half.clone());
        }
        assert_eq!(["a", "b", "c"].map(|path| cache.get(path).is_some()), [true, false, true]);
        cache.remove("a");
        cache.put("d", half);
        assert!(cache.get("c").is_some() && cache.get("d").is_some());
    }

    #[test]
    fn cut_off_is_empty_or_a_strict_prefix() {
        for (bytes, base, cut_off) in [
            ("", "a = 1\n", true),
            ("", "", true),
            ("a = 1\n", "a = 1\nb = 2\n", true),
            ("a = 1\nb =", "a = 1\nb = 2\n", true),
            ("a = 1\n", "a = 1\n", false),
            ("b = 2\n", "a = 1\nb = 2\n", false),
            ("a = 1\nb = 2\n", "a = 1\n", false),
        ] {
            assert_eq!(is_cut_off(bytes.as_bytes(), base.as_bytes()), cut_off, "{bytes:?} of {base:?}");
        }
    }
}
