//! What the files of this host show: documents, with the overlays of its roles and of its name over them.
//!
//! ```text
//!  web/app.toml ─▶ ?role=db ─▶ ?role=eu ─▶ ?host=web-1 ─▶ the file
//! ```
//! The overlays are documents like all others: every host holds all of them, and none is a file. One edit of such a file
//! may change several documents. Their changes and what the file shows now become durable together: after a crash either
//! all of the edit was taken in, or the file is found edited again.

use std::collections::BTreeMap;
use std::sync::Arc;

use murmurate_crdt::conflict::Conflict;
use murmurate_crdt::document::{Heads, Written};
use murmurate_crdt::edit::{self, EditError, Editor};
use murmurate_crdt::id::{ChangeHash, DocumentId, Lane};
use murmurate_crdt::overlay::{Composed, Layer, Overlay, OverlayEdit, OverlayKind, Split};
use murmurate_crdt::register::RenamedFrom;
use murmurate_crdt::render::{Content, Rendered};

use super::Core;
use super::documents::DocumentError;
use super::folders::Base;
use super::view::FileView;

/// Files with overlays that are kept composed: to compose one costs as much as to take in a save of it.
const COMPOSED_FILES: usize = 64;

/// What a file shows on this host, and what that is made of.
#[derive(Debug, Clone)]
pub(crate) struct Effective {
    base: Arc<Rendered>,
    /// Where overlays are over it.
    composed: Option<Arc<Composed>>,
}

impl Effective {
    /// What the document itself says.
    pub(crate) fn plain(base: Arc<Rendered>) -> Self {
        Self { base, composed: None }
    }

    pub(crate) fn new(base: Arc<Rendered>, layers: Vec<Layer>) -> Self {
        let composed = if layers.is_empty() { None } else { Composed::new(base.clone(), layers) };
        Self { base, composed: composed.map(Arc::new) }
    }

    /// The file, if there is to be one.
    pub(crate) fn file(&self) -> Option<&Content> {
        self.composed.as_ref().map(|composed| &composed.content).or_else(|| self.base.file())
    }

    /// The document itself.
    pub(crate) fn base(&self) -> &Arc<Rendered> {
        &self.base
    }

    pub(crate) fn composed(&self) -> Option<&Composed> {
        self.composed.as_deref()
    }

    /// The overlays over it, at their heads.
    pub(crate) fn overlays(&self) -> Vec<(Overlay, Heads)> {
        self.layers().map(|layer| (layer.overlay.clone(), layer.rendered.heads.clone())).collect()
    }

    pub(crate) fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.composed.iter().flat_map(|composed| composed.layers())
    }
}

/// Which overlays count on this host, and what was composed of them lately.
#[derive(Debug, Default)]
pub(crate) struct Overlays {
    /// Its roles in the order of the settings, then the host itself.
    own: Vec<Overlay>,
    composed: BTreeMap<DocumentId, Arc<Composed>>,
}

impl Overlays {
    /// Those of a host with this name and these roles.
    pub(crate) fn of(name: &str, roles: &[Overlay]) -> Self {
        let host = Overlay::new(OverlayKind::Host, name);
        let host = host.inspect_err(|error| tracing::warn!(%name, %error, "this host has no overlays of its own"));
        Self { own: roles.iter().cloned().chain(host).collect(), composed: BTreeMap::new() }
    }

    /// This host's roles.
    pub(crate) fn roles(&self) -> Vec<String> {
        let roles = self.own.iter().filter(|overlay| overlay.kind() == OverlayKind::Role);
        roles.map(|overlay| overlay.name().to_owned()).collect()
    }

    /// What these make of the file, if that was composed before.
    fn known(&self, document: &DocumentId, base: &Arc<Rendered>, layers: &[Layer]) -> Option<Arc<Composed>> {
        let known = self.composed.get(document)?;
        let is_same = |(known, layer): (&Layer, &Layer)| {
            known.overlay == layer.overlay && Arc::ptr_eq(&known.rendered, &layer.rendered)
        };
        let same = known.layers().len() == layers.len() && known.layers().zip(layers).all(is_same);
        (same && Arc::ptr_eq(known.base(), base)).then(|| known.clone())
    }

    fn remember(&mut self, document: &DocumentId, composed: &Arc<Composed>) {
        if self.composed.len() >= COMPOSED_FILES {
            self.composed.clear();
        }
        self.composed.insert(document.clone(), composed.clone());
    }
}

