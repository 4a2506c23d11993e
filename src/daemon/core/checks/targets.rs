//! Checks of what the mesh has, before it goes into this host's file; and what stays there instead.

use murmurate_client::types::HeldReason;
use murmurate_crdt::id::DocumentId;
use murmurate_crdt::wire::{DecodeError, Decoder, Encoder};

use super::{Core, Job};
use crate::daemon::checks::{CheckEvent, CheckFailure, JobId};
use crate::daemon::core::commits::{Item, StateEntry};
use crate::daemon::core::folders::Base;
use crate::daemon::core::overlays::Effective;
use crate::daemon::files::ContentHash;

/// The version of a refusal's bytes in the store.
const REFUSED_FORMAT: u8 = 1;

/// A content that is to replace a file's, while it is checked.
pub(super) struct Candidate {
    job: JobId,
    target: Base,
    /// What the file held then.
    replaces: Option<ContentHash>,
}

/// A content of the mesh that this host's file doesn't get.
#[derive(Debug, Clone)]
pub(crate) struct Refused {
    /// The content; `None` where the mesh has deleted the file.
    pub(crate) hash: Option<ContentHash>,
    pub(crate) failure: CheckFailure,
    pub(crate) since_ms: u64,
    /// It is to be checked again.
    pub(crate) is_stale: bool,
}

impl Refused {
    /// The bytes for the store: only a reload's failure is remembered, a check is run again.
    fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new();
        encoder.u8(REFUSED_FORMAT);
        match self.hash {
            Some(hash) => encoder.u8(1).raw(&hash.0),
            None => encoder.u8(0),
        };
        encoder.varint(self.since_ms).text(&self.failure.why).text(&self.failure.output);
        encoder.finish()
    }

    /// Reads what [`Self::encode`] wrote.
    pub(in crate::daemon::core) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        if decoder.u8("refusal format")? != REFUSED_FORMAT {
            return Err(DecodeError::Invalid { what: "refusal format", why: "unknown to this build" });
        }
        let hash = if decoder.u8("file")? == 0 { None } else { Some(ContentHash(decoder.array("hash")?)) };
        let since_ms = decoder.varint("time")?;
        let why = decoder.text(bytes.len(), "reason")?.to_owned();
        let output = decoder.text(bytes.len(), "output")?.to_owned();
        decoder.finish()?;
        let failure = CheckFailure { cause: HeldReason::Reload, why, output };
        Ok(Self { hash, failure, since_ms, is_stale: false })
    }
}

/// The store's key for what a reload failed with.
pub(in crate::daemon::core) fn refused_state(document: &DocumentId) -> String {
    format!("refused/{}", document.as_str())
}

impl Core {
    /// What the document's file should be on this host, as far as that may be written now. Starts a check where one is due.
    pub(in crate::daemon::core) fn wanted(&mut self, document: &DocumentId, rendered: &Effective) -> Option<Base> {
        if let Some(good) = self.last_good(document) {
            return Some(good);
        }
        let must_check = self.must_check(document);
        let target = Base::of(rendered);
        let slot = self.folders.slot(document)?;
        if slot.refused.as_ref().is_some_and(|refused| refused.hash == target.hash && !refused.is_stale) {
            return None;
        }
        let is_checked =
            !must_check || target.hash.is_none() || target.hash == slot.base.hash || target.hash == slot.passed;
        if is_checked {
            self.take_back_refusal(document);
            return Some(target);
        }
        if !self.checks.candidates.contains_key(document) {
            self.start_candidate(document, rendered);
        }
        None
    }

    fn start_candidate(&mut self, document: &DocumentId, rendered: &Effective) {
        let Some(file) = rendered.file() else { return };
        let checked = self.checked(document, file);
        let Some(job) = self.start_check(document, checked, Job::Candidate(document.clone())) else { return };
        let Some(slot) = self.folders.slot(document) else { return };
        let candidate = Candidate { job, target: Base::of(rendered), replaces: slot.base.hash };
        self.checks.candidates.insert(document.clone(), candidate);
    }

