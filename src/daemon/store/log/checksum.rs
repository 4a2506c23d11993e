//! Checksums of what is on disk.
//!
//! SHA-256, cut short, over a salt of the store's own: bytes that a peer put into a change can't be made to look like a
//! frame, not even to a recovery that searches damaged bytes for one.

use sha2::{Digest, Sha256};

/// What keeps a frame together: 128 bits.
pub(super) type FrameCheck = [u8; 16];
/// What a body is read back with: 64 bits, kept in memory for each.
pub(super) type BodyCheck = [u8; 8];

/// 16 random bytes of the store, not told to anyone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Salt(pub(super) [u8; 16]);

impl Salt {
    /// The checksum of one body.
    pub(super) fn body_check(self, body: &[u8]) -> BodyCheck {
        self.digest(b"body", &[body])
    }

    /// The checksum of a frame's header alone.
    pub(super) fn header_check(self, header: &[u8]) -> [u8; 4] {
        self.digest(b"header", &[header])
    }

    /// The checksum of a frame's header and directory, which holds the bodies' checksums.
    pub(super) fn frame_check(self, header: &[u8], directory: &[u8]) -> FrameCheck {
        self.digest(b"frame", &[header, directory])
    }

    /// The checksum of a segment's header.
    pub(super) fn segment_check(self, header: &[u8]) -> BodyCheck {
        self.digest(b"segment", &[header])
    }

    fn digest<const N: usize>(self, purpose: &[u8], parts: &[&[u8]]) -> [u8; N] {
        let mut hash = Sha256::new_with_prefix(self.0);
        hash.update(purpose);
        parts.iter().for_each(|part| hash.update(part));
        let digest: [u8; 32] = hash.finalize().into();
        std::array::from_fn(|index| digest[index])
    }
}
