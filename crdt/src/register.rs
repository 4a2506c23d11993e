//! The registers of a document: their names, and what they hold.
//!
//! A document is a flat set of last-writer-wins registers with conflicts kept, spread over [`BUCKETS`] automerge maps by
//! the hash of the path. Registers of the file's content stand under a content epoch; a new epoch replaces all of it.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::id::{ChangeHash, DocumentId};
use crate::limits;
use crate::path::Path;
use crate::position::Position;
use crate::tree::{Content, Decor, Format, Shape};
use crate::wire::{DecodeError, Decoder, Encoder};

/// How many automerge maps the registers are spread over. Applying a remote change costs time linear in the operations
/// of its map before its key: with 64, a change to a file of 10,000 keys takes 67 us instead of 3 ms.
pub const BUCKETS: usize = 64;

/// One content of a file. All registers of the content stand under the epoch; the file shows the winner's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpochId(Arc<str>);

impl EpochId {
    /// The first epoch of a structured file. It doesn't depend on the content, so that two hosts that create the file
    /// agree, and their keys merge.
    #[must_use]
    pub fn first(format: Format) -> Self {
        Self(format.name().into())
    }

    /// The epoch that a whole replacement opens: hash(mode, base heads, bytes).
    #[must_use]
    pub fn replacing(format: Format, base: &[ChangeHash], bytes: &[u8]) -> Self {
        let mut heads = base.to_vec();
        heads.sort_unstable();
        let mut hash = Sha256::new();
        hash.update(format.name());
        heads.iter().for_each(|head| hash.update(head.0));
        hash.update(Sha256::digest(bytes));
        let short: String = hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Self(short.into())
    }

    /// The epoch's name, lower-case letters and digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which part of a fragment a register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The value, the kind of container, or a tombstone.
    Content,
    /// Container, position and key text, written and won together.
    Placement,
    /// Comments and spacing.
    Decor,
    /// Of the root only: whether the file begins with a byte order mark.
    ByteOrderMark,
    /// Of the root only: whether each line ends with CRLF.
    Crlf,
    /// Of the root only: whether the last line ends with a line end.
    FinalNewline,
    /// Of overlays only: whether the overlay takes away what the file has there.
    Hidden,
}

impl Part {
    fn sigil(self) -> char {
        match self {
            Self::Content => 'c',
            Self::Placement => 'p',
            Self::Decor => 'd',
            Self::ByteOrderMark => 'b',
            Self::Crlf => 'r',
            Self::FinalNewline => 'n',
            Self::Hidden => 'h',
        }
    }
}

/// The name of one register.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Register {
    /// Which content the file shows.
    Epoch,
    /// Whether the file was deleted.
    Life,
    /// Whether the file is executable.
    Executable,
    /// Which document's file was renamed to this one's.
    RenamedFrom,
    /// A part of a fragment.
    Fragment {
        /// The content it belongs to.
        epoch: EpochId,
        /// The fragment's path.
        path: Path,
        /// Which part.
        part: Part,
    },
}

impl Register {
    /// The register's name within its bucket.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Epoch => "epoch".into(),
            Self::Life => "life".into(),
            Self::Executable => "executable".into(),
            Self::RenamedFrom => "renamed-from".into(),
            Self::Fragment { epoch, path, part } => format!("{}:{}{}", epoch.0, part.sigil(), path.encode()),
        }
    }

    /// The register with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "epoch" => return Some(Self::Epoch),
            "life" => return Some(Self::Life),
            "executable" => return Some(Self::Executable),
            "renamed-from" => return Some(Self::RenamedFrom),
            _ => {}
        }
        let (epoch, rest) = name.split_once(':')?;
        let mut characters = rest.chars();
        let part = match characters.next()? {
            'c' => Part::Content,
            'p' => Part::Placement,
            'd' => Part::Decor,
            'b' => Part::ByteOrderMark,
            'r' => Part::Crlf,
            'n' => Part::FinalNewline,
            'h' => Part::Hidden,
            _ => return None,
        };
        let path = Path::decode(characters.as_str())?;
        Some(Self::Fragment { epoch: EpochId(epoch.into()), path, part })
    }

    /// The bucket it stands in.
    #[must_use]
    pub fn bucket(&self) -> usize {
        match self {
            Self::Epoch | Self::Life | Self::Executable | Self::RenamedFrom => 0,
            Self::Fragment { path, .. } => usize::from(Sha256::digest(path.encode())[0]) % BUCKETS,
        }
    }
}

