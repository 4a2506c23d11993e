//! How long a small durable write takes: what every acknowledged put waits for.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use murmurate_client::types::SyncFacts;

/// Writes that are measured: enough for a median, few enough to disturb nobody.
const SAMPLES: usize = 11;
/// After this long no further write is begun, so that a slow disk doesn't hold the answer up.
const LONGEST: Duration = Duration::from_secs(3);
/// Bytes of one write: a page, as the store's smallest.
const WRITE_BYTES: usize = 4_096;

/// The median and the worst of some writes.
pub(super) fn measure(directory: &Path) -> io::Result<SyncFacts> {
    let mut times = times(directory, SAMPLES, LONGEST)?;
    times.sort_unstable();
    let microseconds = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let worst_us = times.last().copied().map_or(0, microseconds);
    Ok(SyncFacts { samples: times.len() as u64, median_us: microseconds(times[times.len() / 2]), worst_us })
}

/// How long 4 KiB in place and fdatasync took, so many times; after `longest` no further one is begun, but one there is.
/// Measured in a file of its own, which is gone afterwards. Like the store, which writes into space that it has made
/// before, it writes over the same bytes.
///
/// # Errors
/// When the file can't be made, written, synced or removed.
pub fn times(directory: &Path, samples: usize, longest: Duration) -> io::Result<Vec<Duration>> {
    let path = directory.join(format!(".measured-{}", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    // One that a killed process left behind isn't in use.
    let file = match file {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => OpenOptions::new().write(true).open(&path),
        other => other,
    };
    let measured = file.and_then(|file| {
        file.write_all_at(&[0; WRITE_BYTES], 0)?;
        file.sync_all()?;
        timed(samples, longest, || file.write_all_at(&[1; WRITE_BYTES], 0).and_then(|()| file.sync_data()))
    });
    let removed = fs::remove_file(&path);
    let measured = measured?;
    removed.map(|()| measured)
}

fn timed(samples: usize, longest: Duration, mut write: impl FnMut() -> io::Result<()>) -> io::Result<Vec<Duration>> {
    let begun = Instant::now();
    let mut times = Vec::with_capacity(samples);
    while times.len() < samples && (times.is_empty() || begun.elapsed() < longest) {
        let started = Instant::now();
        write()?;
        times.push(started.elapsed());
    }
    Ok(times)
}
