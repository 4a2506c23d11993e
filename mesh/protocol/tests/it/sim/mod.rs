//! Simulated worlds: up to 20 hosts, faults of all kinds, virtual time, one seed for everything.
//!
//! A failure prints its seed. To replay one: `SIM_SEED=1234 cargo test -p murmurate-protocol --test it replay -- --nocapture`.
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
mod world;

use scenario::Scenario;
use world::World;

/// Prints how to replay when the test fails.
struct ReplayHint(u64);

impl Drop for ReplayHint {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.0;
            eprintln!("replay: SIM_SEED={seed} cargo test -p murmurate-protocol --test it replay -- --nocapture");
        }
    }
}

fn run(seed: u64) {
    let _hint = ReplayHint(seed);
    let mut world = World::new(Scenario::of(seed));
    world.run_until_healed();
    let took = invariants::progress::check(&mut world);
    invariants::convergence::check(&world);
    invariants::nothing_lost::check(&world);
    invariants::durability::check(&world);
    if std::env::var_os("SIM_VERBOSE").is_some() {
        eprintln!("seed {seed}: {} in step after {took:?}; {}", world.scenario, world.tally());
    }
}

fn seeds(offset: u64) -> impl Iterator<Item = u64> {
    let count = std::env::var("SIM_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(100u64);
    (offset..count).step_by(4)
}

#[test]
fn simulated_worlds_keep_their_invariants_0() {
    seeds(0).for_each(run);
}

#[test]
fn simulated_worlds_keep_their_invariants_1() {
    seeds(1).for_each(run);
}

#[test]
fn simulated_worlds_keep_their_invariants_2() {
    seeds(2).for_each(run);
}

#[test]
fn simulated_worlds_keep_their_invariants_3() {
    seeds(3).for_each(run);
}

/// Runs the seed named by `SIM_SEED`, or seed 0.
#[test]
fn replay() {
    run(std::env::var("SIM_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0));
}