/// Where a fragment stands: written and won together, or `a.b` of one host and `[a]` of another would make `a.a.b`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Placement {
    /// How many steps of the fragment's path lead to the container it stands in.
    pub container_depth: usize,
    /// Its place among the container's children.
    pub position: Position,
    /// The key as written.
    pub label: String,
}

/// The document whose file was renamed: history goes on there (MERGE rule 17).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RenamedFrom {
    /// The document.
    pub document: DocumentId,
    /// What of it the file showed when it was renamed.
    pub heads: Vec<ChangeHash>,
}

/// What a register holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cell {
    /// A deleted fragment or file. A type of its own, never null.
    Tombstone {
        /// It was a container with bytes of its own: they are shown again while a descendant lives.
        container: bool,
    },
    /// A table that is there only through its descendants, without bytes of its own.
    Implied,
    /// A fragment's content.
    Content(Content),
    /// A fragment's placement.
    Placement(Placement),
    /// A fragment's comments and spacing.
    Decor(Decor),
    /// Which content the file shows, and how it is cut.
    Epoch(EpochId, Format),
    /// A file that is there, its execute bit, one of the flags of its style, or what an overlay takes away.
    Flag(bool),
    /// Where the file was before it was renamed.
    RenamedFrom(RenamedFrom),
}

mod tag {
    pub(super) const TOMBSTONE: u8 = 0;
    pub(super) const SCALAR: u8 = 1;
    pub(super) const TABLE: u8 = 2;
    pub(super) const LIST: u8 = 3;
    pub(super) const TRIVIA: u8 = 4;
    pub(super) const BYTES: u8 = 5;
    pub(super) const PLACEMENT: u8 = 6;
    pub(super) const DECOR: u8 = 7;
    // 8 was never released.
    pub(super) const EPOCH: u8 = 9;
    pub(super) const FLAG: u8 = 10;
    pub(super) const CONTAINER_TOMBSTONE: u8 = 11;
    pub(super) const IMPLIED: u8 = 12;
    pub(super) const RENAMED_FROM: u8 = 13;
}

/// The parts of a decor that are written, as bits, in the order of the fields.
const DECOR_TRAILING_COMMA: u8 = 1 << 6;

