//! A tar archive from anywhere: nothing in it is trusted.
//!
//! The long names that archives hold as entries of their own are read here, with a limit: the library would read them
//! whole, however long they say they are.

use std::io::{self, Read};
use std::path::Path;

use murmurate_client::types::{ApiError, ErrorCode};
use tar::{Entries, Entry, EntryType, PaxExtensions};

use super::found::{Content, Found, Source};
use crate::cli::input;

/// A name that an entry of its own holds; a document's has 1,024 bytes at most.
const NAME_BYTES: u64 = 4 << 10;
/// What an extended header may hold: names and times, never contents.
const EXTENDED_BYTES: u64 = 64 << 10;

/// An archive that is read from its beginning to its end.
pub(super) struct Archive<R: Read> {
    archive: tar::Archive<R>,
    name: String,
}

/// The files in it.
pub(super) struct ArchiveFiles<'a, R: Read> {
    entries: Entries<'a, R>,
    name: &'a str,
    /// What was said of the entry that comes next.
    said: Said,
}

/// What stands in entries of their own before the one that they are about.
#[derive(Default)]
struct Said {
    path: Option<Vec<u8>>,
    refusal: Option<&'static str>,
}

impl<R: Read> Archive<R> {
    pub(super) fn new(reader: R, name: &Path) -> Self {
        Self { archive: tar::Archive::new(reader), name: name.display().to_string() }
    }

    pub(super) fn files(&mut self) -> Result<ArchiveFiles<'_, R>, ApiError> {
        let Self { archive, name } = self;
        let entries = archive.entries().map_err(|error| bad(name, &error))?.raw(true);
        Ok(ArchiveFiles { entries, name, said: Said::default() })
    }
}

fn bad(name: &str, error: &io::Error) -> ApiError {
    let what = format!("read the tar archive {name}");
    let try_ = "what came before is through; unpack a compressed archive first: `gzip -dc FILE | murmurate import -`";
    ApiError::new(ErrorCode::BadArchive, what, error.to_string(), try_)
}

