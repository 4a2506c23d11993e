//! Taking in what people did to files: saves, deletes, and edits found in swapped-out files.

use std::collections::VecDeque;

use bytes::Bytes;
use murmurate_client::types::HeldReason;
use murmurate_crdt::edit::{EditError, Editor};
use murmurate_crdt::id::{DocumentId, Lane};
use murmurate_crdt::register::RenamedFrom;
use murmurate_crdt::render::Rendered;

use super::Core;
use super::checks::Weight;
use super::commits::{Item, StateEntry, Then};
use super::folders::{Base, Held, LateCopy, folder_state, slot_state};
use super::overlays::{Effective, NotTaken, Saved, TakenParts};
use crate::daemon::checks::CheckFailure;
use crate::daemon::files::{ContentHash, FileCommand, FileEvent, PATTERNS, Receipt, SaveKind, keep_aside};

/// A file that was saved.
pub(super) struct Save {
    pub(super) document: DocumentId,
    pub(super) bytes: Bytes,
    pub(super) hash: ContentHash,
    pub(super) executable: bool,
    /// When it was saved, by the file system's clock.
    pub(super) changed_ms: u64,
    /// The document that it goes on from, under another name.
    pub(super) renamed_from: Option<RenamedFrom>,
    /// This host's checks take it.
    pub(super) is_checked: bool,
    /// While it waits for them; only kept.
    pub(super) _weight: Option<Weight>,
}

/// Why a save isn't taken in.
pub(super) struct Trouble {
    cause: HeldReason,
    why: String,
    place: Option<(usize, usize)>,
    output: Option<String>,
}

impl Trouble {
    fn new(cause: HeldReason, why: impl Into<String>) -> Self {
        Self { cause, why: why.into(), place: None, output: None }
    }

    /// What a check found.
    pub(super) fn of_check(CheckFailure { cause, why, output }: CheckFailure) -> Self {
        let output = (!output.is_empty()).then_some(output);
        Self { cause, why, place: None, output }
    }

    fn of_edit(error: EditError) -> Self {
        match error {
            EditError::Syntax(error) => {
                let place = Some((error.line, error.column));
                Self { place, ..Self::new(HeldReason::Syntax, error.message) }
            }
            EditError::TooLarge { .. } => Self::new(HeldReason::TooLarge, error.to_string()),
            _ => Self::new(HeldReason::Document, error.to_string()),
        }
    }
}

impl Core {
    /// Starts watching a folder.
    pub(super) async fn watch_folder(&mut self, name: &str) {
        let patterns = self.patterns_of(name);
        let Some(folder) = self.folders.kept.get(name) else { return };
        let command = FileCommand::AddFolder {
            folder: name.into(),
            root: folder.dir.clone().into(),
            known: folder.known(),
            recent: folder.recent(),
            joining: folder.joining,
            patterns,
        };
        self.files.push(command);
    }

    /// What the mesh's folder has for patterns of files that are left alone.
    fn patterns_of(&mut self, folder: &str) -> Option<Bytes> {
        let document = DocumentId::new(&format!("{folder}/{PATTERNS}")).ok()?;
        if !self.durable.contains_key(&document) {
            return None;
        }
        let rendered = self.documents.get(&document).ok()?.rendered();
        rendered.file().map(|file| file.bytes.clone().into())
    }

    pub(super) async fn take_file_event(&mut self, event: FileEvent) {
        self.counted.file_event(&event);
        match event {
            FileEvent::Saved { folder, path, bytes, hash, executable, changed_ms, kind } => {
                let Ok(document) = DocumentId::new(&format!("{folder}/{path}")) else { return };
                let from = if let SaveKind::Renamed { from } = &kind { Some(from.clone()) } else { None };
                let renamed_from = from.as_ref().and_then(|from| self.renamed_from(&folder, from));
                let (is_checked, _weight) = (false, None);
                let save = Save { document, bytes, hash, executable, changed_ms, renamed_from, is_checked, _weight };
                self.take_new_save(save, kind).await;
                if let Some(from) = from {
                    self.take_delete(&folder, &from).await;
                }
            }
            FileEvent::Replaced { folder, path, hash, at_ms } => self.take_replaced(&folder, &path, hash, at_ms),
            FileEvent::Deleted { folder, path } => self.take_delete(&folder, &path).await,
            FileEvent::Written { ticket, .. } | FileEvent::Removed { ticket } => self.take_written(ticket).await,
            FileEvent::WriteFailed { ticket, why } => self.take_write_failed(ticket, &why),
            FileEvent::Scanned { folder } => self.take_scanned(&folder).await,
            event => self.take_folder_news(event),
        }
    }