impl Cell {
    /// Whether it is a tombstone.
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        matches!(self, Self::Tombstone { .. })
    }

    /// The cell's bytes: a tag, then the fields.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new();
        match self {
            Self::Tombstone { container: false } => drop_ref(encoder.u8(tag::TOMBSTONE)),
            Self::Tombstone { container: true } => drop_ref(encoder.u8(tag::CONTAINER_TOMBSTONE)),
            Self::Implied => drop_ref(encoder.u8(tag::IMPLIED)),
            Self::Content(content) => encode_content(content, &mut encoder),
            Self::Placement(placement) => {
                encoder.u8(tag::PLACEMENT).varint(placement.container_depth as u64).text(&placement.label);
                placement.position.encode(&mut encoder);
            }
            Self::Decor(decor) => encode_decor(decor, &mut encoder),
            Self::Epoch(id, format) => drop_ref(encoder.u8(tag::EPOCH).u8(format_number(*format)).text(&id.0)),
            Self::Flag(flag) => drop_ref(encoder.u8(tag::FLAG).u8(u8::from(*flag))),
            Self::RenamedFrom(origin) => encode_renamed_from(origin, &mut encoder),
        }
        encoder.finish()
    }

    /// Reads a cell.
    ///
    /// # Errors
    /// When the bytes aren't exactly one cell that this build knows.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let cell = match decoder.u8("cell")? {
            tag::TOMBSTONE => Self::Tombstone { container: false },
            tag::CONTAINER_TOMBSTONE => Self::Tombstone { container: true },
            tag::IMPLIED => Self::Implied,
            tag::SCALAR => Self::Content(Content::Scalar(decoder.text(bytes.len(), "scalar")?.into())),
            tag::TABLE => Self::Content(Content::Container(Shape::Table)),
            tag::LIST => Self::Content(Content::Container(Shape::List)),
            tag::TRIVIA => Self::Content(Content::Trivia(decoder.text(bytes.len(), "trivia")?.into())),
            tag::BYTES => Self::Content(Content::Bytes(decoder.bytes(bytes.len(), "bytes")?.into())),
            tag::PLACEMENT => Self::Placement(Placement {
                container_depth: decoder.size(crate::limits::PATH_BYTES, "container")?,
                label: decoder.text(bytes.len(), "key text")?.into(),
                position: Position::decode(&mut decoder)?,
            }),
            tag::DECOR => Self::Decor(decode_decor(&mut decoder)?),
            tag::EPOCH => {
                let format = format_from_number(decoder.u8("format")?)?;
                Self::Epoch(EpochId(epoch_name(decoder.text(bytes.len(), "epoch")?)?.into()), format)
            }
            tag::FLAG => Self::Flag(decoder.u8("flag")? != 0),
            tag::RENAMED_FROM => Self::RenamedFrom(decode_renamed_from(&mut decoder)?),
            _ => return Err(DecodeError::Invalid { what: "cell", why: "unknown to this build" }),
        };
        decoder.finish()?;
        Ok(cell)
    }
}

/// Ends a chain of encoder calls in a match arm.
fn drop_ref(_: &mut Encoder) {}

fn encode_content(content: &Content, encoder: &mut Encoder) {
    drop_ref(match content {
        Content::Scalar(text) => encoder.u8(tag::SCALAR).text(text),
        Content::Container(Shape::Table) => encoder.u8(tag::TABLE),
        Content::Container(Shape::List) => encoder.u8(tag::LIST),
        Content::Trivia(text) => encoder.u8(tag::TRIVIA).text(text),
        Content::Bytes(bytes) => encoder.u8(tag::BYTES).bytes(bytes),
    });
}

fn encode_renamed_from(origin: &RenamedFrom, encoder: &mut Encoder) {
    encoder.u8(tag::RENAMED_FROM).text(origin.document.as_str()).varint(origin.heads.len() as u64);
    for head in &origin.heads {
        encoder.raw(&head.0);
    }
}

fn decode_renamed_from(decoder: &mut Decoder<'_>) -> Result<RenamedFrom, DecodeError> {
    let document = DocumentId::new(decoder.text(limits::PATH_BYTES, "origin")?)?;
    let count = decoder.size(limits::DEPENDENCIES, "heads")?;
    let heads = (0..count).map(|_| decoder.array("head").map(ChangeHash)).collect::<Result<_, _>>()?;
    Ok(RenamedFrom { document, heads })
}

fn encode_decor(decor: &Decor, encoder: &mut Encoder) {
    let parts = [&decor.lead, &decor.separator, &decor.trail, &decor.after_comma, &decor.close, &decor.indent];
    let mut bits = if decor.trailing_comma { DECOR_TRAILING_COMMA } else { 0 };
    for (index, part) in parts.iter().enumerate() {
        bits |= u8::from(!part.is_empty()) << index;
    }
    encoder.u8(tag::DECOR).u8(bits);
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        encoder.text(part);
    }
}

fn decode_decor(decoder: &mut Decoder<'_>) -> Result<Decor, DecodeError> {
    let bits = decoder.u8("decor")?;
    let mut part = |index: u8| {
        if bits & (1 << index) == 0 {
            return Ok(String::new());
        }
        decoder.text(crate::limits::MERGED_FILE_BYTES, "decor").map(String::from)
    };
    Ok(Decor {
        lead: part(0)?,
        separator: part(1)?,
        trail: part(2)?,
        after_comma: part(3)?,
        close: part(4)?,
        indent: part(5)?,
        trailing_comma: bits & DECOR_TRAILING_COMMA != 0,
    })
}

