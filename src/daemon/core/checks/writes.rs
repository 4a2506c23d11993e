//! Checks of what is written over the API to a file of this host's folders, before it is acknowledged.
//!
//! What is checked is the file as this host would have it after the write. Should other hosts' changes come in while the
//! check runs, they are merged as ever, and the merge is checked again before it goes into this host's file.

use std::collections::{BTreeSet, VecDeque};

use murmurate_client::types::{ApiError, ErrorCode};
use murmurate_crdt::edit::PutPlan;
use murmurate_crdt::id::DocumentId;
use murmurate_crdt::key::Address;

use super::{Checked, Core, Job};
use crate::daemon::checks::limits::WAITING_WRITES;
use crate::daemon::checks::{CheckEvent, CheckFailure, JobId};
use crate::daemon::core::answer::{Decision, FileWrite, Put};
use crate::daemon::files::ContentHash;
use crate::daemon::request::Request;

/// A write whose check is under way, and those after it that change the same file.
pub(super) struct CheckedWrites {
    job: JobId,
    hash: ContentHash,
    request: Request,
    waiting: VecDeque<Request>,
}

impl CheckedWrites {
    /// Writes that wait behind the one that is being checked.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

impl Core {
    /// The document whose file a request changes here, if what it writes is to be checked first: of what is put into an
    /// overlay, that of the file which shows it.
    pub(in crate::daemon::core) fn document_to_check(&self, request: &Request) -> Option<DocumentId> {
        let document = written_by(request)?;
        let file = if document.is_overlay() { self.file_with(&document)? } else { document };
        let folder = self.folders.kept.get(file.folder())?;
        (folder.scanned && !folder.stopped && self.must_check(&file)).then_some(file)
    }

    /// Carries a write out once it is checked, after those that change the same file and came before.
    pub(in crate::daemon::core) async fn check_write(&mut self, document: DocumentId, request: Request) {
        let Some(before) = self.checks.writes.get_mut(&document) else {
            return self.begin_writes(document, VecDeque::from([request])).await;
        };
        if before.waiting.len() < WAITING_WRITES {
            return before.waiting.push_back(request);
        }
        let why = format!("{WAITING_WRITES} writes wait for the checks of {document}");
        refuse(request, |what| ApiError::new(ErrorCode::Busy, what, why, "try again later"));
    }

    async fn begin_writes(&mut self, document: DocumentId, mut waiting: VecDeque<Request>) {
        while let Some(request) = waiting.pop_front() {
            for id in self.documents_of(&document) {
                self.write_puts_to(&id).await;
            }
            let started = self.tried_write(&document, &request).and_then(|(hash, checked)| {
                Some((hash, self.start_check(&document, checked, Job::Write(document.clone()))?))
            });
            match started {
                Some((hash, job)) => {
                    self.checks.writes.insert(document, CheckedWrites { job, hash, request, waiting });
                    return;
                }
                None => self.answer_write(request).await,
            }
        }
    }

    /// The documents that a file is made of here.
    fn documents_of(&self, file: &DocumentId) -> BTreeSet<DocumentId> {
        self.own_overlays(file).into_iter().map(|(_, id)| id).chain([file.clone()]).collect()
    }

    /// What the file would be after a write; nothing where it would be as before, or gone, or where the write fails.
    fn tried_write(&mut self, file: &DocumentId, request: &Request) -> Option<(ContentHash, Checked)> {
        let written = written_by(request)?;
        let mut ids = self.documents_of(file);
        ids.insert(written.clone());
        let mut before = Vec::with_capacity(ids.len());
        for id in ids {
            before.push((id.clone(), self.documents.get_for_change(&id).ok()?.clone()));
        }
        let is_done = self.write_uncommitted(&written, request).is_some();
        let after = is_done.then(|| self.effective_anew(file).ok()).flatten();
        before.into_iter().for_each(|(id, loaded)| self.documents.put_back(&id, loaded));
        let after = after?;
        let hash = ContentHash(after.file()?.hash);
        let slot = self.folders.slot(file)?;
        if slot.base.hash == Some(hash) || slot.passed == Some(hash) {
            return None;
        }
        Some((hash, self.checked(file, after.file()?)))
    }

