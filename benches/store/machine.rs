//! What the figures depend on besides the engine.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use murmurate::host_facts::sync;

use crate::Outcome;

/// Syncs timed to know the disk.
const SYNCS: usize = 300;

/// Disk, kernel, processors and load.
pub(crate) struct Machine {
    sync: Percentiles,
    kernel: String,
    processors: usize,
    load: String,
}

impl Machine {
    /// Looks at this machine and the disk under `directory`.
    pub(crate) fn look(directory: &Path) -> Outcome<Self> {
        std::fs::create_dir_all(directory)?;
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned();
        let processors = std::thread::available_parallelism()?.get();
        let sync = Percentiles::of(sync::times(directory, SYNCS, Duration::MAX)?);
        Ok(Self { sync, kernel, processors, load: load()? })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sync, kernel, processors, load } = self;
        write!(f, "Linux {kernel}, {processors} processors, {load}; 4 KiB in place and fdatasync: {sync}")
    }
}

/// The load average.
pub(crate) fn load() -> Outcome<String> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(format!("load average {}", text.split(' ').take(3).collect::<Vec<_>>().join(" ")))
}

/// What this process had written to disks, by the kernel's count.
pub(crate) fn written_bytes() -> Outcome<u64> {
    let text = std::fs::read_to_string("/proc/self/io")?;
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: ")).ok_or("no write_bytes")?;
    Ok(line.trim().parse()?)
}

/// Median and 99th percentile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Percentiles {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Percentiles {
    /// Those of `times`; zero if there are none.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
        Self { p50: at(50), p99: at(99) }
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p50 {}, p99 {}", milliseconds(self.p50), milliseconds(self.p99))
    }
}

/// A time as it stands in the tables.
pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}
