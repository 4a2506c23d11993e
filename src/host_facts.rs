//! What this host is like: measured in the data directory, and asked of the kernel. The daemon looks, which has the rights;
//! where none is up, the command line looks with those of its user. What can't be found out is left out.

mod disk;
mod inotify;
pub mod sync;
mod udp;

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use murmurate_client::types::{HostFacts, Time};

/// Entries of the data directory's directories that are looked at: segments of the log have 32 MiB each.
const LOOKED_AT: usize = 1_024;

/// Looks; takes as long as some durable writes.
#[must_use]
pub fn look(data_dir: &Path) -> HostFacts {
    HostFacts {
        now: time(SystemTime::now()),
        data_changed: newest(data_dir).map(time),
        data_dir: data_dir.display().to_string(),
        udp: udp::look(),
        inotify: inotify::look(),
        sync: sync::measure(data_dir).ok(),
        disk: disk::look(data_dir),
    }
}

fn time(time: SystemTime) -> Time {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// When a file of the store or the identity was changed last.
fn newest(data_dir: &Path) -> Option<SystemTime> {
    let directories = ["store", "identity"].map(|name| fs::read_dir(data_dir.join(name)));
    let entries = directories.into_iter().flatten().flat_map(|entries| entries.take(LOOKED_AT).flatten());
    entries.filter_map(|entry| entry.metadata().ok()?.modified().ok()).max()
}

/// A number that the kernel shows in a file.
fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_looked_at_and_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("store")).unwrap();
        fs::write(dir.path().join("store/1.log"), "x").unwrap();
        let facts = look(dir.path());
        assert!(facts.data_changed.is_some());
        let sync = facts.sync.unwrap();
        assert!(sync.samples > 0 && sync.median_us <= sync.worst_us, "{sync:?}");
        let disk = facts.disk.unwrap();
        assert!(disk.free_bytes <= disk.total_bytes, "{disk:?}");
        assert!(facts.udp.unwrap().receive_buffer_bytes > 0);
        assert!(facts.inotify.unwrap().watches_max > 0);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_found_out_is_left_out() {
        let facts = look(Path::new("/nonexistent/murmurate"));
        assert_eq!((facts.data_changed, facts.sync, facts.disk), (None, None, None));
    }
}
