//! How long a daemon's start waits for its store.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{Advice, fadvise};

use crate::Outcome;
use crate::candidate::Engine;
use crate::envelopes::Author;
use crate::machine::milliseconds;

/// Authors in the store.
const AUTHORS: u8 = 50;
/// Changes of each commit: a busy host's.
const COMMIT_CHANGES: usize = 32;

/// One row of the table.
pub(crate) struct Measured {
    disk_bytes: u64,
    cold: Duration,
    cached: Duration,
}

/// Measures an engine with so many changes.
pub(crate) fn measure(engine: Engine, directory: &Path, changes: u64) -> Outcome<Measured> {
    let scratch = tempfile::tempdir_in(directory)?;
    let path = scratch.path().join("store");
    fill(engine, &path, changes)?;
    let disk_bytes = for_each_file(&path, &|file| Ok(file.metadata()?.len()))?;
    for_each_file(&path, &|file| {
        file.sync_all()?;
        fadvise(file, 0, None, Advice::DontNeed)?;
        Ok(0)
    })?;
    let cold = time_open(engine, &path, changes)?;
    let cached = time_open(engine, &path, changes)?;
    Ok(Measured { disk_bytes, cold, cached })
}

fn fill(engine: Engine, path: &Path, changes: u64) -> Outcome<()> {
    let store = engine.open(path)?;
    let authors = (0..AUTHORS).map(Author::new).collect::<Outcome<Vec<_>>>()?;
    let mut commit = Vec::with_capacity(COMMIT_CHANGES);
    for sequence in 1..=changes / u64::from(AUTHORS) {
        for author in &authors {
            commit.push(author.put(sequence));
            if commit.len() == COMMIT_CHANGES {
                store.commit(&commit)?;
                commit.clear();
            }
        }
    }
    store.commit(&commit)
}

/// Opens the store and reads the vectors of all documents.
fn time_open(engine: Engine, path: &Path, changes: u64) -> Outcome<Duration> {
    let start = Instant::now();
    let stored = engine.open(path)?.stored()?;
    let elapsed = start.elapsed();
    if stored == changes { Ok(elapsed) } else { Err(format!("{engine} reopened with {stored} of {changes}").into()) }
}

/// The sum of what `visit` gives for each file below `path`.
fn for_each_file(path: &Path, visit: &dyn Fn(&File) -> Outcome<u64>) -> Outcome<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() {
            for_each_file(&entry.path(), visit)?
        } else {
            visit(&File::open(entry.path())?)?
        };
    }
    Ok(sum)
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { disk_bytes, cold, cached } = self;
        write!(f, "{} kB | {} | {}", disk_bytes / 1000, milliseconds(*cold), milliseconds(*cached))
    }
}
