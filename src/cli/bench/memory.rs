//! How a daemon's memory grows with documents and keys.

use std::time::Duration;

use super::super::failure::Stop;
use super::Bed;
use super::process::Reading;
use super::report::Row;
use super::scratch::toml_file;

const NAME: &str = "memory";
/// Documents, and keys in each.
const STEPS: [(usize, usize); 3] = [(200, 10), (100, 100), (20, 1_000)];
const SETTLE: Duration = Duration::from_secs(60);
const KIB: f64 = 1_024.0;

pub(super) async fn measure(bed: &Bed) -> Result<Vec<Row>, Stop> {
    let own = &bed.hosts.own;
    let resident = || own.pid.and_then(|pid| Reading::of(pid).resident_bytes);
    let Some(mut before) = resident() else {
        let why = "this user may not read the daemon's counters";
        return Ok(vec![Row::missing(NAME, "memory per document", why)]);
    };
    let mut rows = Vec::new();
    for (documents, keys) in STEPS {
        let file = toml_file(keys, bed.value_bytes);
        for number in 0..documents {
            let name = bed.scratch.document(&format!("memory-{keys}-{number}.toml"));
            own.mesh.write_file(&name, file.clone()).await?;
        }
        own.mesh.wait_converged(SETTLE).await?;
        let now = resident().unwrap_or(before);
        let each = now.saturating_sub(before) as f64 / KIB / documents as f64;
        let what = format!("memory per document of {keys} keys ({documents} of them)");
        rows.push(
            Row::value(NAME, what, each, "KiB").bound_by(format!("its file has {:.1} KiB", file.len() as f64 / KIB)),
        );
        before = now;
    }
    Ok(rows)
}
