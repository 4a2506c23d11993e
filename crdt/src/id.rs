//! Who and what things are: meshes, nodes, writers, documents.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::key::percent_encoded;
use crate::limits;
use crate::overlay::Overlay;
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

/// What stands between a file's name and an overlay's in a document's name. No file's name has an empty part.
const OVERLAY: &str = "//";

/// The name of a document in the mesh: `folder/path`, with `/` between the parts, or `folder/path//host=NAME` for an
/// overlay of that file (also `//role=NAME`), which itself is no file.
///
/// Parts are NFC UTF-8 (the shell normalises), never empty, `.` or `..`, and hold no NUL or backslash. It is shown as it
/// is addressed: `folder/path?host=NAME`, with `%`, `#` and `?` in the parts percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId(Arc<str>);

impl DocumentId {
    /// The document with this name.
    ///
    /// # Errors
    /// When a part is empty, `.`, `..` or holds a NUL, the folder or the path is missing, the overlay isn't one, or the
    /// name passes [`limits::PATH_BYTES`].
    pub fn new(name: &str) -> Result<Self, DecodeError> {
        let invalid = |why| Err(DecodeError::Invalid { what: "document id", why });
        if name.len() > limits::PATH_BYTES {
            return invalid("longer than the limit");
        }
        let file = match name.split_once(OVERLAY) {
            Some((file, overlay)) => {
                overlay.parse::<Overlay>()?;
                file
            }
            None => name,
        };
        if !file.contains('/') {
            return invalid("a document is `folder/path`");
        }
        if file.chars().any(char::is_control) || file.contains('\\') {
            return invalid("control characters and backslashes aren't allowed");
        }
        if file.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return invalid("empty parts, `.` and `..` aren't allowed");
        }
        Ok(Self(name.into()))
    }

    /// The document of a file's overlay; `self` may be another overlay of it.
    ///
    /// # Errors
    /// When the name passes [`limits::PATH_BYTES`].
    pub fn with_overlay(&self, overlay: &Overlay) -> Result<Self, DecodeError> {
        Self::new(&format!("{}{OVERLAY}{overlay}", self.file()))
    }

    /// Which overlay of a file it is; `None` for a file.
    #[must_use]
    pub fn overlay(&self) -> Option<Overlay> {
        self.0.split_once(OVERLAY).and_then(|(_, overlay)| overlay.parse().ok())
    }

    /// Whether it is an overlay, and no file.
    #[must_use]
    pub fn is_overlay(&self) -> bool {
        self.0.contains(OVERLAY)
    }

    /// The document of the file: itself, unless it is an overlay.
    #[must_use]
    pub fn base(&self) -> Self {
        if self.is_overlay() { Self(self.file().into()) } else { self.clone() }
    }

    /// The file's name in the mesh.
    fn file(&self) -> &str {
        self.0.split_once(OVERLAY).map_or(&self.0, |(file, _)| file)
    }

    /// The whole name, as it is signed, sent and stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder's name in the mesh.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.0.split_once('/').map_or("", |(folder, _)| folder)
    }

    /// The file's path below the folder.
    #[must_use]
    pub fn path(&self) -> &str {
        self.file().split_once('/').map_or("", |(_, path)| path)
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&percent_encoded(self.file()))?;
        self.overlay().map_or(Ok(()), |overlay| write!(f, "?{overlay}"))
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
    fn overlays_are_documents_beside_their_file_and_clash_with_no_files_name() {
        let file = DocumentId::new("web/a.d/app.toml").unwrap();
        for text in ["host=web-1", "role=db.eu"] {
            let overlay: Overlay = text.parse().unwrap();
            let id = file.with_overlay(&overlay).unwrap();
            assert_eq!(DocumentId::new(id.as_str()), Ok(id.clone()));
            assert_eq!((id.overlay(), id.base(), id.is_overlay()), (Some(overlay.clone()), file.clone(), true));
            assert_eq!((id.folder(), id.path()), ("web", "a.d/app.toml"));
            assert_eq!(id.to_string(), format!("web/a.d/app.toml?{text}"));
            assert_eq!(id.with_overlay(&overlay), Ok(id));
        }
        let like = DocumentId::new("web/app.toml?host=web-1").unwrap();
        assert_eq!((like.overlay(), like.is_overlay(), &*like.to_string()), (None, false, "web/app.toml%3Fhost=web-1"));
        for name in
            ["web//host=a", "web/a//", "web/a//host=", "web/a//tag=b", "web/a//host=b/c", "web/a//host=b//host=c"]
        {
            assert!(DocumentId::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn ids_are_read_back_from_their_text() {
        let id = MeshId([0xa5; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("a5".parse::<MeshId>().is_err());
        assert!("é".repeat(16).parse::<MeshId>().is_err());
    }
}