    /// What concerns a folder, or files that are no documents.
    fn take_folder_news(&mut self, event: FileEvent) {
        let (FileEvent::DeletesHeld { folder: name, .. }
        | FileEvent::Skipped { folder: name, .. }
        | FileEvent::SkipEnded { folder: name, .. }
        | FileEvent::FolderTrouble { folder: name, .. }
        | FileEvent::FolderRecovered { folder: name }) = &event
        else {
            return;
        };
        let name = name.clone();
        let Some(folder) = self.folders.kept.get_mut(&name) else { return };
        match event {
            FileEvent::DeletesHeld { paths, why, .. } => {
                let (former, _) =
                    std::mem::replace(&mut folder.deletes_held, (paths.into_iter().collect(), why.to_string()));
                let over = former.into_iter().filter(|path| !folder.deletes_held.0.contains(path));
                self.dirty.extend(over.filter_map(|path| DocumentId::new(&format!("{name}/{path}")).ok()));
            }
            FileEvent::Skipped { path, why, .. } => {
                tracing::warn!(folder = %name, %path, %why, "left alone");
                folder.skipped.insert(path, why.to_string());
            }
            FileEvent::SkipEnded { path, .. } => {
                folder.skipped.remove(&path);
                self.dirty.extend(DocumentId::new(&format!("{name}/{path}")).ok());
            }
            FileEvent::FolderTrouble { why, .. } => {
                tracing::warn!(folder = %name, %why, "trouble with a folder");
                folder.stopped |= why.stops();
                folder.trouble = Some(why.to_string());
                if folder.stopped
                    && let Some(reply) = self.joining.remove(&name)
                {
                    reply.refuse(&name, why.to_string());
                }
            }
            FileEvent::FolderRecovered { .. } => {
                folder.stopped = false;
                folder.trouble = None;
                self.mark_folder_dirty(&name);
            }
            _ => {}
        }
    }

    /// Every document of the folder is looked at in the next flush.
    fn mark_folder_dirty(&mut self, name: &str) {
        self.dirty.extend(self.durable.keys().filter(|document| document.folder() == name).cloned());
        if let Some(folder) = self.folders.kept.get(name) {
            let documents = folder.slots.keys().filter_map(|path| DocumentId::new(&format!("{name}/{path}")).ok());
            self.dirty.extend(documents);
        }
    }

    async fn take_scanned(&mut self, name: &str) {
        let Some(folder) = self.folders.kept.get_mut(name) else { return };
        let is_first = !folder.scanned;
        folder.scanned = true;
        folder.joining = false;
        let states = vec![(folder_state(name), Some(folder.encode()))];
        if is_first {
            self.resume_reloads(name);
        }
        self.mark_folder_dirty(name);
        let reply = self.joining.remove(name);
        let then = match reply {
            Some(reply) => {
                let folder = self.folder_summary(name);
                Then::Reply(Box::new(move |result| reply.send(folder, result)))
            }
            None => Then::Nothing,
        };
        self.commits.push(Item { states, urgent: true, then, ..Item::default() });
    }

    /// The daemon ended between the exchange and taking note of it. Whoever edited the file since saw what was written.
    fn take_replaced(&mut self, folder: &str, path: &str, hash: ContentHash, at_ms: u64) {
        let Ok(document) = DocumentId::new(&format!("{folder}/{path}")) else { return };
        let Some(slot) = self.folders.slot(&document) else { return };
        let Some(done) = slot.intents.iter().position(|intent| intent.hash == Some(hash)) else { return };
        // Those that came after it may have been carried out, too.
        let later = slot.intents.split_off(done + 1);
        let done = slot.intents.swap_remove(done);
        slot.wrote(done, at_ms);
        slot.intents = later;
        self.keep_slot(&document);
        self.dirty.insert(document);
    }

