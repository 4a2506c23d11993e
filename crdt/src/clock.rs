//! Logical time: dots, version vectors and their partial order.
//!
//! A [`VersionVector`] says of each writer how many of its changes are known, always without gaps. Of two vectors one
//! is at or before the other, or they are concurrent (Parker et al., "Detection of mutual inconsistency in distributed
//! systems", 1983). Wall clocks never decide.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use crate::id::Writer;
use crate::limits;
use crate::wire::{DecodeError, Decoder, Encoder};

/// One change of one writer to one document. Sequences count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dot {
    /// Whose change it is.
    pub writer: Writer,
    /// The how-manieth of its changes to this document.
    pub sequence: u64,
}

impl Dot {
    /// Writes a dot.
    pub fn encode(self, encoder: &mut Encoder) {
        self.writer.encode(encoder);
        encoder.varint(self.sequence);
    }

    /// Reads a dot.
    ///
    /// # Errors
    /// When the input ends, the lane doesn't exist or the sequence is 0.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let writer = Writer::decode(decoder)?;
        let sequence = decoder.varint("sequence")?;
        if sequence == 0 {
            return Err(DecodeError::Invalid { what: "sequence", why: "sequences count from 1" });
        }
        Ok(Self { writer, sequence })
    }
}

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.writer, self.sequence)
    }
}

impl std::str::FromStr for Dot {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let invalid = DecodeError::Invalid { what: "version", why: "a version is ACTOR.LANE:SEQUENCE" };
        let parts = text.split_once(':').and_then(|(writer, sequence)| Some((writer.split_once('.')?, sequence)));
        let Some(((actor, lane), sequence)) = parts else { return Err(invalid) };
        let lane = lane.parse().map_err(|_| invalid.clone()).and_then(crate::id::Lane::new)?;
        let sequence = sequence.parse().ok().filter(|&sequence| sequence > 0).ok_or(invalid)?;
        Ok(Self { writer: Writer { actor: actor.parse()?, lane }, sequence })
    }
}

/// A gapless run of one writer's changes, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// Whose changes.
    pub writer: Writer,
    /// The first sequence, at least 1.
    pub first: u64,
    /// The last sequence, at least `first`.
    pub last: u64,
}

/// How many changes of each writer are known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct VersionVector {
    last: BTreeMap<Writer, u64>,
}

impl VersionVector {
    /// A vector that knows no change.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The last known sequence of `writer`, 0 if none is known.
    #[must_use]
    pub fn get(&self, writer: Writer) -> u64 {
        self.last.get(&writer).copied().unwrap_or(0)
    }

    /// Whether the change is known.
    #[must_use]
    pub fn includes(&self, dot: Dot) -> bool {
        dot.sequence <= self.get(dot.writer)
    }

    /// Whether the change is the next one of its writer.
    #[must_use]
    pub fn is_next(&self, dot: Dot) -> bool {
        dot.sequence == self.get(dot.writer) + 1
    }

    /// Takes in a change and all before it of its writer. Knowing it already changes nothing.
    pub fn include(&mut self, dot: Dot) {
        let last = self.last.entry(dot.writer).or_insert(0);
        *last = (*last).max(dot.sequence);
    }

    /// Takes in all that `other` knows: the least upper bound.
    pub fn merge(&mut self, other: &Self) {
        for (writer, sequence) in other.iter() {
            self.include(Dot { writer, sequence });
        }
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    /// How many writers are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.last.len()
    }

    /// How many changes are known.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.last.values().sum()
    }

    /// Each writer with its last known sequence, in the order of the writers.
    pub fn iter(&self) -> impl Iterator<Item = (Writer, u64)> + '_ {
        self.last.iter().map(|(&writer, &sequence)| (writer, sequence))
    }

    /// Whether everything that `other` knows is known here.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.iter().all(|(writer, sequence)| sequence <= self.get(writer))
    }

    /// What is known here and not by `other`, in the order of the writers.
    #[must_use]
    pub fn missing_in(&self, other: &Self) -> Vec<Range> {
        self.iter()
            .map(|(writer, last)| Range { writer, first: other.get(writer) + 1, last })
            .filter(|range| range.first <= range.last)
            .collect()
    }

    /// Writes the vector; equal vectors have equal bytes.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.varint(self.last.len() as u64);
        for (writer, sequence) in self.iter() {
            Dot { writer, sequence }.encode(encoder);
        }
    }

    /// Reads a vector.
    ///
    /// # Errors
    /// When the input ends, writers aren't in order, or there are more than [`limits::WRITERS_PER_DOCUMENT`].
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let count = decoder.size(limits::WRITERS_PER_DOCUMENT, "version vector")?;
        let mut last = BTreeMap::new();
        for _ in 0..count {
            let dot = Dot::decode(decoder)?;
            if last.last_key_value().is_some_and(|(&writer, _)| writer >= dot.writer) {
                return Err(DecodeError::Invalid { what: "version vector", why: "writers aren't in order" });
            }
            last.insert(dot.writer, dot.sequence);
        }
        Ok(Self { last })
    }
}

/// The causal order: `None` means concurrent.
impl PartialOrd for VersionVector {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self.covers(other), other.covers(self)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Greater),
            (false, true) => Some(Ordering::Less),
            (false, false) => None,
        }
    }
}

impl FromIterator<Dot> for VersionVector {
    fn from_iter<I: IntoIterator<Item = Dot>>(dots: I) -> Self {
        let mut vector = Self::new();
        dots.into_iter().for_each(|dot| vector.include(dot));
        vector
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ActorId, Lane};
    use proptest::prelude::*;

    fn vectors() -> impl Strategy<Value = VersionVector> {
        proptest::collection::vec((0u8..4, 0u8..2, 1u64..5), 0..6).prop_map(|dots| {
            dots.into_iter()
                .map(|(actor, lane, sequence)| Dot {
                    writer: Writer { actor: ActorId([actor; 16]), lane: Lane::new(lane).unwrap() },
                    sequence,
                })
                .collect()
        })
    }

    proptest! {
        #![proptest_config(crate::testing::cases(256))]

        #[test]
        fn merge_is_the_least_upper_bound(a in vectors(), b in vectors(), c in vectors()) {
            let mut both = a.clone();
            both.merge(&b);
            prop_assert!(both >= a && both >= b);
            if c >= a && c >= b {
                prop_assert!(c >= both);
            }
            let mut other_way = b.clone();
            other_way.merge(&a);
            prop_assert_eq!(both, other_way);
        }

        #[test]
        fn what_is_missing_brings_the_other_up_to_the_merge(a in vectors(), b in vectors()) {
            let mut caught_up = b.clone();
            for range in a.missing_in(&b) {
                for sequence in range.first..=range.last {
                    let dot = Dot { writer: range.writer, sequence };
                    prop_assert!(caught_up.is_next(dot));
                    caught_up.include(dot);
                }
            }
            let mut merged = a.clone();
            merged.merge(&b);
            prop_assert_eq!(caught_up, merged);
        }

        #[test]
        fn vectors_are_read_back(a in vectors()) {
            let mut encoder = Encoder::new();
            a.encode(&mut encoder);
            let bytes = encoder.finish();
            prop_assert_eq!(VersionVector::decode(&mut Decoder::new(&bytes)), Ok(a));
        }

        #[test]
        fn dots_are_read_back_from_their_text(a in vectors()) {
            for (writer, sequence) in a.iter() {
                let dot = Dot { writer, sequence };
                prop_assert_eq!(dot.to_string().parse(), Ok(dot));
            }
        }
    }
}
