use std::fs::{self, File, FileType};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use murmurate_client::types::ApiError;

use super::found::{Content, Found, Source};
use crate::cli::{failure, input};

/// The daemon's own directory in a watched folder: no part of it.
const OWN_DIRECTORY: &str = ".murmurate";

/// The files below a directory, by path. No symlink is followed.
pub(super) struct Directory {
    root: PathBuf,
    /// What is still to be looked at, the next last.
    waiting: Vec<PathBuf>,
    is_listed: bool,
}

impl Directory {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), waiting: Vec::new(), is_listed: false }
    }

    /// Puts the names of a directory before what waits.
    fn list(&mut self, directory: &Path) -> io::Result<()> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if !path.ends_with(OWN_DIRECTORY) {
                names.push(path);
            }
        }
        names.sort_unstable_by(|a, b| b.cmp(a));
        self.waiting.append(&mut names);
        Ok(())
    }

    /// The file at a path; `None` for a directory, whose files come next.
    fn look(&mut self, path: &Path) -> io::Result<Option<Found>> {
        let below = path.strip_prefix(&self.root).unwrap_or(path);
        let shown = below.to_string_lossy().into_owned();
        let kind = fs::symlink_metadata(path)?.file_type();
        if kind.is_dir() {
            self.list(path)?;
            return Ok(None);
        }
        if let Some(why) = refusal(kind) {
            return Ok(Some(Found::refused(shown, why)));
        }
        if below.to_str().is_none() {
            return Ok(Some(Found::refused(shown, "its name isn't UTF-8")));
        }
        // What it was may have changed since: a symlink isn't followed, and a pipe not waited for.
        let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits();
        let file = File::options().read(true).custom_flags(i32::try_from(flags).unwrap_or(0)).open(path)?;
        let executable = file.metadata()?.permissions().mode() & 0o100 != 0;
        let content = match input::read(file, &shown) {
            Ok(bytes) => Content::Bytes(bytes),
            Err(error) => Content::Refused(error.why),
        };
        Ok(Some(Found { path: shown, executable, content }))
    }
}

/// Why something isn't taken; `None` for a file.
fn refusal(kind: FileType) -> Option<&'static str> {
    match kind {
        kind if kind.is_file() => None,
        kind if kind.is_symlink() => Some("it is a symlink"),
        kind if kind.is_fifo() || kind.is_socket() => Some("it is a pipe or a socket"),
        _ => Some("it is a device"),
    }
}

impl Source for Directory {
    fn next(&mut self) -> Result<Option<Found>, ApiError> {
        let failed = |path: &Path, error: &io::Error| failure::io(&format!("read {}", path.display()), error);
        if !self.is_listed {
            self.is_listed = true;
            let root = self.root.clone();
            self.list(&root).map_err(|error| failed(&root, &error))?;
        }
        while let Some(path) = self.waiting.pop() {
            match self.look(&path) {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => {}
                // One that can't be read keeps no other back.
                Err(error) => {
                    let below = path.strip_prefix(&self.root).unwrap_or(&path).to_string_lossy().into_owned();
                    return Ok(Some(Found::refused(below, error.to_string())));
                }
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn files_come_by_path_and_nothing_else_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("in");
        fs::create_dir_all(root.join("a/.murmurate")).unwrap();
        fs::create_dir_all(root.join(".murmurate")).unwrap();
        for (path, text) in [("b.toml", "b"), ("a/x.sh", "x"), (".murmurate/folder", "m")] {
            fs::write(root.join(path), text).unwrap();
        }
        fs::set_permissions(root.join("a/x.sh"), Permissions::from_mode(0o744)).unwrap();
        fs::write(dir.path().join("outside"), "precious").unwrap();
        symlink("../outside", root.join("link")).unwrap();
        symlink("..", root.join("up")).unwrap();
        let _socket = UnixListener::bind(root.join("socket")).unwrap();
        fs::write(root.join(std::ffi::OsStr::from_bytes(b"z\xff")), "z").unwrap();
        File::create(root.join("large")).unwrap().set_len(64 << 20).unwrap();
        let mut source = Directory::new(&root);
        let mut found = Vec::new();
        while let Some(file) = source.next().unwrap() {
            let content = match file.content {
                Content::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
                Content::Refused(why) => why,
            };
            found.push((file.path, content, file.executable));
        }
        let rows = [
            ("a/x.sh", "x", true),
            ("b.toml", "b", false),
            ("large", "it is larger than 8388608 bytes", false),
            ("link", "it is a symlink", false),
            ("socket", "it is a pipe or a socket", false),
            ("up", "it is a symlink", false),
            ("z\u{fffd}", "its name isn't UTF-8", false),
        ];
        assert_eq!(found, rows.map(|(path, content, executable)| (path.to_owned(), content.to_owned(), executable)));
    }
}
