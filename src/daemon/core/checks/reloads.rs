//! Reloads: after which changes, and what follows when one fails.
//!
//! A file's *last good* content is the one with which all its reloads went well. It is noted, durably, before a change of
//! the file's bytes, and forgotten once the reloads after it went well. So a note that is found at the start says that a
//! reload may not have taken place: it is run again, rather once too often than never.

use std::collections::BTreeMap;
use std::time::Duration;

use murmurate_client::types::{ErrorCode, Problem};
use murmurate_crdt::id::DocumentId;

use super::{Core, Job};
use crate::daemon::checks::{CheckCommand, CheckFailure, Debounce, ReloadRule};
use crate::daemon::core::commits::{Item, StateEntry};
use crate::daemon::core::folders::Base;

/// Documents that a problem names.
const NAMED: usize = 5;

/// How one reload of the settings stands.
#[derive(Debug, Default)]
pub(super) struct Reload {
    changes: Debounce,
    /// What the files hold that it runs for now.
    running: BTreeMap<DocumentId, Base>,
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    why: String,
    documents: Vec<String>,
}

impl Reload {
    pub(super) fn due_at(&self, rule: &ReloadRule) -> Option<Duration> {
        self.changes.due_at(rule.debounce, rule.max_wait)
    }

    pub(super) fn forget(&mut self, folder: &str) {
        self.changes.forget(folder);
        self.running.retain(|document, _| document.folder() != folder);
    }

    fn concerns(&self, document: &DocumentId) -> bool {
        self.changes.awaits(document) || self.running.contains_key(document)
    }

    /// What to say of it, if it failed the last time.
    pub(super) fn problem(&self) -> Option<Problem> {
        let Failing { why, documents } = self.failing.as_ref()?;
        let mut names = documents.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        if documents.len() > NAMED {
            names = format!("{names} and {} more", documents.len() - NAMED);
        }
        let try_ = "correct what changed: the reload is run again at the next change; `murmurate folder status` shows which \
                    files keep their last good content";
        Some(Problem {
            code: ErrorCode::ReloadFailed,
            what: format!("reload after a change of {names}"),
            why: why.clone(),
            try_: try_.into(),
        })
    }
}

/// The store's key for a file's last good content.
pub(in crate::daemon::core) fn good_state(document: &DocumentId) -> String {
    format!("reload/{}", document.as_str())
}

impl Core {
    fn has_reloads(&self, document: &DocumentId) -> bool {
        self.checks.rules.reloads_of(document.as_str()).next().is_some()
    }

    /// Notes a file's last good content, before or with a change of its bytes.
    pub(in crate::daemon::core) fn note_good(&mut self, document: &DocumentId) -> Option<StateEntry> {
        if !self.has_reloads(document) {
            return None;
        }
        let slot = self.folders.slot(document)?;
        if slot.good.is_some() {
            return None;
        }
        let good = Base { rendered: None, ..slot.base.clone() };
        let state = (good_state(document), Some(good.to_bytes()));
        slot.good = Some(good);
        Some(state)
    }

    /// The file has other bytes than before.
    pub(in crate::daemon::core) fn bytes_changed(&mut self, document: &DocumentId) {
        let now = self.environment.monotonic();
        self.checks.try_again_soon(document, now);
        let rules: Vec<usize> = self.checks.rules.reloads_of(document.as_str()).collect();
        for rule in rules {
            self.checks.reloads[rule].changes.changed(now, document.clone());
        }
    }

    /// A folder's files are known: the reloads are run that may not have taken place before this start.
    pub(in crate::daemon::core) fn resume_reloads(&mut self, folder: &str) {
        let Some(kept) = self.folders.kept.get(folder) else { return };
        let noted = kept.slots.iter().filter_map(|(path, slot)| {
            let is_changed = slot.good.as_ref()?.hash != slot.base.hash || slot.refused.is_some();
            Some((DocumentId::new(&format!("{folder}/{path}")).ok()?, is_changed))
        });
        for (document, is_changed) in noted.collect::<Vec<_>>() {
            if is_changed && self.has_reloads(&document) {
                tracing::info!(%document, "whether the reload took place before this start isn't known; it is run");
                self.bytes_changed(&document);
            } else {
                self.set_good(&document, None);
            }
        }
    }

