//! A host is killed without a word: until all others see it dead, and, when it is started again, alive.

use std::time::Duration;

use murmurate_client::types::MemberState;

use super::super::failure::Stop;
use super::hosts::Host;
use super::latency::Latency;
use super::load::Load;
use super::local::{LocalMesh, missing};
use super::report::{Aim, Row};
use super::{Bed, seen};

const NAME: &str = "kill";
/// Hosts that are killed, one after the other.
const KILLS: usize = 5;
/// From one that is killed to the next: others than its neighbours by number.
const STRIDE: usize = 7;
const DEADLINE: Duration = Duration::from_secs(60);
/// Up to how many hosts the shorter time is the aim.
const FEW: usize = 10;

pub(super) async fn measure(bed: &Bed, mesh: &mut LocalMesh) -> Result<Vec<Row>, Stop> {
    let others = bed.hosts.others.len();
    if others == 0 {
        return Ok(vec![missing(NAME, "kill -9 -> seen dead by all", "there is one host only")]);
    }
    let load = Load::begin();
    let (mut dead, mut alive) = (Vec::new(), Vec::new());
    for kill in 0..KILLS {
        let victim = kill * STRIDE % others;
        dead.push(until_dead(bed, mesh, victim).await?);
        alive.push(until_alive(bed, mesh, victim).await?);
    }
    let aim_ms = if bed.hosts.len() <= FEW { 3_000.0 } else { 4_000.0 };
    let dead = Latency::of(dead);
    let aim = dead.map(|dead| Aim::median(&dead, aim_ms));
    let bound = format!("timers: silence, probes, suspicion; {}", load.text());
    Ok(vec![
        Row::latency(NAME, "kill -9 -> seen dead by all others", dead).aim(aim).bound_by(bound),
        Row::latency(NAME, "started again -> seen alive by all others", Latency::of(alive)),
    ])
}

/// All but the victim, which is one of the others by its index there.
fn witnesses(bed: &Bed, victim: usize) -> Vec<&Host> {
    let others = bed.hosts.others.iter().enumerate().filter(|(index, _)| *index != victim).map(|(_, host)| host);
    std::iter::once(&bed.hosts.own).chain(others).collect()
}

async fn until_dead(bed: &Bed, mesh: &mut LocalMesh, victim: usize) -> Result<Duration, Stop> {
    let witnesses = witnesses(bed, victim);
    let begun = seen::wall_ms();
    mesh.daemons.kill(&mesh.hosts[victim + 1]).await?;
    let what = "see a killed host dead on all others";
    seen::all_count(&witnesses, DEADLINE, what, |members| members.dead > 0 && members.suspect == 0).await?;
    last_note(&witnesses, &mesh.hosts[victim + 1].name, MemberState::Dead, begun).await
}

async fn until_alive(bed: &Bed, mesh: &mut LocalMesh, victim: usize) -> Result<Duration, Stop> {
    let witnesses = witnesses(bed, victim);
    let begun = seen::wall_ms();
    mesh.start_one(victim + 1)?;
    let all = bed.hosts.len() as u64;
    let what = "see a host alive on all others that was started again";
    seen::all_count(&witnesses, DEADLINE, what, |members| members.alive == all).await?;
    let last = last_note(&witnesses, &mesh.hosts[victim + 1].name, MemberState::Alive, begun).await;
    // The next one isn't killed before this one sees all, too.
    mesh.wait_in_step(bed.hosts.len()).await?;
    last
}

/// When the last of the witnesses saw the member come into the state.
async fn last_note(witnesses: &[&Host], member: &str, state: MemberState, begun: u64) -> Result<Duration, Stop> {
    let mut last = begun;
    for host in witnesses {
        let noted = seen::noted(host, state).await?;
        last = noted.into_iter().filter(|(name, _)| name == member).map(|(_, since)| since).fold(last, u64::max);
    }
    Ok(Duration::from_millis(last - begun))
}
