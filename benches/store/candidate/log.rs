//! The daemon's own store.

use std::path::Path;
use std::sync::Arc;

use murmurate::daemon::store::{Batch, Directory, LogOptions, LogStore, Store};
use murmurate_crdt::envelope::SignedEnvelope;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::Candidate;
use crate::Outcome;

pub(super) struct Log(LogStore);

impl Log {
    pub(super) fn open(directory: &Path, allocation_bytes: Option<u64>) -> Outcome<Self> {
        let defaults = LogOptions::default();
        let options =
            LogOptions { allocation_bytes: allocation_bytes.unwrap_or(defaults.allocation_bytes), ..defaults };
        let disk = Arc::new(Directory::open(directory)?);
        Ok(Self(LogStore::open(disk, options, &mut ChaCha20Rng::seed_from_u64(1))?))
    }
}

impl Candidate for Log {
    fn commit(&self, changes: &[SignedEnvelope]) -> Outcome<()> {
        self.0.commit(&Batch { changes: changes.to_vec(), ..Batch::default() })?;
        Ok(())
    }

    fn stored(&self) -> Outcome<u64> {
        Ok(self.0.documents()?.iter().map(|record| record.vector.changes()).sum())
    }
}
