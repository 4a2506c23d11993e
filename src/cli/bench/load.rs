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
    before: Times,
}

/// What all processors together did, in seconds since the machine's start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Times {
    /// Everything but idle and waiting for the disk.
    busy: f64,
    /// What another machine on the same hardware took.
    stolen: f64,
}

impl Load {
    pub(super) fn begin() -> Self {
        Self { since: Instant::now(), before: Times::now() }
    }

    /// How many cores were busy since then, with whatever.
    pub(super) fn busy_cores(&self) -> f64 {
        self.per_second(Times::now().busy - self.before.busy)
    }

    fn per_second(&self, seconds: f64) -> f64 {
        seconds / self.since.elapsed().as_secs_f64().max(0.001)
    }

    /// `1.3 cores busy`, and what of it others stole.
    pub(super) fn text(&self) -> String {
        let now = Times::now();
        let stolen = self.per_second(now.stolen - self.before.stolen);
        format!("{:.1} cores busy, {stolen:.2} of them stolen", self.per_second(now.busy - self.before.busy))
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

impl Times {
    fn now() -> Self {
        Self::of(&fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    /// From the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal, in hundredths of a
    /// second; guest time is within user time.
    fn of(stat: &str) -> Self {
        let first = stat.lines().next().unwrap_or_default();
        let ticks: Vec<f64> = first.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
        let busy =
            ticks.iter().take(8).enumerate().filter(|(index, _)| !matches!(index, 3 | 4)).map(|(_, ticks)| ticks);
        Self { busy: busy.sum::<f64>() / 100.0, stolen: ticks.get(7).map_or(0.0, |ticks| ticks / 100.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_not_busy_and_stolen_time_is() {
        let stat = "cpu  100 200 300 4000 5000 60 70 80 90 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(Times::of(stat), Times { busy: 8.1, stolen: 0.8 });
        assert_eq!(Times::of(""), Times::default());
    }
}
