//! Where a fragment stands among its siblings: dense, never renumbered, and runs stay together.
//!
//! A position is a list of steps, compared step by step; a shorter one comes first. Between any two there is room: first
//! by a number between theirs, else one step deeper. Where the number is put, near the lower or the upper neighbour,
//! alternates with the depth, so that a file that always grows at the same end stays within a few steps (LSEQ: Nédelec,
//! Molli, Mostéfaoui, Desmontils, 2013). All fragments that one edit inserts side by side share the number
//! and the dot and count up in `index`, so two concurrent blocks never interleave, and equal numbers are ordered by
//! dot. The idea is Logoot's (Weiss, Urso, Molli, 2009).

use crate::clock::Dot;
use crate::wire::{DecodeError, Decoder, Encoder};

/// The distance between neighbours of a freshly imported file: room for many inserts at the first step.
const IMPORT_STRIDE: u64 = 1 << 16;
/// The first number of a deeper step: room for inserts on both sides.
const FIRST_NUMBER: u64 = 1 << 32;
/// How far from its neighbour a number is put at most, at even and at odd depths: what is imported lies [`IMPORT_STRIDE`]
/// apart, what lies deeper has [`FIRST_NUMBER`] before it.
const DISTANCES: [u64; 2] = [1 << 4, 1 << 10];
/// More steps than any real sequence of inserts needs; a longer position is refused.
pub(crate) const STEPS: usize = 256;
/// What tells runs apart: the first half of the actor, the lane, and the sequence.
type RunId = (u64, u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Step {
    number: u64,
    run: RunId,
    index: u64,
}

/// Where a fragment stands among its siblings. The default stands before all others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(Vec<Step>);

impl Position {
    /// The position of the `index`-th child in a file that is imported whole. It doesn't depend on who imports it, so
    /// that two hosts that import the same file agree.
    #[must_use]
    pub fn imported(index: usize) -> Self {
        Self(vec![Step { number: (index as u64 + 1) * IMPORT_STRIDE, run: (0, 0), index: 0 }])
    }

    /// `count` positions in order, after `before` and before `after`, as one run of the change `dot`. `None` is the open
    /// end. When `before` isn't before `after` (concurrent edits can give two siblings one position), they follow
    /// `before`.
    #[must_use]
    pub fn run_between(before: Option<&Self>, after: Option<&Self>, dot: Dot, count: usize) -> Vec<Self> {
        let low = before.map_or(&[][..], |position| &position.0);
        let high = after.map(|position| &position.0[..]).filter(|high| *high > low);
        let (prefix, number) = room(low, high);
        let run = run_id(dot);
        (0..count as u64)
            .map(|index| {
                let mut steps = prefix.clone();
                steps.push(Step { number, run, index });
                Self(steps)
            })
            .collect()
    }

    /// How many steps it has. Only inserts that go between the two latest ones, thousands of times, make them too many.
    pub(crate) fn steps(&self) -> usize {
        self.0.len()
    }

    /// Writes a position.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.varint(self.0.len() as u64);
        for step in &self.0 {
            encoder.varint(step.number).varint(step.run.0).varint(step.run.1).varint(step.index);
        }
    }

    /// Reads a position.
    ///
    /// # Errors
    /// When the input ends or there are more than 256 steps.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = decoder.size(STEPS, "position")?;
        let mut steps = Vec::new();
        for _ in 0..count {
            let number = decoder.varint("position")?;
            let run = (decoder.varint("position")?, decoder.varint("position")?);
            steps.push(Step { number, run, index: decoder.varint("position")? });
        }
        Ok(Self(steps))
    }
}

fn run_id(dot: Dot) -> RunId {
    let mut half = [0; 8];
    half.copy_from_slice(&dot.writer.actor.0[..8]);
    (u64::from_be_bytes(half), (dot.sequence << 3) | u64::from(dot.writer.lane.number()))
}

