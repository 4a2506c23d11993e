//! What a connected peer sends before the core sees it.

use bytes::Bytes;
use murmurate_crdt::limits::FRAME_BYTES;

use super::frame::{FrameDecoder, encode};
use super::greeting;

/// A stream, its first byte the size of the chunks it comes in: frames are cut the same wherever chunks end, never hold
/// more than came, and are written as the same bytes.
pub fn frames(data: &[u8]) {
    let Some((&chunk, stream)) = data.split_first() else { return };
    let (frames, error) = decode(stream, usize::from(chunk) + 1);
    assert_eq!((&frames, &error), (&decode(stream, stream.len().max(1)).0, &decode(stream, stream.len().max(1)).1));
    let written = encode(frames).concat();
    assert_eq!(written, stream[..written.len()]);
}

fn decode(stream: &[u8], chunk: usize) -> (Vec<Bytes>, Option<String>) {
    let mut decoder = FrameDecoder::new(FRAME_BYTES);
    let mut frames = Vec::new();
    for chunk in stream.chunks(chunk) {
        let mut chunk = Bytes::copy_from_slice(chunk);
        loop {
            match decoder.next(&mut chunk) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error.to_string())),
            }
        }
        assert!(chunk.is_empty() && decoder.held() <= stream.len());
    }
    (frames, None)
}

/// A greeting: what is read is written as the same bytes, later versions' fields aside.
pub fn greeting(data: &[u8]) {
    greeting::fuzzing_hello(data);
}
