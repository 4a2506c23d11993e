//! The functions with seeds and mutations of them. `FUZZ_CASES` sets how many; a run's seed is printed.

#[path = "../../../../crdt/src/fuzzing/mutate.rs"]
mod mutate;

use mutate::{check, seeds};

fn golden(text: &str) -> Vec<u8> {
    let digits: String = text.lines().filter(|line| !line.starts_with('#')).collect();
    data_encoding::HEXLOWER.decode(digits.as_bytes()).unwrap()
}

#[test]
fn frames() {
    check(seeds("frames"), 1_000, super::frames);
}

#[test]
fn greeting() {
    check(seeds("greeting"), 1_000, super::greeting);
}

#[test]
fn gossip() {
    check(seeds("gossip"), 1_000, super::gossip);
}

#[test]
fn gossip_frame() {
    check(seeds("gossip_frame"), 1_000, super::gossip_frame);
}

#[test]
fn peer_address() {
    check(seeds("peer_address"), 2_000, super::peer_address);
}

#[test]
fn ticket() {
    let text = include_bytes!("../../tests/golden/ticket.txt").to_vec();
    check([seeds("ticket"), vec![text]].concat(), 1_000, super::ticket);
}

#[test]
fn request() {
    let rows = [include_str!("../../tests/golden/join-redeem.hex"), include_str!("../../tests/golden/join-renew.hex")];
    check([seeds("join_request"), rows.map(golden).to_vec()].concat(), 256, super::request);
}

#[test]
fn answer() {
    let rows =
        [include_str!("../../tests/golden/join-accepted.hex"), include_str!("../../tests/golden/join-refused.hex")];
    check([seeds("join_answer"), rows.map(golden).to_vec()].concat(), 256, super::answer);
}
