//! What kinds of frames there are.

use murmurate_crdt::limits::FRAME_BYTES;

use crate::limits::GOSSIP_FRAME_BYTES;

/// What a frame is for. Each class has a stream of its own in each direction, so that none waits behind another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// New changes.
    Push,
    /// Answers of anti-entropy.
    Repair,
    /// Everything small.
    Control,
    /// What members say of themselves and each other, again and again. Of what waits the oldest is dropped.
    Gossip,
}

impl Class {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 4] = [Self::Push, Self::Repair, Self::Control, Self::Gossip];

    /// Its name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Repair => "repair",
            Self::Control => "control",
            Self::Gossip => "gossip",
        }
    }

    /// The byte that opens the class's stream; also its place in [`Self::ALL`].
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Push => 0,
            Self::Repair => 1,
            Self::Control => 2,
            Self::Gossip => 3,
        }
    }

    /// The class of a stream that opens with this byte.
    pub(crate) fn of_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The largest frame.
    pub(crate) fn frame_bytes(self) -> usize {
        match self {
            Self::Gossip => GOSSIP_FRAME_BYTES,
            Self::Push | Self::Repair | Self::Control => FRAME_BYTES,
        }
    }

    /// The stream's priority: control before new changes before gossip, which is small, before repairs.
    pub(crate) fn priority(self) -> i32 {
        match self {
            Self::Repair => -1,
            Self::Gossip => 0,
            Self::Push => 1,
            Self::Control => 2,
        }
    }
}
