//! How the hosts see each other, by what each noted when it saw it: asking often would be a load of its own.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use murmurate_client::types::{ApiError, MemberCounts, MemberState};
use tokio::time::sleep;

use super::hosts::Host;
use super::too_late;

/// How often hosts are asked whether they have seen something.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Milliseconds since 1970, as the daemons' notes have them.
pub(super) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// When a host saw the others come into this state, by its own clock, in milliseconds since 1970.
pub(super) async fn noted(host: &Host, state: MemberState) -> Result<Vec<(String, u64)>, ApiError> {
    let members = host.mesh.members().await?.members;
    let others = members.into_iter().filter(|member| !member.is_self && member.state == state);
    Ok(others.filter_map(|member| Some((member.name, member.since?.as_ms()))).collect())
}

/// Waits until every host counts its members so.
pub(super) async fn all_count(
    hosts: &[&Host],
    limit: Duration,
    what: &str,
    is_reached: impl Fn(MemberCounts) -> bool,
) -> Result<(), ApiError> {
    let end = Instant::now() + limit;
    for host in hosts {
        // One that was just started may not answer yet.
        while !host.mesh.status().await.is_ok_and(|status| is_reached(status.members)) {
            if Instant::now() >= end {
                return Err(too_late(what, limit));
            }
            sleep(ASK_EVERY).await;
        }
    }
    Ok(())
}
