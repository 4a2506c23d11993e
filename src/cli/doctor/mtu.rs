//! The datagrams that the paths to other hosts carry. 1,200 bytes must get through; without them there is no connection.

use murmurate_client::types::PathFacts;

use super::check::Check;
use super::findings::Findings;

const NAME: &str = "mtu";
const FIX: &str = "it goes on with 1,200 bytes; look for a tunnel or a firewall that drops ICMP `packet too big`";

pub(super) fn check(findings: &Findings) -> Check {
    match findings.facts() {
        Some(facts) => judge(&facts.paths),
        None => Check::without_daemon(NAME),
    }
}

fn judge(paths: &[PathFacts]) -> Check {
    let Some(narrowest) = paths.iter().min_by_key(|path| path.datagram_bytes) else {
        return Check::skipped(NAME, "no other host is connected");
    };
    let slowest_us = paths.iter().map(|path| path.round_trip_us).max().unwrap_or(0);
    let found = format!(
        "{} bytes to {} at least, {} ms of round trip at most",
        narrowest.datagram_bytes,
        narrowest.host,
        slowest_us.div_ceil(1_000)
    );
    let lossy: Vec<_> = paths.iter().filter(|path| path.black_holes > 0).map(|path| path.host.as_str()).collect();
    if lossy.is_empty() {
        return Check::ok(NAME, found);
    }
    Check::warn(NAME, format!("{found}; large datagrams stopped getting through to {}", lossy.join(", ")), FIX)
}
