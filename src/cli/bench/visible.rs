//! Put -> acknowledged, and put -> visible on the other hosts: one put at a time, as soon as may be or one a second.

use std::time::{Duration, Instant};

use murmurate_client::Watch;
use murmurate_client::types::{ApiError, PutValue};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::super::failure::Stop;
use super::latency::Latency;
use super::load::Load;
use super::report::{Aim, Row};
use super::scratch::{key_of, toml_file, value};
use super::{Bed, too_late};

const NAME: &str = "visible";
const SPREAD: &str = "spread";
/// Keys of the document: a config file of ordinary size.
const KEYS: usize = 20;
/// How long one put may take until all have it.
const DEADLINE: Duration = Duration::from_secs(10);
/// The longest pause between two puts. Pauses differ, or the puts would fall in step with the daemons' timers.
const PAUSE_US: u64 = 5_000;
/// Between two puts where one a second is asked for, and so at most more.
const SECOND: Duration = Duration::from_secs(1);
const SPREAD_PAUSE_US: u64 = 100_000;
/// Few puts make no percentile: this many times the time of the other measurements.
const SPREAD_LONGER: u32 = 6;
/// What 99 in 100 of such puts are to take at most.
const SPREAD_AIM_MS: f64 = 50.0;
/// Sightings that wait to be counted: at most one a host and put is under way, and late ones are few.
const SIGHTINGS: usize = 1_024;

const NO_OTHERS: &str = "no other host's socket is known here; name one with --peer-socket";

/// What a host showed, and when it was seen here.
type Sighting = (usize, String, Instant);

/// What one put after the other took.
#[derive(Default)]
struct Times {
    acknowledged: Vec<Duration>,
    visible: Vec<Duration>,
}

pub(super) async fn measure(bed: &Bed) -> Result<Vec<Row>, Stop> {
    let load = Load::begin();
    let times = put_one_by_one(bed, bed.time, |number| Duration::from_micros(number * 7_919 % PAUSE_US)).await?;
    Ok(rows(bed, &load, times))
}

/// One put a second, as a mesh in use may see it: nothing is warm but what is kept so.
pub(super) async fn measure_spread(bed: &Bed) -> Result<Vec<Row>, Stop> {
    let what = format!("one put a second -> visible on {}", bed.hosts.others_text());
    if bed.hosts.others.is_empty() {
        return Ok(vec![Row::missing(SPREAD, what, NO_OTHERS)]);
    }
    let load = Load::begin();
    let pause = |number| SECOND + Duration::from_micros(number * 7_919 % SPREAD_PAUSE_US);
    let visible = Latency::of(put_one_by_one(bed, bed.time * SPREAD_LONGER, pause).await?.visible);
    let aim = visible.as_ref().map(|latency| Aim::tail(latency, SPREAD_AIM_MS));
    let count = visible.map_or(0, |latency| latency.count);
    Ok(vec![Row::latency(SPREAD, what, visible).aim(aim).bound_by(format!("{count} puts; {}", load.text()))])
}

/// Puts for so long, each after the one before was visible on all, and then a pause.
async fn put_one_by_one(bed: &Bed, time: Duration, pause: impl Fn(u64) -> Duration) -> Result<Times, Stop> {
    let document = bed.scratch.document("visible.toml");
    let own = &bed.hosts.own.mesh;
    own.write_file(&document, toml_file(KEYS, bed.value_bytes)).await?;
    own.wait_converged(DEADLINE).await?;
    let (sender, mut sightings) = mpsc::channel(SIGHTINGS);
    let mut watchers = JoinSet::new();
    for (index, host) in bed.hosts.others.iter().enumerate() {
        let watch = host.mesh.watch(&key_of(&document, 0)).start().await?;
        watchers.spawn(look(index, watch, sender.clone()));
    }
    drop(sender);
    let mut times = Times::default();
    let begin = Instant::now();
    for number in 1.. {
        if begin.elapsed() >= time {
            break;
        }
        let text = value(number, bed.value_bytes);
        let start = Instant::now();
        own.put(&key_of(&document, 0), &put_value(&text)).await?;
        times.acknowledged.push(start.elapsed());
        if !bed.hosts.others.is_empty() {
            let last = seen_by_all(&mut sightings, &text, bed.hosts.others.len()).await?;
            times.visible.push(last.saturating_duration_since(start));
        }
        tokio::time::sleep(pause(number)).await;
    }
    Ok(times)
}

fn rows(bed: &Bed, load: &Load, Times { acknowledged, visible }: Times) -> Vec<Row> {
    let acknowledged = Latency::of(acknowledged);
    let bound = |latency: Option<Latency>| latency.map(|it| load.bound(&bed.machine, it.p50_ms, 1)).unwrap_or_default();
    let mut rows =
        vec![Row::latency(NAME, "put -> acknowledged, 1 client", acknowledged).bound_by(bound(acknowledged))];
    let what = format!("put -> visible on {}", bed.hosts.others_text());
    if bed.hosts.others.is_empty() {
        rows.push(Row::missing(NAME, "put -> visible on the others", NO_OTHERS));
    } else {
        let visible = Latency::of(visible);
        // The aims are for three and for ten hosts.
        let (p50, p99) = if bed.hosts.others.len() <= 2 { (1.0, 5.0) } else { (4.0, 15.0) };
        let aim = visible.as_ref().map(|latency| Aim::latency(latency, p50, p99));
        rows.push(Row::latency(NAME, what, visible).aim(aim).bound_by(bound(visible)));
    }
    rows
}

pub(super) fn put_value(text: &str) -> PutValue {
    PutValue { value: text.into(), kind: Some(murmurate_client::types::ValueType::String), expect: None }
}

/// Tells of all that a watch shows.
async fn look(index: usize, mut watch: Watch, sightings: mpsc::Sender<Sighting>) {
    while let Some(Ok(event)) = watch.next().await {
        let seen = Instant::now();
        let text = event.value.and_then(|value| value.value.as_str().map(String::from)).unwrap_or_default();
        if sightings.send((index, text, seen)).await.is_err() {
            return;
        }
    }
}

/// When the last of the hosts showed the value.
async fn seen_by_all(sightings: &mut mpsc::Receiver<Sighting>, text: &str, hosts: usize) -> Result<Instant, ApiError> {
    let mut seen = vec![None; hosts];
    let all = async {
        while seen.contains(&None) {
            let (index, shown, at) = sightings.recv().await?;
            if shown == text {
                seen[index].get_or_insert(at);
            }
        }
        seen.iter().flatten().max().copied()
    };
    timeout(DEADLINE, all).await.ok().flatten().ok_or_else(|| too_late("see a put on all hosts", DEADLINE))
}
