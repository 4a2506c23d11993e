//! Frames of gossip: the message's length (LEB128), then the message, compressed by zstd.

use bytes::Bytes;
use murmurate_crdt::wire::{DecodeError, Decoder, Encoder};

use crate::limits;

/// zstd's usual level: messages are small, and repeat themselves.
const LEVEL: i32 = 3;

/// Puts a message into a frame; `None` if no host would take it.
pub(super) fn wrap(message: &[u8]) -> Option<Bytes> {
    if message.len() > limits::GOSSIP_MESSAGE_BYTES {
        return None;
    }
    let compressed = zstd::bulk::compress(message, LEVEL).ok()?;
    let mut encoder = Encoder::new();
    encoder.varint(message.len() as u64).raw(&compressed);
    let frame = encoder.finish();
    (frame.len() <= limits::GOSSIP_FRAME_BYTES).then(|| frame.into())
}

/// Takes the message out of a frame. Allocates what the frame announces, within the limit, and no more.
pub(super) fn unwrap(frame: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let invalid = |why| DecodeError::Invalid { what: "gossip frame", why };
    let mut decoder = Decoder::new(frame);
    let length = decoder.size(limits::GOSSIP_MESSAGE_BYTES, "gossip frame")?;
    let message = zstd::bulk::decompress(decoder.rest(), length);
    let message = message.map_err(|_| invalid("can't be decompressed to the announced length"))?;
    if message.len() == length { Ok(message) } else { Err(invalid("shorter than announced")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_as_they_went_in_and_none_is_too_large() {
        for length in [0, 1, 1_000, limits::GOSSIP_MESSAGE_BYTES] {
            let message = vec![7; length];
            assert_eq!(unwrap(&wrap(&message).unwrap()), Ok(message));
        }
        assert_eq!(wrap(&vec![7; limits::GOSSIP_MESSAGE_BYTES + 1]), None);
    }

    #[test]
    fn a_bomb_is_refused_whatever_it_announces() {
        // A gibibyte of zeros in some 34 kB: frames of 128 MiB, one after the other, as zstd allows.
        let part = zstd::bulk::compress(&vec![0; 128 << 20], LEVEL).unwrap();
        let bomb = part.repeat(8);
        assert!(bomb.len() < limits::GOSSIP_FRAME_BYTES);
        for announced in [0, 1, limits::GOSSIP_MESSAGE_BYTES as u64, 1 << 30, u64::MAX] {
            let mut encoder = Encoder::new();
            encoder.varint(announced).raw(&bomb);
            assert!(unwrap(&encoder.finish()).is_err(), "{announced}");
        }
    }

    #[test]
    fn what_is_cut_off_or_announces_another_length_is_refused() {
        let frame = wrap(b"some message, some message, some message").unwrap();
        for length in 0..frame.len() {
            assert!(unwrap(&frame[..length]).is_err(), "{length}");
        }
        for announced in [39, 41] {
            assert!(unwrap(&[&[announced], &frame[1..]].concat()).is_err());
        }
    }
}
