//! What kinds of frames there are.

/// What a frame is for. Each class has a stream of its own in each direction, so that none waits behind another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// New changes.
    Push,
    /// Answers of anti-entropy.
    Repair,
    /// Everything small.
    Control,
}

impl Class {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 3] = [Self::Push, Self::Repair, Self::Control];

    /// The byte that opens the class's stream; also its place in [`Self::ALL`].
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Push => 0,
            Self::Repair => 1,
            Self::Control => 2,
        }
    }

    /// The class of a stream that opens with this byte.
    pub(crate) fn of_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The stream's priority: control before new changes before repairs.
    pub(crate) fn priority(self) -> i32 {
        match self {
            Self::Repair => 0,
            Self::Push => 1,
            Self::Control => 2,
        }
    }
}
