//! How long a member is only suspected: Lifeguard's shrinking timeout (Dadgar, Phillips, Currey, "Lifeguard: SWIM-ing with
//! Situational Awareness", 2018, section IV.B). The more hosts suspect it for themselves, the sooner it is dead.

use std::time::Duration;

/// Hosts besides the first that make a suspicion as sure as it gets; Lifeguard's K.
pub const CONFIRMATIONS: usize = 3;
/// With all confirmations a suspect has this long to refute: on a LAN a rumour crosses 10,000 hosts in 10 hops, and back,
/// even when datagrams on the way are lost. On slower lines it has as long as a rumour and its answer take there.
pub const SUSPECT_LEAST: Duration = Duration::from_millis(700);
/// Without any. One host's word may be due to its own troubles.
pub const SUSPECT_MOST: Duration = Duration::from_secs(5);

/// ln(1 + confirmations) / ln(1 + [`CONFIRMATIONS`]), in thousandths: by how much of the way from the most to the least the
/// confirmations bring it. In a mesh of two to four there aren't as many, and the time stays longer: there one broken switch
/// parts a host from all others.
const SHRUNK: [u32; CONFIRMATIONS + 1] = [0, 500, 792, 1_000];

/// How long a rumour and its refutation take through a mesh of so many members, where a line's round trip takes this long:
/// at most log2(members) hops each way, and a few more for what is lost on them.
pub(crate) fn refutation(round_trip: Duration, members: usize) -> Duration {
    round_trip * (members.max(2).ilog2() + 3)
}

/// How long a member is suspected once `confirmations` hosts besides the first suspect it.
#[must_use]
pub fn suspect_for(confirmations: usize) -> Duration {
    let thousandths = SHRUNK.get(confirmations).copied().unwrap_or(1_000);
    SUSPECT_MOST - (SUSPECT_MOST - SUSPECT_LEAST) * thousandths / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_shrinks_with_each_confirmation() {
        let times: Vec<u128> = (0..5).map(|count| suspect_for(count).as_millis()).collect();
        assert_eq!(times, [5_000, 2_850, 1_594, 700, 700]);
    }

    #[test]
    fn slow_lines_and_large_meshes_get_more_time() {
        let takes_ms = |round_trip, members| refutation(Duration::from_millis(round_trip), members).as_millis();
        let times = [takes_ms(1, 10), takes_ms(600, 3), takes_ms(600, 10), takes_ms(80, 10_000)];
        assert_eq!(times, [6, 2_400, 3_600, 1_280]);
    }
}
