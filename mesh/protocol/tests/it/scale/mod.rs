//! What a mesh of 10 to 10,000 hosts costs, in a simulated network, as a table:
//! `cargo test -p murmurate-protocol --test it scale -- --ignored --nocapture`. `SCALE_HOSTS=100,1000` runs these sizes only.
//!
//! The engines are the real ones; frames take 0.5 to 1.5 ms, disks 1 to 4 ms. Of a large mesh each host knows only the
//! members that matter to it (those it is linked with, who writes, who dies): rosters of all would not fit into memory. So
//! rosters, and tables of members' health, are passed for equal: what they say is spread when they change, and not compared.
//! Links are those that `topology::choose` gives.

mod world;

use std::time::Duration;

use world::{Counted, World};

/// Hosts that write, each once a second, 1 KiB.
const WRITERS: usize = 10;
/// Hosts that are killed, one after the other.
const VICTIMS: usize = 5;

fn sizes() -> Vec<usize> {
    let asked = std::env::var("SCALE_HOSTS").unwrap_or_else(|_| "10,100,1000,10000".to_owned());
    asked.split(',').map(|size| size.trim().parse().expect("SCALE_HOSTS is a list of numbers")).collect()
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// Changes at ten a second: their cost and how long they take, from the second of each writer on.
fn changes(world: &mut World, seconds: u64) -> String {
    for _ in 0..2 {
        world.write_all();
        world.run_for(Duration::from_secs(1));
    }
    world.counted = Counted::default();
    world.journeys.clear();
    for _ in 0..seconds {
        world.write_all();
        world.run_for(Duration::from_secs(1));
    }
    let hosts = world.hosts() as u64;
    let mut last: Vec<Duration> = world.journeys.values().map(|journey| journey.last_after(world.hosts())).collect();
    last.sort_unstable();
    let hops = world.journeys.values().map(|journey| journey.most_hops).max().unwrap_or(0);
    let arrivals: u64 = world.journeys.values().map(|journey| journey.copies).sum();
    let copies = arrivals as f64 / (world.journeys.len() as u64 * (hosts - 1)) as f64;
    let rate = |bytes: u64| bytes as f64 / (hosts * seconds) as f64 / 1_000.0;
    let Counted { push, trees, repair, health } = world.counted;
    format!(
        "{hosts:>6} | {:>5.1} | {hops:>4} | {copies:>6.2} | {:>5.1} / {:>5.1} / {:>5.1} | {:>5.2} | {:>5.2} | {:>5.2} | {:>5.2} |",
        world.links() as f64 * 2.0 / hosts as f64,
        percentile(&last, 50).as_secs_f64() * 1e3,
        percentile(&last, 99).as_secs_f64() * 1e3,
        last[last.len() - 1].as_secs_f64() * 1e3,
        rate(push),
        rate(trees),
        rate(repair),
        rate(health),
    )
}

/// Nothing is written.
fn idle(world: &mut World, seconds: u64) -> String {
    world.run_for(Duration::from_secs(2));
    world.counted = Counted::default();
    world.run_for(Duration::from_secs(seconds));
    let Counted { push, trees, repair, health } = world.counted;
    let bytes = (push + trees + repair + health) as f64;
    format!(" {:>5.2} |", bytes / (world.hosts() as u64 * seconds) as f64 / 1_000.0)
}

/// Hosts die one after the other, without a word.
fn deaths(world: &mut World) -> String {
    world.counted = Counted::default();
    let mut took: Vec<Duration> = (0..VICTIMS).filter_map(|number| world.kill_and_wait(number)).collect();
    took.sort_unstable();
    assert_eq!(took.len(), VICTIMS, "all deaths are seen by all");
    let bytes = world.counted.health as f64 / (world.hosts() * VICTIMS) as f64;
    let seconds = |duration: Duration| duration.as_secs_f64();
    format!(" {:>4.2} / {:>4.2} | {bytes:>6.0} |", seconds(percentile(&took, 50)), seconds(took[took.len() - 1]))
}

#[test]
#[ignore = "prints a table; takes minutes"]
fn scale() {
    println!("seed {}", world::SEED);
    println!(
        "          links          copies   change -> last host, ms   kB/s a host at 10 changes/s of 1 KiB     idle    kill -> dead at all, s  bytes"
    );
    println!(
        " hosts | /host | hops | /host  |   p50 /   p99 /   max |  push | trees | repair| health|  kB/s |  p50 / max  | a death |"
    );
    for hosts in sizes() {
        let mut world = World::new(hosts, WRITERS, VICTIMS);
        let seconds = if hosts > 1_000 { 3 } else { 10 };
        let row = changes(&mut world, seconds);
        let idle = idle(&mut world, seconds);
        let deaths = deaths(&mut world);
        println!("{row}{idle}{deaths}");
    }
}

/// Small enough for every build: the tree's promises hold, and nobody is taken for dead who isn't.
#[test]
fn a_change_reaches_fifty_hosts_in_few_hops_and_about_one_copy_each() {
    let mut world = World::new(50, 3, 2);
    for _ in 0..3 {
        world.write_all();
        world.run_for(Duration::from_secs(1));
    }
    world.journeys.clear();
    world.write_all();
    world.run_for(Duration::from_secs(1));
    for journey in world.journeys.values() {
        assert!(journey.last_after(50) < Duration::from_millis(50), "{journey:?}");
        assert!(journey.most_hops <= 8 && journey.copies < 49 * 5 / 4, "{journey:?}");
    }
    let took = world.kill_and_wait(0).expect("its death is seen by all");
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert!(world.falsely_dead().is_empty());
}