fn epoch_name(name: &str) -> Result<&str, DecodeError> {
    let plain = !name.is_empty() && name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then_some(name).ok_or(DecodeError::Invalid { what: "epoch", why: "not a name of an epoch" })
}

fn format_number(format: Format) -> u8 {
    match format {
        Format::Toml => 1,
        Format::Json => 2,
        Format::Text => 3,
        Format::Binary => 4,
        Format::Yaml => 5,
        Format::Env => 6,
        Format::Ini => 7,
        Format::Blocks => 8,
    }
}

fn format_from_number(number: u8) -> Result<Format, DecodeError> {
    match number {
        1 => Ok(Format::Toml),
        2 => Ok(Format::Json),
        3 => Ok(Format::Text),
        4 => Ok(Format::Binary),
        5 => Ok(Format::Yaml),
        6 => Ok(Format::Env),
        7 => Ok(Format::Ini),
        8 => Ok(Format::Blocks),
        _ => Err(DecodeError::Invalid { what: "format", why: "unknown to this build" }),
    }
}

impl fmt::Display for EpochId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Segment;
    use proptest::prelude::*;

    fn contents() -> impl Strategy<Value = Content> {
        prop_oneof![
            any::<String>().prop_map(Content::Scalar),
            any::<String>().prop_map(Content::Trivia),
            any::<Vec<u8>>().prop_map(Content::Bytes),
            Just(Content::Container(Shape::Table)),
            Just(Content::Container(Shape::List)),
        ]
    }

    fn cells() -> impl Strategy<Value = Cell> {
        let decor = (any::<[String; 6]>(), any::<bool>()).prop_map(|(parts, trailing_comma)| {
            let [lead, separator, trail, after_comma, close, indent] = parts;
            Cell::Decor(Decor { lead, separator, trail, after_comma, close, indent, trailing_comma })
        });
        let placement = (0usize..60, any::<String>(), 0usize..1000).prop_map(|(container_depth, label, index)| {
            Cell::Placement(Placement { container_depth, label, position: Position::imported(index) })
        });
        prop_oneof![
            any::<bool>().prop_map(|container| Cell::Tombstone { container }),
            Just(Cell::Implied),
            contents().prop_map(Cell::Content),
            placement,
            decor,
            Just(Cell::Epoch(EpochId::first(Format::Json), Format::Json)),
            any::<bool>().prop_map(Cell::Flag),
            any::<Vec<[u8; 32]>>().prop_map(|heads| {
                let document = DocumentId::new("web/app.toml").unwrap();
                Cell::RenamedFrom(RenamedFrom { document, heads: heads.into_iter().map(ChangeHash).collect() })
            }),
        ]
    }

    proptest! {
        #![proptest_config(crate::testing::cases(256))]

        #[test]
        fn cells_are_read_back(cell in cells()) {
            prop_assert_eq!(Cell::decode(&cell.encode()), Ok(cell));
        }

        #[test]
        fn random_bytes_never_panic(bytes: Vec<u8>) {
            let _ = Cell::decode(&bytes);
        }

        #[test]
        fn registers_are_read_back_from_their_names(key: String, item: String) {
            let path = Path(vec![Segment::Key(key), Segment::Item(item)]);
            let [content, placement, decor] = [Part::Content, Part::Placement, Part::Decor];
            for part in [content, placement, decor, Part::ByteOrderMark, Part::Crlf, Part::FinalNewline, Part::Hidden] {
                let epoch = EpochId::replacing(Format::Text, &[], b"x");
                let register = Register::Fragment { epoch, path: path.clone(), part };
                prop_assert_eq!(Register::from_name(&register.name()), Some(register.clone()));
                prop_assert!(register.bucket() < BUCKETS);
            }
        }
    }
}
