use std::fs::{self, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use murmurate_client::types::{ApiError, Document, ErrorCode, File};
use tar::{Builder, EntryType, Header};
use tempfile::NamedTempFile;

use super::{Outcome, Sink, is_safe};
use crate::cli::failure;

/// A tar archive, whole or not at all where it is a file. Equal documents give equal archives.
pub(super) struct Archive {
    builder: Option<Builder<Box<dyn Write>>>,
    file: Option<Staged>,
}

/// An archive that isn't in its place yet.
struct Staged {
    staged: NamedTempFile,
    path: PathBuf,
    force: bool,
}

impl Archive {
    pub(super) fn to_stdout() -> Self {
        Self { builder: Some(Builder::new(Box::new(BufWriter::new(io::stdout())))), file: None }
    }

    pub(super) fn to_file(path: &Path, force: bool) -> Result<Self, ApiError> {
        if !force && fs::symlink_metadata(path).is_ok() {
            return Err(exists(path));
        }
        let failed = |error| failure::io(&format!("write {}", path.display()), &error);
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let staged = tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(directory);
        let staged = staged.map_err(failed)?;
        let writer = BufWriter::new(staged.reopen().map_err(failed)?);
        let file = Some(Staged { staged, path: path.to_owned(), force });
        Ok(Self { builder: Some(Builder::new(Box::new(writer))), file })
    }

    fn append(&mut self, document: &Document, file: &File) -> io::Result<()> {
        let Some(builder) = &mut self.builder else { return Ok(()) };
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(file.bytes.len() as u64);
        header.set_mode(if file.executable { 0o755 } else { 0o644 });
        header.set_mtime(document.time.map_or(0, |time| time.as_ms() / 1_000));
        header.set_uid(0);
        header.set_gid(0);
        builder.append_data(&mut header, &document.doc, &file.bytes[..])
    }

    fn end(&mut self) -> io::Result<()> {
        match self.builder.take() {
            Some(builder) => builder.into_inner()?.flush(),
            None => Ok(()),
        }
    }

    fn name(&self) -> String {
        self.file.as_ref().map_or("stdout".into(), |file| file.path.display().to_string())
    }
}

fn exists(path: &Path) -> ApiError {
    let what = format!("export to {}", path.display());
    ApiError::new(ErrorCode::Exists, what, "there is such a file", "name another, or give `--force`")
}

impl Sink for Archive {
    fn take(&mut self, document: &Document, file: &File) -> Result<Outcome, ApiError> {
        if !is_safe(&document.doc) {
            return Ok(Outcome::Refused("its name leads out of the archive".into()));
        }
        self.append(document, file).map_err(|error| failure::io(&format!("write to {}", self.name()), &error))?;
        Ok(Outcome::Written)
    }

    fn finish(&mut self) -> Result<(), ApiError> {
        let name = self.name();
        self.end().map_err(|error| failure::io(&format!("write to {name}"), &error))?;
        let Some(Staged { staged, path, force }) = self.file.take() else { return Ok(()) };
        let placed = if force { staged.persist(&path) } else { staged.persist_noclobber(&path) };
        match placed {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(exists(&path)),
            Err(error) => Err(failure::io(&format!("write {name}"), &error.error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::super::tests::document;
    use super::*;

    #[test]
    fn an_archive_holds_each_file_once_and_is_there_only_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.tar");
        let mut archive = Archive::to_file(&path, false).unwrap();
        let long = format!("web/{}.toml", "deep/".repeat(150) + "file");
        let files = [("web/run.sh", &b"#!/bin/sh\n"[..], true), (&long, b"a = 1", false)];
        for (doc, bytes, executable) in files {
            let (document, file) = document(doc, bytes, executable);
            assert_eq!(archive.take(&document, &file).unwrap(), Outcome::Written);
        }
        assert!(!path.exists());
        archive.finish().unwrap();
        let mut read = tar::Archive::new(fs::File::open(&path).unwrap());
        let found = read.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
            (name, bytes, entry.header().mode().unwrap())
        });
        let expected = files
            .map(|(doc, bytes, executable)| (doc.to_owned(), bytes.to_vec(), if executable { 0o755 } else { 0o644 }));
        assert_eq!(found.collect::<Vec<_>>(), expected);
        assert_eq!(Archive::to_file(&path, false).err().unwrap().code, ErrorCode::Exists);
        assert!(Archive::to_file(&path, true).is_ok());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
