//! Checks of what people save, before it is accepted.

use std::collections::VecDeque;

use murmurate_client::types::EventKind;
use murmurate_crdt::edit;
use murmurate_crdt::id::{DocumentId, Lane};
use murmurate_crdt::render::Content;

use super::{Checked, Core, Job};
use crate::daemon::checks::limits::WAITING_BYTES;
use crate::daemon::checks::{CheckEvent, CheckFailure, JobId};
use crate::daemon::core::folders::{Base, LateCopy};
use crate::daemon::core::overlays::Effective;
use crate::daemon::core::saves::{Save, Trouble};
use crate::daemon::files::SaveKind;

/// A save whose check is under way, and what came of the same file after it.
pub(super) struct ParkedEdit {
    job: JobId,
    save: Save,
    base: Base,
    late: Option<LateCopy>,
    waiting: VecDeque<(Save, SaveKind)>,
}

/// A save that failed a check, and lies in the folder still.
pub(super) struct HeldSave {
    save: Save,
    base: Base,
}

impl Core {
    /// What of a document's file is to be taken in now: the save, after those that waited for their turn. One whose check
    /// is under way and that stood in the same place is overtaken: nobody will see it again.
    pub(in crate::daemon::core) fn in_turn(&mut self, save: Save, kind: SaveKind) -> VecDeque<(Save, SaveKind)> {
        let is_late = matches!(kind, SaveKind::Late { .. });
        let document = save.document.clone();
        if !is_late {
            self.checks.held.remove(&document);
            self.checks.again.remove(&document);
        }
        let mut waiting = VecDeque::new();
        if let Some(mut parked) = self.checks.edits.remove(&document) {
            if !is_late {
                parked.waiting.retain(|(_, kind)| matches!(kind, SaveKind::Late { .. }));
            }
            if is_late || parked.late.is_some() {
                let weight = self.checks.weigh(save.bytes.len());
                parked.waiting.push_back((Save { _weight: Some(weight), ..save }, kind));
                self.checks.edits.insert(document, parked);
                return waiting;
            }
            waiting = parked.waiting;
        }
        waiting.push_back((save, kind));
        waiting
    }

    /// Parks what comes after a save that is being checked. Gives it back where none is.
    pub(in crate::daemon::core) fn park_behind(
        &mut self,
        document: &DocumentId,
        saves: VecDeque<(Save, SaveKind)>,
    ) -> VecDeque<(Save, SaveKind)> {
        match self.checks.edits.get_mut(document) {
            Some(parked) => {
                parked.waiting.extend(saves);
                VecDeque::new()
            }
            None => saves,
        }
    }

    /// The file of a document is gone: so is what waited in its place.
    pub(in crate::daemon::core) fn forget_parked(&mut self, document: &DocumentId) -> VecDeque<(Save, SaveKind)> {
        self.checks.held.remove(document);
        self.checks.again.remove(document);
        let Some(mut parked) = self.checks.edits.remove(document) else { return VecDeque::new() };
        parked.waiting.retain(|(_, kind)| matches!(kind, SaveKind::Late { .. }));
        if parked.late.is_some() {
            self.checks.edits.insert(document.clone(), parked);
            return VecDeque::new();
        }
        parked.waiting
    }

    /// Parks a save until it is checked. Gives it back where nothing is to be checked: what doesn't parse, or changes nothing.
    pub(in crate::daemon::core) fn park(
        &mut self,
        save: Save,
        base: Base,
        late: Option<LateCopy>,
    ) -> Option<(Save, Base, Option<LateCopy>)> {
        let is_there = self.folders.slot(&save.document).is_some_and(|slot| slot.base.hash == Some(save.hash));
        if save.is_checked || is_there || !self.must_check(&save.document) {
            return Some((save, base, late));
        }
        let Some(checked) = self.tried(&save, &base) else { return Some((save, base, late)) };
        let document = save.document.clone();
        let Some(job) = self.start_check(&document, checked, Job::Edit(document.clone())) else {
            return Some((save, base, late));
        };
        let weight = self.checks.weigh(save.bytes.len());
        let save = Save { _weight: Some(weight), ..save };
        self.checks.edits.insert(document, ParkedEdit { job, save, base, late, waiting: VecDeque::new() });
        None
    }

