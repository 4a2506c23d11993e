//! Where the daemon's socket is, unless somebody says otherwise.

use std::env;
use std::path::{Path, PathBuf};

/// The socket of the system's daemon.
pub const SYSTEM_SOCKET: &str = "/run/murmurate/murmurate.sock";

/// The name of the socket within a runtime directory.
const SOCKET_NAME: &str = "murmurate/murmurate.sock";

/// A socket's path, and why it is that one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketChoice {
    /// The path.
    pub path: PathBuf,
    /// In words, where it comes from.
    pub source: &'static str,
}

/// `MURMURATE_SOCKET`, else the user's own daemon if it has a socket in `XDG_RUNTIME_DIR`, else the system's.
#[must_use]
pub fn default_socket() -> SocketChoice {
    choose(
        env::var_os("MURMURATE_SOCKET").map(Into::into),
        env::var_os("XDG_RUNTIME_DIR").map(Into::into),
        Path::exists,
    )
}

fn choose(given: Option<PathBuf>, runtime_dir: Option<PathBuf>, exists: impl Fn(&Path) -> bool) -> SocketChoice {
    if let Some(path) = given.filter(|path| !path.as_os_str().is_empty()) {
        return SocketChoice { path, source: "MURMURATE_SOCKET" };
    }
    let own = runtime_dir.filter(|dir| dir.is_absolute()).map(|dir| dir.join(SOCKET_NAME));
    match own.filter(|path| exists(path)) {
        Some(path) => SocketChoice { path, source: "the user's own daemon, in XDG_RUNTIME_DIR" },
        None => SocketChoice { path: SYSTEM_SOCKET.into(), source: "the system's daemon" },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_socket_goes_before_the_users_and_the_users_before_the_systems() {
        let runtime = || Some(PathBuf::from("/run/user/1"));
        assert_eq!(choose(Some("/x".into()), runtime(), |_| true).path, Path::new("/x"));
        assert_eq!(choose(Some("".into()), runtime(), |_| true).path, Path::new("/run/user/1").join(SOCKET_NAME));
        assert_eq!(choose(None, runtime(), |_| false).path, Path::new(SYSTEM_SOCKET));
        assert_eq!(choose(None, Some("relative".into()), |_| true).path, Path::new(SYSTEM_SOCKET));
    }
}
