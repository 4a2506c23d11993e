//! What waits for checks and reloads, and what follows from them.
//!
//! ```text
//!  save ──▶ parked ──▶ check ──┬─ good ──▶ taken in         ┐
//!                              └─ bad ───▶ held             │ every change of a file's bytes ──▶ reload, once nothing
//!  render ──▶ candidate ──▶ check ──┬─ good ──▶ written     │   changed for a while ──┬─ good ──▶ proven
//!                                   └─ bad ───▶ kept back   ┘                         └─ bad ───▶ last good bytes back
//!  write over the API ──▶ tried on a copy ──▶ check ──┬─ good ──▶ carried out
//!                                                     └─ bad ───▶ refused
//! ```
//! What is kept back differs from the mesh's file on this host only, and `status` names the reason (P2). The document goes on
//! merging. Over a restart a failed check is found anew, by running it; a failed reload is remembered, and a reload of
//! which it isn't known that it took place is run again.

mod edits;
mod reloads;
mod targets;
mod writes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use murmurate_client::types::{Event, EventKind, HeldReason, Problem, TypedValue, ValueType};
use murmurate_crdt::id::DocumentId;
use murmurate_crdt::render::Content;
use tokio::sync::mpsc;

pub(super) use self::reloads::good_state;
pub(super) use self::targets::{Refused, refused_state};

use self::edits::{HeldSave, ParkedEdit};
use self::reloads::Reload;
use self::targets::Candidate;
use self::writes::CheckedWrites;
use super::Core;
use super::outbox::Outbox;
use crate::daemon::checks::limits::{CHECK_AGAIN, CHECK_SOON, WAITING_BYTES};
use crate::daemon::checks::{CheckCommand, CheckEvent, CheckFailure, CheckJob, JobId, Rules};

/// All that concerns checks and reloads.
pub(super) struct Checks {
    rules: Arc<Rules>,
    outbox: Outbox<CheckCommand>,
    jobs: BTreeMap<JobId, Job>,
    next_job: u64,
    edits: BTreeMap<DocumentId, ParkedEdit>,
    /// Edits that failed a check, to be checked again.
    held: BTreeMap<DocumentId, HeldSave>,
    candidates: BTreeMap<DocumentId, Candidate>,
    writes: BTreeMap<DocumentId, CheckedWrites>,
    reloads: Vec<Reload>,
    /// When failed checks are run again.
    again: BTreeMap<DocumentId, Duration>,
    /// Bytes of saves that wait.
    waiting_bytes: Arc<AtomicUsize>,
}

/// What a check or reload is for.
enum Job {
    Edit(DocumentId),
    Candidate(DocumentId),
    Write(DocumentId),
    Reload(usize),
}

/// Counts the bytes of a save as waiting, as long as it lives.
pub(super) struct Weight {
    bytes: usize,
    total: Arc<AtomicUsize>,
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A content, as a check sees it.
struct Checked {
    bytes: Bytes,
    executable: bool,
    meaning: Option<serde_json::Value>,
}

impl Checks {
    pub(super) fn new(rules: Arc<Rules>, sender: mpsc::Sender<CheckCommand>) -> Self {
        Self {
            reloads: rules.reloads.iter().map(|_| Reload::default()).collect(),
            rules,
            outbox: Outbox::new(sender),
            jobs: BTreeMap::new(),
            next_job: 1,
            edits: BTreeMap::new(),
            held: BTreeMap::new(),
            candidates: BTreeMap::new(),
            writes: BTreeMap::new(),
            again: BTreeMap::new(),
            waiting_bytes: Arc::default(),
        }
    }

    /// What finds no room yet.
    pub(super) fn outbox(&mut self) -> &mut Outbox<CheckCommand> {
        &mut self.outbox
    }

    /// Commands that wait for the service.
    pub(super) fn commands_waiting(&self) -> usize {
        self.outbox.waiting()
    }

    /// Bytes of saves that wait.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes.load(Ordering::Relaxed)
    }

    /// Of the documents of which writes wait, the most writes.
    pub(super) fn most_writes_waiting(&self) -> usize {
        self.writes.values().map(CheckedWrites::waiting).max().unwrap_or(0)
    }

    /// Whether further saves can be parked.
    pub(super) fn has_room(&self) -> bool {
        self.waiting_bytes.load(Ordering::Relaxed) < WAITING_BYTES
    }

    /// Whether an edit of the document's file waits for its check.
    pub(super) fn has_parked(&self, document: &DocumentId) -> bool {
        self.edits.contains_key(document)
    }

    /// A document whose file waits for a check.
    pub(super) fn waiting(&self) -> Option<&DocumentId> {
        self.edits.keys().next().or_else(|| self.candidates.keys().next())
    }