    /// Brings what is known of a file to the disk. What told of a write that was cut off is gone after this start: the
    /// next one would take an edit made since for one of the content before that write.
    pub(super) fn keep_slot(&mut self, document: &DocumentId) {
        let Some(slot) = self.folders.slot(document) else { return };
        let states = vec![(slot_state(document), Some(slot.encode()))];
        self.commits.push(Item { states, urgent: true, ..Item::default() });
    }

    async fn take_new_save(&mut self, save: Save, kind: SaveKind) {
        let document = save.document.clone();
        let saves = self.in_turn(save, kind);
        self.take_saves(&document, saves).await;
    }

    /// Takes in saves of one file, up to one that must be checked first: those after it wait for it.
    pub(super) async fn take_saves(&mut self, document: &DocumentId, mut saves: VecDeque<(Save, SaveKind)>) {
        loop {
            saves = self.park_behind(document, saves);
            let Some((save, kind)) = saves.pop_front() else { return };
            self.take_save(save, kind).await;
        }
    }

    async fn take_save(&mut self, save: Save, kind: SaveKind) {
        match kind {
            SaveKind::Edit | SaveKind::Renamed { .. } => self.take_edit(save).await,
            SaveKind::Late { replaced, receipt } => self.take_late(save, replaced, receipt).await,
            SaveKind::Joining => self.take_joining(save).await,
        }
    }

    /// What a file that was there under another name goes on from.
    fn renamed_from(&self, folder: &str, from: &str) -> Option<RenamedFrom> {
        let document = DocumentId::new(&format!("{folder}/{from}")).ok()?;
        let base = &self.folders.kept.get(folder)?.slots.get(from)?.base;
        base.hash.is_some().then(|| RenamedFrom { heads: base.heads.clone(), document })
    }

    async fn take_edit(&mut self, save: Save) {
        let Some(slot) = self.folders.slot(&save.document) else { return };
        let saved = |base: &Base| base.hash == Some(save.hash) && base.executable == save.executable;
        if saved(&slot.base) {
            slot.held = None;
            slot.intents.clear();
            self.dirty.insert(save.document);
            return;
        }
        if let Some(done) = slot.intents.iter().position(&saved) {
            // The daemon ended between the exchange and taking note of it.
            let done = slot.intents.swap_remove(done);
            slot.wrote(done, save.changed_ms);
            self.keep_slot(&save.document);
            self.dirty.insert(save.document);
            return;
        }
        let base = slot.base.clone();
        let base = self.ground_of(&save, base);
        self.take_in(save, base, None).await;
    }

    /// An edit that a write of ours swapped out: its editor saw what stood there before.
    async fn take_late(&mut self, save: Save, replaced: Option<ContentHash>, receipt: Receipt) {
        let folder = save.document.folder().to_string();
        let Some(slot) = self.folders.slot(&save.document) else { return };
        let is_forgotten = slot.base_with(replaced).is_none();
        let mut base = slot.base_of_edit(replaced).clone();
        if is_forgotten
            && let Some(hash) = replaced
            && let Some(found) = self.find_former_base(&save.document, hash)
        {
            base = found;
        }
        let base = self.ground_of(&save, base);
        let copy = LateCopy { folder, receipt };
        if let Some(taken) = self.find_taken(&save.document, &base, save.hash)
            && let Some(slot) = self.folders.slot(&save.document)
        {
            slot.remember(taken);
            return self.commits.push(Item { then: Then::ForgetCopy(copy), ..Item::default() });
        }
        self.take_in(save, base, Some(copy)).await;
    }

