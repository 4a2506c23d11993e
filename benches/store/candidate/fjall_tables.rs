//! fjall 3: three keyspaces, one batch a commit.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use murmurate_crdt::envelope::SignedEnvelope;

use super::{Candidate, change_key, vector_key};
use crate::Outcome;

pub(super) struct FjallTables {
    database: Database,
    changes: Keyspace,
    applied: Keyspace,
    vectors: Keyspace,
    last_apply_index: AtomicU64,
}

fn number(bytes: &[u8]) -> Outcome<u64> {
    Ok(u64::from_be_bytes(bytes.try_into()?))
}

impl FjallTables {
    pub(super) fn open(directory: &Path) -> Outcome<Self> {
        let database = Database::builder(directory).open()?;
        let keyspace = |name| database.keyspace(name, KeyspaceCreateOptions::default);
        let (changes, applied, vectors) = (keyspace("changes")?, keyspace("applied")?, keyspace("vectors")?);
        let last = match applied.last_key_value() {
            Some(entry) => number(&entry.key()?)?,
            None => 0,
        };
        Ok(Self { changes, applied, vectors, last_apply_index: AtomicU64::new(last), database })
    }
}

impl Candidate for FjallTables {
    fn commit(&self, changes: &[SignedEnvelope]) -> Outcome<()> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for change in changes {
            let key = change_key(change);
            if self.changes.contains_key(&key)? {
                return Err("stored twice".into());
            }
            let apply_index = self.last_apply_index.fetch_add(1, Ordering::Relaxed) + 1;
            batch.insert(&self.changes, key.as_slice(), &**change.bytes());
            batch.insert(&self.applied, apply_index.to_be_bytes(), key.as_slice());
            batch.insert(&self.vectors, vector_key(change), change.dot.sequence.to_be_bytes());
        }
        batch.commit()?;
        Ok(())
    }

    fn stored(&self) -> Outcome<u64> {
        let mut sum = 0;
        for entry in self.vectors.iter() {
            sum += number(&entry.value()?)?;
        }
        Ok(sum)
    }
}
