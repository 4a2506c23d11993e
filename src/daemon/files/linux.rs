//! The file system of the host, by system calls that can't be led out of the folder.
//!
//! A directory on the way is opened with openat2(2), RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS, and the call is made
//! relative to it: a directory that is swapped for a symlink meanwhile changes nothing. Needs Linux 5.6.
//!
//! Read leases (fcntl F_SETLEASE) would tell whether a writer has a file open. rustix doesn't have them, and this
//! workspace has no unsafe code; so that is told by the kernel's hints, and by proc(5) where it shows it
//! ([`open_files`]).

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, RenameFlags, ResolveFlags, Stat, Uid, XattrFlags};
use rustix::io::Errno;

use super::filesystem::{Content, Directory, FileError, FileSystem, Found, Kind, Rename, Stamp};
use super::{names, open_files};

/// How often a lookup is tried again that the kernel gave up because something was renamed meanwhile.
const LOOKUPS: usize = 64;
/// The longest list of extended attributes' names, and the longest value (both the kernel's limits).
const ATTRIBUTE_BYTES: usize = 64 * 1024;

/// The host's file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostFileSystem;

impl FileSystem for HostFileSystem {
    fn open(&self, root: &Path) -> Result<Arc<dyn Directory>, FileError> {
        let name = root.to_string_lossy();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(root, flags, Mode::empty()).map_err(|error| failure("open", &name, error))?;
        Ok(Arc::new(HostDirectory { root }))
    }
}

#[derive(Debug)]
struct HostDirectory {
    root: OwnedFd,
}

/// Gives the system's error its meaning here.
fn failure(attempt: &'static str, path: &str, error: Errno) -> FileError {
    match error {
        Errno::NOENT => FileError::NotFound,
        Errno::EXIST => FileError::Exists,
        Errno::LOOP => FileError::LinkLoop,
        Errno::NOTDIR => FileError::NotADirectory,
        Errno::ISDIR => FileError::NotAFile(Kind::Directory),
        Errno::BUSY => FileError::Busy,
        Errno::XDEV => FileError::OtherFileSystem,
        error => FileError::System { attempt, path: path.to_owned(), source: error.into() },
    }
}

/// Like [`failure`], of a call that the file system may not know.
fn rare_failure(attempt: &'static str, path: &str, error: Errno) -> FileError {
    match error {
        Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM | Errno::MLINK => FileError::Unsupported,
        error => failure(attempt, path, error),
    }
}

fn found(stat: &Stat) -> Found {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Link,
        _ => Kind::Special,
    };
    let nanoseconds = |seconds: i64, rest: u64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    #[allow(clippy::unnecessary_cast, reason = "the fields' types differ between architectures")]
    let stamp = Stamp {
        inode: (stat.st_dev as u64, stat.st_ino as u64),
        size_bytes: u64::try_from(stat.st_size).unwrap_or(0),
        modified_ns: nanoseconds(stat.st_mtime as i64, stat.st_mtime_nsec as u64),
        changed_ns: nanoseconds(stat.st_ctime as i64, stat.st_ctime_nsec as u64),
    };
    #[allow(clippy::unnecessary_cast, reason = "the fields' types differ between architectures")]
    let links = stat.st_nlink as u64;
    Found { kind, stamp, executable: stat.st_mode & 0o100 != 0, links }
}

impl HostDirectory {
    /// Opens `path` below the root, following symlinks unless `flags` say otherwise.
    fn open(&self, path: &str, flags: OFlags) -> Result<OwnedFd, FileError> {
        let path = if path.is_empty() { "." } else { path };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..LOOKUPS {
            match rustix::fs::openat2(&self.root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(Errno::XDEV) => return Err(FileError::Outside),
                // A socket or a device without a driver can't be opened.
                Err(Errno::NXIO | Errno::NODEV) => return Err(FileError::NotAFile(Kind::Special)),
                other => return other.map_err(|error| failure("open", path, error)),
            }
        }
        Err(failure("open", path, Errno::AGAIN))
    }

