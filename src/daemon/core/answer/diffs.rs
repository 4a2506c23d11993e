//! Comparing states of a document, or one with the file on the disk.

use std::collections::BTreeMap;

use murmurate_client::types::{ApiError, Diff, DiffKind, DiffSide, KeyDiff, TypedValue, V1};
use murmurate_crdt::edit;
use murmurate_crdt::id::DocumentId;
use murmurate_crdt::render::Content;

use super::states::has_overlays;
use super::{no_document, not_found, parse};
use crate::daemon::core::Core;
use crate::daemon::core::documents::Loaded;
use crate::daemon::core::view::FileView;
use crate::daemon::request::{DiskFile, DiskPlace, Side};

type Values = BTreeMap<String, TypedValue>;

/// A side, ready to be compared.
struct Looked {
    shown: DiffSide,
    bytes: Vec<u8>,
    /// What its keys are, where it is merged key by key; without a file there are none.
    values: Option<Values>,
    problem: Option<String>,
}

impl Core {
    /// Where a document's file is on the disk: only where it is one that this host keeps.
    pub(super) fn disk_place(&self, doc: &str) -> Result<DiskPlace, ApiError> {
        let what = format!("read the file of {doc}");
        let document = parse(doc)?.document;
        if document.is_overlay() {
            return Err(not_found(&what, "an overlay is no file; its states can be compared"));
        }
        let folder = self.folders.kept.get(document.folder());
        let folder = folder.ok_or_else(|| not_found(&what, "this host doesn't keep its folder in a directory"))?;
        let path = document.path();
        if !folder.slots.get(path).is_some_and(|slot| slot.is_of_note()) || folder.skipped.contains_key(path) {
            return Err(not_found(&what, "the folder has no such file, or leaves it alone"));
        }
        Ok(DiskPlace { root: folder.dir.clone().into(), path: path.into() })
    }

    pub(super) fn diff(&mut self, doc: &str, before: &Side, after: &Side) -> Result<Diff, ApiError> {
        let what = format!("compare {doc}");
        let document = parse(doc)?.document;
        let loaded = self.documents.get(&document).map_err(|error| no_document(what.clone(), &error))?;
        if loaded.rendered().content.is_none() && !matches!(after, Side::Disk(Some(_))) {
            return Err(not_found(&what, "there is no such document"));
        }
        // A state of the document alone is compared with the document alone.
        let is_plain = |side: &Side| matches!(side, Side::At(name) if !has_overlays(name));
        let base = is_plain(before) || is_plain(after);
        let [before, after] =
            [self.look_at(&what, &document, before, base)?, self.look_at(&what, &document, after, base)?];
        let keys = before.values.as_ref().zip(after.values.as_ref()).map(|(before, after)| differences(before, after));
        let same = before.bytes == after.bytes
            && (before.shown.exists, before.shown.executable) == (after.shown.exists, after.shown.executable);
        Ok(Diff {
            v: V1,
            doc: document.to_string(),
            same,
            problem: before.problem.or(after.problem),
            before: before.shown,
            after: after.shown,
            keys,
        })
    }

    /// What a side shows: the disk's file has the overlays of this host, so what is there now has them, too.
    fn look_at(&mut self, what: &str, document: &DocumentId, side: &Side, base: bool) -> Result<Looked, ApiError> {
        let effective = match side {
            Side::Now => self.shown_or_base(what, document, base)?,
            Side::At(name) => self.shown_in(what, document, name)?,
            Side::Disk(file) => {
                let loaded = self.documents.get(document).map_err(|error| no_document(what.into(), &error))?;
                return Ok(look_at_disk(loaded, file.as_ref()));
            }
        };
        let heads = Some(self.state_name(what, document, &effective)?);
        let loaded = self.documents.get(document).map_err(|error| no_document(what.into(), &error))?;
        Ok(match effective.file() {
            Some(file) => Looked { values: values(loaded, file), ..looked(heads, &file.bytes, Some(file)) },
            None => Looked::nothing(heads),
        })
    }
}

fn look_at_disk(loaded: &mut Loaded, file: Option<&DiskFile>) -> Looked {
    let Some(file) = file else { return Looked::nothing(None) };
    let rendered = loaded.rendered();
    let format = rendered.file().map(Content::format);
    match edit::preview(loaded.document.id().as_str(), &file.bytes, file.executable, format) {
        Ok(content) => Looked { values: values(loaded, &content), ..looked(None, &file.bytes, Some(&content)) },
        Err(error) => {
            let problem = Some(format!("the file on the disk isn't taken: {error}"));
            let mut looked = Looked { problem, ..looked(None, &file.bytes, None) };
            looked.shown.executable = file.executable;
            looked
        }
    }
}

fn looked(heads: Option<String>, bytes: &[u8], content: Option<&Content>) -> Looked {
    let shown = DiffSide {
        heads,
        exists: true,
        format: content.map(|content| content.format().name().into()),
        executable: content.is_some_and(|content| content.executable),
        bytes: bytes.len() as u64,
        text: std::str::from_utf8(bytes).ok().map(str::to_owned),
    };
    Looked { shown, bytes: bytes.to_vec(), values: None, problem: None }
}

impl Looked {
    /// No file: it is like an empty one, of any format.
    fn nothing(heads: Option<String>) -> Self {
        let shown = DiffSide { heads, text: Some(String::new()), ..DiffSide::default() };
        Self { shown, bytes: Vec::new(), values: Some(Values::new()), problem: None }
    }
}

/// The values of a file that is merged key by key.
fn values(loaded: &Loaded, file: &Content) -> Option<Values> {
    file.format().is_structured().then(|| FileView::new(&loaded.document, file, &[]).values_by_key())
}

fn differences(before: &Values, after: &Values) -> Vec<KeyDiff> {
    let of = |key: &String, kind| KeyDiff {
        key: key.clone(),
        kind,
        before: before.get(key).cloned(),
        after: after.get(key).cloned(),
    };
    let gone = before.keys().filter(|key| !after.contains_key(*key)).map(|key| of(key, DiffKind::Removed));
    let other = after.iter().filter_map(|(key, value)| match before.get(key) {
        None => Some(of(key, DiffKind::Added)),
        Some(former) if former != value => Some(of(key, DiffKind::Changed)),
        Some(_) => None,
    });
    let mut all: Vec<KeyDiff> = gone.chain(other).collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all
}
