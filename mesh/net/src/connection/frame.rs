//! Frames on a stream: the length as u32, big-endian, then that many bytes.

use crate::limits;
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes of the length before a frame.
pub(super) const HEADER_BYTES: usize = 4;

/// A frame is announced that is larger than all hosts allow.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame of {announced} bytes is announced, the limit is {limit}")]
pub(super) struct FrameTooLarge {
    announced: u32,
    limit: usize,
}

/// Cuts a stream's bytes into frames. Holds only what arrived: an announced length allocates nothing.
#[derive(Debug)]
pub(super) struct FrameDecoder {
    limit: usize,
    header: Vec<u8>,
    length: Option<usize>,
    body: BytesMut,
}

impl FrameDecoder {
    /// A decoder at a stream's start, for frames of at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, header: Vec::new(), length: None, body: BytesMut::new() }
    }

    /// Takes bytes from `chunk` up to the end of a frame, and gives the frame when it is complete. Call again until it
    /// gives `None`; the chunk is empty then.
    pub(super) fn next(&mut self, chunk: &mut Bytes) -> Result<Option<Bytes>, FrameTooLarge> {
        let Some(length) = self.length(chunk)? else { return Ok(None) };
        // A frame within one chunk is passed on without a copy.
        if self.body.is_empty() && chunk.len() >= length {
            self.length = None;
            return Ok(Some(chunk.split_to(length)));
        }
        let taken = chunk.len().min(length - self.body.len());
        self.body.extend_from_slice(&chunk.split_to(taken));
        if self.body.len() < length {
            return Ok(None);
        }
        self.length = None;
        Ok(Some(std::mem::take(&mut self.body).freeze()))
    }

    fn length(&mut self, chunk: &mut Bytes) -> Result<Option<usize>, FrameTooLarge> {
        if self.length.is_some() {
            return Ok(self.length);
        }
        let taken = chunk.len().min(HEADER_BYTES - self.header.len());
        self.header.extend_from_slice(&chunk.split_to(taken));
        let Ok(header) = <[u8; HEADER_BYTES]>::try_from(self.header.as_slice()) else { return Ok(None) };
        self.header.clear();
        let announced = u32::from_be_bytes(header);
        match usize::try_from(announced) {
            Ok(length) if length <= self.limit => {
                self.length = Some(length);
                Ok(self.length)
            }
            _ => Err(FrameTooLarge { announced, limit: self.limit }),
        }
    }

    /// How many bytes of an unfinished frame it holds.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn held(&self) -> usize {
        self.header.len() + self.body.len()
    }

    /// Whether the stream may end here.
    pub(super) fn is_between_frames(&self) -> bool {
        self.header.is_empty() && self.length.is_none()
    }
}

/// Lays out frames for one write: small ones together in one buffer, large ones without a copy.
pub(super) fn encode(frames: impl IntoIterator<Item = Bytes>) -> Vec<Bytes> {
    let mut chunks = Vec::new();
    let mut buffer = BytesMut::new();
    for frame in frames {
        // Queues take nothing above the limit, so that this always fits.
        buffer.put_u32(u32::try_from(frame.len()).unwrap_or(u32::MAX));
        if frame.len() <= limits::COALESCED_FRAME_BYTES {
            buffer.put(frame);
        } else {
            chunks.push(buffer.split().freeze());
            chunks.push(frame);
        }
    }
    if buffer.has_remaining() {
        chunks.push(buffer.freeze());
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use murmurate_crdt::limits::FRAME_BYTES;
    use proptest::prelude::*;

    fn decode(decoder: &mut FrameDecoder, chunk: &[u8]) -> Result<Vec<Bytes>, FrameTooLarge> {
        let mut chunk = Bytes::copy_from_slice(chunk);
        std::iter::from_fn(|| decoder.next(&mut chunk).transpose()).collect()
    }

    proptest! {
        #[test]
        fn frames_survive_any_cut_of_the_stream(
            lengths in proptest::collection::vec(prop_oneof![0..10_usize, 0..10_000_usize], 0..20),
            cut in 1..5_000_usize,
        ) {
            let frames: Vec<Bytes> = lengths
                .iter()
                .enumerate()
                .map(|(index, length)| Bytes::from(vec![index.to_le_bytes()[0]; *length]))
                .collect();
            let stream = encode(frames.clone()).concat();
            let mut decoder = FrameDecoder::new(FRAME_BYTES);
            let mut decoded = Vec::new();
            for chunk in stream.chunks(cut) {
                decoded.extend(decode(&mut decoder, chunk).unwrap());
            }
            prop_assert_eq!(decoded, frames);
            prop_assert!(decoder.is_between_frames());
        }

        #[test]
        fn no_bytes_make_the_decoder_panic_or_hold_more_than_arrived(chunks in proptest::collection::vec(any::<Vec<u8>>(), 0..20)) {
            let mut decoder = FrameDecoder::new(FRAME_BYTES);
            for chunk in chunks {
                if decode(&mut decoder, &chunk).is_err() {
                    break;
                }
            }
        }
    }

    #[test]
    fn an_announced_giant_allocates_nothing() {
        let mut decoder = FrameDecoder::new(FRAME_BYTES);
        assert_eq!(decode(&mut decoder, &[0xff; 4]), Err(FrameTooLarge { announced: u32::MAX, limit: FRAME_BYTES }));
        let mut decoder = FrameDecoder::new(FRAME_BYTES);
        let largest = u32::try_from(FRAME_BYTES).unwrap();
        assert_eq!(decode(&mut decoder, &largest.to_be_bytes()), Ok(vec![]));
        assert_eq!(decode(&mut decoder, &[1, 2, 3]), Ok(vec![]));
        assert!(decoder.body.capacity() < 1_000);
        assert!(!decoder.is_between_frames());
    }

    #[test]
    fn small_frames_share_a_write_and_large_ones_are_not_copied() {
        let large = Bytes::from(vec![1; limits::COALESCED_FRAME_BYTES + 1]);
        let chunks =
            encode([Bytes::from_static(b"a"), Bytes::from_static(b""), large.clone(), Bytes::from_static(b"b")]);
        assert_eq!(chunks.len(), 3);
        assert_eq!(chunks[1].as_ptr(), large.as_ptr());
    }
}
