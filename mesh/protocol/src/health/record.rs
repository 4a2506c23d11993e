//! What is told of one member's health, and what it was.
//!
//! What is told is ordered: a later life of the node beats an earlier one; in one life that it left beats all, then the
//! higher incarnation, then the worse state. All hosts that heard the same, in any order, believe the same.

use std::cmp::Ordering;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use murmurate_crdt::id::NodeId;

use super::suspicion::CONFIRMATIONS;
use crate::limits::{FLAP_DOUBLINGS, FLAPS, FLAPS_WITHIN};
use crate::message::Rumour;
use crate::peers::MemberState;

/// Transitions that are remembered of each member: enough for people to see what goes on.
pub const HISTORY: usize = 16;

/// A change of a member's state, as this host saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// Counts the changes that were seen of this member, from 1.
    pub number: u64,
    /// When, on this host's own clock.
    pub at: Duration,
    /// To what.
    pub state: MemberState,
    /// Who said so; this host itself, where it saw it by a link.
    pub by: NodeId,
}

/// What a rumour says of a node's life, in the order in which one replaces the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) generation: u64,
    pub(crate) incarnation: u64,
    pub(crate) state: MemberState,
}

impl Told {
    fn rank(self) -> (u64, bool, u64, u8) {
        let worse = match self.state {
            MemberState::Alive => 0,
            MemberState::Suspect => 1,
            MemberState::Dead => 2,
            MemberState::Left => 3,
        };
        (self.generation, self.state == MemberState::Left, self.incarnation, worse)
    }

    pub(crate) fn compare(self, other: Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }

    /// The word that refutes this one, on the node's behalf or by itself.
    pub(crate) fn refuted(self) -> Self {
        let (generation, incarnation) = match (self.state, self.incarnation.checked_add(1)) {
            (MemberState::Left, _) | (_, None) => (self.generation.saturating_add(1), 0),
            (_, Some(incarnation)) => (self.generation, incarnation),
        };
        Self { generation, incarnation, state: MemberState::Alive }
    }
}

/// Who suspects a member, and since when.
#[derive(Debug, Clone)]
pub(crate) struct Suspicion {
    pub(crate) since: Duration,
    pub(crate) by: BTreeSet<NodeId>,
}

/// A member's health.
#[derive(Debug, Default)]
pub(crate) struct Record {
    told: Option<Told>,
    suspicion: Option<Suspicion>,
    suspected: VecDeque<Duration>,
    history: VecDeque<Transition>,
    /// Changes of state that were seen, all together.
    noted: u64,
}

impl Record {
    /// What is told; `None` while nothing was heard.
    pub(crate) fn told(&self) -> Option<Told> {
        self.told
    }

    pub(crate) fn is(&self, state: MemberState) -> bool {
        self.told.is_some_and(|told| told.state == state)
    }

    pub(crate) fn suspicion(&self) -> Option<&Suspicion> {
        self.suspicion.as_ref()
    }

    /// The changes of state, the latest last.
    pub(crate) fn history(&self) -> impl Iterator<Item = &Transition> {
        self.history.iter()
    }

    /// Since when it is in the state that it was seen in last.
    pub(crate) fn since(&self) -> Option<Duration> {
        self.history.back().map(|transition| transition.at)
    }

    /// Takes in a rumour; says whether others should hear of it: it is new, or a confirmation that still counts.
    pub(crate) fn hear(&mut self, rumour: &Rumour, now: Duration) -> bool {
        let told = rumour.told();
        match self.told.map_or(Ordering::Greater, |known| told.compare(known)) {
            Ordering::Less => false,
            Ordering::Equal => self.confirm(rumour.by),
            Ordering::Greater => {
                self.told = Some(told);
                self.suspicion = None;
                if told.state == MemberState::Suspect {
                    self.suspicion = Some(Suspicion { since: now, by: BTreeSet::from([rumour.by]) });
                    self.note_suspected(now);
                }
                true
            }
        }
    }

    /// One more that suspects it.
    fn confirm(&mut self, by: NodeId) -> bool {
        let Some(suspicion) = &mut self.suspicion else { return false };
        suspicion.by.len() <= CONFIRMATIONS && suspicion.by.insert(by)
    }

