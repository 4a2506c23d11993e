//! A network that takes two seconds.

use std::time::{Duration, Instant};

use crate::harness::{APP_TOML, eventually, report};
use crate::switch::{Lab, Link};
use crate::table::{Extent, Row, Test};

pub(crate) const ROW: Row = Row {
    fault: "2 s delay",
    promise: "local reads and writes stay fast; peers shown with the age of their data",
    extent: Extent::Holds,
    tests: &[
        Test("tests/lab/delay.rs", "over_a_slow_network_local_work_goes_on_and_peers_are_shown_as_behind"),
        Test("mesh/net/tests/it/faults.rs", "a_path_that_is_slower_than_an_attempt_is_still_used"),
    ],
};

const SLOW: Link =
    Link { lost: 0, twice: 0, held: 0, held_for: Duration::ZERO, delay: Duration::from_secs(2), largest_bytes: None };
const PUTS: usize = 50;

#[test]
fn over_a_slow_network_local_work_goes_on_and_peers_are_shown_as_behind() {
    let test = "over_a_slow_network_local_work_goes_on_and_peers_are_shown_as_behind";
    let Some(lab) = Lab::start(test, 3) else { return };
    let mesh = &lab.mesh;
    mesh.hosts[0].save("app.toml", APP_TOML);
    mesh.everywhere("app.toml", APP_TOML);
    mesh.settle();
    lab.switch.set_all(SLOW);

    let mut slowest = Duration::ZERO;
    for number in 0..PUTS {
        for (index, host) in mesh.hosts.iter().enumerate() {
            let client = host.client();
            let key = format!("config/own-{index}.toml#key_{number}");
            let start = Instant::now();
            client.put(&key, &number.to_string()).unwrap();
            client.ask(|mesh| mesh.get(&key)).unwrap();
            slowest = slowest.max(start.elapsed());
        }
    }
    report(&format!("{test}: slowest put and get: {slowest:?}"));
    eventually(mesh, "host-1 shows since when its peers are behind", || {
        let members = mesh.hosts[0].json(&["members"]);
        let peers = members["members"].as_array().unwrap().iter().filter(|member| member["self"] == false);
        let is_behind = |peer: &serde_json::Value| peer["in_step"] == false && peer["behind_since"].is_string();
        // Anew each time: what was put before may have arrived.
        mesh.hosts[0].put("config/own-0.toml#again", &slowest.as_nanos().to_string());
        if peers.clone().all(is_behind) { Ok(()) } else { Err(members.to_string()) }
    });
    let start = Instant::now();
    for index in 0..3 {
        mesh.same_everywhere(&format!("own-{index}.toml"), |text| text.contains(&format!("key_{}", PUTS - 1)));
    }
    report(&format!("{test}: the same everywhere after {:?}", start.elapsed()));
    lab.switch.set_all(Link::default());
    mesh.settle();
}