    /// The directory that holds `path`, and the last part.
    fn parent<'a>(&self, path: &'a str) -> Result<(OwnedFd, &'a str), FileError> {
        let (directory, name) = names::split(path);
        Ok((self.open(directory, OFlags::PATH | OFlags::DIRECTORY)?, name))
    }

    fn stat(fd: &OwnedFd, path: &str) -> Result<Stat, FileError> {
        rustix::fs::fstat(fd).map_err(|error| failure("look at", path, error))
    }

    /// Writes `bytes` and gives the file `like`'s attributes. The file isn't visible in the folder yet.
    fn fill(
        &self,
        fd: OwnedFd,
        path: &str,
        bytes: &[u8],
        executable: bool,
        like: Option<&str>,
    ) -> Result<(), FileError> {
        let fail = |error| failure("write", path, error);
        let mode = match like {
            Some(like) => {
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW;
                let like = self.open(like, flags)?;
                copy_owner(&like, &fd, path)?;
                copy_attributes(&like, &fd, path)?;
                Self::stat(&like, path)?.st_mode
            }
            None => Self::stat(&fd, path)?.st_mode,
        };
        // Who may read may execute. Never setuid, setgid or sticky.
        let plain = mode & 0o666;
        let mode = if executable { plain | (plain & 0o444) >> 2 | 0o100 } else { plain };
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode)).map_err(fail)?;
        let system = |source| FileError::System { attempt: "write", path: path.to_owned(), source };
        let mut file = File::from(fd);
        file.write_all(bytes).map_err(system)?;
        file.sync_all().map_err(system)
    }
}

/// Gives `to` the owner and group of `from`; never leaves them different.
fn copy_owner(from: &OwnedFd, to: &OwnedFd, path: &str) -> Result<(), FileError> {
    let (from, now) = (HostDirectory::stat(from, path)?, HostDirectory::stat(to, path)?);
    if (from.st_uid, from.st_gid) == (now.st_uid, now.st_gid) {
        return Ok(());
    }
    rustix::fs::fchown(to, Some(Uid::from_raw(from.st_uid)), Some(Gid::from_raw(from.st_gid)))
        .map_err(|error| failure("keep the owner of", path, error))
}

/// Copies extended attributes, access lists among them. What the kernel labels by itself may fail; capabilities are
/// like setuid and never copied.
fn copy_attributes(from: &OwnedFd, to: &OwnedFd, path: &str) -> Result<(), FileError> {
    let fail = |error| failure("keep the attributes of", path, error);
    let mut names = vec![0; ATTRIBUTE_BYTES];
    let length = match rustix::fs::flistxattr(from, &mut names[..]) {
        Err(Errno::OPNOTSUPP) => return Ok(()),
        other => other.map_err(fail)?,
    };
    let mut value = Vec::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        if name == b"security.capability" {
            continue;
        }
        value.resize(ATTRIBUTE_BYTES, 0);
        let name_text = OsStr::from_bytes(name);
        let copied = rustix::fs::fgetxattr(from, name_text, &mut value[..])
            .and_then(|length| rustix::fs::fsetxattr(to, name_text, &value[..length], XattrFlags::empty()));
        match copied {
            Ok(()) => {}
            Err(Errno::NODATA) => {}
            Err(Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP)
                if name.starts_with(b"security.") || name.starts_with(b"trusted.") => {}
            Err(error) => return Err(fail(error)),
        }
    }
    Ok(())
}

impl Directory for HostDirectory {
    fn is_at(&self, root: &Path) -> bool {
        let (Ok(held), Ok(there)) = (rustix::fs::fstat(&self.root), rustix::fs::stat(root)) else { return false };
        (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino)
    }

