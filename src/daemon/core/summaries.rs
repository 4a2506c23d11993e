//! What lists say of each document, kept in memory: a folder of 10,000 files is listed without reading one from the store.
//! It is noted when a document is flushed, which each is at the start and after every change.

use std::collections::BTreeMap;
use std::ops::Bound;

use murmurate_crdt::clock::Dot;
use murmurate_crdt::document::Document;
use murmurate_crdt::fallback;
use murmurate_crdt::id::DocumentId;
use murmurate_crdt::render::Rendered;

use super::view;

/// What is said of a document.
#[derive(Debug, Clone)]
pub(super) struct Summary {
    /// The SHA-256 of its file, to know whether the rest still holds.
    hash: [u8; 32],
    pub(super) format: &'static str,
    /// Why it isn't merged in the format that its name asks for.
    pub(super) format_reason: Option<String>,
    pub(super) newest: Option<Newest>,
}

/// A document's newest write.
#[derive(Debug, Clone)]
pub(super) struct Newest {
    pub(super) dot: Dot,
    pub(super) time_ms: u64,
    pub(super) user: String,
}

/// What is said of every document that has a file.
#[derive(Debug, Default)]
pub(super) struct Summaries {
    by_document: BTreeMap<DocumentId, Summary>,
}

impl Summaries {
    pub(super) fn of(&self, document: &DocumentId) -> Option<&Summary> {
        self.by_document.get(document)
    }

    /// Those documents, within bounds.
    pub(super) fn documents<'a>(
        &'a self,
        within: (Bound<&'a DocumentId>, Bound<&'a DocumentId>),
    ) -> impl Iterator<Item = &'a DocumentId> {
        self.by_document.range::<DocumentId, _>(within).map(|(id, _)| id)
    }

    /// Takes note of what a document shows.
    pub(super) fn note(&mut self, document: &Document, rendered: &Rendered) {
        let id = document.id();
        let Some(file) = rendered.file() else {
            self.by_document.remove(id);
            return;
        };
        let format = file.format().name();
        let known = self.by_document.get(id).filter(|known| known.hash == file.hash && known.format == format);
        let format_reason = match known {
            Some(known) => known.format_reason.clone(),
            None => fallback::reason(id.as_str(), &file.bytes, file.format()).map(|reason| reason.to_string()),
        };
        let summary = Summary { hash: file.hash, format, format_reason, newest: newest(document) };
        self.by_document.insert(id.clone(), summary);
    }
}

fn newest(document: &Document) -> Option<Newest> {
    let dot = view::newest(document)?;
    let record = document.history().record(dot)?;
    Some(Newest { dot, time_ms: record.time_ms, user: record.user.clone() })
}
