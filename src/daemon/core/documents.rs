//! The documents in memory: loaded when asked for, evicted when many others were used since.

use std::collections::BTreeMap;
use std::sync::Arc;

use murmurate_crdt::clock::Dot;
use murmurate_crdt::conflict::Conflict;
use murmurate_crdt::document::{ApplyError, Document, LoadError};
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::DocumentId;
use murmurate_crdt::register::Register;
use murmurate_crdt::render::Rendered;
use murmurate_crdt::shown::Shown;

use super::limits::LOADED_DOCUMENTS;
use crate::daemon::store::{Store, StoreError};

/// Changes after which a document's snapshot is written anew, at the least: loading applies those since the last one by
/// one, some 50 us each.
const CHANGES_PER_SNAPSHOT: u64 = 256;
/// The same, in parts of all changes that the document has: a snapshot costs time linear in them, so that all snapshots
/// together cost no more than this many times the changes.
const CHANGES_PER_SNAPSHOT_PART: u64 = 4;
/// How many times as many changes a document that is never quiet may have before its snapshot is written all the same.
const NEVER_QUIET: u64 = 4;

/// What is said of a document with two changes of one version, before the version.
pub(crate) const SAME_VERSION: &str = "two changes with the same version";

/// Why a document can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DocumentError {
    /// The store can't be read.
    #[error("the store can't be read: {0}")]
    Store(String),
    /// What is stored isn't a document.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A stored change can't be applied any more.
    #[error("a stored change can't be applied: {0}")]
    Apply(#[from] ApplyError),
    /// It takes no changes until it is repaired.
    #[error("it is frozen: {0}")]
    Frozen(String),
}

impl From<StoreError> for DocumentError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

/// A document in memory.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) document: Document,
    shown: Shown,
    /// Changes that are applied but not on disk yet.
    pending: Vec<SignedEnvelope>,
    used: u64,
    since_snapshot: u64,
    /// Whether a change came since [`Self::due_snapshot`] was asked last.
    is_busy: bool,
}

/// Whether a document's snapshot is to be written anew.
pub(crate) enum DueSnapshot {
    /// It isn't time yet.
    No,
    /// Once the document is quiet: it takes long enough to be felt by whoever writes to it.
    Later,
    /// Here it is.
    Now(Vec<u8>),
}

impl Loaded {
    fn new(document: Document, since_snapshot: u64) -> Self {
        Self { document, shown: Shown::default(), pending: Vec::new(), used: 0, since_snapshot, is_busy: false }
    }

    /// What the document's file should be now.
    pub(crate) fn rendered(&mut self) -> Arc<Rendered> {
        self.shown.rendered(&self.document)
    }

    /// The document's open conflicts.
    pub(crate) fn conflicts(&mut self) -> Arc<Vec<Conflict>> {
        self.shown.conflicts(&self.document)
    }

    /// Takes note of a change that was just written or applied, and isn't on disk yet.
    pub(crate) fn changed(&mut self, envelope: SignedEnvelope, registers: Vec<Register>) {
        self.pending.push(envelope);
        self.since_snapshot += 1;
        self.is_busy = true;
        self.shown.touch(registers);
    }

    /// A new snapshot, when so many changes came since the last one that it is worth it, and none since this was asked
    /// last.
    pub(crate) fn due_snapshot(&mut self) -> DueSnapshot {
        let is_busy = std::mem::take(&mut self.is_busy);
        let due = CHANGES_PER_SNAPSHOT.max(self.document.version().changes() / CHANGES_PER_SNAPSHOT_PART);
        if self.since_snapshot < due {
            return DueSnapshot::No;
        }
        if is_busy && self.since_snapshot < due * NEVER_QUIET {
            return DueSnapshot::Later;
        }
        self.since_snapshot = 0;
        match self.document.save() {
            Ok(snapshot) => DueSnapshot::Now(snapshot),
            Err(error) => {
                tracing::error!(%error, "no snapshot was taken; the changes stay in the log");
                DueSnapshot::No
            }
        }
    }
}

/// All documents of this host.
pub(crate) struct Documents {
    store: Arc<dyn Store>,
    loaded: BTreeMap<DocumentId, Loaded>,
    frozen: BTreeMap<DocumentId, String>,
    uses: u64,
}