    fn list(&self, directory: &str, at_most: usize) -> Result<Vec<Vec<u8>>, FileError> {
        let fail = |error| failure("list", directory, error);
        let fd = self.open(directory, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut found = Vec::new();
        for entry in Dir::new(fd).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                found.push(name.to_vec());
            }
            if found.len() >= at_most {
                break;
            }
        }
        Ok(found)
    }

    fn look(&self, path: &str) -> Result<Found, FileError> {
        let (directory, name) = self.parent(path)?;
        let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
        stat.map(|stat| found(&stat)).map_err(|error| failure("look at", path, error))
    }

    fn look_through(&self, path: &str) -> Result<Found, FileError> {
        Ok(found(&Self::stat(&self.open(path, OFlags::PATH)?, path)?))
    }

    fn read(&self, path: &str, at_most: usize) -> Result<Content, FileError> {
        // Opening a device may already do something: look first.
        let expected = self.look_through(path)?;
        if expected.kind != Kind::File {
            return Err(FileError::NotAFile(expected.kind));
        }
        let fd = self.open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?;
        let before = found(&Self::stat(&fd, path)?);
        if before.kind != Kind::File {
            return Err(FileError::NotAFile(before.kind));
        }
        if before.stamp.size_bytes > at_most as u64 {
            return Err(FileError::TooLarge);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(before.stamp.size_bytes).unwrap_or(0) + 1);
        let mut file = File::from(fd);
        let system = |source| FileError::System { attempt: "read", path: path.to_owned(), source };
        Read::by_ref(&mut file).take(at_most as u64 + 1).read_to_end(&mut bytes).map_err(system)?;
        if bytes.len() > at_most {
            return Err(FileError::TooLarge);
        }
        let after = found(&Self::stat(&file.into(), path)?);
        Ok(Content { before, after, bytes })
    }

    fn open_for_writing(&self) -> BTreeSet<String> {
        open_files::path_of(self.root.as_raw_fd()).map_or_else(BTreeSet::new, |root| open_files::written_below(&root))
    }

    fn create(&self, path: &str, bytes: &[u8], executable: bool, like: Option<&str>) -> Result<(), FileError> {
        let (directory, name) = self.parent(path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // A copy's mode is set when its content can't be read by others any more; a new file's is the umask's business.
        let mode = if like.is_some() { 0o600 } else { 0o666 };
        let fd = rustix::fs::openat(&directory, name, flags, Mode::from_raw_mode(mode))
            .map_err(|error| failure("create", path, error))?;
        let filled = self.fill(fd, path, bytes, executable, like);
        if filled.is_err() {
            // Nothing else to do about it: what is left is a leftover, and goes at the next start.
            let _ = rustix::fs::unlinkat(&directory, name, AtFlags::empty());
        }
        filled
    }

    fn make_directory(&self, path: &str, private: bool) -> Result<(), FileError> {
        let (directory, name) = self.parent(path)?;
        let mode = Mode::from_raw_mode(if private { 0o700 } else { 0o777 });
        rustix::fs::mkdirat(directory, name, mode).map_err(|error| failure("make the directory", path, error))
    }

    fn link_symbolic(&self, target: &str, path: &str) -> Result<(), FileError> {
        let (directory, name) = self.parent(path)?;
        rustix::fs::symlinkat(target, directory, name).map_err(|error| rare_failure("make the symlink", path, error))
    }

    fn read_link(&self, path: &str) -> Result<String, FileError> {
        let (directory, name) = self.parent(path)?;
        let target = rustix::fs::readlinkat(directory, name, Vec::new());
        let target = target.map_err(|error| failure("read the symlink", path, error))?;
        // A target that isn't UTF-8 can't lead to a document.
        target.into_string().map_err(|_| FileError::NotFound)
    }

    fn link_hard(&self, path: &str, new_path: &str) -> Result<(), FileError> {
        let ((from, name), (to, new_name)) = (self.parent(path)?, self.parent(new_path)?);
        rustix::fs::linkat(from, name, to, new_name, AtFlags::empty())
            .map_err(|error| rare_failure("link", path, error))
    }

    fn rename(&self, path: &str, new_path: &str, how: Rename) -> Result<(), FileError> {
        let ((from, name), (to, new_name)) = (self.parent(path)?, self.parent(new_path)?);
        let renamed = match how {
            Rename::Exchange => rustix::fs::renameat_with(from, name, to, new_name, RenameFlags::EXCHANGE),
            Rename::New => rustix::fs::renameat_with(from, name, to, new_name, RenameFlags::NOREPLACE),
            Rename::Over => {
                return rustix::fs::renameat(from, name, to, new_name).map_err(|error| failure("rename", path, error));
            }
        };
        renamed.map_err(|error| match error {
            // Unlike for links, this is about the directory's owner, not about what the file system knows.
            Errno::PERM => failure("rename", path, error),
            error => rare_failure("rename", path, error),
        })
    }

    fn remove(&self, path: &str) -> Result<(), FileError> {
        let (directory, name) = self.parent(path)?;
        rustix::fs::unlinkat(directory, name, AtFlags::empty()).map_err(|error| failure("remove", path, error))
    }

    fn sync_directory(&self, directory: &str) -> Result<(), FileError> {
        let fd = self.open(directory, OFlags::RDONLY | OFlags::DIRECTORY)?;
        rustix::fs::fsync(fd.as_fd()).map_err(|error| failure("sync", directory, error))
    }
}