/// A file as it was saved.
#[derive(Clone, Copy)]
pub(super) struct Saved<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) executable: bool,
    /// The file that it was before, if it was renamed.
    pub(super) from: Option<&'a RenamedFrom>,
}

/// An edit of a file, written to its document and its overlays.
pub(super) struct TakenParts {
    /// What was written, to which document.
    pub(super) written: Vec<(DocumentId, Written)>,
    /// The file's heads now, as its editor sees them.
    pub(super) heads: Heads,
    pub(super) overlays: Vec<(Overlay, Heads)>,
}

/// Why an edit of a file isn't taken in.
pub(super) enum NotTaken {
    Document(DocumentError),
    Edit(EditError),
}

impl From<DocumentError> for NotTaken {
    fn from(error: DocumentError) -> Self {
        Self::Document(error)
    }
}

impl Core {
    /// The file of this host that shows an overlay; `None` for overlays of others, and for files.
    pub(super) fn file_with(&self, document: &DocumentId) -> Option<DocumentId> {
        let overlay = document.overlay()?;
        self.overlays.own.contains(&overlay).then(|| document.base())
    }

    /// The overlays of a file that count on this host and were ever written to, in their order.
    pub(super) fn own_overlays(&self, document: &DocumentId) -> Vec<(Overlay, DocumentId)> {
        let all = self.overlays.own.iter();
        let ids = all.filter_map(|overlay| Some((overlay.clone(), document.with_overlay(overlay).ok()?)));
        ids.filter(|(_, id)| self.durable.contains_key(id) || self.documents.is_loaded(id)).collect()
    }

    /// What a document's file shows on this host. An overlay by itself is shown as it is.
    pub(super) fn effective(&mut self, document: &DocumentId) -> Result<Effective, DocumentError> {
        let base = self.documents.get(document)?.rendered();
        if document.is_overlay() || base.file().is_none() {
            return Ok(Effective::plain(base));
        }
        let mut layers = Vec::new();
        for (overlay, id) in self.own_overlays(document) {
            let rendered = self.documents.get(&id)?.rendered();
            if rendered.file().is_some() {
                layers.push(Layer { overlay, rendered });
            }
        }
        if layers.is_empty() {
            return Ok(Effective::plain(base));
        }
        if let Some(known) = self.overlays.known(document, &base, &layers) {
            return Ok(Effective { base, composed: Some(known) });
        }
        let effective = Effective::new(base, layers);
        if let Some(composed) = &effective.composed {
            self.overlays.remember(document, composed);
        }
        Ok(effective)
    }

    /// What a document's file would show, with all that was written to its documents in memory only.
    pub(super) fn effective_anew(&mut self, document: &DocumentId) -> Result<Effective, DocumentError> {
        let base = Arc::new(self.documents.get(document)?.document.render());
        let mut layers = Vec::new();
        for (overlay, id) in self.own_overlays(document) {
            let rendered = Arc::new(self.documents.get(&id)?.document.render());
            if rendered.file().is_some() {
                layers.push(Layer { overlay, rendered });
            }
        }
        Ok(Effective::new(base, layers))
    }

    /// What a document's file showed at some heads of it and of the overlays that were over it.
    pub(super) fn effective_at(
        &mut self,
        document: &DocumentId,
        heads: &[ChangeHash],
        overlays: &[(Overlay, Heads)],
    ) -> Result<Effective, DocumentError> {
        let base = self.rendered_at(document, heads)?;
        let mut layers = Vec::new();
        for (overlay, heads) in overlays {
            let Ok(id) = document.with_overlay(overlay) else { continue };
            layers.push(Layer { overlay: overlay.clone(), rendered: self.rendered_at(&id, heads)? });
        }
        Ok(Effective::new(base, layers))
    }

    fn rendered_at(&mut self, document: &DocumentId, heads: &[ChangeHash]) -> Result<Arc<Rendered>, DocumentError> {
        let loaded = self.documents.get(document)?;
        // What is rendered may leave heads out, then it was rendered at others.
        let present = loaded.rendered();
        Ok(if present.heads == heads { present } else { Arc::new(loaded.document.render_at(heads)) })
    }