    /// Takes a save in on a copy of its document; nothing if that fails.
    fn tried(&mut self, save: &Save, base: &Base) -> Option<Checked> {
        let editor = self.editor(String::new());
        let seen = self.effective_base(&save.document, base).ok()?;
        if seen.composed().is_some() {
            return self.tried_composed(save, &seen);
        }
        let seen = seen.base();
        let mut copy = self.documents.get_for_change(&save.document).ok()?.document.clone();
        let written = copy
            .take_renamed_file(seen, &save.bytes, save.executable, save.renamed_from.as_ref(), Lane::FILE, &editor)
            .ok()??;
        let rendered = copy.render_at(&[written.hash]);
        let checked = self.checked(&save.document, rendered.file()?);
        Some(Checked { bytes: save.bytes.clone(), ..checked })
    }

    /// The same for a file with overlays: it is taken in as it is saved, whatever documents that changes.
    fn tried_composed(&mut self, save: &Save, seen: &Effective) -> Option<Checked> {
        let path = save.document.as_str();
        let split = seen.composed()?.split(path, &save.bytes).ok()?;
        let is_same = seen.file().is_some_and(|file| file.executable == save.executable);
        if is_same && split.base.is_none() && split.overlays.iter().all(Option::is_none) {
            return None;
        }
        let format = seen.file().map(Content::format);
        let file = edit::preview(path, &save.bytes, save.executable, format).ok()?;
        let checked = self.checked(&save.document, &file);
        Some(Checked { bytes: save.bytes.clone(), ..checked })
    }

    /// A parked save has been checked.
    pub(super) async fn edit_checked(&mut self, document: &DocumentId, event: CheckEvent) {
        let Some(parked) = self.checks.edits.remove(document) else { return };
        if parked.job != event.job {
            // It was overtaken by another one.
            self.checks.edits.insert(document.clone(), parked);
            return;
        }
        let ParkedEdit { save, base, late, waiting, .. } = parked;
        match event.result {
            Ok(()) => self.accept(save, base, late).await,
            Err(failure) => self.hold_failed(save, base, late, failure),
        }
        self.take_saves(document, waiting).await;
        self.dirty.insert(document.clone());
    }

    async fn accept(&mut self, save: Save, base: Base, late: Option<LateCopy>) {
        let Some(slot) = self.folders.slot(&save.document) else { return };
        // The mesh has brought the same bytes meanwhile.
        let is_there = slot.base.hash == Some(save.hash) && slot.base.executable == save.executable;
        if late.is_none() && is_there {
            slot.held = None;
            return;
        }
        self.take_in(Save { is_checked: true, ..save }, base, late).await;
    }

    fn hold_failed(&mut self, save: Save, base: Base, late: Option<LateCopy>, failure: CheckFailure) {
        let document = save.document.clone();
        let is_late = late.is_some();
        let known = self.folders.slot(&document).and_then(|slot| slot.held.as_ref());
        if known.is_none_or(|held| held.why != failure.why) {
            self.tell_of_failure(&document, &failure);
        }
        self.hold(&save, &base, Trouble::of_check(failure), late);
        let kept: usize = self.checks.held.values().map(|held| held.save.bytes.len()).sum();
        if !is_late && kept + save.bytes.len() <= WAITING_BYTES {
            let now = self.environment.monotonic();
            self.checks.held.insert(document.clone(), HeldSave { save: Save { _weight: None, ..save }, base });
            self.checks.try_again(&document, now);
        }
    }

    /// Runs a failed check again, of an edit or of what the mesh has.
    pub(super) async fn check_again(&mut self, document: &DocumentId) {
        if let Some(HeldSave { save, base }) = self.checks.held.remove(document) {
            if !self.checks.has_parked(document)
                && let Some((save, base, late)) = self.park(save, base, None)
            {
                self.take_in(save, base, late).await;
            }
            return;
        }
        if let Some(slot) = self.folders.slot(document)
            && let Some(refused) = &mut slot.refused
        {
            refused.is_stale = true;
            self.dirty.insert(document.clone());
        }
    }

    /// What was held or kept back isn't any more.
    pub(in crate::daemon::core) fn tell_recovered(&mut self, document: &DocumentId) {
        self.tell_of_check(document, EventKind::Recovered, "");
    }
}
