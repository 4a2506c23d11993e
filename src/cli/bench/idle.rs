//! What a daemon takes that has nothing to do.

use std::time::{Duration, Instant};

use super::super::failure::Stop;
use super::Bed;
use super::hosts::Host;
use super::process::Reading;
use super::report::{Aim, Row};

const NAME: &str = "idle";
/// CPU time is counted in hundredths of a second, so a shorter look sees nothing; in parts of a measurement's time.
const LONGER: u32 = 4;
/// How long the mesh is left alone before.
const SETTLE: Duration = Duration::from_secs(30);
const MIB: f64 = 1_048_576.0;

pub(super) async fn measure(bed: &Bed) -> Result<Vec<Row>, Stop> {
    bed.hosts.own.mesh.wait_converged(SETTLE).await?;
    let mut before = Vec::new();
    for host in bed.hosts.all() {
        before.push((host, read(host), sent(host).await));
    }
    let begin = Instant::now();
    tokio::time::sleep(bed.time * LONGER).await;
    let seconds = begin.elapsed().as_secs_f64();
    let (mut cpu, mut memory, mut traffic) = (Vec::new(), Vec::new(), Vec::new());
    for (host, first, sent_before) in before {
        let now = read(host);
        let used = now.cpu_seconds.zip(first.cpu_seconds).map(|(now, first)| (now - first) / seconds * 100.0);
        cpu.extend(used);
        memory.extend(now.resident_bytes.map(|bytes| bytes as f64 / MIB));
        // Connections that were closed meanwhile took their bytes along: of such a host it isn't known.
        let sent = sent(host).await.zip(sent_before).and_then(|(now, before)| now.checked_sub(before));
        traffic.extend(sent.map(|bytes| bytes as f64 / seconds / 1e3));
    }
    let members = bed.hosts.members;
    Ok(vec![
        row(format!("idle CPU of a daemon among {members}, the busiest"), cpu, 0.3, "% of a core"),
        row(format!("idle memory of a daemon among {members}, the largest"), memory, 20.0, "MiB resident"),
        row(format!("idle traffic of a daemon among {members}, the most"), traffic, 2.0, "kB/s sent"),
    ])
}

fn row(what: String, values: Vec<f64>, limit: f64, unit: &'static str) -> Row {
    match values.into_iter().reduce(f64::max) {
        Some(most) => Row::value(NAME, what, most, unit).aim(Some(Aim::at_most(most, limit, unit))),
        None => Row::missing(NAME, what, "this user may not read the daemons' counters"),
    }
}

fn read(host: &Host) -> Reading {
    host.pid.map(Reading::of).unwrap_or_default()
}

/// UDP payload that a daemon sent over its open connections.
async fn sent(host: &Host) -> Option<u64> {
    Some(host.mesh.counters().await.ok()?.network.sent_bytes)
}
