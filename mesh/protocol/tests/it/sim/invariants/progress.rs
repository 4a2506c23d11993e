//! After healing, every host is in step with every other within a bound, and says so truly.

use std::collections::BTreeSet;
use std::time::Duration;

use murmurate_protocol::{DEAD_AFTER, Engine};

use crate::common;
use crate::sim::network::pair;
use crate::sim::scenario::Scenario;
use crate::sim::world::World;

/// Reconnecting takes up to a second, and a broken connection up to three to be noticed.
const BOUND: Duration = Duration::from_secs(5);
/// Single lost frames are noticed only by questions asked again and by rounds, which take turns with peers.
const BOUND_HARSH: Duration = Duration::from_secs(30);

/// How often all hosts are asked.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Over how many hops a change may have to go.
fn hops(scenario: &Scenario) -> u32 {
    let hosts = u32::from(scenario.hosts);
    if scenario.links.len() == usize::from(scenario.hosts) * (usize::from(scenario.hosts) - 1) / 2 {
        1
    } else {
        hosts / 2
    }
}

/// For each hop: a summary, three questions and answers, a commit, and the engine's own delays before both.
fn bound(scenario: &Scenario) -> Duration {
    let hop = Duration::from_millis(300 + 10 * scenario.delay_ms + 4 * scenario.disk_ms);
    hop * hops(scenario) + if scenario.harsh { BOUND_HARSH } else { BOUND }
}

/// All must stay in step for longer than this: a summary on its way may say otherwise, and a member without a link to
/// a host is dead to it only then.
const STEADY: Duration = DEAD_AFTER.saturating_add(Duration::from_secs(1));

fn all_in_step(world: &World) -> bool {
    let connected = |&(a, b): &(u8, u8)| {
        world.network.connections.get(&pair(a, b)).is_some_and(|connection| connection.alive_at.len() == 2)
    };
    let rosters: BTreeSet<_> =
        world.members().filter_map(|host| host.engine.as_ref()).map(|engine| engine.roster().hash()).collect();
    let is_kept = |&&(a, b): &&(u8, u8)| !world.scenario.is_thief(a) && !world.scenario.is_thief(b);
    rosters.len() == 1
        && world.scenario.links.iter().filter(is_kept).all(connected)
        && world.members().all(|host| {
            let Some(engine) = &host.engine else { return false };
            let members = engine.members(world.now);
            let linked = |number| world.scenario.links.contains(&pair(host.number, number));
            let is_known = |number| members.iter().any(|member| member.node == common::node(number) && member.in_step);
            let is_peer = |&number: &u8| number != host.number && linked(number) && !world.scenario.is_thief(number);
            let mut peers = (0..world.scenario.hosts).filter(is_peer);
            peers.all(is_known)
        })
}

/// Who isn't in step with whom, for a person.
fn describe(world: &World) -> String {
    let mut lines = String::new();
    for host in &world.hosts {
        let members = host.engine.iter().flat_map(|engine| engine.members(world.now));
        for member in members.filter(|member| !member.in_step) {
            let Some(peer) = (0..world.scenario.hosts).find(|&number| common::node(number) == member.node) else {
                continue;
            };
            if world.scenario.links.contains(&pair(host.number, peer)) {
                let (connected, lag) = (member.connected, member.lag_changes);
                lines += &format!("{} sees {peer}: connected {connected}, lag {lag}\n", host.number);
            }
        }
        let vectors: u64 = host.disk.vectors.values().map(|vector| vector.changes()).sum();
        let held = host.engine.as_ref().map(Engine::held);
        lines += &format!("{}: {vectors} changes on disk, {held:?}\n", host.number);
    }
    lines
}

/// How long it took.
pub(crate) fn check(world: &mut World) -> Duration {
    let healed = world.now;
    let bound = bound(&world.scenario);
    let mut since = None;
    loop {
        let looked = world.now;
        if all_in_step(world) {
            let since = *since.get_or_insert(world.now);
            if world.now > since + STEADY {
                let says_so = |engine: &Engine| engine.converged(world.now);
                assert!(world.members().all(|host| host.engine.as_ref().is_some_and(says_so)), "not all say so");
                return since - healed;
            }
        } else {
            since = None;
            let late = world.now >= healed + bound;
            assert!(!late, "not in step {bound:?} after healing: {}\n{}", world.scenario, describe(world));
        }
        while world.now < looked + LOOK_EVERY {
            world.step();
        }
    }
}
