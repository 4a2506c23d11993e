//! Who and what things are: meshes, nodes, writers, documents.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::limits;
use crate::wire::{DecodeError, Decoder, Encoder};

/// Writes the first `shown` bytes of an id in hexadecimal.
fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Reads exactly `2 * N` hexadecimal digits.
fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; $length]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = DecodeError;

            fn from_str(text: &str) -> Result<Self, DecodeError> {
                from_hex(text).map(Self).ok_or(DecodeError::Invalid {
                    what: stringify!($name),
                    why: "not the right number of hexadecimal digits",
                })
            }
        }
    };
}

byte_id!(
    /// A mesh: 128 random bits, made once.
    MeshId, 16
);
byte_id!(
    /// A member of a mesh: the SHA-256 of its long-lived Ed25519 public key.
    NodeId, 32
);
byte_id!(
    /// One life of one data directory: 16 random bytes. A restored or copied directory takes a new one.
    ActorId, 16
);
byte_id!(
    /// The SHA-256 by which automerge names a change.
    ChangeHash, 32
);

impl NodeId {
    /// The id of the node that holds this Ed25519 public key.
    #[must_use]
    pub fn of_public_key(public_key: &[u8; 32]) -> Self {
        Self(Sha256::digest(public_key).into())
    }
}

/// What an actor's changes come from. Each lane is a writer of its own, because each writes at heads of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(u8);

impl Lane {
    /// Edits and resolutions over the local API, at the current heads.
    pub const API: Self = Self(0);
    /// File edits, at the heads that were last rendered into the file.
    pub const FILE: Self = Self(1);
    /// The lanes of late writes, found in a file after it was swapped out.
    pub const LATE: std::ops::RangeInclusive<u8> = 2..=7;

    /// The lane with this number.
    ///
    /// # Errors
    /// When there is no such lane.
    pub fn new(number: u8) -> Result<Self, DecodeError> {
        if number <= *Self::LATE.end() {
            Ok(Self(number))
        } else {
            Err(DecodeError::Invalid { what: "lane", why: "no such lane" })
        }
    }

    /// The lane's number, 0 to 7.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

/// The source of one gapless sequence of changes to a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Writer {
    /// Whose it is.
    pub actor: ActorId,
    /// What it writes.
    pub lane: Lane,
}

impl Writer {
    /// How many bytes a writer takes, encoded; also the length of its automerge actor id.
    pub const BYTES: usize = 17;

    /// The actor's bytes, then the lane.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..16].copy_from_slice(&self.actor.0);
        bytes[16] = self.lane.0;
        bytes
    }

    /// The writer with these bytes.
    ///
    /// # Errors
    /// When the length isn't [`Self::BYTES`] or the lane doesn't exist.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let writer = Self::decode(&mut decoder)?;
        decoder.finish()?;
        Ok(writer)
    }

    /// Reads a writer.
    ///
    /// # Errors
    /// When the input ends or the lane doesn't exist.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let actor = ActorId(decoder.array("actor")?);
        let lane = Lane::new(decoder.u8("lane")?)?;
        Ok(Self { actor, lane })
    }

    /// Writes a writer.
    pub fn encode(self, encoder: &mut Encoder) {
        encoder.raw(&self.to_bytes());
    }
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.actor, self.lane.0)
    }
}

/// The name of a document in the mesh: `folder/path`, with `/` between the parts.
///
/// Parts are NFC UTF-8 (the shell normalises), never empty, `.` or `..`, and hold no NUL or backslash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId(Arc<str>);

impl DocumentId {
    /// The document with this name.
    ///
    /// # Errors
    /// When a part is empty, `.`, `..` or holds a NUL, the folder or the path is missing, or the name passes
    /// [`limits::PATH_BYTES`].
    pub fn new(name: &str) -> Result<Self, DecodeError> {
        let invalid = |why| Err(DecodeError::Invalid { what: "document id", why });
        if name.len() > limits::PATH_BYTES {
            return invalid("longer than the limit");
        }
        if !name.contains('/') {
            return invalid("a document is `folder/path`");
        }
        if name.chars().any(char::is_control) || name.contains('\\') {
            return invalid("control characters and backslashes aren't allowed");
        }
        if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return invalid("empty parts, `.` and `..` aren't allowed");
        }
        Ok(Self(name.into()))
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder's name in the mesh.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.0.split_once('/').map_or("", |(folder, _)| folder)
    }

    /// The path below the folder.
    #[must_use]
    pub fn path(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, path)| path)
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which life of a document a change belongs to. Only the first exists so far; every format carries it, so that a
/// document can be cut and go on from its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Generation {
    /// Counts from 0.
    pub number: u32,
    /// The hash of the cut that this generation began from; zero for the first.
    pub cut: [u8; 32],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_document_names_are_refused() {
        for name in ["", "a", "/a", "a/", "a//b", "a/../b", "../a/b", "a/.", "a/b\0", "a/b\nc", "a\\b/c"] {
            assert!(DocumentId::new(name).is_err(), "{name:?}");
        }
        assert!(DocumentId::new(&format!("a/{}", "x".repeat(limits::PATH_BYTES))).is_err());
        let id = DocumentId::new("web/conf.d/app.toml").unwrap();
        assert_eq!((id.folder(), id.path()), ("web", "conf.d/app.toml"));
    }

    #[test]
    fn ids_are_read_back_from_their_text() {
        let id = MeshId([0xa5; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("a5".parse::<MeshId>().is_err());
        assert!("é".repeat(16).parse::<MeshId>().is_err());
    }
}
