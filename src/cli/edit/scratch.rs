use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use murmurate_client::types::ApiError;
use tempfile::TempDir;

use super::Target;
use crate::cli::{failure, input};

/// What the directory's mode is: a document may hold secrets.
const MODE: u32 = 0o700;

/// The file that the editor works on, in a directory that nobody else can enter. It goes with this, unless it is kept.
pub(super) struct Scratch {
    directory: TempDir,
    path: std::path::PathBuf,
}

impl Scratch {
    pub(super) fn new(name: &str, text: &[u8]) -> Result<Self, ApiError> {
        let failed = |error| failure::io("make a file for the editor", &error);
        let directory = tempfile::Builder::new()
            .prefix("murmurate-edit-")
            .permissions(Permissions::from_mode(MODE))
            .tempdir()
            .map_err(failed)?;
        let path = directory.path().join(name);
        fs::write(&path, text).map_err(failed)?;
        Ok(Self { directory, path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn read(&self) -> Result<Vec<u8>, ApiError> {
        let name = self.path.display().to_string();
        let file = File::open(&self.path).map_err(|error| failure::io(&format!("read {name}"), &error))?;
        input::read(file, &name)
    }

    /// The error, and where the text is now: nothing that somebody wrote is thrown away.
    pub(super) fn kept(self, error: ApiError, target: &impl Target) -> ApiError {
        let Self { directory, path } = self;
        let _ = directory.keep();
        let by_hand = target.by_hand(&path.display().to_string());
        ApiError { try_: format!("{}; your text is kept: `{by_hand}`", error.try_), ..error }
    }

    /// The same, if there is anything to keep.
    pub(super) fn kept_if_changed(self, opened: &[u8], error: ApiError, target: &impl Target) -> ApiError {
        match fs::read(&self.path) {
            Ok(text) if text != opened => self.kept(error, target),
            _ => error,
        }
    }
}