    /// A file that was there when the folder joined: the mesh wins, unless the folder is adopted.
    async fn take_joining(&mut self, save: Save) {
        let Ok(rendered) = self.effective(&save.document) else { return };
        let adopt = self.folders.kept.get(save.document.folder()).is_some_and(|folder| folder.adopt);
        let Some(slot) = self.folders.slot(&save.document) else { return };
        match rendered.file() {
            Some(file) if file.bytes == save.bytes && file.executable == save.executable => {
                slot.base = Base::of(&rendered);
                slot.held = None;
            }
            Some(_) if !adopt => {
                let kept = keep_aside(
                    &self.data_dir,
                    save.document.folder(),
                    save.document.path(),
                    &save.bytes,
                    self.environment.wall_ms(),
                );
                match kept {
                    Ok(path) => {
                        tracing::warn!(document = %save.document, kept = %path.display(),
                            "the mesh has another content; the file's own was kept aside");
                        slot.base.hash = Some(save.hash);
                        slot.base.executable = save.executable;
                    }
                    Err(error) => {
                        let why = format!("the mesh has another content, and this one can't be kept aside: {error}");
                        return self.hold(&save, &Base::default(), Trouble::new(HeldReason::Document, why), None);
                    }
                }
            }
            _ => {
                let base = Base { hash: Some(save.hash), ..Base::of(&rendered) };
                self.take_in(save, base, None).await;
                return;
            }
        }
        // Else the next start would take the file for a new one, and a delete of it for none.
        let states = vec![(slot_state(&save.document), Some(slot.encode()))];
        self.commits.push(Item { states, ..Item::default() });
        self.dirty.insert(save.document);
    }

    /// Makes a change of a saved file, at the heads that its editor saw. Files don't say who edits them: the author is
    /// the host.
    pub(super) async fn take_in(&mut self, save: Save, base: Base, late: Option<LateCopy>) {
        self.cancel_write(&save.document);
        let Some((save, base, late)) = self.park(save, base, late) else { return };
        let editor = self.editor(String::new());
        self.tell_watchers_before(&save.document);
        let seen = match self.effective_base(&save.document, &base) {
            Ok(seen) => seen,
            Err(error) => {
                return self.hold(&save, &base, Trouble::new(HeldReason::Document, error.to_string()), late);
            }
        };
        for layer in seen.layers() {
            save.document.with_overlay(&layer.overlay).iter().for_each(|id| self.tell_watchers_before(id));
        }
        let from = save.renamed_from.as_ref();
        let saved = Saved { bytes: &save.bytes, executable: save.executable, from };
        let parts = match from.and_then(|from| self.shown_before_rename(from)).filter(|_| seen.file().is_none()) {
            Some(former) => self.take_renamed_parts(&save.document, &seen, &former, saved, &editor),
            None => self.take_parts(&save.document, &seen, saved, Lane::FILE, &editor),
        };
        let TakenParts { written, heads, overlays } = match parts {
            Ok(parts) => parts,
            Err(NotTaken::Document(error)) => {
                return self.hold(&save, &base, Trouble::new(HeldReason::Document, error.to_string()), late);
            }
            Err(NotTaken::Edit(error)) => {
                self.reload_after(&save.document, &error);
                return self.hold(&save, &base, Trouble::of_edit(error), late);
            }
        };
        let is_late = late.is_some();
        let mut states = Vec::new();
        if !is_late {
            // What was there when the folder joined is no change of the file.
            let is_change = base.hash != Some(save.hash);
            states.extend(self.note_edit(&save.document, is_change));
        }
        let Some(slot) = self.folders.slot(&save.document) else { return };
        let hash = Some(save.hash);
        let taken = Base { heads, overlays, hash, executable: save.executable, ..Base::default() };
        if is_late {
            // Its editor may go on writing where it is.
            slot.remember(taken);
            slot.held.take_if(|held| held.is_late);
        } else {
            slot.held = None;
            slot.rebase(taken);
        }
        states.push((slot_state(&save.document), Some(slot.encode())));
        let then = late.map_or(Then::Nothing, Then::ForgetCopy);
        self.commit_parts(written, &editor, states, then).await;
        self.dirty.insert(save.document);
    }

    /// What a file showed here before it was renamed.
    fn shown_before_rename(&mut self, from: &RenamedFrom) -> Option<Effective> {
        let slots = &self.folders.kept.get(from.document.folder())?.slots;
        let base = slots.get(from.document.path())?.base.clone();
        self.effective_base(&from.document, &base).ok()
    }

    /// Somebody has put other bytes into a file, or taken it away, and that is accepted: it is reloaded with them, whatever a
    /// reload said before.
    fn note_edit(&mut self, document: &DocumentId, is_change: bool) -> Option<StateEntry> {
        self.take_back_refusal(document);
        if !is_change {
            return None;
        }
        let noted = self.note_good(document);
        self.bytes_changed(document);
        noted
    }

