//! What must hold for any bytes from peers, as functions that panic where it doesn't.
//!
//! `cargo fuzz` calls them with what it makes up (`fuzz/README.md`); this crate's tests call them with its seeds and with
//! mutations of those.

#![allow(clippy::unwrap_used, reason = "a property that doesn't hold is a panic")]

mod conversation;
mod roster;
#[cfg(test)]
mod tests;

pub use conversation::conversation;
pub use roster::{roster, statement};

use crate::message::Message;

/// A frame: what is read is no larger than the bytes it was read from, and is written as a frame that reads the same.
pub fn frame(data: &[u8]) {
    let Ok(Some(message)) = Message::decode(data) else { return };
    let frame = message.encode();
    assert!(frame.len() <= data.len());
    assert_eq!(Message::decode(&frame), Ok(Some(message)));
}
