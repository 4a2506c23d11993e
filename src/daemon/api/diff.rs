//! What differs in a document: between two of its states, or from the file on this host's disk.

use axum::extract::State;
use murmurate_client::types::{ApiError, Diff, DiffPoint, ErrorCode};
use murmurate_crdt::limits::FILE_BYTES;
use serde::Deserialize;

use super::Api;
use super::answer::{Answer, Parameters, Result};
use crate::daemon::files::filesystem::FileError;
use crate::daemon::files::{FileSystem, HostFileSystem};
use crate::daemon::request::{DiskFile, DiskPlace, Request, Side};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Compare {
    doc: String,
    from: Option<String>,
    to: Option<String>,
}

/// Compares; what is on the disk is read first.
pub(super) async fn diff(
    State(api): State<Api>,
    Parameters(Compare { doc, from, to }): Parameters<Compare>,
) -> Result<Diff> {
    let before = api.side(&doc, from).await?;
    let after = api.side(&doc, to).await?;
    Ok(Answer(api.core.ask(|reply| Request::Diff { doc, before, after, reply }).await?))
}

impl Api {
    async fn side(&self, doc: &str, parameter: Option<String>) -> std::result::Result<Side, ApiError> {
        match DiffPoint::of_parameter(parameter) {
            DiffPoint::Now => Ok(Side::Now),
            DiffPoint::At(heads) => Ok(Side::At(heads)),
            DiffPoint::Disk => Ok(Side::Disk(self.on_disk(doc).await?)),
        }
    }

    /// A document's file, as it is on the disk; `None` if there is none.
    async fn on_disk(&self, doc: &str) -> std::result::Result<Option<DiskFile>, ApiError> {
        let doc = doc.to_owned();
        let what = format!("read the file of {doc}");
        let place = self.core.ask(|reply| Request::DiskPlace { doc, reply }).await?;
        let found = tokio::task::spawn_blocking(move || read(&place)).await;
        let found = found.map_err(|error| ApiError::internal(&what, error.to_string()))?;
        found.map_err(|error| ApiError::new(code(&error), what, error.to_string(), "look at the file and its folder"))
    }
}

/// Reads a file below its folder's directory, whatever symlinks there are.
fn read(place: &DiskPlace) -> std::result::Result<Option<DiskFile>, FileError> {
    let directory = HostFileSystem.open(&place.root)?;
    match directory.read(&place.path, FILE_BYTES) {
        Ok(content) => Ok(Some(DiskFile { bytes: content.bytes.into(), executable: content.after.executable })),
        Err(FileError::NotFound | FileError::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

fn code(error: &FileError) -> ErrorCode {
    match error {
        FileError::TooLarge => ErrorCode::TooLarge,
        _ => ErrorCode::Io,
    }
}
