//! The disk under a directory.

use std::path::Path;

use murmurate_client::types::DiskFacts;

pub(super) fn look(directory: &Path) -> Option<DiskFacts> {
    let found = rustix::fs::statvfs(directory).ok()?;
    Some(DiskFacts {
        free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
    })
}
