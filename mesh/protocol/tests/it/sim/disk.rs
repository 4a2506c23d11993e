//! A store that survives a crash, and a commit under way that may or may not.

use std::collections::BTreeMap;

use murmurate_crdt::clock::{Dot, VersionVector};
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::DocumentId;
use murmurate_protocol::{DocumentRanges, Statement};

/// A change of the stored roster.
#[derive(Debug, Clone)]
pub(crate) enum RosterWrite {
    Put(Statement),
    Remove([u8; 32]),
}

/// What is durable.
#[derive(Debug, Default, Clone)]
pub(crate) struct Disk {
    /// Each document's changes in the order in which they were applied.
    pub(crate) documents: BTreeMap<DocumentId, Vec<SignedEnvelope>>,
    pub(crate) vectors: BTreeMap<DocumentId, VersionVector>,
    pub(crate) statements: BTreeMap<[u8; 32], Statement>,
}

impl Disk {
    pub(crate) fn append(&mut self, envelope: SignedEnvelope) {
        let vector = self.vectors.entry(envelope.document.clone()).or_default();
        assert!(vector.is_next(envelope.dot), "{} {} leaves a gap on disk", envelope.document, envelope.dot);
        vector.include(envelope.dot);
        self.documents.entry(envelope.document.clone()).or_default().push(envelope);
    }

    pub(crate) fn write(&mut self, write: RosterWrite) {
        match write {
            RosterWrite::Put(statement) => drop(self.statements.insert(statement.digest(), statement)),
            RosterWrite::Remove(digest) => drop(self.statements.remove(&digest)),
        }
    }

    pub(crate) fn get(&self, document: &DocumentId, dot: Dot) -> Option<&SignedEnvelope> {
        self.documents.get(document)?.iter().find(|envelope| envelope.dot == dot)
    }

    pub(crate) fn read(&self, wants: &[DocumentRanges], budget_bytes: usize) -> Vec<SignedEnvelope> {
        let mut read: Vec<SignedEnvelope> = Vec::new();
        let mut bytes = 0;
        for want in wants {
            for envelope in self.documents.get(&want.document).into_iter().flatten() {
                let Dot { writer, sequence } = envelope.dot;
                let wanted =
                    |r: &murmurate_crdt::clock::Range| r.writer == writer && (r.first..=r.last).contains(&sequence);
                if !want.ranges.iter().any(wanted) {
                    continue;
                }
                bytes += envelope.bytes().len();
                if bytes > budget_bytes && !read.is_empty() {
                    return read;
                }
                read.push(envelope.clone());
            }
        }
        read
    }
}
