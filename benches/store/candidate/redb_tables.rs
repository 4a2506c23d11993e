//! redb 4: three tables, one write transaction a commit.

use std::path::Path;

use murmurate_crdt::envelope::SignedEnvelope;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::{Candidate, change_key, vector_key};
use crate::Outcome;

const CHANGES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("changes");
const APPLIED: TableDefinition<u64, &[u8]> = TableDefinition::new("applied");
const VECTORS: TableDefinition<&[u8], u64> = TableDefinition::new("vectors");

pub(super) struct RedbTables(Database);

impl RedbTables {
    pub(super) fn open(directory: &Path) -> Outcome<Self> {
        std::fs::create_dir_all(directory)?;
        let database = Database::create(directory.join("store.redb"))?;
        let transaction = database.begin_write()?;
        transaction.open_table(CHANGES)?;
        transaction.open_table(APPLIED)?;
        transaction.open_table(VECTORS)?;
        transaction.commit()?;
        Ok(Self(database))
    }
}

impl Candidate for RedbTables {
    fn commit(&self, changes: &[SignedEnvelope]) -> Outcome<()> {
        let mut transaction = self.0.begin_write()?;
        transaction.set_durability(redb::Durability::Immediate)?;
        {
            let mut table = transaction.open_table(CHANGES)?;
            let mut applied = transaction.open_table(APPLIED)?;
            let mut vectors = transaction.open_table(VECTORS)?;
            let mut apply_index = applied.last()?.map_or(0, |(index, _)| index.value());
            for change in changes {
                let key = change_key(change);
                if table.insert(key.as_slice(), &**change.bytes())?.is_some() {
                    return Err("stored twice".into());
                }
                apply_index += 1;
                applied.insert(apply_index, key.as_slice())?;
                vectors.insert(vector_key(change).as_slice(), change.dot.sequence)?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn stored(&self) -> Outcome<u64> {
        let vectors = self.0.begin_read()?.open_table(VECTORS)?;
        let mut sum = 0;
        for entry in vectors.iter()? {
            sum += entry?.1.value();
        }
        Ok(sum)
    }
}
