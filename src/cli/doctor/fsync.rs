//! How long a durable write takes: every acknowledged put waits for one.

use murmurate_client::types::SyncFacts;

use super::check::Check;
use super::findings::Findings;

const NAME: &str = "fsync";
/// Above, people feel it: local disks take a tenth to a few milliseconds.
const SLOW_US: u64 = 20_000;

pub(super) fn check(findings: &Findings) -> Check {
    match findings.host.as_ref().and_then(|host| host.sync) {
        Some(sync) => judge(sync),
        None => Check::skipped(NAME, "the data directory can't be written by this user"),
    }
}

fn judge(sync: SyncFacts) -> Check {
    let ms = |us: u64| format!("{}.{:02} ms", us / 1_000, us % 1_000 / 10);
    let SyncFacts { samples, median_us, worst_us } = sync;
    let found = format!("{} in the middle, {} at worst of {samples}", ms(median_us), ms(worst_us));
    if median_us < SLOW_US {
        return Check::ok(NAME, found);
    }
    Check::warn(NAME, found, "put the data directory on a local disk that isn't busy; network storage is slow")
}
