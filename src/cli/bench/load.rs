//! How busy the machine was during a measurement, and so what bounded it.

use std::fs;
use std::time::Instant;

use super::machine::Machine;

/// Above this part of all cores, they bound what is measured.
const CPU_BOUND: f64 = 0.85;
/// Where the disk's sync is at least this part of a time, it bounds it.
const SYNC_BOUND: f64 = 0.35;

/// The machine's busy time at some moment.
pub(super) struct Load {
    since: Instant,
    busy_seconds: f64,
}

impl Load {
    pub(super) fn begin() -> Self {
        Self { since: Instant::now(), busy_seconds: busy_seconds() }
    }

    /// How many cores were busy since then, with whatever.
    pub(super) fn busy_cores(&self) -> f64 {
        (busy_seconds() - self.busy_seconds) / self.since.elapsed().as_secs_f64().max(0.001)
    }

    /// What bounded events that took `p50_ms` and need `syncs` syncs in a row.
    pub(super) fn bound(&self, machine: &Machine, p50_ms: f64, syncs: u8) -> String {
        let busy = self.busy_cores();
        let sync = machine.sync.p50_ms * f64::from(syncs);
        if busy > CPU_BOUND * machine.cores as f64 {
            format!("CPU: {busy:.1} of {} cores busy", machine.cores)
        } else if sync > SYNC_BOUND * p50_ms {
            format!("fsync: {syncs} of {:.2} ms in a row", machine.sync.p50_ms)
        } else {
            format!("steps in a row: {busy:.1} of {} cores busy, fsync {:.2} ms", machine.cores, machine.sync.p50_ms)
        }
    }
}

/// Of all processors together, everything but idle and waiting for the disk.
fn busy_seconds() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = first.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; guest time is within user time.
    let busy = ticks.iter().take(8).enumerate().filter(|(index, _)| !matches!(index, 3 | 4)).map(|(_, ticks)| ticks);
    busy.sum::<f64>() / 100.0
}
