//! What a connected peer gossips, before chitchat sees it.

use chitchat::{ChitchatMessage, Deserializable};

use super::message::{Message, Source};
use super::{codec, frame};
use crate::limits;

/// A frame: what is read is written as the same message, which chitchat takes.
pub fn gossip_frame(data: &[u8]) {
    if let Ok(message) = frame::unwrap(data) {
        assert!(message.len() <= limits::GOSSIP_MESSAGE_BYTES);
        gossip(&message);
        assert_eq!(frame::unwrap(&frame::wrap(&message).expect("it fitted")), Ok(message));
    }
}

/// A message: what is read is written in one form, which reads the same, and chitchat takes it.
pub fn gossip(data: &[u8]) {
    if let Ok(message) = Message::read(data, Source::Own) {
        assert_eq!(Message::read(&message.write(), Source::Own).as_ref(), Ok(&message));
    }
    if let Ok(message) = Message::read(data, Source::Peer) {
        let written = message.write();
        assert_eq!(Message::read(&written, Source::Peer).as_ref(), Ok(&message));
        ChitchatMessage::deserialize(&mut written.as_slice()).expect("chitchat takes what is let through");
        assert!(codec::to_chitchat(&message).is_ok());
    }
}