    /// When something is to be done by itself.
    pub(super) fn wakes(&self) -> Option<Duration> {
        let reloads = self.reloads.iter().zip(&self.rules.reloads).filter_map(|(reload, rule)| reload.due_at(rule));
        reloads.chain(self.again.values().copied()).min()
    }

    fn weigh(&self, bytes: usize) -> Weight {
        self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        Weight { bytes, total: Arc::clone(&self.waiting_bytes) }
    }

    fn job(&mut self, job: Job) -> JobId {
        self.next_job += 1;
        let name = JobId(self.next_job);
        self.jobs.insert(name, job);
        name
    }

    /// Lets a failed check be run again by itself.
    fn try_again(&mut self, document: &DocumentId, now: Duration) {
        self.again.insert(document.clone(), now + CHECK_AGAIN);
    }

    /// What failed in a folder may have waited for the file that just changed.
    fn try_again_soon(&mut self, changed: &DocumentId, now: Duration) {
        let others = self.again.iter_mut().filter(|(document, _)| document.folder() == changed.folder());
        for (_, at) in others.filter(|(document, _)| *document != changed) {
            let soonest = at.saturating_sub(CHECK_AGAIN) + CHECK_SOON;
            *at = (*at).min(soonest.max(now));
        }
    }

    /// Forgets what waits for a folder's files: it isn't kept any more.
    pub(super) fn forget(&mut self, folder: &str) {
        self.edits.retain(|document, _| document.folder() != folder);
        self.held.retain(|document, _| document.folder() != folder);
        self.candidates.retain(|document, _| document.folder() != folder);
        self.again.retain(|document, _| document.folder() != folder);
        self.reloads.iter_mut().for_each(|reload| reload.forget(folder));
    }
}

impl Core {
    /// Whether a content of this document is to be checked on this host.
    fn must_check(&self, document: &DocumentId) -> bool {
        self.checks.rules.check(document.as_str())
    }

    /// Asks for a check. Says nothing where the folder isn't kept.
    fn start_check(&mut self, document: &DocumentId, checked: Checked, job: Job) -> Option<JobId> {
        let root = self.folders.kept.get(document.folder())?.dir.clone().into();
        let Checked { bytes, executable, meaning } = checked;
        let job = self.checks.job(job);
        let check = CheckJob { job, root, document: document.clone(), bytes, executable, meaning };
        self.checks.outbox.push(CheckCommand::Check(check));
        Some(job)
    }

    fn checked(&self, document: &DocumentId, file: &Content) -> Checked {
        let is_wanted = file.format().is_structured() && self.checks.rules.need_meaning(document.as_str());
        Checked {
            bytes: Bytes::from(file.bytes.clone()),
            executable: file.executable,
            meaning: is_wanted.then(|| file.meaning()).flatten().map(|meaning| meaning.to_json()),
        }
    }

    /// A check or reload has ended.
    pub(super) async fn take_check_event(&mut self, event: CheckEvent) {
        // What was asked for may be of no interest any more.
        let job = self.checks.jobs.remove(&event.job);
        let counted = match job {
            Some(Job::Reload(_)) => &mut self.counted.reloads,
            _ => &mut self.counted.checks,
        };
        counted.count(event.result.is_ok());
        match job {
            Some(Job::Edit(document)) => self.edit_checked(&document, event).await,
            Some(Job::Candidate(document)) => self.candidate_checked(&document, event).await,
            Some(Job::Write(document)) => self.write_checked(&document, event).await,
            Some(Job::Reload(rule)) => self.reloaded(rule, event.result).await,
            None => {}
        }
    }

    /// Runs again what is due, and starts the reloads that are.
    pub(super) async fn checks_time(&mut self, now: Duration) {
        let due: Vec<DocumentId> =
            self.checks.again.iter().filter(|(_, at)| **at <= now).map(|(document, _)| document.clone()).collect();
        for document in due {
            self.checks.again.remove(&document);
            self.check_again(&document).await;
        }
        self.start_reloads(now);
    }

    /// Tells watchers of a document that a check or reload concerns it.
    fn tell_of_check(&mut self, document: &DocumentId, kind: EventKind, why: &str) {
        let value = (kind != EventKind::Recovered).then(|| TypedValue {
            value: why.into(),
            kind: ValueType::String,
            text: why.into(),
        });
        let event = Event { kind, doc: document.to_string(), value, ..Event::reset(self.position()) };
        self.offer(&event);
        self.tell_of_check_event(document, kind, why);
    }

    fn tell_of_failure(&mut self, document: &DocumentId, failure: &CheckFailure) {
        let kind = match failure.cause {
            HeldReason::Reload => EventKind::ReloadFailed,
            _ => EventKind::CheckFailed,
        };
        self.tell_of_check(document, kind, &failure.why);
    }

    /// What is wrong with this host's reloads.
    pub(super) fn reload_problems(&self) -> impl Iterator<Item = Problem> {
        self.checks.reloads.iter().filter_map(Reload::problem)
    }
}
