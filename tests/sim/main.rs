//! Whole daemons in a simulated world: the real QUIC, store and file code, on simulated machines. One seed decides
//! everything: what people write, which datagrams are lost, when machines stop and what their disks then hold.
//!
//! A failure prints its seed. `SIM_SEED=17 cargo test --test sim replay -- --nocapture` replays one, with its trace;
//! `SIM_SEEDS=1000 cargo test --test sim` runs more seeds than the usual ones.
//!
//! ```text
//!  scenario ──events──▶ world ──▶ machines: daemon ──▶ disk, file system, hints (tests/simulated)
//!                         │          └─▶ quinn ──▶ network: loses, doubles, cuts; turmoil delays
//!                         └──▶ people: save files, put values ──▶ history
//!  invariants ◀── history, what is shown, ledger (what the stores hold)
//! ```
#![allow(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

mod history;
mod invariants;
mod ledger;
mod machine;
mod network;
mod people;
mod scenario;
#[path = "../simulated/mod.rs"]
#[allow(dead_code, reason = "the unit tests use the rest")]
mod simulated;
mod template;
mod trace;
mod world;

use tracing_subscriber::EnvFilter;

/// Seeds that are run without being asked for.
const SEEDS: u64 = 20;

/// Prints how to replay when a test fails.
struct ReplayHint(u64);

impl Drop for ReplayHint {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay: SIM_SEED={} cargo test --test sim replay -- --nocapture", self.0);
        }
    }
}

fn run(seed: u64) -> Vec<String> {
    let _hint = ReplayHint(seed);
    scenario::run(seed).trace().lines()
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn run_every_second(first: u64) {
    for seed in (first..number("SIM_SEEDS").unwrap_or(SEEDS)).step_by(2) {
        run(seed);
    }
}

#[test]
fn every_promise_holds_in_worlds_with_even_seeds() {
    run_every_second(0);
}

#[test]
fn every_promise_holds_in_worlds_with_odd_seeds() {
    run_every_second(1);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let run = || scenario::run_without_stops(5).trace().lines();
    let (first, second) = (run(), run());
    let Some(at) = (0..first.len().max(second.len())).find(|at| first.get(*at) != second.get(*at)) else { return };
    let around = |lines: &[String]| lines[at.saturating_sub(20)..lines.len().min(at + 10)].join("\n");
    panic!("the runs part at line {at}:\n{}\n\n{}", around(&first), around(&second));
}

/// Runs the seed named by `SIM_SEED`, or seed 0, and prints its trace if it is named.
#[test]
fn replay() {
    let seed = number("SIM_SEED");
    if seed.is_some() {
        trace::print(true);
        // With RUST_LOG, the daemons' log, too.
        let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env()).without_time();
        log.with_writer(std::io::stderr).init();
    }
    run(seed.unwrap_or(0));
}
