//! What was written: every value is written once, by one person, to one key.

use std::time::Duration;

use crate::template::TEMPLATES;

/// The first value; all have the same number of digits.
const FIRST_VALUE: u64 = 100_000_000;

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Not known: it was under way when its machine or daemon stopped, or still is.
    Unknown,
    /// It was refused: nothing was written.
    Refused,
    /// Acknowledged, or saved completely on a machine that went on.
    Done,
}

/// One value, written to one key.
#[allow(dead_code, reason = "some fields are only printed when a promise is broken")]
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) document: usize,
    pub(crate) key: usize,
    pub(crate) value: u64,
    pub(crate) machine: usize,
    pub(crate) how: &'static str,
    pub(crate) began: Duration,
    /// The value that its writer certainly saw when writing.
    pub(crate) saw: Option<u64>,
    pub(crate) fate: Fate,
}

impl Write {
    /// The key's address.
    pub(crate) fn address(&self) -> String {
        format!("{}#{}", TEMPLATES[self.document].document(), TEMPLATES[self.document].keys[self.key])
    }
}

/// All writes, by value.
#[derive(Debug, Default)]
pub(crate) struct History(Vec<Write>);

impl History {
    /// The value of the next write.
    pub(crate) fn next_value(&self) -> u64 {
        FIRST_VALUE + self.0.len() as u64
    }

    /// Takes note of a write of [`Self::next_value`].
    pub(crate) fn add(&mut self, write: Write) -> u64 {
        assert_eq!(write.value, self.next_value());
        self.0.push(write);
        self.0.last().unwrap().value
    }

    pub(crate) fn set_fate(&mut self, value: u64, fate: Fate) {
        self.get_mut(value).fate = fate;
    }

    pub(crate) fn set_saw(&mut self, value: u64, saw: u64) {
        self.get_mut(value).saw = Some(saw);
    }

    fn get_mut(&mut self, value: u64) -> &mut Write {
        &mut self.0[usize::try_from(value - FIRST_VALUE).unwrap()]
    }

    /// The write of a value, if there was one.
    pub(crate) fn get(&self, value: u64) -> Option<&Write> {
        self.0.get(usize::try_from(value.checked_sub(FIRST_VALUE)?).ok()?)
    }

    pub(crate) fn all(&self) -> &[Write] {
        &self.0
    }

    /// All writes to one key.
    pub(crate) fn of(&self, document: usize, key: usize) -> impl Iterator<Item = &Write> {
        self.0.iter().filter(move |write| write.document == document && write.key == key)
    }
}