    /// The time that it has to refute begins now.
    pub(crate) fn suspect_anew(&mut self, now: Duration) {
        if let Some(suspicion) = &mut self.suspicion {
            suspicion.since = now;
        }
    }

    fn note_suspected(&mut self, now: Duration) {
        self.suspected.push_back(now);
        if self.suspected.len() > FLAPS + FLAP_DOUBLINGS {
            self.suspected.pop_front();
        }
    }

    /// By how much longer than others it is only suspected, because it comes and goes.
    pub(crate) fn patience(&self, now: Duration) -> u32 {
        let lately = self.suspected.iter().filter(|&&at| now < at + FLAPS_WITHIN).count();
        1 << lately.saturating_sub(FLAPS).min(FLAP_DOUBLINGS)
    }

    /// Notes in which state it is seen now.
    pub(crate) fn note(&mut self, state: MemberState, by: NodeId, at: Duration) {
        if self.history.back().is_some_and(|last| last.state == state) {
            return;
        }
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.noted += 1;
        self.history.push_back(Transition { number: self.noted, at, state, by });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rumour(generation: u64, incarnation: u64, state: MemberState, by: u8) -> Rumour {
        Rumour { node: NodeId([1; 32]), generation, incarnation, state, by: NodeId([by; 32]) }
    }

    #[test]
    fn hosts_that_heard_the_same_in_any_order_believe_the_same() {
        use MemberState::{Alive, Dead, Left, Suspect};
        let rising = [
            rumour(1, 0, Alive, 1),
            rumour(1, 0, Suspect, 2),
            rumour(1, 0, Dead, 3),
            rumour(1, 1, Alive, 1),
            rumour(1, 1, Dead, 3),
            rumour(1, 0, Left, 1),
            rumour(2, 0, Alive, 1),
            rumour(2, 0, Left, 1),
            rumour(3, 0, Suspect, 4),
        ];
        for (at, later) in rising.iter().enumerate() {
            for earlier in &rising[..at] {
                for order in [[earlier, later], [later, earlier]] {
                    let mut record = Record::default();
                    assert!(record.hear(order[0], Duration::ZERO));
                    assert_eq!(record.hear(order[1], Duration::ZERO), order[1] == later, "{order:?}");
                    assert_eq!(record.told(), Some(later.told()), "{order:?}");
                }
            }
            let refuted = later.told().refuted();
            assert_eq!(refuted.compare(later.told()), Ordering::Greater, "{later:?}");
        }
    }

    #[test]
    fn a_suspicion_is_confirmed_by_a_few_others_each_once() {
        let mut record = Record::default();
        let passed: Vec<bool> = [2, 2, 3, 4, 5, 6]
            .into_iter()
            .map(|by| record.hear(&rumour(1, 0, MemberState::Suspect, by), Duration::ZERO))
            .collect();
        assert_eq!(passed, [true, false, true, true, true, false]);
        assert_eq!(record.suspicion().unwrap().by.len(), 1 + CONFIRMATIONS);
        record.hear(&rumour(1, 1, MemberState::Alive, 1), Duration::ZERO);
        assert!(record.suspicion().is_none());
    }

    #[test]
    fn who_comes_and_goes_is_suspected_longer_for_a_while() {
        let mut record = Record::default();
        let at = |second| Duration::from_secs(second);
        let patience: Vec<u32> = (0..8)
            .map(|time| {
                record.hear(&rumour(1, time, MemberState::Suspect, 2), at(time));
                record.patience(at(time))
            })
            .collect();
        assert_eq!(patience, [1, 1, 1, 2, 4, 8, 8, 8]);
        assert_eq!(record.patience(at(100)), 1);
    }

    #[test]
    fn the_history_is_of_changes_and_bounded() {
        let mut record = Record::default();
        for second in 0..40 {
            let state = if second / 2 % 2 == 0 { MemberState::Alive } else { MemberState::Dead };
            record.note(state, NodeId([9; 32]), Duration::from_secs(second));
        }
        let seconds: Vec<u64> = record.history().map(|transition| transition.at.as_secs()).collect();
        assert_eq!(seconds, (4..20).map(|change| 2 * change).collect::<Vec<_>>());
        assert_eq!(record.since(), Some(Duration::from_secs(38)));
        assert_eq!(
            record.history().map(|transition| transition.number).collect::<Vec<_>>(),
            (5..=20).collect::<Vec<_>>()
        );
    }
}
