//! Whole daemons in a simulated world: the real QUIC, store and file code, on simulated machines. One seed decides
//! everything: what people write, which datagrams are lost, when machines stop and what their disks then hold.
//!
//! A failure prints its seed and the command that replays it, with its trace:
//! `SIM_SEED=17 SIM_STOPS=0 cargo test --test sim replay -- --ignored --nocapture`; `SIM_SEEDS=1000 cargo test --test sim` runs more seeds than the usual ones.
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
mod unseen;
mod world;

use tracing_subscriber::EnvFilter;

/// Seeds that are run without being asked for.
const SEEDS: u64 = 20;

/// Prints how to replay when a test fails.
struct ReplayHint {
    seed: u64,
    stops: u8,
}

impl Drop for ReplayHint {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, stops } = self;
            eprintln!(
                "replay: SIM_SEED={seed} SIM_STOPS={stops} cargo test --test sim replay -- --ignored --nocapture"
            );
        }
    }
}

fn run(seed: u64) {
    let _hint = ReplayHint { seed, stops: 1 };
    scenario::run(seed);
}

fn run_without_stops(seed: u64) {
    let _hint = ReplayHint { seed, stops: 0 };
    scenario::run_without_stops(seed);
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Every second seed: two tests run side by side.
fn seeds(first: u64) -> impl Iterator<Item = u64> {
    (first..number("SIM_SEEDS").unwrap_or(SEEDS)).step_by(2)
}

#[test]
fn every_promise_holds_in_worlds_with_even_seeds() {
    seeds(0).for_each(run_without_stops);
}

#[test]
fn every_promise_holds_in_worlds_with_odd_seeds() {
    seeds(1).for_each(run_without_stops);
}

#[test]
fn every_promise_holds_when_machines_stop_with_even_seeds() {
    seeds(0).for_each(run);
}

#[test]
fn every_promise_holds_when_machines_stop_with_odd_seeds() {
    seeds(1).for_each(run);
}

/// Where two runs of a world part, told with what is around it.
fn check_same(write: impl Fn() -> world::World) {
    let run = || write().trace().lines();
    let (first, second) = (run(), run());
    let Some(at) = (0..first.len().max(second.len())).find(|at| first.get(*at) != second.get(*at)) else { return };
    let around = |lines: &[String]| lines[at.saturating_sub(20).min(lines.len())..lines.len().min(at + 10)].join("\n");
    panic!("the runs part at line {at}:\n{}\n\n{}", around(&first), around(&second));
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    check_same(|| scenario::write_without_stops(5));
}

#[test]
fn the_same_seed_gives_the_same_trace_when_machines_stop_with_even_seeds() {
    seeds(0).for_each(|seed| check_same(|| scenario::write(seed)));
}

#[test]
fn the_same_seed_gives_the_same_trace_when_machines_stop_with_odd_seeds() {
    seeds(1).for_each(|seed| check_same(|| scenario::write(seed)));
}

/// Runs the seed named by `SIM_SEED` (or 0), without stops if `SIM_STOPS=0`, and prints its trace.
#[test]
#[ignore = "for a seed that failed"]
fn replay() {
    trace::print(true);
    // With RUST_LOG, the daemons' log, too.
    let log = tracing_subscriber::fmt().with_env_filter(EnvFilter::from_default_env()).without_time();
    log.with_writer(std::io::stderr).init();
    let seed = number("SIM_SEED").unwrap_or(0);
    if number("SIM_STOPS") == Some(0) { run_without_stops(seed) } else { run(seed) }
}
