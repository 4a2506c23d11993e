//! Puts that come together: those of one user to one document share a change, and so its signature, its place in the log
//! and its way to the others. Each still has its own answer.
//!
//! ```text
//!  put, put, put ──▶ values by register ──▶ the disk is free, or anything else ──▶ one change ──▶ commit ──▶ every answer
//! ```
//! They were asked for at once, so none has seen another; what one puts at a key that another has just put at comes in a
//! later change. Nothing else happens to a document while its puts are open: they are written at what they were planned
//! at. None waits for company: while a change of this host is on its way to the disk the next has to wait in any case.

use std::collections::BTreeMap;

use murmurate_client::types::PutResult;
use murmurate_crdt::edit::PutOutcome;
use murmurate_crdt::id::DocumentId;
use murmurate_crdt::register::{Cell, Register};

use super::Core;
use super::answer::{no_document, no_edit, not_durable};
use super::commits::{Item, Then};
use super::limits::{OPEN_BYTES, OPEN_PUTS};
use crate::daemon::request::Reply;

/// Puts to one document that wait for company.
#[derive(Default)]
pub(super) struct OpenPuts {
    user: String,
    cells: BTreeMap<Register, Cell>,
    bytes: usize,
    waiting: Vec<Waiting>,
}

/// Whom to answer.
struct Waiting {
    what: String,
    key: String,
    reply: Reply<PutResult>,
}

/// A put that was planned: a value that replaces another.
pub(super) struct PlannedPut {
    pub(super) what: String,
    pub(super) key: String,
    pub(super) user: String,
    pub(super) register: Register,
    pub(super) cell: Cell,
    pub(super) bytes: usize,
    pub(super) reply: Reply<PutResult>,
}

impl OpenPuts {
    /// Whether a put of this user to this register may share the change.
    fn takes(&self, user: &str, register: &Register) -> bool {
        self.user == user && !self.cells.contains_key(register)
    }

    fn is_full(&self) -> bool {
        self.bytes >= OPEN_BYTES || self.cells.len() >= OPEN_PUTS
    }
}

impl Core {
    /// Whether a put to this register has to come after those that are open.
    pub(super) fn must_follow(&self, document: &DocumentId, user: &str, register: &Register) -> bool {
        self.puts.get(document).is_some_and(|open| !open.takes(user, register))
    }

    /// Whether puts to this document are open.
    pub(super) fn has_open_puts(&self, document: &DocumentId) -> bool {
        self.puts.contains_key(document)
    }

    /// Adds a put to those of its document. None of them may be in its way: see [`Self::must_follow`].
    pub(super) async fn open_put(&mut self, document: DocumentId, put: PlannedPut) {
        let open = self.puts.entry(document.clone()).or_default();
        open.user = put.user;
        open.bytes += put.bytes;
        open.cells.insert(put.register, put.cell);
        open.waiting.push(Waiting { what: put.what, key: put.key, reply: put.reply });
        if open.is_full() {
            self.write_puts_to(&document).await;
        }
    }

    /// Writes those that are open, unless a change of this host is on its way to the disk: they would have to wait for it
    /// anyway, and meanwhile get company.
    pub(super) async fn write_puts_in_turn(&mut self) {
        if !self.commits.is_writing_own() || self.store_problem.is_some() {
            self.write_puts().await;
        }
    }

    /// Writes all that are open. To be called before anything else happens to a document.
    pub(super) async fn write_puts(&mut self) {
        while let Some((document, open)) = self.puts.pop_first() {
            self.write_open(&document, open).await;
        }
    }

    /// Writes those to one document.
    pub(super) async fn write_puts_to(&mut self, document: &DocumentId) {
        if let Some(open) = self.puts.remove(document) {
            self.write_open(document, open).await;
        }
    }

    async fn write_open(&mut self, document: &DocumentId, open: OpenPuts) {
        let OpenPuts { user, cells, waiting, .. } = open;
        let editor = self.editor(user);
        let cells: Vec<_> = cells.into_iter().collect();
        let written = match self.documents.get_for_change(document) {
            Ok(loaded) => {
                let rendered = loaded.rendered();
                loaded.document.put_values(&rendered, &cells, &editor)
            }
            Err(error) => {
                return waiting.into_iter().for_each(|it| drop(it.reply.send(Err(no_document(it.what, &error)))));
            }
        };
        match written {
            Ok(PutOutcome::Written(written)) => {
                let then = answer_all(document, waiting, written.dot.to_string(), true);
                self.commit_own(document, written, &editor, Vec::new(), then).await;
            }
            Ok(PutOutcome::Unchanged(dot)) => {
                let version = dot.map(|dot| dot.to_string()).unwrap_or_default();
                let then = answer_all(document, waiting, version, false);
                self.commits.push(Item { urgent: true, then, ..Item::default() });
            }
            Err(error) => {
                self.reload_after(document, &error);
                waiting.into_iter().for_each(|it| drop(it.reply.send(Err(no_edit(it.what, &error)))));
            }
        }
    }
}

/// Answers all once the item that goes with it is durable.
fn answer_all(document: &DocumentId, waiting: Vec<Waiting>, version: String, changed: bool) -> Then {
    let name = document.to_string();
    Then::Reply(Box::new(move |durable| {
        for Waiting { what, key, reply } in waiting {
            let result = PutResult::new(name.clone(), key, version.clone(), changed);
            // That nobody waits for the answer any more is no error.
            let _ = reply.send(durable.clone().map(|()| result).map_err(|why| not_durable(what, why)));
        }
    }))
}
