//! Writers that each wait for one put at a time, and a committer that stores together what waits together.

use std::fmt;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use murmurate_crdt::envelope::SignedEnvelope;

use crate::Outcome;
use crate::candidate::{Candidate, Engine};
use crate::envelopes::Author;
use crate::machine::{Percentiles, milliseconds, written_bytes};

/// One row of the table.
pub(crate) struct Measured {
    puts: u64,
    elapsed: Duration,
    put: Percentiles,
    commit: Percentiles,
    commits: u64,
    written_bytes: u64,
}

/// A put on its way, and whom to tell that it is durable.
struct Waiting {
    change: SignedEnvelope,
    acknowledge: Sender<()>,
}

/// Measures an engine in a new directory below `directory`.
pub(crate) fn measure(engine: Engine, directory: &Path, writers: u8, puts_per_writer: u64) -> Outcome<Measured> {
    let scratch = tempfile::tempdir_in(directory)?;
    let store = engine.open(&scratch.path().join("store"))?;
    // Signing is no part of what is measured.
    let signed = (0..writers).map(|number| signed_puts(number, puts_per_writer)).collect::<Outcome<Vec<_>>>()?;
    let written_before = written_bytes()?;
    let start = Instant::now();
    let (queue, waiting) = mpsc::channel();
    let (put_times, commit_times) = std::thread::scope(|scope| {
        let writers: Vec<_> = signed
            .into_iter()
            .map(|puts| {
                scope.spawn({
                    let queue = queue.clone();
                    move || write(puts, &queue)
                })
            })
            .collect();
        drop(queue);
        let commit_times = commit_all(&*store, &waiting)?;
        let put_times = writers.into_iter().map(|writer| writer.join().map_err(|_| "a writer panicked")?);
        Outcome::Ok((put_times.collect::<Outcome<Vec<_>>>()?.concat(), commit_times))
    })?;
    let elapsed = start.elapsed();
    let puts = u64::from(writers) * puts_per_writer;
    if store.stored()? != puts {
        return Err(format!("{engine} stored {} of {puts} puts", store.stored()?).into());
    }
    Ok(Measured {
        puts,
        elapsed,
        put: Percentiles::of(put_times),
        commits: commit_times.len() as u64,
        commit: Percentiles::of(commit_times),
        written_bytes: written_bytes()? - written_before,
    })
}

fn signed_puts(number: u8, count: u64) -> Outcome<Vec<SignedEnvelope>> {
    let author = Author::new(number)?;
    Ok((1..=count).map(|sequence| author.put(sequence)).collect())
}

/// Gives how long each put took.
fn write(puts: Vec<SignedEnvelope>, queue: &Sender<Waiting>) -> Outcome<Vec<Duration>> {
    let (acknowledge, acknowledged) = mpsc::channel();
    let mut times = Vec::with_capacity(puts.len());
    for change in puts {
        let start = Instant::now();
        queue.send(Waiting { change, acknowledge: acknowledge.clone() })?;
        acknowledged.recv()?;
        times.push(start.elapsed());
    }
    Ok(times)
}

/// Gives how long each commit took.
fn commit_all(store: &dyn Candidate, waiting: &Receiver<Waiting>) -> Outcome<Vec<Duration>> {
    let mut times = Vec::new();
    while let Ok(first) = waiting.recv() {
        let group: Vec<_> = std::iter::once(first).chain(waiting.try_iter()).collect();
        let changes: Vec<_> = group.iter().map(|waiting| waiting.change.clone()).collect();
        let start = Instant::now();
        store.commit(&changes)?;
        times.push(start.elapsed());
        group.iter().try_for_each(|waiting| waiting.acknowledge.send(()))?;
    }
    Ok(times)
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = self.puts as f64 / self.elapsed.as_secs_f64();
        let per_commit = self.puts as f64 / self.commits as f64;
        let (put, commit) = (self.put, self.commit);
        write!(f, "{per_second:.0} | {} | {} | ", milliseconds(put.p50), milliseconds(put.p99))?;
        write!(f, "{} | {} | ", milliseconds(commit.p50), milliseconds(commit.p99))?;
        write!(f, "{per_commit:.1} | {} B", self.written_bytes / self.puts)
    }
}
