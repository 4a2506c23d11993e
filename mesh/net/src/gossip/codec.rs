//! Between chitchat's messages and frames. Its own code runs on them only where a panic ends nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use chitchat::{ChitchatMessage, Deserializable, Serializable};
use murmurate_crdt::wire::DecodeError;

use super::frame;
use super::message::{Message, Source};

/// A message can't be passed on.
#[derive(Debug, thiserror::Error)]
pub(super) enum CodecError {
    /// Its bytes are none of a message.
    #[error(transparent)]
    Invalid(#[from] DecodeError),
    /// chitchat's code doesn't take it.
    #[error("chitchat doesn't take it: {0}")]
    Chitchat(String),
    /// No host would take it.
    #[error("it is larger than a frame may be")]
    TooLarge,
}

/// What chitchat says.
pub(super) fn of_chitchat(message: &ChitchatMessage) -> Result<Message, CodecError> {
    let bytes = catch_unwind(AssertUnwindSafe(|| message.serialize_to_vec()));
    let bytes = bytes.map_err(|_| CodecError::Chitchat("a panic in writing".to_owned()))?;
    Ok(Message::read(&bytes, Source::Own)?)
}

/// The same for chitchat.
pub(super) fn to_chitchat(message: &Message) -> Result<ChitchatMessage, CodecError> {
    let bytes = message.write();
    let read = catch_unwind(AssertUnwindSafe(|| ChitchatMessage::deserialize(&mut bytes.as_slice())));
    match read {
        Ok(message) => message.map_err(|error| CodecError::Chitchat(error.to_string())),
        Err(_) => Err(CodecError::Chitchat("a panic in reading".to_owned())),
    }
}

/// A frame of a message.
pub(super) fn to_frame(message: &Message) -> Result<Bytes, CodecError> {
    frame::wrap(&message.write()).ok_or(CodecError::TooLarge)
}

/// The message of a peer's frame.
pub(super) fn of_frame(frame: &[u8]) -> Result<Message, CodecError> {
    Ok(Message::read(&frame::unwrap(frame)?, Source::Peer)?)
}
