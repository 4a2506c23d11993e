//! Durable puts a second, and what is written to the disk for each.

use std::time::{Duration, Instant};

use murmurate_client::types::ApiError;
use tokio::task::JoinSet;

use super::super::failure::Stop;
use super::Bed;
use super::latency::Latency;
use super::load::Load;
use super::process::Reading;
use super::report::{Aim, Row};
use super::scratch::{key_of, toml_file, value};
use super::visible::put_value;

const NAME: &str = "puts";
/// Clients that each wait for one put at a time, and the documents that their keys are spread over.
const RUNS: [(usize, usize); 4] = [(1, 1), (16, 1), (64, 1), (64, 64)];
/// How long the mesh may take to be in step after a run.
const SETTLE: Duration = Duration::from_secs(60);

struct Run {
    clients: usize,
    documents: usize,
    puts: u64,
    seconds: f64,
    latency: Option<Latency>,
    /// On the host that was written to.
    written_per_put: Option<f64>,
    bound: String,
}

pub(super) async fn measure(bed: &Bed) -> Result<Vec<Row>, Stop> {
    let mut rows = Vec::new();
    for (clients, documents) in RUNS {
        let run = run(bed, clients, documents).await?;
        rows.extend(rows_of(&run));
        bed.hosts.own.mesh.wait_converged(SETTLE).await?;
    }
    Ok(rows)
}

fn rows_of(run: &Run) -> Vec<Row> {
    let per_second = run.puts as f64 / run.seconds;
    let (clients, documents) = (run.clients, run.documents);
    let of_clients = if clients == 1 { "1 client".into() } else { format!("{clients} clients") };
    let of_documents = if documents == 1 { "one document".into() } else { format!("{documents} documents") };
    let aim = (clients == 64).then(|| Aim::at_least(per_second, 15_000.0, "puts/s"));
    let mut rows = vec![
        Row::value(NAME, format!("durable puts/s, {of_clients}, {of_documents}"), per_second, "puts/s")
            .aim(aim)
            .bound_by(run.bound.clone()),
        Row::latency(NAME, "  each put -> acknowledged", run.latency),
    ];
    let what = "  written to the disk per put, on the host written to";
    rows.push(match run.written_per_put {
        Some(bytes) => {
            let aim = (clients == 16).then(|| Aim::at_most(bytes, 2_000.0, "B"));
            Row::value(NAME, what, bytes, "B").aim(aim)
        }
        None => Row::missing(NAME, what, "this user may not read the daemon's counters"),
    });
    rows
}

async fn run(bed: &Bed, clients: usize, documents: usize) -> Result<Run, ApiError> {
    let own = &bed.hosts.own;
    let name = |document: usize| bed.scratch.document(&format!("puts-{clients}-{documents}-{document}.toml"));
    let keys = clients.div_ceil(documents).max(20);
    for document in 0..documents {
        own.mesh.write_file(&name(document), toml_file(keys, bed.value_bytes)).await?;
    }
    let mut connected = Vec::new();
    for client in 0..clients {
        connected.push((own.client().await?, key_of(&name(client % documents), client / documents)));
    }
    own.mesh.wait_converged(SETTLE).await?;
    let cpu = || -> f64 { bed.hosts.all().filter_map(|host| Reading::of(host.pid?).cpu_seconds).sum() };
    let cpu_before = cpu();
    let written = || own.pid.and_then(|pid| Reading::of(pid).written_bytes);
    let before = written();
    let load = Load::begin();
    let begin = Instant::now();
    let end = begin + bed.time;
    let mut tasks = JoinSet::new();
    for (mesh, address) in connected {
        let value_bytes = bed.value_bytes;
        tasks.spawn(async move {
            let mut times = Vec::new();
            for number in 1.. {
                let start = Instant::now();
                if start >= end {
                    break;
                }
                mesh.put(&address, &put_value(&value(number, value_bytes))).await?;
                times.push(start.elapsed());
            }
            Ok::<_, ApiError>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(task) = tasks.join_next().await {
        times.extend(task.map_err(|error| ApiError::internal("put as a client", error.to_string()))??);
    }
    let seconds = begin.elapsed().as_secs_f64();
    let (puts, latency) = (times.len() as u64, Latency::of(times));
    let bound = latency.map(|latency| load.bound(&bed.machine, latency.p50_ms, 1)).unwrap_or_default();
    let cpu_us = (cpu() - cpu_before) * 1e6 / puts.max(1) as f64;
    let bound = format!("{bound}; the daemons took {cpu_us:.0} us of CPU a put, together");
    let per_put = before.zip(written()).map(|(before, after)| after.saturating_sub(before) as f64 / puts.max(1) as f64);
    Ok(Run { clients, documents, puts, seconds, latency, written_per_put: per_put, bound })
}
