//! The change that every document begins with. It never travels: each host builds the same one (MERGE rule 14).

use std::sync::OnceLock;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, ObjId, ObjType, ROOT, ReadDoc};

use crate::id::Writer;
use crate::register::BUCKETS;

/// A document that holds nothing but the buckets.
pub(crate) fn document() -> Automerge {
    static GENESIS: OnceLock<Automerge> = OnceLock::new();
    GENESIS.get_or_init(build).clone()
}

fn build() -> Automerge {
    let mut document = Automerge::new().with_actor(ActorId::from(&[0u8; Writer::BYTES][..]));
    let mut transaction = document.transaction();
    for bucket in 0..BUCKETS {
        transaction
            .put_object(ROOT, bucket_name(bucket), ObjType::Map)
            .expect("an empty document takes a map at its root");
    }
    transaction.commit_with(CommitOptions::default().with_time(0));
    document
}

fn bucket_name(bucket: usize) -> String {
    format!("{bucket:02x}")
}

/// The buckets of a document; `None` if it didn't begin with the genesis.
pub(crate) fn buckets(document: &Automerge) -> Option<Vec<ObjId>> {
    (0..BUCKETS)
        .map(|bucket| {
            let (_, object) = document.get(ROOT, bucket_name(bucket)).ok()??;
            matches!(document.object_type(&object), Ok(ObjType::Map)).then_some(object)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every host and every later version must build these very bytes.
    #[test]
    fn the_genesis_never_changes() {
        let heads = document().get_heads();
        assert_eq!(heads.len(), 1);
        assert_eq!(heads[0].to_string(), include_str!("../tests/golden/genesis-0.hash").trim());
    }
}
