//! What the system knows of a daemon's process.

use std::fs;
use std::path::Path;

use serde::Serialize;
use tokio::net::UnixStream;

/// A reading of a process's counters. A field is absent where the system doesn't let this user see it.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Reading {
    pub(super) cpu_seconds: Option<f64>,
    pub(super) resident_bytes: Option<u64>,
    pub(super) written_bytes: Option<u64>,
}

/// The process that listens on a socket, by the credentials that the kernel noted.
pub(super) async fn listener(socket: &Path) -> Option<u32> {
    let stream = UnixStream::connect(socket).await.ok()?;
    stream.peer_cred().ok()?.pid().and_then(|pid| u32::try_from(pid).ok())
}

impl Reading {
    pub(super) fn of(pid: u32) -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        Self {
            cpu_seconds: cpu_seconds(&read("stat")),
            resident_bytes: field(&read("status"), "VmRSS:").map(|kib| kib * 1_024),
            written_bytes: field(&read("io"), "write_bytes:"),
        }
    }
}

/// User and system time, the 14th and 15th field. The second field, the name, may hold spaces and brackets.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / ticks_per_second())
}

/// Linux gives these times in hundredths of a second to every program, whatever it counts in itself.
fn ticks_per_second() -> f64 {
    100.0
}

fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 100 1 1";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(field("Name:\tx\nVmRSS:\t  20480 kB\n", "VmRSS:"), Some(20_480));
        assert_eq!(field("", "VmRSS:"), None);
        let own = Reading::of(std::process::id());
        assert!(own.resident_bytes.is_some_and(|bytes| bytes > 0) && own.cpu_seconds.is_some());
        assert!(Reading::of(0).resident_bytes.is_none());
    }
}
