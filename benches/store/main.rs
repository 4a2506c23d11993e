//! Which engine the store stands on: the daemon's own workload against each candidate.
//!
//! ```text
//!  writers ──▶ queue ──▶ committer: all that waits is one commit ──▶ candidate ──▶ disk
//!     ▲                                                     │
//!     └──────────────────── acknowledged ───────────────────┘
//! ```
//! `cargo bench --bench store -- [--directory DIR] [--engines log,redb,fjall] [--puts-per-writer N] [--seed N]`
//!
//! Prints a table. What it measures depends on the disk under DIR and on what else runs; both are printed.

mod candidate;
mod envelopes;
mod kill;
mod machine;
mod puts;
mod reopening;

use std::path::PathBuf;
use std::process::ExitCode;

use candidate::Engine;

/// A failure of a candidate or of the benchmark itself; it ends the run.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How many writers wait for their puts at once.
const WRITERS: [u8; 3] = [1, 16, 64];
/// Changes in the store that is opened again.
const REOPENED_CHANGES: u64 = 100_000;

struct Arguments {
    directory: PathBuf,
    engines: Vec<Engine>,
    puts_per_writer: u64,
    seed: u64,
}

fn arguments() -> Outcome<Arguments> {
    let mut parsed = Arguments {
        // On the disk of the build, not in memory as /tmp may be.
        directory: env!("CARGO_TARGET_TMPDIR").into(),
        engines: vec![Engine::Log, Engine::Redb, Engine::Fjall],
        puts_per_writer: 1_000,
        seed: 1,
    };
    let mut given = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(name) = given.next() {
        let value = given.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--directory" => parsed.directory = value.into(),
            "--engines" => parsed.engines = value.split(',').map(str::parse).collect::<Result<_, _>>()?,
            "--puts-per-writer" => parsed.puts_per_writer = value.parse()?,
            "--seed" => parsed.seed = value.parse()?,
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    Ok(parsed)
}

fn run() -> Outcome<()> {
    if let Some(child) = kill::child_arguments()? {
        return kill::run_child(&child);
    }
    let arguments = arguments()?;
    let machine = machine::Machine::look(&arguments.directory)?;
    println!("{machine}\n");
    println!("| engine | writers | puts/s | put p50 | put p99 | commit p50 | commit p99 | puts/commit | written/put |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for writers in WRITERS {
        for &engine in &arguments.engines {
            let measured = puts::measure(engine, &arguments.directory, writers, arguments.puts_per_writer)?;
            println!("| {engine} | {writers} | {measured} |");
        }
    }
    println!("\n| engine | {REOPENED_CHANGES} changes on disk | open, cold | open, in the page cache |");
    println!("|---|---|---|---|");
    for &engine in &arguments.engines {
        println!("| {engine} | {} |", reopening::measure(engine, &arguments.directory, REOPENED_CHANGES)?);
    }
    println!("\n| engine | kills | acknowledged | lost | in part | open after a kill, slowest |");
    println!("|---|---|---|---|---|---|");
    for &engine in &arguments.engines {
        println!("| {engine} | {} |", kill::measure(engine, &arguments.directory, arguments.seed)?);
    }
    println!("\n{}", machine::load()?);
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
