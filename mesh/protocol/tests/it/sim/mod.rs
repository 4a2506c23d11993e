//! Simulated worlds: up to 20 hosts, faults of all kinds, virtual time, one seed for everything.
//!
//! A failure prints its seed and how to replay it: `SIM_SEED=1234 cargo test -p murmurate-protocol --test it replay -- --nocapture`.
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

fn check(scenario: Scenario) {
    let seed = scenario.seed;
    let mut world = World::new(scenario);
    world.run_until_healed();
    let took = invariants::progress::check(&mut world);
    invariants::convergence::check(&world);
    invariants::nothing_lost::check(&world);
    invariants::durability::check(&world);
    invariants::revocation::check(&world);
    if std::env::var_os("SIM_VERBOSE").is_some() {
        eprintln!("seed {seed}: {} in step after {took:?}; {}", world.scenario, world.tally());
    }
}

fn seeds(offset: u64, usual_count: u64) -> impl Iterator<Item = u64> {
    let count = std::env::var("SIM_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(usual_count);
    (offset..count).step_by(4)
}

#[test]
fn simulated_worlds_keep_their_invariants_0() {
    seeds(0, 100).for_each(run);
}

#[test]
fn simulated_worlds_keep_their_invariants_1() {
    seeds(1, 100).for_each(run);
}

#[test]
fn simulated_worlds_keep_their_invariants_2() {
    seeds(2, 100).for_each(run);
}

#[test]
fn simulated_worlds_keep_their_invariants_3() {
    seeds(3, 100).for_each(run);
}

#[test]
fn a_stolen_node_brings_nothing_in_and_cuts_no_history_0() {
    seeds(0, 40).for_each(run_with_thief);
}

#[test]
fn a_stolen_node_brings_nothing_in_and_cuts_no_history_1() {
    seeds(1, 40).for_each(run_with_thief);
}

#[test]
fn a_stolen_node_brings_nothing_in_and_cuts_no_history_2() {
    seeds(2, 40).for_each(run_with_thief);
}

#[test]
fn a_stolen_node_brings_nothing_in_and_cuts_no_history_3() {
    seeds(3, 40).for_each(run_with_thief);
}

fn seed_to_replay() -> u64 {
    std::env::var("SIM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0)
}

/// Runs the seed named by `SIM_SEED`, or seed 0.
#[test]
fn replay() {
    run(seed_to_replay());
}

/// The same with a stolen node.
#[test]
fn replay_stolen_node() {
    run_with_thief(seed_to_replay());
}
