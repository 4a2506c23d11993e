//! Every path that is used, and why it is that one.

use std::path::PathBuf;

use murmurate_client::types::V1;
use serde::Serialize;

use crate::settings::{ClientSettings, Setting, Settings};

/// All paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Paths {
    /// The document's version.
    pub v: V1,
    /// One entry per path.
    pub paths: Vec<PathEntry>,
}

/// A path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathEntry {
    /// What is there.
    pub what: &'static str,
    /// The path.
    pub path: PathBuf,
    /// Where it comes from.
    pub source: String,
}

impl Paths {
    /// The paths that these settings lead to.
    #[must_use]
    pub fn of(client: &ClientSettings, daemon: &Settings) -> Self {
        let entry = |what, setting: &Setting<PathBuf>| PathEntry {
            what,
            path: setting.value.clone(),
            source: setting.source.clone(),
        };
        let file = client.file.clone().map(|path| PathEntry {
            what: "client settings",
            path,
            source: "default for a user (XDG_CONFIG_HOME)".to_owned(),
        });
        let mut paths: Vec<_> = file.into_iter().collect();
        paths.extend([
            entry("daemon settings", &daemon.file),
            entry("client socket", &client.socket),
            entry("daemon socket", &daemon.socket),
            entry("data", &daemon.data_dir),
            PathEntry { what: "identity", path: daemon.identity_dir(), source: "in the data directory".to_owned() },
            entry("runtime", &daemon.runtime_dir),
        ]);
        Self { v: V1, paths }
    }
}
