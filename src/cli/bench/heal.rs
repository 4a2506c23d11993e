//! The mesh is cut into two halves, both are written to, the cut heals: until both have everything.

use std::time::{Duration, Instant};

use murmurate_client::types::ApiError;
use murmurate_client::{Mesh, Watch};
use tokio::time::timeout;

use super::super::failure::Stop;
use super::hosts::Host;
use super::latency::Latency;
use super::load::Load;
use super::local::{LocalMesh, missing};
use super::namespace::Namespace;
use super::report::{Aim, Row};
use super::scratch::{key_of, toml_file, value};
use super::visible::put_value;
use super::{Bed, too_late};

const NAME: &str = "heal";
/// How long a cut lasts: as long as with the other systems, and long enough that each half takes the other to be away.
const CUT: Duration = Duration::from_secs(30);
/// Cuts, one after the other.
const CUTS: u64 = 5;
/// Puts on each side of a cut.
const PUTS: u64 = 100;
const DEADLINE: Duration = Duration::from_secs(60);
/// The aim for a put while the mesh is cut: what one takes at any time, and nothing is waited for.
const PUT_AIM_MS: f64 = 10.0;

/// The halves: the ports of each, and a host of each that is written to.
struct Halves<'a> {
    ports: [Vec<u16>; 2],
    hosts: [&'a Host; 2],
    /// What the host of the other half writes.
    keys: [String; 2],
}

/// What the cuts showed.
#[derive(Default)]
struct Shown {
    heals: Vec<Duration>,
    puts: Vec<Duration>,
}

pub(super) async fn measure(bed: &Bed, mesh: &LocalMesh) -> Result<Vec<Row>, Stop> {
    let what = format!("{CUTS} cuts of {} s between halves heal -> both have everything", CUT.as_secs());
    let namespace = match &mesh.namespace {
        Ok(namespace) => namespace,
        Err(why) => return Ok(vec![missing(NAME, &what, why)]),
    };
    let Some(halves) = Halves::of(bed, mesh) else {
        return Ok(vec![missing(NAME, &what, "there is one host only")]);
    };
    let document = bed.scratch.document("heal.toml");
    bed.hosts.own.mesh.write_file(&document, toml_file(20, bed.value_bytes)).await?;
    bed.hosts.own.mesh.wait_converged(DEADLINE).await?;
    let load = Load::begin();
    let mut shown = Shown::default();
    for cut in 0..CUTS {
        halves.cut_and_heal(bed, namespace, cut, &mut shown).await?;
    }
    let (heals, puts) = (Latency::of(shown.heals), Latency::of(shown.puts));
    let bound = format!("timers: how soon it is dialled again; {}", load.text());
    let heal_aim = heals.map(|heals| Aim::median(&heals, 1_000.0));
    let put_aim = puts.map(|puts| Aim::tail(&puts, PUT_AIM_MS));
    let put_bound = puts.map(|puts| load.bound(&bed.machine, puts.p50_ms, 1)).unwrap_or_default();
    Ok(vec![
        Row::latency(NAME, what, heals).aim(heal_aim).bound_by(bound),
        Row::latency(NAME, "put -> acknowledged while the mesh is cut, both halves", puts)
            .aim(put_aim)
            .bound_by(put_bound),
    ])
}

impl<'a> Halves<'a> {
    /// The own host's half and the last host's.
    fn of(bed: &'a Bed, mesh: &LocalMesh) -> Option<Self> {
        let last = bed.hosts.others.last()?;
        let (one, other) = mesh.hosts[..bed.hosts.len()].split_at(bed.hosts.len() / 2);
        let ports = [one, other].map(|half| half.iter().map(|host| host.address.port()).collect());
        let document = bed.scratch.document("heal.toml");
        Some(Self { ports, hosts: [&bed.hosts.own, last], keys: [key_of(&document, 1), key_of(&document, 0)] })
    }

    async fn cut_and_heal(&self, bed: &Bed, namespace: &Namespace, cut: u64, shown: &mut Shown) -> Result<(), Stop> {
        let [here, there] = self.hosts.map(|host| &host.mesh);
        let mut watches = [here.watch(&self.keys[0]).start().await?, there.watch(&self.keys[1]).start().await?];
        let failed = |why| ApiError::internal("cut the network of an own mesh", why);
        namespace.cut(&self.ports[0], &self.ports[1]).map_err(failed)?;
        let pause = CUT / u32::try_from(PUTS).unwrap_or(1);
        let mut last = String::new();
        for number in cut * PUTS + 1..=(cut + 1) * PUTS {
            last = value(number, bed.value_bytes);
            shown.puts.push(timed_put(here, &self.keys[1], &last).await?);
            shown.puts.push(timed_put(there, &self.keys[0], &last).await?);
            tokio::time::sleep(pause).await;
        }
        let begin = Instant::now();
        namespace.heal().map_err(failed)?;
        let [one, other] = &mut watches;
        let both = async { tokio::try_join!(until_shown(one, &last), until_shown(other, &last)) };
        timeout(DEADLINE, both).await.unwrap_or_else(|_| Err(too_late("heal a cut", DEADLINE)))?;
        shown.heals.push(begin.elapsed());
        here.wait_converged(DEADLINE).await?;
        Ok(())
    }
}

async fn timed_put(mesh: &Mesh, key: &str, text: &str) -> Result<Duration, ApiError> {
    let begin = Instant::now();
    mesh.put(key, &put_value(text)).await?;
    Ok(begin.elapsed())
}

async fn until_shown(watch: &mut Watch, text: &str) -> Result<(), ApiError> {
    while let Some(event) = watch.next().await {
        if event?.value.is_some_and(|value| value.value == text) {
            return Ok(());
        }
    }
    Err(too_late("see a put at a watcher", DEADLINE))
}
