//! Which of this host's starts this is: a higher number at each, whatever its clock says.

use super::store::{Store, StoreError};

/// The store's key for the generation of the last start.
const STATE: &str = "generation";

/// A start's generation: milliseconds since 1970, or one more than at the last start if the clock went back. It is to be
/// stored with the first commit.
pub(crate) fn next(store: &dyn Store, now_ms: u64) -> Result<u64, StoreError> {
    let last = store.state(STATE)?.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    Ok(last.map_or(now_ms, |last| now_ms.max(last.saturating_add(1))))
}

/// What the store is to hold of it.
pub(crate) fn entry(generation: u64) -> (String, Option<Vec<u8>>) {
    (STATE.into(), Some(generation.to_be_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use murmurate_net::environment::Random;

    use super::*;
    use crate::daemon::store::{Batch, Directory, LogOptions, LogStore};

    #[test]
    fn each_start_has_a_higher_generation_whatever_the_clock_says() {
        let directory = tempfile::tempdir().unwrap();
        let disk = Arc::new(Directory::open(directory.path()).unwrap());
        let store = LogStore::open(disk, LogOptions::default(), &mut Random::seeded(1).rng()).unwrap();
        let started = |now_ms| {
            let generation = next(&store, now_ms).unwrap();
            store.commit(&Batch { states: vec![entry(generation)], ..Batch::default() }).unwrap();
            generation
        };
        let generations = [1_000, 5_000, 0, 4_000, 5_001, 9_000, u64::MAX, 7].map(started);
        assert_eq!(generations, [1_000, 5_000, 5_001, 5_002, 5_003, 9_000, u64::MAX, u64::MAX]);
    }
}
