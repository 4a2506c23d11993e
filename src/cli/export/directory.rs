use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use murmurate_client::types::{ApiError, Document, File};

use super::{Outcome, Sink, is_safe};
use crate::cli::failure;

/// What a new file's mode is before the umask takes its part.
const MODE: u32 = 0o666;
const EXECUTABLE_MODE: u32 = 0o777;

/// Files below a directory, each put into its place whole.
pub(super) struct Directory {
    root: PathBuf,
    force: bool,
}

impl Directory {
    pub(super) fn new(root: &Path, force: bool) -> Self {
        Self { root: root.to_owned(), force }
    }

    fn write(&self, path: &Path, file: &File) -> io::Result<Outcome> {
        if let Ok(found) = fs::symlink_metadata(path) {
            let is_executable = found.permissions().mode() & 0o100 != 0;
            if found.is_file() && is_executable == file.executable && fs::read(path)? == file.bytes {
                return Ok(Outcome::Same);
            }
            if found.is_dir() {
                return Ok(Outcome::Refused("a directory is there".into()));
            }
            if !self.force {
                return Ok(Outcome::Refused("another file is there".into()));
            }
        }
        let directory = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(directory)?;
        let mode = if file.executable { EXECUTABLE_MODE } else { MODE };
        let mut staged = tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(directory)?;
        staged.write_all(&file.bytes)?;
        // A rename takes the place of a symlink, and doesn't follow it.
        let placed = if self.force { staged.persist(path) } else { staged.persist_noclobber(path) };
        match placed {
            Ok(_) => Ok(Outcome::Written),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Ok(Outcome::Refused("another file is there".into()))
            }
            Err(error) => Err(error.error),
        }
    }
}

impl Sink for Directory {
    fn take(&mut self, document: &Document, file: &File) -> Result<Outcome, ApiError> {
        if !is_safe(&document.doc) {
            return Ok(Outcome::Refused("its name leads out of the directory".into()));
        }
        let path = self.root.join(&document.doc);
        match self.write(&path, file) {
            Ok(outcome) => Ok(outcome),
            // In the way of this file only.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists) => {
                Ok(Outcome::Refused("a part of its path is a file".into()))
            }
            Err(error) => Err(failure::io(&format!("write {}", path.display()), &error)),
        }
    }

    fn finish(&mut self) -> Result<(), ApiError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::tests::document;
    use super::*;

    #[test]
    fn nothing_is_written_over_unasked_and_no_symlink_followed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("out");
        let take = |force, doc: &str, bytes: &[u8], executable| {
            let (document, file) = document(doc, bytes, executable);
            Directory::new(&root, force).take(&document, &file).unwrap()
        };
        let refused = |why: &str| Outcome::Refused(why.into());
        assert_eq!(take(false, "web/a/b.toml", b"x", true), Outcome::Written);
        assert_eq!(fs::metadata(root.join("web/a/b.toml")).unwrap().permissions().mode() & 0o100, 0o100);
        assert_eq!(take(false, "web/a/b.toml", b"x", true), Outcome::Same);
        assert_eq!(take(false, "web/a/b.toml", b"x", false), refused("another file is there"));
        assert_eq!(take(false, "web/a/b.toml/c", b"x", false), refused("a part of its path is a file"));
        assert_eq!(take(true, "web/a", b"x", false), refused("a directory is there"));
        assert_eq!(take(true, "web/../../b", b"x", false), refused("its name leads out of the directory"));
        let outside = dir.path().join("outside");
        fs::write(&outside, "precious").unwrap();
        symlink(&outside, root.join("web/link")).unwrap();
        assert_eq!(take(false, "web/link", b"x", false), refused("another file is there"));
        assert_eq!(take(true, "web/link", b"x", false), Outcome::Written);
        assert_eq!(fs::read(&outside).unwrap(), b"precious");
        assert_eq!(fs::read(root.join("web/link")).unwrap(), b"x");
        assert_eq!(fs::read_dir(root.join("web")).unwrap().count(), 2, "nothing else is left behind");
    }
}
