//! Put -> event at a watcher of the same host.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::super::failure::Stop;
use super::latency::Latency;
use super::load::Load;
use super::report::Row;
use super::scratch::{key_of, toml_file, value};
use super::visible::put_value;
use super::{Bed, too_late};

const NAME: &str = "watch";
const KEYS: usize = 20;
const DEADLINE: Duration = Duration::from_secs(10);
/// See [`super::visible`].
const PAUSE_US: u64 = 5_000;

pub(super) async fn measure(bed: &Bed) -> Result<Vec<Row>, Stop> {
    let document = bed.scratch.document("watch.toml");
    let mesh = &bed.hosts.own.mesh;
    mesh.write_file(&document, toml_file(KEYS, bed.value_bytes)).await?;
    let address = key_of(&document, 0);
    let mut watch = mesh.watch(&address).start().await?;
    let load = Load::begin();
    let mut times = Vec::new();
    let begin = Instant::now();
    for number in 1.. {
        if begin.elapsed() >= bed.time {
            break;
        }
        let text = value(number, bed.value_bytes);
        let put = put_value(&text);
        let start = Instant::now();
        let seen = async {
            while let Some(event) = watch.next().await {
                if event?.value.is_some_and(|value| value.value == text.as_str()) {
                    return Ok(start.elapsed());
                }
            }
            Err(too_late("see a put at a watcher", DEADLINE))
        };
        let (put, seen) = tokio::join!(mesh.put(&address, &put), timeout(DEADLINE, seen));
        put?;
        times.push(seen.unwrap_or_else(|_| Err(too_late("see a put at a watcher", DEADLINE)))?);
        tokio::time::sleep(Duration::from_micros(number * 7_919 % PAUSE_US)).await;
    }
    let latency = Latency::of(times);
    let bound = latency.map(|latency| load.bound(&bed.machine, latency.p50_ms, 0)).unwrap_or_default();
    Ok(vec![Row::latency(NAME, "put -> event at a watcher of the same host", latency).bound_by(bound)])
}
