//! Any bytes as what stands on the store's disk.

use murmurate_crdt::wire::{Decoder, Encoder};

use super::checksum::Salt;
use super::frame::{FrameHeader, HEADER_BYTES};
use super::item::Item;

/// A frame's header, and items of a directory: what is read is written as the same bytes.
pub fn record(data: &[u8]) {
    if let Some(header) = data.first_chunk::<HEADER_BYTES>() {
        let _ = FrameHeader::decode(Salt([7; 16]), header);
    }
    let (mut decoder, mut bodies_read) = (Decoder::new(data), 0);
    while let Ok(item) = Item::decode(&mut decoder, &mut bodies_read) {
        let mut encoder = Encoder::new();
        item.encode(&mut encoder);
        let bytes = encoder.finish();
        let read = data.len() - decoder.rest().len();
        assert_eq!(bytes, data[read - bytes.len()..read]);
    }
}