    pub(super) fn start_reloads(&mut self, now: Duration) {
        for rule in 0..self.checks.reloads.len() {
            let due = self.checks.reloads[rule].due_at(&self.checks.rules.reloads[rule]);
            if due.is_some_and(|at| at <= now) {
                self.start_reload(rule);
            }
        }
    }

    fn start_reload(&mut self, rule: usize) {
        let documents = self.checks.reloads[rule].changes.begin();
        let mut running = BTreeMap::new();
        for document in documents {
            let Some(slot) = self.folders.slot(&document) else { continue };
            let base = Base { rendered: None, ..slot.base.clone() };
            // It was changed, and changed back, before anybody was told.
            let is_undone = slot.refused.is_none() && slot.good.as_ref().is_some_and(|good| good.hash == base.hash);
            if is_undone && !self.is_reloading_elsewhere(&document, rule) {
                self.set_good(&document, None);
            } else if !is_undone {
                running.insert(document, base);
            }
        }
        if running.is_empty() {
            return self.checks.reloads[rule].changes.end();
        }
        self.checks.reloads[rule].running = running;
        let job = self.checks.job(Job::Reload(rule));
        self.checks.outbox.push(CheckCommand::Reload { job, rule });
    }

    fn is_reloading_elsewhere(&self, document: &DocumentId, rule: usize) -> bool {
        let others = self.checks.reloads.iter().enumerate().filter(|(number, _)| *number != rule);
        others.into_iter().any(|(_, reload)| reload.concerns(document))
    }

    /// A reload has ended.
    pub(super) async fn reloaded(&mut self, rule: usize, result: Result<(), CheckFailure>) {
        let reload = &mut self.checks.reloads[rule];
        reload.changes.end();
        let run = std::mem::take(&mut reload.running);
        match result {
            Ok(()) => {
                if reload.failing.take().is_some() {
                    tracing::info!(reload = %self.checks.rules.reloads[rule].action, "the reload goes well again");
                }
                for (document, base) in run {
                    self.proven(&document, base, rule);
                }
            }
            Err(failure) => {
                tracing::warn!(why = %failure.why, "a reload failed");
                let documents = run.keys().map(DocumentId::to_string).collect();
                reload.failing = Some(Failing { why: failure.why.clone(), documents });
                for (document, base) in run {
                    self.fall_back(&document, &base, &failure);
                }
            }
        }
    }

    /// A reload went well with a content.
    fn proven(&mut self, document: &DocumentId, base: Base, rule: usize) {
        if self.is_reloading_elsewhere(document, rule) {
            return;
        }
        let Some(slot) = self.folders.slot(document) else { return };
        let is_there = slot.base.hash == base.hash;
        self.set_good(document, (!is_there).then_some(base));
    }

    /// A reload failed with a content: where it is in the file still, the last good one takes its place.
    fn fall_back(&mut self, document: &DocumentId, base: &Base, failure: &CheckFailure) {
        let Some(slot) = self.folders.slot(document) else { return };
        if slot.base.hash != base.hash {
            // What came since has its own reload.
            return;
        }
        match slot.good.as_ref().map(|good| good.hash) {
            Some(Some(good)) if Some(good) != base.hash => {
                slot.unloadable = Some(base.hash);
                self.refuse(document, base.hash, failure.clone());
                self.dirty.insert(document.clone());
            }
            // It failed with the last good content, too: there is nothing to go back to.
            Some(good) if good == base.hash => self.set_good(document, None),
            _ => self.tell_of_failure(document, failure),
        }
    }

    fn set_good(&mut self, document: &DocumentId, good: Option<Base>) {
        let Some(slot) = self.folders.slot(document) else { return };
        let state = (good_state(document), good.as_ref().map(Base::to_bytes));
        slot.good = good;
        self.commits.push(Item { states: vec![state], ..Item::default() });
    }
}
