//! One host that writes as fast as it can.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{Client, Host, Mesh, report};
use crate::table::{Extent, Row, Test};

pub(crate) const ROW: Row = Row {
    fault: "replay, flooding by one peer",
    promise: "no effect; other clients' p99 within 2x",
    extent: Extent::Partly(
        "a flood harms nobody, but there is no fair share of one core: others' latency is printed, not bounded",
    ),
    tests: &[
        Test("tests/lab/flood.rs", "beside_a_peer_at_full_rate_others_go_on"),
        Test("tests/lab/loss.rs", "with_a_third_of_all_datagrams_lost_everything_arrives_once"),
        Test(
            "mesh/protocol/tests/it/scenes.rs",
            "a_duplicate_of_a_change_from_before_the_start_is_given_to_the_shell_to_compare",
        ),
        Test("mesh/net/tests/it/faults.rs", "a_flood_of_dials_that_never_finish_keeps_no_member_out"),
    ],
};

const FLOODERS: usize = 8;
const MEASURED: usize = 100;
/// Keys that are written over and over.
const KEYS: usize = 20;

/// How long puts take on a host: the median, and the slowest but one of a hundred.
fn latency(host: &Host, name: &str) -> (Duration, Duration) {
    let client = host.client();
    let mut times: Vec<Duration> = (0..MEASURED)
        .map(|number| {
            let start = Instant::now();
            client.put(&format!("config/{name}.toml#key_{}", number % KEYS), &number.to_string()).unwrap();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    (times[MEASURED / 2], times[MEASURED - 2])
}

fn flood(client: &Client, flooder: usize, end: &AtomicBool, count: &AtomicUsize) {
    for number in 0.. {
        if end.load(Ordering::Relaxed) {
            break;
        }
        client.put(&format!("config/flood-{flooder}.toml#key_{}", number % KEYS), &number.to_string()).unwrap();
        count.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn beside_a_peer_at_full_rate_others_go_on() {
    let mesh = Mesh::start_apart(3);
    let quiet = latency(&mesh.hosts[1], "quiet");
    let (end, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    let busy = std::thread::scope(|scope| {
        for flooder in 0..FLOODERS {
            let (client, end, count) = (mesh.hosts[0].client(), &end, &count);
            scope.spawn(move || flood(&client, flooder, end, count));
        }
        let busy = latency(&mesh.hosts[1], "busy");
        end.store(true, Ordering::Relaxed);
        busy
    });
    report(&format!(
        "p50 and p99 of puts on another host: {quiet:?} when quiet, {busy:?} beside {count:?} puts by a peer"
    ));
    mesh.settle();
    for name in ["quiet".to_owned(), "busy".to_owned()].into_iter().chain((0..FLOODERS).map(|n| format!("flood-{n}"))) {
        mesh.same_everywhere(&format!("{name}.toml"), |text| !text.is_empty());
    }
}