    /// Carries a write out in memory only. The document must be put back after it.
    fn write_uncommitted(&mut self, document: &DocumentId, request: &Request) -> Option<()> {
        const WHAT: &str = "try";
        match request {
            Request::Put { address, value, kind, expect, at, caller, .. } => {
                let (address, value, expect) = (address.clone(), value.clone(), expect.clone());
                let put = Put { address, value, kind: *kind, expect, at: at.clone(), caller: caller.clone() };
                let editor = self.editor(caller.user.clone());
                let address: Address = put.address.parse().ok()?;
                if put.at.is_some() {
                    return self.insert(WHAT, &address, &put, &editor).ok().map(drop);
                }
                match self.plan_put(WHAT, &address, &put).ok()? {
                    PutPlan::Replace { register, cell } => {
                        let loaded = self.documents.get_for_change(document).ok()?;
                        let rendered = loaded.rendered();
                        loaded.document.put_values(&rendered, &[(register, cell)], &editor).ok().map(drop)
                    }
                    PutPlan::Unchanged { .. } => None,
                    PutPlan::Insert => self.insert(WHAT, &address, &put, &editor).ok().map(drop),
                }
            }
            Request::Delete { address, caller, .. } => {
                let editor = self.editor(caller.user.clone());
                self.make_delete(WHAT, &address.parse().ok()?, &editor).ok().map(drop)
            }
            Request::WriteFile { doc, bytes, options, caller, .. } => {
                let editor = self.editor(caller.user.clone());
                let (doc, bytes, options) = (doc.clone(), bytes.clone(), options.clone());
                let write = FileWrite { doc, bytes, options, caller: caller.clone() };
                self.make_file(WHAT, &write.doc.parse::<Address>().ok()?.document, &write, &editor).ok().map(drop)
            }
            Request::Resolve { address, part, choice, caller, .. } => {
                let editor = self.editor(caller.user.clone());
                let (choice, caller) = (choice.clone(), caller.clone());
                let decision = Decision { address: address.clone(), part: *part, choice, caller };
                self.decide(WHAT, &address.parse().ok()?, &decision, &editor).ok().map(drop)
            }
            _ => None,
        }
    }

    /// A write has been checked.
    pub(super) async fn write_checked(&mut self, document: &DocumentId, event: CheckEvent) {
        let is_asked = self.checks.writes.get(document).is_some_and(|writes| writes.job == event.job);
        let Some(writes) = is_asked.then(|| self.checks.writes.remove(document)).flatten() else { return };
        match event.result {
            Ok(()) => {
                if let Some(slot) = self.folders.slot(document) {
                    slot.passed = Some(writes.hash);
                }
                self.answer_write(writes.request).await;
            }
            Err(failure) => refuse(writes.request, |what| failed(what, failure)),
        }
        self.begin_writes(document.clone(), writes.waiting).await;
    }
}

/// The document that a request writes to.
fn written_by(request: &Request) -> Option<DocumentId> {
    let address = match request {
        Request::Put { address, .. } | Request::Delete { address, .. } | Request::Resolve { address, .. } => address,
        Request::WriteFile { doc, .. } => doc,
        _ => return None,
    };
    Some(address.parse::<Address>().ok()?.document)
}

fn failed(what: String, CheckFailure { why, output, .. }: CheckFailure) -> ApiError {
    let why = if output.is_empty() { why } else { format!("{why}\n{output}") };
    ApiError::new(ErrorCode::CheckFailed, what, why, "write what the check takes; nothing was changed")
}

/// Answers a write that isn't carried out. That nobody waits for the answer any more is no error.
fn refuse(request: Request, error: impl FnOnce(String) -> ApiError) {
    match request {
        Request::Put { address, reply, .. } => drop(reply.send(Err(error(format!("put {address}"))))),
        Request::Delete { address, reply, .. } => drop(reply.send(Err(error(format!("delete {address}"))))),
        Request::WriteFile { doc, reply, .. } => drop(reply.send(Err(error(format!("put {doc}"))))),
        Request::Resolve { address, reply, .. } => drop(reply.send(Err(error(format!("resolve {address}"))))),
        _ => {}
    }
}
