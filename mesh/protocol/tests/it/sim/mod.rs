//! Simulated worlds: up to 20 hosts, faults of all kinds, virtual time, one seed for everything.
//!
//! The usual run is of 500 seeds. A failure prints its seed and how to replay it: `SIM_SEED=1234 cargo test -p murmurate-protocol --test it replay -- --nocapture`.
//! `SIM_SEEDS=1000` runs more seeds than the usual ones.
//!
//! After the faults all is healed, and every invariant of `invariants/` is checked; those about single steps
//! (causality, bounds) are checked all along.

mod disk;
mod faults;
mod host;
mod invariants;
mod network;
mod register;
mod scenario;
mod theft;
mod world;

use scenario::Scenario;
use world::World;

/// Prints how to replay when the test fails.
struct ReplayHint(&'static str, u64);

impl Drop for ReplayHint {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(test, seed) = self;
            eprintln!("replay: SIM_SEED={seed} cargo test -p murmurate-protocol --test it {test} -- --nocapture");
        }
    }
}

fn run(seed: u64) {
    let _hint = ReplayHint("replay", seed);
    check(Scenario::of(seed));
}

fn run_with_thief(seed: u64) {
    let _hint = ReplayHint("replay_stolen_node", seed);
    check(Scenario::with_thief(seed));
}

fn run_lossy(seed: u64) {
    let _hint = ReplayHint("replay_lossy", seed);
    check(Scenario::lossy(seed));
}

fn check(scenario: Scenario) {
    let seed = scenario.seed;
    let mut world = World::new(scenario);
    world.run_until_healed();
    let took = invariants::progress::check(&mut world);
    invariants::convergence::check(&world);
    invariants::nothing_lost::check(&world);
    invariants::durability::check(&world);
    invariants::revocation::check(&world);
    invariants::no_false_death::check(&world);
    invariants::health::check(&mut world);
    if std::env::var_os("SIM_VERBOSE").is_some() {
        eprintln!("seed {seed}: {} in step after {took:?}; {}", world.scenario, world.tally());
    }
}

fn seeds(offset: u64, usual_count: u64) -> impl Iterator<Item = u64> {
    seeds_by(4, offset, usual_count)
}

fn seeds_by(step: usize, offset: u64, usual_count: u64) -> impl Iterator<Item = u64> {
    let count = std::env::var("SIM_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(usual_count);
    (offset..count).step_by(step)
}

#[test]
fn simulated_worlds_keep_their_invariants_0() {
    seeds(0, 360).for_each(run);
}

#[test]
fn simulated_worlds_keep_their_invariants_1() {
    seeds(1, 360).for_each(run);
}

#[test]
fn simulated_worlds_keep_their_invariants_2() {
    seeds(2, 360).for_each(run);
}

#[test]
fn simulated_worlds_keep_their_invariants_3() {
    seeds(3, 360).for_each(run);
}

#[test]
fn a_stolen_node_brings_nothing_in_and_cuts_no_history_0() {
    seeds(0, 80).for_each(run_with_thief);
}

#[test]
fn a_stolen_node_brings_nothing_in_and_cuts_no_history_1() {
    seeds(1, 80).for_each(run_with_thief);
}

#[test]
fn a_stolen_node_brings_nothing_in_and_cuts_no_history_2() {
    seeds(2, 80).for_each(run_with_thief);
}

#[test]
fn a_stolen_node_brings_nothing_in_and_cuts_no_history_3() {
    seeds(3, 80).for_each(run_with_thief);
}

#[test]
fn at_stated_loss_nobody_is_taken_for_dead_0() {
    seeds_by(2, 0, 60).for_each(run_lossy);
}

#[test]
fn at_stated_loss_nobody_is_taken_for_dead_1() {
    seeds_by(2, 1, 60).for_each(run_lossy);
}

fn seed_to_replay() -> u64 {
    std::env::var("SIM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0)
}

/// Runs the seed named by `SIM_SEED`, or seed 0.
#[test]
fn replay() {
    run(seed_to_replay());
}

/// The same with nothing but loss and broken connections.
#[test]
fn replay_lossy() {
    run_lossy(seed_to_replay());
}

/// The same with a stolen node.
#[test]
fn replay_stolen_node() {
    run_with_thief(seed_to_replay());
}
