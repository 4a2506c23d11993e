//! kill -9 of a process that commits, again and again on one directory: what it acknowledged must be there.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::Outcome;
use crate::candidate::Engine;
use crate::envelopes::Author;
use crate::machine::milliseconds;

const KILLS: u32 = 20;
/// Changes of each commit.
const COMMIT_CHANGES: u64 = 8;
/// A child is killed after at most so many commits.
const COMMITS: u32 = 400;
/// The name of the child's mode.
const CHILD: &str = "--child";

/// One row of the table.
pub(crate) struct Measured {
    acknowledged: u64,
    lost: u64,
    in_part: u64,
    slowest_open: Duration,
}

/// What a child is to do.
pub(crate) struct ChildArguments {
    engine: Engine,
    directory: PathBuf,
}

/// The child's arguments, if this process is one.
pub(crate) fn child_arguments() -> Outcome<Option<ChildArguments>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [mode, engine, directory] if mode == CHILD => {
            Ok(Some(ChildArguments { engine: engine.parse()?, directory: directory.into() }))
        }
        _ => Ok(None),
    }
}

/// Commits until it is killed; says how many changes are durable after each commit.
pub(crate) fn run_child(arguments: &ChildArguments) -> Outcome<()> {
    let store = arguments.engine.open(&arguments.directory)?;
    let author = Author::new(1)?;
    let mut stored = store.stored()?;
    let mut out = std::io::stdout().lock();
    loop {
        let changes: Vec<_> = (1..=COMMIT_CHANGES).map(|next| author.put(stored + next)).collect();
        store.commit(&changes)?;
        stored += COMMIT_CHANGES;
        writeln!(out, "{stored}")?;
        out.flush()?;
    }
}

/// Kills children of an engine at moments drawn from `seed`.
pub(crate) fn measure(engine: Engine, directory: &Path, seed: u64) -> Outcome<Measured> {
    let scratch = tempfile::tempdir_in(directory)?;
    let path = scratch.path().join("store");
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let mut measured = Measured { acknowledged: 0, lost: 0, in_part: 0, slowest_open: Duration::ZERO };
    for _ in 0..KILLS {
        measured.acknowledged = kill_after(engine, &path, 1 + random.next_u32() % COMMITS)?;
        let start = Instant::now();
        let stored = engine.open(&path)?.stored()?;
        measured.slowest_open = measured.slowest_open.max(start.elapsed());
        measured.lost += measured.acknowledged.saturating_sub(stored);
        measured.in_part += u64::from(stored % COMMIT_CHANGES != 0);
    }
    Ok(measured)
}

/// Gives how many changes the child had acknowledged.
fn kill_after(engine: Engine, path: &Path, commits: u32) -> Outcome<u64> {
    let mut child = Command::new(std::env::current_exe()?)
        .args([CHILD, &engine.to_string()])
        .arg(path)
        .stdout(Stdio::piped())
        .spawn()?;
    let out = BufReader::new(child.stdout.take().ok_or("no output")?);
    let mut acknowledged = 0;
    for (line, count) in out.lines().zip(1..) {
        if count == commits {
            child.kill()?;
        }
        acknowledged = line?.parse()?;
    }
    child.wait()?;
    Ok(acknowledged)
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, lost, in_part, slowest_open } = self;
        write!(f, "{KILLS} | {acknowledged} | {lost} | {in_part} | {}", milliseconds(*slowest_open))
    }
}
