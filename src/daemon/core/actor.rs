//! Which actor this host writes as: never the same (writer, sequence) twice.
//!
//! A sequence used twice makes replicas unmergeable for good. The store alone can't prevent it: a restored backup or a
//! copied directory is a store that is behind what was already given to others. So the last apply index that was
//! acknowledged is also kept in the runtime directory, which a reboot empties and a backup doesn't hold. At start the
//! actor goes on only if that record exists, names this very store, and isn't ahead of it; else a new actor begins.

use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use murmurate_crdt::id::ActorId;
use murmurate_crdt::wire::{Decoder, Encoder};
use rand_core::Rng;

use super::commits::StateEntry;
use crate::daemon::store::{Store, StoreError};

/// The store's key for the actor that writes.
const ACTOR_STATE: &str = "actor";
const RECORD_BYTES: usize = 16 + 16 + 8;

/// The record in the runtime directory: store id, actor, last acknowledged apply index.
#[derive(Debug)]
pub(crate) struct RuntimeRecord {
    file: Option<std::fs::File>,
    path: PathBuf,
    store_id: [u8; 16],
    actor: ActorId,
}

impl RuntimeRecord {
    /// Overwrites the record. Called before anything of this host's is acknowledged or sent.
    pub(crate) fn advance(&self, apply_index: u64) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut encoder = Encoder::new();
        encoder.raw(&self.store_id).raw(&self.actor.0).raw(&apply_index.to_be_bytes());
        file.write_all_at(&encoder.finish(), 0)
    }

    /// Removes the record: the next start takes a new actor.
    pub(crate) fn remove(&self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::error!(path = %self.path.display(), %error, "nor can it be removed");
        }
    }
}

fn read_record(path: &Path) -> Option<([u8; 16], ActorId, u64)> {
    let bytes = std::fs::read(path).ok()?;
    let mut decoder = Decoder::new(&bytes);
    let store_id = decoder.array("store").ok()?;
    let actor = ActorId(decoder.array("actor").ok()?);
    let index = u64::from_be_bytes(decoder.array("index").ok()?);
    (bytes.len() == RECORD_BYTES).then_some((store_id, actor, index))
}

/// The actor that this run writes as, and its record. A new actor's state must be committed with its first change.
pub(crate) struct Actor {
    pub(crate) id: ActorId,
    pub(crate) record: RuntimeRecord,
    /// The state to commit, if the actor is new.
    pub(crate) state: Option<StateEntry>,
}

/// Chooses the actor of this run. Without a writable runtime directory every run has an actor of its own.
pub(crate) fn choose(store: &dyn Store, runtime_dir: &Path, rng: &mut impl Rng) -> Result<Actor, StoreError> {
    let store_id = store.store_id().0;
    let path = record_path(runtime_dir, &store_id);
    let stored = store.state(ACTOR_STATE)?.and_then(|bytes| bytes.try_into().ok()).map(ActorId);
    let last_index = store.last_apply_index()?;
    let goes_on = read_record(&path)
        .filter(|(id, actor, index)| *id == store_id && Some(*actor) == stored && *index <= last_index)
        .map(|(_, actor, _)| actor);
    let (id, state) = match goes_on {
        Some(actor) => (actor, None),
        None => new_actor(rng),
    };
    let file = open_record(&path)
        .map_err(|error| {
            tracing::warn!(path = %path.display(), %error,
        "no record can be kept in the runtime directory; each run writes as a new actor")
        })
        .ok();
    let record = RuntimeRecord { file, path, store_id, actor: id };
    if let Err(error) = record.advance(last_index) {
        tracing::warn!(%error, "the runtime directory's record can't be written");
    }
    Ok(Actor { id, record, state })
}

fn new_actor(rng: &mut impl Rng) -> (ActorId, Option<StateEntry>) {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    (ActorId(bytes), Some((ACTOR_STATE.into(), Some(bytes.to_vec()))))
}

fn record_path(runtime_dir: &Path, store_id: &[u8; 16]) -> PathBuf {
    runtime_dir.join(format!("store-{}", HEXLOWER.encode(store_id)))
}

fn open_record(path: &Path) -> io::Result<std::fs::File> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).truncate(false).read(true).write(true).mode(0o600).open(path)?;
    file.flush()?;
    Ok(file)
}
