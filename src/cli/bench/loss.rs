//! The network loses datagrams: who is taken for dead though it lives.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use murmurate_client::types::{ApiError, MemberState};
use tokio::time::sleep;

use super::super::failure::Stop;
use super::load::Load;
use super::local::{LocalMesh, missing};
use super::report::{Aim, Row};
use super::seen::wall_ms;
use super::{Bed, Hosts};

const NAME: &str = "loss";
/// Of a hundred datagrams, so many never arrive.
const LOST: u8 = 20;
/// How often the hosts' notes are read: they keep the latest few of each member.
const READ_EVERY: Duration = Duration::from_secs(20);

/// Changes of a member's state: who saw it, of whom, when, and what it was then.
type Seen = BTreeSet<(String, String, u64, MemberState)>;

pub(super) async fn measure(bed: &Bed, mesh: &LocalMesh) -> Result<Vec<Row>, Stop> {
    let seconds = bed.time.as_secs();
    let what = format!("{LOST} % of all datagrams lost for {seconds} s -> members taken for dead");
    let namespace = match &mesh.namespace {
        Ok(namespace) => namespace,
        Err(why) => return Ok(vec![missing(NAME, &what, why)]),
    };
    let failed = |why| ApiError::internal("let the network of an own mesh lose datagrams", why);
    let load = Load::begin();
    let begun = wall_ms();
    namespace.lose(LOST).map_err(failed)?;
    let end = Instant::now() + bed.time;
    let mut seen = Seen::new();
    while Instant::now() < end {
        sleep(READ_EVERY.min(end.saturating_duration_since(Instant::now()))).await;
        read(&bed.hosts, begun, &mut seen).await?;
    }
    namespace.heal().map_err(failed)?;
    let count = |state| seen.iter().filter(|(_, _, _, to)| *to == state).count() as f64;
    let dead = count(MemberState::Dead);
    let suspected = format!("{} hosts; {} suspicions; {}", bed.hosts.len(), count(MemberState::Suspect), load.text());
    Ok(vec![Row::value(NAME, what, dead, "deaths").aim(Some(Aim::at_most(dead, 0.0, "deaths"))).bound_by(suspected)])
}

/// Adds what the hosts noted of each other since then.
async fn read(hosts: &Hosts, begun: u64, seen: &mut Seen) -> Result<(), ApiError> {
    for host in hosts.all() {
        for other in hosts.all().filter(|other| other.name != host.name) {
            let noted = host.mesh.node(&other.name).await?.history;
            let since = noted.into_iter().map(|change| (change.time.as_ms(), change.to)).filter(|(at, _)| *at >= begun);
            seen.extend(since.map(|(at, to)| (host.name.clone(), other.name.clone(), at, to)));
        }
    }
    Ok(())
}
