//! What the figures depend on besides the daemons.

use std::fs;
use std::path::Path;
use std::time::Duration;

use murmurate_client::types::ApiError;
use serde::Serialize;

use super::super::failure;
use super::latency::Latency;
use crate::host_facts::sync;

/// Syncs timed to know the disk.
const SYNCS: usize = 200;

/// Processors, kernel, load and disk.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Machine {
    pub(super) cores: usize,
    pub(super) kernel: String,
    /// The load average over one minute before the first measurement.
    pub(super) load_before: f64,
    /// 4 KiB in place and fdatasync, on the disk of the scratch directory.
    pub(super) sync: Latency,
    pub(super) sync_dir: String,
}

impl Machine {
    pub(super) fn look(dir: &Path) -> Result<Self, ApiError> {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let what = format!("time the disk's sync in {}", dir.display());
        let sync = time_syncs(dir).map_err(|error| failure::io(&what, &error))?;
        Ok(Self { cores, kernel, load_before: load_average(), sync, sync_dir: dir.display().to_string() })
    }
}

/// The load average over the last minute.
pub(super) fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default()
}

fn time_syncs(dir: &Path) -> std::io::Result<Latency> {
    let times = sync::times(dir, SYNCS, Duration::MAX)?;
    Latency::of(times).ok_or_else(|| std::io::Error::other("nothing was timed"))
}