impl<R: Read> Source for ArchiveFiles<'_, R> {
    fn next(&mut self) -> Result<Option<Found>, ApiError> {
        while let Some(entry) = self.entries.next() {
            let found = entry.and_then(|entry| self.said.take(entry));
            if let Some(found) = found.map_err(|error| bad(self.name, &error))? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

impl Said {
    /// The file that an entry is; `None` where it is none by itself.
    fn take<R: Read>(&mut self, mut entry: Entry<'_, R>) -> io::Result<Option<Found>> {
        match entry.header().entry_type() {
            EntryType::GNULongName => {
                self.path = self.read(&mut entry, NAME_BYTES)?.map(|name| until_nul(&name).to_vec());
                return Ok(None);
            }
            EntryType::XHeader => {
                self.take_extended(&mut entry)?;
                return Ok(None);
            }
            EntryType::GNULongLink | EntryType::XGlobalHeader => return Ok(None),
            _ => {}
        }
        let Self { path, refusal } = std::mem::take(self);
        let path = path.unwrap_or_else(|| entry.path_bytes().into_owned());
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            return Ok(None);
        }
        let shown = String::from_utf8_lossy(&path).into_owned();
        if let Some(why) = refusal.or(refusal_of(kind)) {
            return Ok(Some(Found::refused(shown, why)));
        }
        let Ok(path) = String::from_utf8(path) else { return Ok(Some(Found::refused(shown, "its name isn't UTF-8"))) };
        let executable = entry.header().mode()? & 0o100 != 0;
        let size = entry.size();
        let content = match input::read(&mut entry, &path) {
            Ok(bytes) if bytes.len() as u64 == size => Content::Bytes(bytes),
            Ok(_) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends in the middle of a file")),
            Err(error) => Content::Refused(error.why),
        };
        Ok(Some(Found { path, executable, content }))
    }

    /// A small entry's content; one that is too large makes the next entry refused.
    fn read<R: Read>(&mut self, entry: &mut Entry<'_, R>, at_most: u64) -> io::Result<Option<Vec<u8>>> {
        if entry.size() > at_most {
            self.refusal = Some("its name is too long");
            return Ok(None);
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Takes the path from an extended header. Sizes that only stand there are those of huge or sparse files.
    fn take_extended<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> io::Result<()> {
        let Some(bytes) = self.read(entry, EXTENDED_BYTES)? else { return Ok(()) };
        for extension in PaxExtensions::new(&bytes) {
            let extension = extension?;
            match extension.key_bytes() {
                b"path" => self.path = Some(extension.value_bytes().to_vec()),
                b"size" => self.refusal = Some("it is too large"),
                key if key.starts_with(b"GNU.sparse.") => self.refusal = Some("it is a sparse file"),
                _ => {}
            }
        }
        Ok(())
    }
}

fn until_nul(name: &[u8]) -> &[u8] {
    name.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Why an entry isn't taken; `None` for a file.
fn refusal_of(kind: EntryType) -> Option<&'static str> {
    match kind {
        EntryType::Regular | EntryType::Continuous => None,
        EntryType::Symlink => Some("it is a symlink"),
        EntryType::Link => Some("it is a hard link"),
        EntryType::Char | EntryType::Block | EntryType::Fifo => Some("it is a device or a pipe"),
        EntryType::GNUSparse => Some("it is a sparse file"),
        _ => Some("it is no file"),
    }
}

#[cfg(test)]
mod tests {
    use tar::{Builder, Header};

    use super::*;

    fn header(kind: EntryType, path: &str, size: u64) -> Header {
        let mut header = Header::new_gnu();
        // As no library would write it.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o755);
        header.set_cksum();
        header
    }

    /// Every file's path and content, or why it isn't taken; then how the archive ends.
    fn files(bytes: &[u8]) -> (Vec<(String, String)>, Option<ErrorCode>) {
        let mut archive = Archive::new(bytes, Path::new("a.tar"));
        let mut source = archive.files().unwrap();
        let mut found = Vec::new();
        loop {
            match source.next() {
                Ok(Some(Found { path, content: Content::Bytes(bytes), .. })) => {
                    found.push((path, String::from_utf8(bytes).unwrap()));
                }
                Ok(Some(Found { path, content: Content::Refused(why), .. })) => found.push((path, format!("! {why}"))),
                Ok(None) => return (found, None),
                Err(error) => return (found, Some(error.code)),
            }
        }
    }

    fn expect(found: &[(String, String)], rows: &[(&str, &str)]) {
        let rows: Vec<_> = rows.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        assert_eq!(found, rows);
    }

    #[test]
    fn only_regular_files_are_taken() {
        let mut builder = Builder::new(Vec::new());
        let kinds = [
            (EntryType::Symlink, "link", "! it is a symlink"),
            (EntryType::Link, "hard", "! it is a hard link"),
            (EntryType::Char, "tty", "! it is a device or a pipe"),
            (EntryType::Fifo, "pipe", "! it is a device or a pipe"),
            (EntryType::new(b'Z'), "odd", "! it is no file"),
        ];
        builder.append(&header(EntryType::Directory, "web/", 0), io::empty()).unwrap();
        for (kind, path, _) in kinds {
            builder.append(&header(kind, path, 0), io::empty()).unwrap();
        }
        for path in ["/etc/passwd", "../../up", "web/ok"] {
            builder.append(&header(EntryType::Regular, path, 1), &b"x"[..]).unwrap();
        }
        let (found, end) = files(&builder.into_inner().unwrap());
        let mut rows: Vec<(&str, &str)> = kinds.iter().map(|(_, path, why)| (*path, *why)).collect();
        rows.extend([("/etc/passwd", "x"), ("../../up", "x"), ("web/ok", "x")]);
        expect(&found, &rows);
        assert_eq!(end, None);
    }

    #[test]
    fn long_names_are_read_and_endless_ones_are_not() {
        let long = "deep/".repeat(100) + "file";
        let mut builder = Builder::new(Vec::new());
        let mut plain = Header::new_gnu();
        plain.set_size(1);
        plain.set_mode(0o644);
        builder.append_data(&mut plain, &long, &b"x"[..]).unwrap();
        // As `tar --format=pax` and Python write it.
        builder.append_pax_extensions([("path", "web/ä.toml".as_bytes()), ("mtime", &b"1.5"[..])]).unwrap();
        builder.append(&header(EntryType::Regular, "web/_.toml", 1), &b"y"[..]).unwrap();
        builder.append_pax_extensions([("size", &b"99999999999"[..])]).unwrap();
        builder.append(&header(EntryType::Regular, "web/huge", 0), io::empty()).unwrap();
        let name = vec![b'a'; 1 << 20];
        builder.append(&header(EntryType::GNULongName, "././@LongLink", 1 << 20), &name[..]).unwrap();
        builder.append(&header(EntryType::Regular, "web/short", 1), &b"z"[..]).unwrap();
        builder.append(&header(EntryType::Regular, "web/after", 1), &b"z"[..]).unwrap();
        let (found, end) = files(&builder.into_inner().unwrap());
        let rows = [
            (&long[..], "x"),
            ("web/ä.toml", "y"),
            ("web/huge", "! it is too large"),
            ("web/short", "! its name is too long"),
            ("web/after", "z"),
        ];
        expect(&found, &rows);
        assert_eq!(end, None);
    }

    #[test]
    fn what_is_broken_or_too_large_ends_nothing_but_itself() {
        let size = 9 << 20;
        let mut builder = Builder::new(Vec::new());
        builder.append(&header(EntryType::Regular, "web/large", size), io::repeat(b'x').take(size)).unwrap();
        builder.append(&header(EntryType::Regular, "web/ok", 1), &b"x"[..]).unwrap();
        let mut bytes = builder.into_inner().unwrap();
        let rows = [("web/large", "! it is larger than 8388608 bytes"), ("web/ok", "x")];
        let (found, end) = files(&bytes);
        expect(&found, &rows);
        assert_eq!(end, None);

        // Cut off within the last file's header, and within the first file.
        for (length, whole) in [(bytes.len() - 1_024 - 512 - 100, 1), (1 << 20, 0)] {
            let (found, end) = files(&bytes[..length]);
            expect(&found, &rows[..whole]);
            assert_eq!(end, Some(ErrorCode::BadArchive), "{length}");
        }
        let at = bytes.len() - 1_024 - 1_024;
        bytes[at] ^= 1;
        assert_eq!(files(&bytes).1, Some(ErrorCode::BadArchive), "the header's sum is wrong");
        assert_eq!(files(b"\x1f\x8b\x08 a compressed one, or anything else").1, Some(ErrorCode::BadArchive));
    }
}