impl Documents {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, loaded: BTreeMap::new(), frozen: BTreeMap::new(), uses: 0 }
    }

    /// The document, from the store if need be; a new one if nothing is stored.
    pub(crate) fn get(&mut self, id: &DocumentId) -> Result<&mut Loaded, DocumentError> {
        if !self.loaded.contains_key(id) {
            let loaded = load(&*self.store, id, &[])?;
            self.evict();
            self.loaded.insert(id.clone(), loaded);
        }
        self.uses += 1;
        let uses = self.uses;
        let loaded = self.loaded.get_mut(id).ok_or_else(|| DocumentError::Store("it was evicted".into()))?;
        loaded.used = uses;
        Ok(loaded)
    }

    /// Whether the document is in memory.
    pub(crate) fn is_loaded(&self, id: &DocumentId) -> bool {
        self.loaded.contains_key(id)
    }

    /// The document, if it is in memory.
    pub(crate) fn present(&self, id: &DocumentId) -> Option<&Document> {
        self.loaded.get(id).map(|loaded| &loaded.document)
    }

    /// The document, if it takes changes.
    pub(crate) fn get_for_change(&mut self, id: &DocumentId) -> Result<&mut Loaded, DocumentError> {
        if let Some(why) = self.frozen.get(id) {
            return Err(DocumentError::Frozen(why.clone()));
        }
        self.get(id)
    }

    /// Applies a change of another host.
    pub(crate) fn apply(&mut self, envelope: &SignedEnvelope) -> Result<(), DocumentError> {
        let loaded = self.get_for_change(&envelope.document)?;
        match loaded.document.apply(envelope) {
            Ok(registers) => {
                if !registers.is_empty() {
                    loaded.changed(envelope.clone(), registers);
                }
                Ok(())
            }
            Err(error) => {
                if !error.left_document_intact() {
                    self.reload(&envelope.document)?;
                }
                Err(error.into())
            }
        }
    }

    /// Reads the document anew, without what was in memory only by mistake.
    pub(crate) fn reload(&mut self, id: &DocumentId) -> Result<(), DocumentError> {
        let pending = self.loaded.remove(id).map(|loaded| loaded.pending).unwrap_or_default();
        let loaded = load(&*self.store, id, &pending)?;
        self.loaded.insert(id.clone(), loaded);
        Ok(())
    }

    /// Takes back what was done to a document in memory since it was copied.
    pub(crate) fn put_back(&mut self, id: &DocumentId, copy: Loaded) {
        self.loaded.insert(id.clone(), copy);
    }

    /// A change that is applied and not on disk yet.
    pub(crate) fn pending(&self, id: &DocumentId, dot: Dot) -> Option<SignedEnvelope> {
        self.loaded.get(id)?.pending.iter().find(|pending| pending.dot == dot).cloned()
    }

    /// The changes are on disk.
    pub(crate) fn committed(&mut self, envelopes: &[SignedEnvelope]) {
        for envelope in envelopes {
            if let Some(loaded) = self.loaded.get_mut(&envelope.document) {
                loaded.pending.retain(|pending| pending.dot != envelope.dot);
            }
        }
    }

    /// The document takes no changes any more.
    pub(crate) fn freeze(&mut self, id: &DocumentId, why: String) {
        tracing::error!(document = %id, %why, "the document is frozen");
        self.frozen.insert(id.clone(), why);
    }

    /// The documents that take no changes, with the reason.
    pub(crate) fn frozen(&self) -> &BTreeMap<DocumentId, String> {
        &self.frozen
    }

    /// Makes room for one more: the least recently used go that have nothing in memory only.
    fn evict(&mut self) {
        while self.loaded.len() >= LOADED_DOCUMENTS {
            let idle = self.loaded.iter().filter(|(_, loaded)| loaded.pending.is_empty());
            let Some(oldest) = idle.min_by_key(|(_, loaded)| loaded.used).map(|(id, _)| id.clone()) else { return };
            self.loaded.remove(&oldest);
        }
    }
}

fn load(store: &dyn Store, id: &DocumentId, pending: &[SignedEnvelope]) -> Result<Loaded, DocumentError> {
    let Some(stored) = store.load(id)? else {
        return apply_all(Document::new(id.clone()), Vec::new(), pending);
    };
    let document = match &stored.snapshot {
        Some(snapshot) => Document::load(id.clone(), &snapshot.bytes)?,
        None => Document::new(id.clone()),
    };
    apply_all(document, stored.changes, pending)
}

fn apply_all(
    mut document: Document,
    stored: Vec<SignedEnvelope>,
    pending: &[SignedEnvelope],
) -> Result<Loaded, DocumentError> {
    for envelope in stored.iter().chain(pending) {
        document.apply(envelope)?;
    }
    let mut loaded = Loaded::new(document, stored.len() as u64);
    loaded.pending = pending.to_vec();
    Ok(loaded)
}
