//! What happens in a world, drawn from its seed: people write, machines stop, the network has all its faults. Then all is
//! healed, and every promise is looked at.

use std::time::Duration;

use crate::invariants;
use crate::ledger::Ledger;
use crate::network::Weather;
use crate::simulated::disk::Fault;
use crate::simulated::hints::Unkindness;
use crate::world::{Standing, World};

/// How long things go wrong.
const CHAOS: Duration = Duration::from_secs(20);
/// Longest pause between two events.
const PAUSE_MS: usize = 120;
/// How long it may take until the daemon looks through its folders, whatever hints were lost, and is done with what it
/// swapped out.
const RESCAN: Duration = Duration::from_secs(19);

/// Runs the world of a seed, and checks every promise. Gives the world for its trace.
pub(crate) fn run(seed: u64) -> World {
    finish(write(seed), seed)
}

/// The same without the end, for comparing two runs of it.
pub(crate) fn write(seed: u64) -> World {
    let mut world = World::new(seed, 3 + usize::from(seed % 4 == 3), longest_delay(seed));
    world.set_up();
    draw_conditions(&mut world);
    let end = world.now() + CHAOS;
    let mut next_look = world.now();
    while world.now() < end {
        event(&mut world);
        let pause = world.below(PAUSE_MS);
        world.run_for(Duration::from_millis(pause as u64));
        if world.now() >= next_look {
            next_look = world.now() + Duration::from_millis(250);
            invariants::check_all_along(&world);
        }
    }
    world
}

/// Heals everything, and checks every promise.
fn finish(mut world: World, seed: u64) -> World {
    heal(&mut world);
    let took = invariants::progress::check(&mut world);
    invariants::p2_convergence::check(&mut world);
    invariants::p6_valid::check(&mut world);
    let shown = invariants::Shown::of(&mut world);
    world.end();
    let ledger = Ledger::read(&world);
    invariants::p3_nothing_lost::check(&world, &shown, &ledger);
    invariants::p4_causality::check(&world, &shown, &ledger);
    invariants::p5_lossless::check(&world);
    invariants::p7_durable::check(&world, &ledger);
    invariants::p8_safe_files::check(&world);
    if std::env::var_os("SIM_VERBOSE").is_some() {
        let (machines, writes) = (world.machines.len(), world.history.all().len());
        eprintln!("seed {seed}: {machines} machines, {writes} writes, in step {took:?} after all was healed");
    }
    world
}

/// A world in which people write over a bad network and no machine stops, and every promise is checked.
pub(crate) fn run_without_stops(seed: u64) -> World {
    finish(write_without_stops(seed), seed)
}

/// The same without the end, for comparing two runs of it.
pub(crate) fn write_without_stops(seed: u64) -> World {
    let mut world = World::new(seed, 3, longest_delay(seed));
    world.set_up();
    draw_conditions(&mut world);
    for _ in 0..60 {
        let machine = world.below(world.machines.len());
        match world.below(3) {
            0 => world.put(machine),
            1 => world.save(machine),
            _ => world.ambush(machine),
        }
        let pause = world.below(PAUSE_MS);
        world.run_for(Duration::from_millis(pause as u64));
    }
    invariants::check_all_along(&world);
    world
}

fn longest_delay(seed: u64) -> Duration {
    Duration::from_millis([2, 20, 20, 200][usize::try_from(seed / 4 % 4).unwrap()])
}

/// The faults that go on all the time.
fn draw_conditions(world: &mut World) {
    let weather = draw_weather(world);
    world.network.set_weather(weather);
    for machine in world.machines.clone() {
        let unkindness =
            Unkindness { lost_percent: [0, 0, 30, 100][world.below(4)], delay_ms: [1, 20, 700][world.below(3)] };
        machine.watches.set_unkindness(unkindness);
    }
}

fn draw_weather(world: &mut World) -> Weather {
    Weather {
        lost_percent: [0, 1, 10, 30][world.below(4)],
        doubled_percent: [0, 5, 30][world.below(3)],
        largest_bytes: [0, 0, 1_300, 1_200][world.below(4)],
    }
}

fn event(world: &mut World) {
    let machine = world.below(world.machines.len());
    let standing = world.standings[machine];
    match world.below(100) {
        0..30 if standing == Standing::Up => world.put(machine),
        30..66 if standing != Standing::Off => world.save(machine),
        66..76 if standing != Standing::Off => world.ambush(machine),
        76..82 => cut(world),
        82..85 => world.network.mend(),
        85..87 => {
            let weather = draw_weather(world);
            world.network.set_weather(weather);
        }
        87..89 => jump(world, machine),
        89..91 if standing == Standing::Up => world.stop_at_random(machine),
        91..93 if standing == Standing::Up => {
            let operations = world.below(30) as u64;
            world.machines[machine].disk.fail_after(operations, Fault::Crash);
        }
        93..95 if standing == Standing::Up => {
            let operations = world.below(30) as u64;
            world.machines[machine].files.stop_after(operations);
        }
        95.. if standing != Standing::Up => world.start(machine),
        _ => {}
    }
}

/// Cuts some ways: one direction between two machines, or one machine off from all.
fn cut(world: &mut World) {
    let (one, other) = (world.below(world.machines.len()), world.below(world.machines.len()));
    let is_alone = world.below(3) == 0;
    let address = world.machines[one].address;
    if !is_alone {
        return world.network.cut(address, world.machines[other].address);
    }
    for machine in &world.machines {
        world.network.cut(address, machine.address);
        world.network.cut(machine.address, address);
    }
}

fn jump(world: &mut World, machine: usize) {
    let ahead_ms = world.below(7_200_000) as i64 - 1_800_000;
    world.machines[machine].set_clock(ahead_ms);
}

/// All machines run, the network carries everything, and people have finished what they began.
fn heal(world: &mut World) {
    world.network.mend();
    world.network.set_weather(Weather::default());
    for machine in world.standing(|standing| standing != Standing::Up) {
        world.start(machine);
    }
    for machine in world.machines.clone() {
        machine.watches.set_unkindness(Unkindness::default());
        machine.disk.fail_after(u64::MAX, Fault::Crash);
        machine.files.stop_after(u64::MAX);
    }
    world
        .run_until(Duration::from_secs(5), |world| world.is_quiet().then_some(()).ok_or_else(|| "not quiet".into()))
        .unwrap();
    world.run_for(RESCAN);
}
