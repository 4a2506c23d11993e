//! The codes with which connections are closed, and what they mean to the one who reads them.

use std::fmt;

use quinn::{ConnectionError, VarInt};

use crate::limits;
use crate::refusal::PeerRefusal;

/// Why a side closed a connection. The numbers are part of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseCode {
    /// The process is shutting down.
    Shutdown,
    /// There is another connection of the same two processes already.
    Duplicate,
    /// Another connection of the same two processes takes over.
    Replaced,
    /// The node dialled itself.
    OwnAddress,
    /// Another process that holds the same identity is alive.
    IdentityInUse,
    /// The core asked for it; the reason is in the text.
    Disconnected,
    /// A frame is larger than the limit.
    FrameTooLarge,
    /// The peer broke the rules of the greeting or of the streams.
    BadProtocol,
    /// Nothing was heard for too long.
    Silent,
    /// The peer's membership was revoked, or its issuer's.
    Revoked,
    /// Too many joins at once.
    Busy,
}

impl CloseCode {
    const ALL: [Self; 11] = [
        Self::Shutdown,
        Self::Duplicate,
        Self::Replaced,
        Self::OwnAddress,
        Self::IdentityInUse,
        Self::Disconnected,
        Self::FrameTooLarge,
        Self::BadProtocol,
        Self::Silent,
        Self::Revoked,
        Self::Busy,
    ];

    /// 0 is left to connections that are dropped without a word.
    pub(crate) fn number(self) -> VarInt {
        VarInt::from_u32(match self {
            Self::Shutdown => 1,
            Self::Duplicate => 2,
            Self::Replaced => 3,
            Self::OwnAddress => 4,
            Self::IdentityInUse => 5,
            Self::Disconnected => 6,
            Self::FrameTooLarge => 7,
            Self::BadProtocol => 8,
            Self::Silent => 9,
            Self::Revoked => 10,
            Self::Busy => 11,
        })
    }

    fn of_number(number: VarInt) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// The code with which the other side closed, if it did.
    pub(crate) fn of_error(error: &ConnectionError) -> Option<Self> {
        match error {
            ConnectionError::ApplicationClosed(close) => Self::of_number(close.error_code),
            _ => None,
        }
    }
}

/// Closes with a code and a text for the other side's log.
pub(crate) fn close(connection: &quinn::Connection, code: CloseCode, reason: &str) {
    let length = reason.floor_char_boundary(limits::CLOSE_REASON_BYTES);
    connection.close(code.number(), &reason.as_bytes()[..length]);
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisconnectReason {
    /// Nothing was heard from the peer for too long.
    Silent,
    /// The peer shut down in good order.
    PeerShutdown,
    /// The peer's process is gone; another answered in its place.
    PeerRestarted,
    /// Another connection with the same peer takes over; `Connected` follows at once.
    Replaced,
    /// This side closed it.
    ClosedHere(String),
    /// The peer closed it, with this reason.
    ClosedByPeer(String),
    /// The peer sent what no peer sends.
    BrokenPeer(String),
    /// The transport failed.
    Transport(String),
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("nothing heard for too long"),
            Self::PeerShutdown => f.write_str("the peer shut down"),
            Self::PeerRestarted => f.write_str("the peer's process was restarted"),
            Self::Replaced => f.write_str("a newer connection takes over"),
            Self::ClosedHere(why) => write!(f, "closed here: {why}"),
            Self::ClosedByPeer(why) => write!(f, "closed by the peer: {why}"),
            Self::BrokenPeer(why) => write!(f, "the peer broke the protocol: {why}"),
            Self::Transport(why) => write!(f, "the transport failed: {why}"),
        }
    }
}

/// Text from the other side, made safe for a log: no control characters, bounded also once what is no text was replaced.
pub(crate) fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(&text[..text.len().min(limits::CLOSE_REASON_BYTES)]);
    let mut text: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    text.truncate(text.floor_char_boundary(limits::CLOSE_REASON_BYTES));
    text
}

impl From<ConnectionError> for DisconnectReason {
    fn from(error: ConnectionError) -> Self {
        let code = CloseCode::of_error(&error);
        match (error, code) {
            (ConnectionError::TimedOut, _) => Self::Silent,
            (ConnectionError::Reset, _) => Self::PeerRestarted,
            (ConnectionError::LocallyClosed, _) => Self::ClosedHere("closed".to_owned()),
            (_, Some(CloseCode::Shutdown)) => Self::PeerShutdown,
            (_, Some(CloseCode::Replaced)) => Self::Replaced,
            (_, Some(CloseCode::Silent)) => Self::Silent,
            (_, Some(CloseCode::Revoked)) => Self::ClosedByPeer("this node's membership is revoked".to_owned()),
            (ConnectionError::ApplicationClosed(close), _) => Self::ClosedByPeer(printable(&close.reason)),
            (error, _) => match PeerRefusal::of_error(&error) {
                Some(refusal) => Self::ClosedByPeer(refusal.to_string()),
                None => Self::Transport(error.to_string()),
            },
        }
    }
}
