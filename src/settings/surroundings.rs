//! What a process finds around it.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;

/// The variables, the user and the host: all that defaults depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The environment's variables, as far as they are UTF-8.
    pub variables: BTreeMap<String, String>,
    /// The effective user's number.
    pub uid: u32,
    /// The host's name.
    pub host_name: String,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn of_this_process() -> Self {
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: env::vars_os().filter_map(utf8).collect(),
            uid: rustix::process::geteuid().as_raw(),
            host_name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        }
    }

    /// A variable that isn't empty.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether it is the system's own user.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// An XDG base directory, or its default below the home directory. A relative one is invalid and ignored, says the
    /// XDG Base Directory Specification.
    #[must_use]
    pub fn xdg(&self, name: &str, below_home: &str) -> Option<PathBuf> {
        let given = self.variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        given.or_else(|| Some(PathBuf::from(self.variable("HOME")?).join(below_home)))
    }
}