    /// What a base stands for.
    pub(super) fn effective_base(&mut self, document: &DocumentId, base: &Base) -> Result<Effective, DocumentError> {
        match &base.rendered {
            Some(rendered) => Ok(rendered.clone()),
            None => self.effective_at(document, &base.heads, &base.overlays),
        }
    }

    /// Looks at a file with all that it is made of; `None` if there is none.
    pub(super) fn look<T>(
        &mut self,
        document: &DocumentId,
        effective: &Effective,
        with_conflicts: bool,
        look: impl FnOnce(&FileView<'_>) -> T,
    ) -> Result<Option<T>, DocumentError> {
        let Some(file) = effective.file() else { return Ok(None) };
        let overlays = effective.layers().filter_map(|layer| document.with_overlay(&layer.overlay).ok());
        let ids: Vec<DocumentId> = std::iter::once(document.clone()).chain(overlays).collect();
        let mut conflicts: Vec<Arc<Vec<Conflict>>> = Vec::with_capacity(ids.len());
        for id in &ids {
            let loaded = self.documents.get(id)?;
            conflicts.push(if with_conflicts { loaded.conflicts() } else { Arc::default() });
        }
        let mut parts = Vec::with_capacity(ids.len());
        for (id, conflicts) in ids.iter().zip(&conflicts) {
            let missing = || DocumentError::Store("it was evicted".into());
            parts.push((self.documents.present(id).ok_or_else(missing)?, conflicts.as_slice()));
        }
        Ok(Some(look(&FileView::composed(parts, file, effective.composed()))))
    }

    /// Writes an edit of a file to the documents that it is made of. `seen` is what its editor saw. Where one of them
    /// doesn't take its part, none does.
    pub(super) fn take_parts(
        &mut self,
        document: &DocumentId,
        seen: &Effective,
        save: Saved<'_>,
        lane: Lane,
        editor: &Editor,
    ) -> Result<TakenParts, NotTaken> {
        let overlays: Vec<DocumentId> =
            seen.layers().filter_map(|layer| document.with_overlay(&layer.overlay).ok()).collect();
        for id in overlays.iter().chain([document]) {
            self.documents.get_for_change(id)?;
        }
        let taken = self.try_parts(document, seen, save, lane, editor);
        if taken.is_err() && !overlays.is_empty() {
            for id in overlays.iter().chain([document]) {
                self.documents.reload(id)?;
            }
        }
        taken
    }

    /// The same for a file that another one was renamed to: its overlays, of all hosts, go with it, so that what was some
    /// hosts' own stays theirs. Under a name that makes it a file of another format they couldn't be shown.
    pub(super) fn take_renamed_parts(
        &mut self,
        document: &DocumentId,
        seen: &Effective,
        former: &Effective,
        save: Saved<'_>,
        editor: &Editor,
    ) -> Result<TakenParts, NotTaken> {
        let overlays = save.from.map(|from| self.overlays_of(&from.document)).unwrap_or_default();
        let content = edit::preview(document.as_str(), save.bytes, save.executable, None).ok();
        let is_same_format = content.as_ref().map(Content::format) == former.file().map(Content::format);
        if overlays.is_empty() || !is_same_format {
            return self.take_parts(document, seen, save, Lane::FILE, editor);
        }
        let split = former.composed().map(|composed| composed.split(document.as_str(), save.bytes)).transpose();
        let split = split.map_err(NotTaken::Edit)?;
        let copies = self.copies(&overlays, former, split.as_ref())?;
        let own = split.as_ref().and_then(|split| split.base.as_deref());
        let own = own.or_else(|| former.composed().and(former.base.file()).map(|file| &file.bytes[..]));
        let save = Saved { bytes: own.unwrap_or(save.bytes), ..save };
        let mut taken = self.take_parts(document, &Effective::plain(seen.base.clone()), save, Lane::FILE, editor)?;
        let copied = copies.iter().try_for_each(|(overlay, edit)| {
            let id = document
                .with_overlay(overlay)
                .map_err(|error| NotTaken::Edit(EditError::NoPlace(error.to_string())))?;
            self.copy_overlay(&id, overlay, edit, editor, &mut taken)
        });
        if let Err(error) = copied {
            for id in copies.iter().filter_map(|(overlay, _)| document.with_overlay(overlay).ok()) {
                self.documents.reload(&id)?;
            }
            self.documents.reload(document)?;
            return Err(error);
        }
        Ok(taken)
    }

    /// What overlays hold, with what an edit of the file that shows some of them makes of those, in the order of this host.
    fn copies(
        &mut self,
        overlays: &[DocumentId],
        former: &Effective,
        split: Option<&Split>,
    ) -> Result<Vec<(Overlay, OverlayEdit)>, NotTaken> {
        let mut copies = Vec::with_capacity(overlays.len());
        for id in overlays {
            let Some(overlay) = id.overlay() else { continue };
            let rendered = self.documents.get(id)?.rendered();
            let Some(content) = rendered.file() else { continue };
            let number = former.layers().position(|layer| layer.overlay == overlay);
            let edited = split.zip(number).and_then(|(split, number)| split.overlays.get(number)?.as_ref());
            copies.push((overlay, OverlayEdit::copy_of(content, edited)));
        }
        copies.sort_by_key(|(overlay, _)| self.overlays.own.iter().position(|own| own == overlay));
        Ok(copies)
    }

    fn copy_overlay(
        &mut self,
        id: &DocumentId,
        overlay: &Overlay,
        edit: &OverlayEdit,
        editor: &Editor,
        taken: &mut TakenParts,
    ) -> Result<(), NotTaken> {
        self.tell_watchers_before(id);
        let loaded = self.documents.get_for_change(id)?;
        let present = loaded.rendered();
        let written = loaded.document.take_overlay(&present, edit, Lane::FILE, editor).map_err(NotTaken::Edit)?;
        let heads = written.as_ref().map_or_else(|| present.heads.clone(), |written| vec![written.hash]);
        if self.overlays.own.contains(overlay) {
            taken.overlays.push((overlay.clone(), heads));
        }
        taken.written.extend(written.map(|written| (id.clone(), written)));
        Ok(())
    }

    /// All overlays of a file that are stored here, whosever they are.
    fn overlays_of(&self, document: &DocumentId) -> Vec<DocumentId> {
        // The first and the last name that an overlay can have.
        let ends = [(OverlayKind::Host, "-".to_owned()), (OverlayKind::Role, "z".repeat(63))];
        let ends = ends.map(|(kind, name)| document.with_overlay(&Overlay::new(kind, &name)?));
        let [Ok(first), Ok(last)] = ends else { return Vec::new() };
        self.durable.range(first..=last).map(|(id, _)| id.clone()).collect()
    }

    fn try_parts(
        &mut self,
        document: &DocumentId,
        seen: &Effective,
        Saved { bytes, executable, from }: Saved<'_>,
        lane: Lane,
        editor: &Editor,
    ) -> Result<TakenParts, NotTaken> {
        let mut taken = TakenParts { written: Vec::new(), heads: Heads::new(), overlays: Vec::new() };
        let is_new = seen.file().is_none_or(|file| file.bytes != bytes);
        let split = seen.composed().filter(|_| is_new).map(|composed| composed.split(document.as_str(), bytes));
        let split = split.transpose().map_err(NotTaken::Edit)?;
        for (number, layer) in seen.layers().enumerate() {
            let Ok(id) = document.with_overlay(&layer.overlay) else { continue };
            let mut heads = layer.rendered.heads.clone();
            if let Some(edit) = split.as_ref().and_then(|split| split.overlays.get(number)?.as_ref()) {
                let part = &mut self.documents.get_for_change(&id)?.document;
                let written = part.take_overlay(&layer.rendered, edit, lane, editor).map_err(NotTaken::Edit)?;
                heads = written.as_ref().map_or(heads, |written| vec![written.hash]);
                taken.written.extend(written.map(|written| (id, written)));
            }
            taken.overlays.push((layer.overlay.clone(), heads));
        }
        // What the file itself holds is its own content, unless the edit is about it.
        let own = match (&split, seen.composed(), seen.base.file()) {
            (Some(split), _, Some(file)) => split.base.as_deref().unwrap_or(&file.bytes),
            (None, Some(_), Some(file)) => &file.bytes,
            _ => bytes,
        };
        let part = &mut self.documents.get_for_change(document)?.document;
        let written = part.take_renamed_file(&seen.base, own, executable, from, lane, editor);
        let written = written.map_err(NotTaken::Edit)?;
        taken.heads = written.as_ref().map_or_else(|| seen.base.heads.clone(), |written| vec![written.hash]);
        taken.written.extend(written.map(|written| (document.clone(), written)));
        Ok(taken)
    }
}
