//! Numbers for values that occur often.

use std::collections::BTreeMap;

/// Gives each value a number, the same each time.
#[derive(Debug)]
pub(super) struct Interner<T> {
    values: Vec<T>,
    numbers: BTreeMap<T, u32>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { values: Vec::new(), numbers: BTreeMap::new() }
    }
}

impl<T: Ord + Clone> Interner<T> {
    /// The number of a value, a new one at its first time.
    ///
    /// # Errors
    /// When there are more values than numbers.
    pub(super) fn number(&mut self, value: &T) -> Result<u32, &'static str> {
        if let Some(&number) = self.numbers.get(value) {
            return Ok(number);
        }
        let number = u32::try_from(self.values.len()).map_err(|_| "more names than can be numbered")?;
        self.values.push(value.clone());
        self.numbers.insert(value.clone(), number);
        Ok(number)
    }

    /// The value with a number that [`Self::number`] gave.
    pub(super) fn get(&self, number: u32) -> &T {
        &self.values[number as usize]
    }
}
