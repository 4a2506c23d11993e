//! The socket's file: taken, guarded, removed.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};

use murmurate_client::types::{ApiError, ErrorCode};
use tokio::net::UnixListener;

use super::limits::SOCKET_PATH_BYTES;

/// The daemon's user and the socket's group; what the group may is up to who sets it.
const SOCKET_MODE: u32 = 0o660;

/// A directory made for the socket: entered by its owner and group only.
const DIRECTORY_MODE: u32 = 0o750;

/// The listening socket. Its file goes with it, unless another has taken its place.
#[derive(Debug)]
pub struct ApiSocket {
    pub(super) listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl ApiSocket {
    /// See [`super::bind`].
    pub(super) fn bind(path: &Path) -> Result<Self, ApiError> {
        prepare_directory(path)?;
        refuse_occupied(path)?;
        let failed = |error: io::Error| io_error(path, &error);
        // Made under another name and moved into place, it is never there without its mode, and replaces a stale one
        // in one step.
        let staged = path.with_file_name(format!(".{}.sock", std::process::id()));
        check_length(path)?;
        check_length(&staged)?;
        remove_stale(&staged).map_err(failed)?;
        let listener = StdListener::bind(&staged).map_err(failed)?;
        let place = || {
            fs::set_permissions(&staged, Permissions::from_mode(SOCKET_MODE))?;
            listener.set_nonblocking(true)?;
            let inode = fs::metadata(&staged)?.ino();
            fs::rename(&staged, path)?;
            Ok(inode)
        };
        let inode = place().inspect_err(|_| remove_quietly(&staged)).map_err(failed)?;
        Ok(Self { listener: UnixListener::from_std(listener).map_err(failed)?, path: path.to_owned(), inode })
    }
}

impl Drop for ApiSocket {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode) {
            remove_quietly(&self.path);
        }
    }
}

fn remove_quietly(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "the socket's file stays behind");
    }
}

fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn check_length(path: &Path) -> Result<(), ApiError> {
    let bytes = path.as_os_str().len();
    if bytes <= SOCKET_PATH_BYTES {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::BadSetting,
        format!("listen on the socket {}", path.display()),
        format!("its path has {bytes} bytes, and the system allows {SOCKET_PATH_BYTES}"),
        "choose a shorter path with `socket` in daemon.toml or MURMURATE_SOCKET",
    ))
}

fn prepare_directory(path: &Path) -> Result<(), ApiError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let made = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory);
    let metadata = made.and_then(|()| fs::metadata(directory)).map_err(|error| io_error(path, &error))?;
    let (owner, own) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if own == 0 || owner == own || owner == 0 {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::Denied,
        format!("listen on the socket {}", path.display()),
        format!("its directory belongs to another user (uid {owner}), who could put another socket in its place"),
        "choose a directory of your own with `socket` in daemon.toml or MURMURATE_SOCKET",
    ))
}

/// Fails if a daemon listens at the path, or something stands there that is no socket.
fn refuse_occupied(path: &Path) -> Result<(), ApiError> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(ApiError::new(
            ErrorCode::BadSetting,
            format!("listen on the socket {}", path.display()),
            "something else than a socket stands there",
            "move it away, or choose another path with `socket` in daemon.toml or MURMURATE_SOCKET",
        ));
    }
    match StdStream::connect(path) {
        Ok(_) => Err(ApiError::new(
            ErrorCode::AlreadyRunning,
            format!("listen on the socket {}", path.display()),
            "another daemon listens on it",
            format!("`murmurate --socket {} status` shows which; end it first", path.display()),
        )),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(io_error(path, &error)),
    }
}

fn io_error(path: &Path, error: &io::Error) -> ApiError {
    let code = match error.kind() {
        io::ErrorKind::PermissionDenied => ErrorCode::Denied,
        _ => ErrorCode::Io,
    };
    ApiError::new(
        code,
        format!("listen on the socket {}", path.display()),
        error.to_string(),
        "look at the directory's owner and mode, or choose another path with `socket` in daemon.toml",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn takes_the_place_of_a_stale_socket_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/m.sock");
        let first = ApiSocket::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, SOCKET_MODE);
        assert_eq!(ApiSocket::bind(&path).unwrap_err().code, ErrorCode::AlreadyRunning);
        drop(first);
        assert!(!path.exists());

        drop(StdListener::bind(&path).unwrap());
        assert!(path.exists(), "a daemon that was killed leaves its socket");
        let second = ApiSocket::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let third = ApiSocket::bind(&path).unwrap();
        drop(second);
        assert!(path.exists(), "only one's own socket is removed");
        drop(third);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_path_that_cannot_be_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("x".repeat(SOCKET_PATH_BYTES));
        let error = ApiSocket::bind(&long).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadSetting);
        assert!(error.why.contains("107"), "{error}");
        let file = dir.path().join("file");
        fs::write(&file, "precious").unwrap();
        assert_eq!(ApiSocket::bind(&file).unwrap_err().code, ErrorCode::BadSetting);
        assert_eq!(fs::read(&file).unwrap(), b"precious");
    }
}