    /// A content of the mesh has been checked. A good one is written although the mesh may have a newer one by now: else a
    /// file that changes all the time would never be.
    pub(super) async fn candidate_checked(&mut self, document: &DocumentId, event: CheckEvent) {
        let is_asked = self.checks.candidates.get(document).is_some_and(|candidate| candidate.job == event.job);
        let Some(candidate) = is_asked.then(|| self.checks.candidates.remove(document)).flatten() else { return };
        self.dirty.insert(document.clone());
        let Some(slot) = self.folders.slot(document) else { return };
        match event.result {
            Ok(()) => {
                slot.passed = candidate.target.hash;
                let is_same_file = slot.base.hash == candidate.replaces;
                if is_same_file && slot.is_free() && !self.checks.has_parked(document) {
                    self.take_back_refusal(document);
                    self.start_write(document, candidate.target);
                }
            }
            Err(failure) => {
                let now = self.environment.monotonic();
                self.checks.try_again(document, now);
                self.refuse(document, candidate.target.hash, failure);
            }
        }
    }

    /// This host's file doesn't get a content.
    pub(super) fn refuse(&mut self, document: &DocumentId, hash: Option<ContentHash>, failure: CheckFailure) {
        tracing::warn!(%document, why = %failure.why, "the file is kept back");
        let now_ms = self.environment.wall_ms();
        let Some(slot) = self.folders.slot(document) else { return };
        slot.passed = None;
        let former = slot.refused.take().filter(|former| former.hash == hash && former.failure.cause == failure.cause);
        let is_news = former.as_ref().is_none_or(|former| former.failure != failure);
        let since_ms = former.map_or(now_ms, |former| former.since_ms);
        let refused = Refused { hash, failure: failure.clone(), since_ms, is_stale: false };
        let is_kept = failure.cause == HeldReason::Reload;
        let states = vec![(refused_state(document), is_kept.then(|| refused.encode()))];
        slot.refused = Some(refused);
        if is_news {
            self.commits.push(Item { states, urgent: is_kept, ..Item::default() });
            self.tell_of_failure(document, &failure);
        }
    }

    /// The file gets another content than the one that was refused.
    pub(in crate::daemon::core) fn take_back_refusal(&mut self, document: &DocumentId) {
        let Some(slot) = self.folders.slot(document) else { return };
        slot.unloadable = None;
        if slot.refused.take().is_some() {
            self.checks.again.remove(document);
            let states: Vec<StateEntry> = vec![(refused_state(document), None)];
            self.commits.push(Item { states, ..Item::default() });
            self.tell_recovered(document);
        }
    }

    /// The last content of the file with which all reloads went well, if a reload failed with what is there now.
    fn last_good(&mut self, document: &DocumentId) -> Option<Base> {
        let slot = self.folders.slot(document)?;
        slot.unloadable.filter(|unloadable| *unloadable == slot.base.hash)?;
        let good = slot.good.clone().filter(|good| good.hash.is_some() && good.hash != slot.base.hash)?;
        let rendered = self.effective_base(document, &good).ok();
        match rendered.map(|rendered| Base::of(&rendered)).filter(|rendered| rendered.is_same_file(&good)) {
            Some(good) => Some(good),
            None => {
                tracing::warn!(%document, "the last good content isn't in the document's history; the file stays");
                self.folders.slot(document)?.unloadable = None;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reload_failed_with_is_read_back() {
        for hash in [None, Some(ContentHash::of(b"x"))] {
            let failure =
                CheckFailure { cause: HeldReason::Reload, why: "exit code 1".into(), output: "no\nway".into() };
            let refused = Refused { hash, failure, since_ms: 7, is_stale: false };
            let read = Refused::decode(&refused.encode()).unwrap();
            assert_eq!((read.hash, read.since_ms, &read.failure), (hash, 7, &refused.failure));
            assert!(Refused::decode(&refused.encode()[..4]).is_err());
        }
    }
}
