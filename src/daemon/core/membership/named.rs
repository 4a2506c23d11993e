//! The hosts that the settings name: a few of those that aren't known to be members are dialled at a time, in turns.
//!
//! Settings may name every host of a large mesh. If each dialled all of them when all start at once, they would be at
//! nothing but handshakes; and the first one that answers makes the others known.

use std::time::Duration;

use crate::daemon::core::limits::{NAMED_AT_ONCE, NAMED_TURN};
use murmurate_net::PeerAddress;
use rand_core::Rng;

/// The named hosts, in an order of this host's own, so that not all dial the same ones.
#[derive(Debug)]
pub(super) struct Named {
    addresses: Vec<PeerAddress>,
    turn: usize,
    /// When it is the next ones' turn, as long as some are waiting.
    next_at: Option<Duration>,
}

impl Named {
    pub(super) fn new(mut addresses: Vec<PeerAddress>, rng: &mut impl Rng) -> Self {
        if addresses.len() > NAMED_AT_ONCE {
            addresses.sort_by_cached_key(|_| rng.next_u64());
        }
        Self { addresses, turn: 0, next_at: None }
    }

    /// Whom to dial now, of those that aren't known by another way.
    pub(super) fn choose(&mut self, now: Duration, is_known: impl Fn(&PeerAddress) -> bool) -> Vec<PeerAddress> {
        let unknown: Vec<&PeerAddress> = self.addresses.iter().filter(|address| !is_known(address)).collect();
        if unknown.len() <= NAMED_AT_ONCE {
            self.next_at = None;
            return unknown.into_iter().cloned().collect();
        }
        match self.next_at {
            None => self.next_at = Some(now + NAMED_TURN),
            Some(at) if at <= now => {
                self.turn = self.turn.wrapping_add(1);
                self.next_at = Some(now + NAMED_TURN);
            }
            Some(_) => {}
        }
        let first = self.turn.wrapping_mul(NAMED_AT_ONCE) % unknown.len();
        unknown.iter().cycle().skip(first).take(NAMED_AT_ONCE).map(|address| (*address).clone()).collect()
    }

    /// When to ask again.
    pub(super) fn wakes(&self) -> Option<Duration> {
        self.next_at
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use murmurate_net::environment::Random;

    use super::*;

    fn named(count: usize, seed: u64) -> Named {
        let addresses = (1..=count).map(|host| format!("10.0.{}.{}:7", host / 250, host % 250).parse().unwrap());
        Named::new(addresses.collect(), &mut Random::seeded(seed).rng())
    }

    #[test]
    fn a_few_are_dialled_at_once_as_the_settings_name_them() {
        let mut few = named(NAMED_AT_ONCE, 1);
        assert_eq!(few.choose(Duration::ZERO, |_| false), few.addresses);
        assert_eq!(few.wakes(), None);
        assert_eq!(few.choose(Duration::ZERO, |address| address.to_string() == "10.0.0.1:7").len(), NAMED_AT_ONCE - 1);
    }

    #[test]
    fn of_many_each_has_its_turn_and_each_host_begins_with_others() {
        let mut many = named(100, 1);
        let mut now = Duration::ZERO;
        let mut dialled = BTreeSet::new();
        let mut turns = 0;
        while dialled.len() < 100 {
            let turn = many.choose(now, |_| false);
            assert_eq!(turn.iter().map(ToString::to_string).collect::<BTreeSet<_>>().len(), NAMED_AT_ONCE);
            assert_eq!(many.choose(now, |_| false), turn, "asked again before its time");
            dialled.extend(turn.iter().map(ToString::to_string));
            now = many.wakes().unwrap();
            turns += 1;
        }
        assert!(turns <= 100_usize.div_ceil(NAMED_AT_ONCE), "{turns}");
        assert_ne!(named(100, 1).choose(now, |_| false), named(100, 2).choose(now, |_| false));
    }

    #[test]
    fn who_is_known_by_another_way_makes_room_for_the_others() {
        let mut many = named(20, 3);
        let known: BTreeSet<String> = many.addresses[..12].iter().map(ToString::to_string).collect();
        let left = many.choose(Duration::ZERO, |address| known.contains(&address.to_string()));
        assert_eq!(left, many.addresses[12..]);
        assert_eq!(many.wakes(), None);
    }
}
