//! Whole daemons in a simulated world: see `simulation`.
#![allow(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

mod machine;
mod network;
#[path = "../simulated/mod.rs"]
#[allow(dead_code, reason = "the unit tests use the rest")]
mod simulated;
mod trace;
mod world;

use std::time::Duration;

use murmurate::daemon::request::{Caller, Request};
use world::World;

fn two_daemons(seed: u64) -> (Vec<String>, String) {
    let mut world = World::new(seed, 2);
    world.run_for(Duration::from_secs(3));
    let caller = Caller { user: "tester".into(), uid: 0 };
    let put = |reply| Request::Put {
        address: "config/app.toml#port".into(),
        value: "8080".into(),
        kind: None,
        expect: None,
        caller,
        reply,
    };
    world.ask(0, put).unwrap();
    world.run_for(Duration::from_secs(1));
    let get = |reply| Request::ReadFile { doc: "config/app.toml".into(), reply };
    let file = world.ask(1, get).unwrap();
    (world.trace().lines(), String::from_utf8(file.bytes.to_vec()).unwrap())
}

#[test]
fn two_daemons_exchange_a_put_the_same_way_each_time() {
    let (first, file) = two_daemons(1);
    let (second, _) = two_daemons(1);
    assert_eq!(file, "port = 8080\n");
    eprintln!("{} lines, {file}", first.len());
    for (index, (first, second)) in first.iter().zip(&second).enumerate() {
        assert_eq!(first, second, "line {index}");
    }
    assert_eq!(first.len(), second.len());
}
