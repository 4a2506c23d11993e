//! After healing, every host is in step with every other within a bound, and says so truly.

use std::collections::BTreeSet;
use std::time::Duration;

use murmurate_protocol::{Engine, UNSEEN_FOR};

use crate::common;
use crate::sim::network::pair;
use crate::sim::scenario::Scenario;
use crate::sim::world::World;

/// Reconnecting takes up to a second, and a broken connection up to three to be noticed.
const BOUND: Duration = Duration::from_secs(5);
/// Single lost frames are noticed only by questions asked again and by rounds, which take turns with peers.
const BOUND_HARSH: Duration = Duration::from_secs(30);

/// Depth of the links that up to 20 hosts choose, which `topology` tests.
const LINKED_HOPS: u32 = 4;
/// Hosts that choose their links go on doing so: on a new one nothing is known before the first message.
const NEW_LINK: Duration = Duration::from_millis(500);

/// How often all hosts are asked.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Over how many hops a change may have to go.
fn hops(scenario: &Scenario) -> u32 {
    let hosts = u32::from(scenario.hosts);
    if scenario.hosts_choose_links() {
        LINKED_HOPS
    } else if scenario.links.len() == usize::from(scenario.hosts) * (usize::from(scenario.hosts) - 1) / 2 {
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

/// All must stay in step for longer than this: a summary on its way may say otherwise, and a member of which a host heard
/// nothing is dead to it only then.
const STEADY: Duration = UNSEEN_FOR.saturating_add(Duration::from_secs(1));

/// Whether two hosts are to know of each other directly: they can connect, or in a large world, are connected.
fn is_link(world: &World, a: u8, b: u8) -> bool {
    if world.scenario.hosts_choose_links() {
        world.network.connections.get(&pair(a, b)).is_some_and(|connection| connection.alive_at.len() == 2)
    } else {
        world.scenario.links.contains(&pair(a, b))
    }
}

/// Whether the hosts' own choice of links leads from each to each.
fn is_one_graph(world: &World) -> bool {
    let members: BTreeSet<u8> = world.members().map(|host| host.number).collect();
    let mut reached: BTreeSet<u8> = members.first().copied().into_iter().collect();
    let mut edge: Vec<u8> = reached.iter().copied().collect();
    while let Some(host) = edge.pop() {
        let next = members.iter().copied().filter(|&peer| is_link(world, host, peer));
        edge.extend(next.filter(|&peer| reached.insert(peer)).collect::<Vec<_>>());
    }
    reached == members
}

fn all_in_step(world: &World) -> bool {
    let connected = |&(a, b): &(u8, u8)| {
        world.network.connections.get(&pair(a, b)).is_some_and(|connection| connection.alive_at.len() == 2)
    };
    let rosters: BTreeSet<_> =
        world.members().filter_map(|host| host.engine.as_ref()).map(|engine| engine.roster().hash()).collect();
    let is_kept = |&&(a, b): &&(u8, u8)| !world.scenario.is_thief(a) && !world.scenario.is_thief(b);
    let are_linked = if world.scenario.hosts_choose_links() {
        is_one_graph(world)
    } else {
        world.scenario.links.iter().filter(is_kept).all(connected)
    };
    rosters.len() == 1
        && are_linked
        && world.members().all(|host| {
            let Some(engine) = &host.engine else { return false };
            let members = engine.members(world.now);
            let linked = |number| is_link(world, host.number, number);
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
            if is_link(world, host.number, peer) {
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
    let grace = if world.scenario.hosts_choose_links() {
        NEW_LINK + Duration::from_millis(4 * world.scenario.delay_ms)
    } else {
        Duration::ZERO
    };
    let (mut since, mut not_since) = (None, None);
    loop {
        let looked = world.now;
        if all_in_step(world) {
            not_since = None;
            let since = *since.get_or_insert(world.now);
            if world.now > since + STEADY {
                let says_so = |engine: &Engine| engine.converged(world.now);
                assert!(world.members().all(|host| host.engine.as_ref().is_some_and(says_so)), "not all say so");
                return since - healed;
            }
        } else {
            since = None;
            let late = world.now >= (healed + bound).max(*not_since.get_or_insert(world.now) + grace);
            assert!(!late, "not in step {bound:?} after healing: {}\n{}", world.scenario, describe(world));
        }
        while world.now < looked + LOOK_EVERY {
            world.step();
        }
    }
}