    /// Leaves an edit alone, and says why.
    pub(super) fn hold(&mut self, save: &Save, base: &Base, trouble: Trouble, late: Option<LateCopy>) {
        let Trouble { cause, why, place, output } = trouble;
        tracing::warn!(document = %save.document, %why, ?place, "the edit is held");
        let is_late = late.is_some();
        let why = late.map_or(why.clone(), |late| self.keep_late(save, late, &why));
        // Of checks it was told already.
        if !matches!(cause, HeldReason::Check | HeldReason::Schema) {
            self.tell_of_held(&save.document, &why);
        }
        let since_ms = self.environment.wall_ms();
        let Some(slot) = self.folders.slot(&save.document) else { return };
        if is_late {
            // Its editor may go on writing where it is.
            slot.remember(Base { hash: Some(save.hash), ..base.clone() });
        } else if slot.base.hash.is_none() {
            slot.base = base.clone();
        }
        let (line, column) = place.unzip();
        let held = Held { line, column, why, cause, output, since_ms, is_late };
        if !is_late || slot.held.is_none() {
            slot.held = Some(held);
            self.counted.holds += 1;
        }
    }

    /// A save that can't be taken in, and that the mesh had replaced meanwhile: it can't stay where it is, so it is kept
    /// aside. Gives what there is to say of it.
    fn keep_late(&mut self, save: &Save, late: LateCopy, why: &str) -> String {
        let (folder, path) = (save.document.folder(), save.document.path());
        match keep_aside(&self.data_dir, folder, path, &save.bytes, self.environment.wall_ms()) {
            Ok(kept) => {
                tracing::warn!(document = %save.document, kept = %kept.display(), "the mesh had replaced the file; the edit was kept aside");
                self.files.push(FileCommand::Taken { folder: late.folder, receipt: late.receipt });
                format!("{why}; the mesh had replaced the file meanwhile, what was saved is in {}", kept.display())
            }
            Err(error) => {
                format!("{why}; the mesh had replaced the file meanwhile, and it can't be kept aside: {error}")
            }
        }
    }

    /// A document in which a write failed is read anew.
    pub(super) fn reload_after(&mut self, document: &DocumentId, error: &EditError) {
        if matches!(error, EditError::Write(_))
            && let Err(error) = self.documents.reload(document)
        {
            self.documents.freeze(document, error.to_string());
        }
    }

    /// A file is gone for good.
    async fn take_delete(&mut self, folder: &str, path: &str) {
        let Ok(document) = DocumentId::new(&format!("{folder}/{path}")) else { return };
        let late = self.forget_parked(&document);
        self.take_saves(&document, late).await;
        let Some(slot) = self.folders.slot(&document) else { return };
        slot.held = None;
        let base = slot.base.clone();
        if base.hash.is_none() {
            // It was held from the first: what the mesh has may take its place now.
            self.dirty.insert(document);
            return;
        }
        let editor = self.editor(String::new());
        self.tell_watchers_before(&document);
        self.cancel_write(&document);
        let Ok(seen) = self.effective_base(&document, &base) else { return };
        self.delete_document(&document, seen.base(), Lane::FILE, &editor).await;
    }

    async fn delete_document(&mut self, document: &DocumentId, seen: &Rendered, lane: Lane, editor: &Editor) {
        let Ok(loaded) = self.documents.get_for_change(document) else { return };
        let written = match loaded.document.delete_file(seen, lane, editor) {
            Ok(written) => written,
            Err(error) => return self.reload_after(document, &error),
        };
        let heads = written.as_ref().map_or(seen.heads.clone(), |written| vec![written.hash]);
        let mut states: Vec<_> = self.note_edit(document, true).into_iter().collect();
        let Some(slot) = self.folders.slot(document) else { return };
        slot.rebase(Base { heads, ..Base::default() });
        states.push((slot_state(document), Some(slot.encode())));
        if let Some(written) = written {
            self.commit_own(document, written, editor, states, Then::Nothing).await;
        }
        self.dirty.insert(document.clone());
    }
}
