//! Several ways to one host, tried side by side with a short head start (RFC 8305): a dead first one costs little.

use std::collections::VecDeque;
use std::future::Future;
use std::net::SocketAddr;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{sleep, timeout};

use crate::address::PeerAddress;
use crate::limits;

/// The first attempt that succeeds, or the errors of all. The next begins when one failed, or after the head start.
pub(crate) async fn race<Candidate, Success, Failure, Attempt>(
    candidates: Vec<Candidate>,
    attempt: impl Fn(Candidate) -> Attempt,
) -> Result<Success, Vec<Failure>>
where
    Attempt: Future<Output = Result<Success, Failure>>,
{
    let mut waiting = VecDeque::from(candidates);
    let mut running = FuturesUnordered::new();
    let mut failures = Vec::new();
    loop {
        match waiting.pop_front() {
            Some(candidate) => running.push(attempt(candidate)),
            None if running.is_empty() => return Err(failures),
            None => {}
        }
        tokio::select! {
            biased;
            Some(result) = running.next() => match result {
                Ok(success) => return Ok(success),
                Err(failure) => failures.push(failure),
            },
            () = sleep(limits::ATTEMPT_DELAY), if !waiting.is_empty() => {}
        }
    }
}

/// A way to a host: the address as it was given, and one that it resolved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    given: String,
    pub(crate) address: SocketAddr,
}

impl Way {
    /// The address as it was given, and what it resolved to where that is something else.
    pub(crate) fn label(&self) -> String {
        let address = self.address.to_string();
        if address == self.given { address } else { format!("{}, {address}", self.given) }
    }
}

/// All ways that the addresses lead to, in their order, none twice; and which addresses lead nowhere, and why.
pub(crate) async fn find_ways(addresses: &[PeerAddress]) -> (Vec<Way>, Vec<(String, String)>) {
    let resolved = join_all(addresses.iter().map(resolve)).await;
    let (mut ways, mut unresolved) = (Vec::<Way>::new(), Vec::new());
    for (given, resolved) in addresses.iter().zip(resolved) {
        let given = given.to_string();
        match resolved {
            Ok(found) => {
                for address in found {
                    if !ways.iter().any(|way| way.address == address) {
                        ways.push(Way { given: given.clone(), address });
                    }
                }
            }
            Err(why) => unresolved.push((given, why)),
        }
    }
    (ways, unresolved)
}

/// The socket addresses of a peer's address, both families in turn.
async fn resolve(address: &PeerAddress) -> Result<Vec<SocketAddr>, String> {
    if let Some(numeric) = address.numeric() {
        return Ok(vec![numeric]);
    }
    match timeout(limits::RESOLVE_TIMEOUT, tokio::net::lookup_host((address.host(), address.port()))).await {
        Ok(Ok(addresses)) => Ok(interleave(addresses.collect())),
        Ok(Err(error)) => Err(format!("the name doesn't resolve: {error}")),
        Err(_) => Err("the resolver doesn't answer".to_owned()),
    }
}

/// Families in turn, beginning with that of the first (RFC 8305, section 4), otherwise in the order given.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_first_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut ours, mut others): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == is_first_v6);
    let mut interleaved = Vec::new();
    while let Some(address) = ours.pop_front().or_else(|| others.pop_front()) {
        interleaved.push(address);
        std::mem::swap(&mut ours, &mut others);
    }
    interleaved.dedup();
    interleaved.truncate(limits::ADDRESSES_PER_NAME);
    interleaved
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::Instant;

    /// What each attempt does: fail or succeed after so many milliseconds.
    type Row = (u64, Result<u32, u32>);
    type Outcome = Result<u32, Vec<u32>>;

    async fn race_of(rows: &[Row]) -> Outcome {
        race(rows.to_vec(), |(after_ms, result)| async move {
            sleep(Duration::from_millis(after_ms)).await;
            result
        })
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_success_wins_and_a_dead_address_costs_one_head_start() {
        let rows: [(&[Row], Outcome, u64); 5] = [
            (&[(10, Ok(1)), (10, Ok(2))], Ok(1), 10),
            (&[(60_000, Err(1)), (10, Ok(2))], Ok(2), 260),
            (&[(5, Err(1)), (10, Ok(2))], Ok(2), 15),
            (&[(5, Err(1)), (10, Err(2))], Err(vec![1, 2]), 15),
            (&[], Err(vec![]), 0),
        ];
        for (attempts, expected, after_ms) in rows {
            let started = Instant::now();
            assert_eq!(race_of(attempts).await, expected);
            assert_eq!(started.elapsed(), Duration::from_millis(after_ms), "{attempts:?}");
        }
    }

    #[test]
    fn families_take_turns() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let (a, b) = (address("[::1]:1"), address("[::2]:1"));
        let (c, d) = (address("10.0.0.1:1"), address("10.0.0.2:1"));
        assert_eq!(interleave(vec![a, b, c, d]), [a, c, b, d]);
        assert_eq!(interleave(vec![c, a, b]), [c, a, b]);
        assert_eq!(interleave(vec![c, d]), [c, d]);
        assert_eq!(interleave(vec![]), []);
    }
}
