//! Room on the disk under the data directory.

use murmurate_client::types::DiskFacts;

use super::check::Check;
use super::findings::Findings;

const NAME: &str = "disk";
/// Less, and the next burst of changes may not fit.
const BAD_BYTES: u64 = 64 << 20;
/// Two segments of the log, and what else may be written until somebody has made room.
const LOW_BYTES: u64 = 512 << 20;

pub(super) fn check(findings: &Findings) -> Check {
    match findings.host.as_ref().and_then(|host| Some((&host.data_dir, host.disk?))) {
        Some((data_dir, disk)) => judge(data_dir, disk),
        None => Check::skipped(NAME, "the data directory can't be looked at"),
    }
}

fn judge(data_dir: &str, disk: DiskFacts) -> Check {
    let found = format!("{} MiB of {} MiB free for {data_dir}", disk.free_bytes >> 20, disk.total_bytes >> 20);
    let fix = format!("make room on the file system of {data_dir}");
    match disk.free_bytes {
        free if free < BAD_BYTES => Check::bad(NAME, found, fix),
        free if free < LOW_BYTES => Check::warn(NAME, found, fix),
        _ => Check::ok(NAME, found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::State;

    #[test]
    fn a_disk_that_fills_up_is_told() {
        let state = |free_bytes| judge("/d", DiskFacts { free_bytes, total_bytes: 1 << 40 }).state;
        assert_eq!([state(1), state(BAD_BYTES), state(LOW_BYTES)], [State::Bad, State::Warn, State::Ok]);
    }
}
