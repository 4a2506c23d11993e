//! Reads over the API: from memory, never waiting for another host.

use std::ops::Bound;

use murmurate_client::types::{
    ApiError, ConflictValue, Document, Documents, Entry, Explained, Explanation, File, Keys, LeftOut, Time, V1,
};
use murmurate_crdt::id::DocumentId;
use murmurate_crdt::key::{Found, Lookup, Step};
use murmurate_crdt::overlay::Composed;
use murmurate_crdt::path::Path;

use super::{no_document, not_found, parse};
use crate::daemon::core::Core;
use crate::daemon::core::overlays::Effective;
use crate::daemon::core::view::{self, EntryView, ExplainedView};
use crate::daemon::request::{PAGE_DOCUMENTS, PAGE_ENTRIES};

impl Core {
    /// The documents whose addresses begin with a prefix (or the other way round: a prefix may lead into a document).
    pub(in crate::daemon::core) fn matching(&self, prefix: &str) -> Vec<DocumentId> {
        self.matching_after(prefix, None)
    }

    /// Those of them that come behind one, by name.
    fn matching_after(&self, prefix: &str, after: Option<&DocumentId>) -> Vec<DocumentId> {
        let document = prefix.split('#').next().unwrap_or_default();
        let has_key = prefix.contains('#');
        let fits = |id: &&DocumentId| {
            let name = id.to_string();
            if has_key { name == document } else { name.starts_with(document) }
        };
        self.documents_after(after).into_iter().filter(|id| fits(&id)).collect()
    }

