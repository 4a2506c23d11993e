//! What the kernel allows in watches of directories, and what this process takes of it (inotify(7), proc(5)).

use std::fs;

use murmurate_client::types::InotifyFacts;

use super::number;

pub(super) fn look() -> Option<InotifyFacts> {
    Some(InotifyFacts {
        watches_max: number("/proc/sys/fs/inotify/max_user_watches")?,
        watches: own_watches(),
        instances_max: number("/proc/sys/fs/inotify/max_user_instances")?,
    })
}

/// The lines that each open inotify instance shows, one per watch. None when it has no instance.
fn own_watches() -> Option<u64> {
    let mut watches = None;
    for entry in fs::read_dir("/proc/self/fd").ok()?.flatten() {
        let kind = fs::read_link(entry.path()).unwrap_or_default();
        if kind.to_str() != Some("anon_inode:inotify") && kind.to_str() != Some("anon_inode:[inotify]") {
            continue;
        }
        let shown = fs::read_to_string(format!("/proc/self/fdinfo/{}", entry.file_name().to_string_lossy()));
        let lines = shown.unwrap_or_default().lines().filter(|line| line.starts_with("inotify ")).count();
        watches = Some(watches.unwrap_or(0) + lines as u64);
    }
    watches
}