/// The steps to copy and the number to put behind them, so that the result is after `low` and before `high`.
fn room(low: &[Step], high: Option<&[Step]>) -> (Vec<Step>, u64) {
    let mut prefix = Vec::new();
    let mut high = high;
    for depth in 0.. {
        let below = low.get(depth);
        let above = high.and_then(|high| high.get(depth));
        let floor = below.map_or(0, |step| step.number);
        match above {
            None if below.is_none() && depth > 0 => return (prefix, FIRST_NUMBER),
            None => {
                if let Some(number) = floor.checked_add(IMPORT_STRIDE) {
                    return (prefix, number);
                }
            }
            Some(above) if above.number - floor.min(above.number) > 1 => {
                let distance = DISTANCES[depth % 2].min((above.number - floor) / 2);
                let is_near_low = depth % 2 == 0;
                return (prefix, if is_near_low { floor + distance } else { above.number - distance });
            }
            Some(_) => {}
        }
        // No room at this depth: go below `low`'s step, or, where `low` has ended, below nothing.
        let step = below.copied().unwrap_or(Step { number: 0, run: (0, 0), index: 0 });
        if above != Some(&step) {
            high = None;
        }
        prefix.push(step);
    }
    unreachable!("the loop ends where both positions have")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ActorId, Lane, Writer};
    use proptest::prelude::*;

    const STEPS_IN_PRACTICE: usize = 8;

    fn dot(actor: u8, sequence: u64) -> Dot {
        Dot { writer: Writer { actor: ActorId([actor; 16]), lane: Lane::API }, sequence }
    }

    #[test]
    fn two_concurrent_blocks_at_one_place_do_not_interleave() {
        let (before, after) = (Position::imported(0), Position::imported(1));
        let ours = Position::run_between(Some(&before), Some(&after), dot(1, 5), 3);
        let theirs = Position::run_between(Some(&before), Some(&after), dot(2, 9), 3);
        assert!(ours.last() < theirs.first());
        assert!(before < ours[0] && theirs[2] < after);
    }

    /// Logs that grow at the top, at the bottom, below a heading, or above a last line: one edit after the other.
    #[test]
    fn positions_stay_short_where_edits_follow_each_other() {
        type Place = fn(usize) -> usize;
        let rows: [(&str, Place); 4] = [
            ("before all", |_| 0),
            ("behind the first", |_| 1),
            ("before the last", |count| count - 1),
            ("behind all", |count| count),
        ];
        for (what, place) in rows {
            let mut positions = vec![Position::imported(0), Position::imported(1)];
            for sequence in 1..=20_000 {
                let at = place(positions.len());
                let before = at.checked_sub(1).map(|index| &positions[index]);
                let run = Position::run_between(before, positions.get(at), dot(1, sequence), 1);
                positions.splice(at..at, run);
            }
            assert!(positions.is_sorted_by(|a, b| a < b), "{what}");
            let longest = positions.iter().map(|position| position.0.len()).max();
            assert!(longest <= Some(STEPS_IN_PRACTICE), "{what}: {longest:?} steps");
        }
    }

    proptest! {
        #![proptest_config(crate::testing::cases(256))]

        #[test]
        fn there_is_always_room(inserts in proptest::collection::vec((any::<proptest::sample::Index>(), 0u8..3, 1usize..4), 1..120)) {
            let mut positions = vec![Position::imported(0), Position::imported(1)];
            for (sequence, (at, actor, count)) in inserts.into_iter().enumerate() {
                let at = at.index(positions.len() + 1);
                let before = at.checked_sub(1).map(|index| &positions[index]);
                let run = Position::run_between(before, positions.get(at), dot(actor, sequence as u64 + 1), count);
                positions.splice(at..at, run);
                prop_assert!(positions.is_sorted_by(|a, b| a < b));
            }
        }

        #[test]
        fn always_inserting_at_the_front_stays_short(count in 1usize..300) {
            let mut first = Position::imported(0);
            for sequence in 0..count {
                let run = Position::run_between(None, Some(&first), dot(1, sequence as u64 + 1), 1);
                prop_assert!(run[0] < first);
                first = run[0].clone();
            }
            prop_assert!(first.0.len() <= 2 + count / 8, "{} steps", first.0.len());
        }
    }
}