    /// Everything that was ever written to, and is durable or in memory.
    fn documents_after(&self, after: Option<&DocumentId>) -> Vec<DocumentId> {
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let durable = self.durable.range::<DocumentId, _>(behind).map(|(id, _)| id);
        // What was flushed isn't dirty any more, and may not be durable yet.
        let flushed = self.summaries.documents(behind);
        let dirty = self.dirty.range::<DocumentId, _>(behind);
        let mut all: Vec<DocumentId> = durable.chain(flushed).chain(dirty).cloned().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    pub(super) fn document_list(&mut self, prefix: &str, after: Option<&str>) -> Result<Documents, ApiError> {
        let after = after.map(parse).transpose()?;
        let mut all = self.matching_after(prefix, after.as_ref().map(|after| &after.document));
        let is_last = all.len() <= PAGE_DOCUMENTS;
        all.truncate(PAGE_DOCUMENTS);
        let next = all.last().filter(|_| !is_last).map(DocumentId::to_string);
        let mut documents = Vec::new();
        for id in all {
            let what = format!("list {id}");
            let effective = self.effective(&id).map_err(|error| no_document(what.clone(), &error))?;
            let Some(file) = effective.file() else { continue };
            let loaded = self.documents.get(&id).map_err(|error| no_document(what, &error))?;
            let conflicts = loaded.conflicts().len() as u64;
            let newest = view::newest(&loaded.document).and_then(|dot| loaded.document.history().record(dot));
            documents.push(Document {
                doc: id.to_string(),
                format: file.format().name().into(),
                keys: view::values(file).count() as u64,
                bytes: file.bytes.len() as u64,
                conflicts,
                time: newest.map(|record| Time::from_ms(record.time_ms)),
                renamed_from: loaded.document.state().renamed_from().map(|from| from.document.to_string()),
            });
        }
        Ok(Documents { v: V1, documents, next })
    }

    pub(super) fn keys(&mut self, prefix: &str, after: Option<&str>) -> Result<Keys, ApiError> {
        let mut entries = Vec::new();
        for id in self.matching(prefix) {
            let what = format!("list {id}");
            let keys = self.effective(&id).and_then(|effective| self.look(&id, &effective, true, |view| view.keys()));
            for entry in keys.map_err(|error| no_document(what, &error))?.unwrap_or_default() {
                let address = format!("{}#{}", entry.doc, entry.key);
                if !address.starts_with(prefix) || after.is_some_and(|after| address.as_str() < after) {
                    continue;
                }
                entries.push((address, entry));
            }
        }
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        let next = entries.get(PAGE_ENTRIES).map(|(address, _)| address.clone());
        let entries = entries.into_iter().take(PAGE_ENTRIES).map(|(_, entry)| entry).collect();
        Ok(Keys { v: V1, entries, next })
    }

    /// What a read is about: what this host shows, or the document alone.
    pub(super) fn shown_or_base(
        &mut self,
        what: &str,
        document: &DocumentId,
        base: bool,
    ) -> Result<Effective, ApiError> {
        let read = if base {
            self.documents.get(document).map(|loaded| Effective::plain(loaded.rendered()))
        } else {
            self.effective(document)
        };
        read.map_err(|error| no_document(what.into(), &error))
    }

    pub(super) fn get(&mut self, address: &str, base: bool) -> Result<Entry, ApiError> {
        let what = format!("get {address}");
        let address = parse(address)?;
        let effective = self.shown_or_base(&what, &address.document, base)?;
        let path = find(&what, &effective, &address.key)?;
        let entry = self.look(&address.document, &effective, false, |view| view.entry(&path));
        let entry = entry.map_err(|error| no_document(what.clone(), &error))?.flatten();
        let EntryView { value, dot, overlay } = entry.ok_or_else(|| not_found(&what, "it has no value"))?;
        let source = overlay.as_ref().and_then(|overlay| address.document.with_overlay(overlay).ok());
        let source = source.unwrap_or_else(|| address.document.clone());
        let origin = dot.map(|dot| self.origin(&source, dot));
        let conflicts = self.conflict_values(&what, &source, &effective, &path)?;
        let heads = self.base_name(&what, &address.document, &effective)?;
        Ok(Entry {
            v: V1,
            doc: address.document.to_string(),
            key: view::key_of(&address),
            value,
            version: dot.map(|dot| dot.to_string()).unwrap_or_default(),
            host: origin.as_ref().map(|origin| origin.host.clone()),
            author: origin.as_ref().map(|origin| origin.author.clone()),
            time: origin.map(|origin| origin.time),
            conflicts,
            overlay: overlay.map(|overlay| overlay.to_string()),
            heads,
        })
    }

    /// The values that stand beside each other where what is shown at a path comes from.
    fn conflict_values(
        &mut self,
        what: &str,
        source: &DocumentId,
        effective: &Effective,
        path: &Path,
    ) -> Result<Vec<ConflictValue>, ApiError> {
        let own = effective.composed().map_or_else(|| path.clone(), |composed| composed.source(path).path);
        let loaded = self.documents.get(source).map_err(|error| no_document(what.into(), &error))?;
        let conflicts = loaded.conflicts();
        let values = conflicts.iter().filter(|conflict| conflict.path == own).flat_map(|conflict| &conflict.values);
        Ok(values.map(|value| self.conflict_value(source, value)).collect())
    }

    /// Where what this host shows at a key, or in a whole document, comes from.
    pub(super) fn explain(&mut self, address: &str) -> Result<Explanation, ApiError> {
        let what = format!("explain {address}");
        let address = parse(address)?;
        let effective = self.shown_or_base(&what, &address.document, false)?;
        // What an overlay takes away is still a key of the document.
        let path = find(&what, &effective, &address.key).or_else(|error| {
            find(&what, &Effective::plain(effective.base().clone()), &address.key).map_err(|_| error)
        })?;
        let said = self.look(&address.document, &effective, false, |view| view.explained(&path));
        let said = said.map_err(|error| no_document(what, &error))?.unwrap_or_default();
        let entries = said.into_iter().map(|said| self.explained(&address.document, said)).collect();
        let left_out = effective.composed().into_iter().flat_map(Composed::left_out);
        let left_out = left_out.map(|(overlay, left)| LeftOut {
            overlay: overlay.to_string(),
            key: left
                .path
                .is_root()
                .then(String::new)
                .unwrap_or_else(|| view::plain_key(&effective, overlay, &left.path)),
            why: left.why.clone(),
        });
        Ok(Explanation {
            v: V1,
            doc: address.document.to_string(),
            host: self.identity.name.clone(),
            roles: self.overlays.roles(),
            entries,
            left_out: left_out.collect(),
        })
    }

    fn explained(&mut self, document: &DocumentId, said: ExplainedView) -> Explained {
        let source = said.overlay.as_ref().and_then(|overlay| document.with_overlay(overlay).ok());
        let origin = said.dot.map(|dot| self.origin(source.as_ref().unwrap_or(document), dot));
        Explained {
            key: said.key,
            overlay: said.overlay.map(|overlay| overlay.to_string()),
            value: said.value,
            shown: said.is_shown,
            version: said.dot.map(|dot| dot.to_string()).unwrap_or_default(),
            host: origin.as_ref().map(|origin| origin.host.clone()),
            author: origin.as_ref().map(|origin| origin.author.clone()),
            time: origin.map(|origin| origin.time),
        }
    }

    pub(super) fn read_file(&mut self, doc: &str, base: bool) -> Result<File, ApiError> {
        let what = format!("get {doc}");
        let address = parse(doc)?;
        let effective = self.shown_or_base(&what, &address.document, base)?;
        let heads = self.state_name(&what, &address.document, &effective)?;
        let file = effective.file().ok_or_else(|| not_found(&what, "there is no such document"))?;
        let loaded = self.documents.get(&address.document).map_err(|error| no_document(what.clone(), &error))?;
        let version = view::newest(&loaded.document).map(|dot| dot.to_string()).unwrap_or_default();
        Ok(File {
            doc: address.document.to_string(),
            format: file.format().name().into(),
            version,
            heads,
            executable: file.executable,
            conflicts: loaded.conflicts().len() as u64,
            bytes: file.bytes.clone(),
        })
    }

    /// The values of a document by key, for watchers, who saw what it showed before.
    pub(in crate::daemon::core) fn shown(
        &mut self,
        document: &DocumentId,
        before: Option<&view::Shown>,
    ) -> view::Shown {
        let effective = self.effective(document);
        let shown = effective.and_then(|effective| self.look(document, &effective, true, |view| view.shown(before)));
        shown.ok().flatten().unwrap_or_default()
    }
}

/// The path that a key leads to in what is shown.
fn find(what: &str, effective: &Effective, key: &[Step]) -> Result<Path, ApiError> {
    let file = effective.file().ok_or_else(|| not_found(what, "there is no such document"))?;
    match Lookup::new(&file.tree).find(key) {
        Found::Here(path) => Ok(path),
        Found::Absent(_) => Err(not_found(what, "there is no such key")),
        Found::NoSuchItem(why) => Err(not_found(what, why)),
    }
}
