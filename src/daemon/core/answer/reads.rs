//! Reads over the API: from memory, never waiting for another host.

use std::ops::Bound;

use murmurate_client::types::{ApiError, Document, Documents, Entry, File, Keys, Time, V1};
use murmurate_crdt::id::DocumentId;
use murmurate_crdt::key::{Found, Lookup};

use super::{no_document, not_found, parse, states};
use crate::daemon::core::Core;
use crate::daemon::core::view::{self, FileView};
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
            let name = murmurate_crdt::key::percent_encoded(id.as_str());
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
        let after = after.map(|after| parse(&murmurate_crdt::key::percent_encoded(after))).transpose()?;
        let mut all = self.matching_after(prefix, after.as_ref().map(|after| &after.document));
        let is_last = all.len() <= PAGE_DOCUMENTS;
        all.truncate(PAGE_DOCUMENTS);
        let next = all.last().filter(|_| !is_last).map(DocumentId::to_string);
        let mut documents = Vec::new();
        for id in all {
            let what = format!("list {id}");
            let loaded = self.documents.get(&id).map_err(|error| no_document(what, &error))?;
            let rendered = loaded.rendered();
            let Some(file) = rendered.file() else { continue };
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
            let loaded = self.documents.get(&id).map_err(|error| no_document(what, &error))?;
            let rendered = loaded.rendered();
            let conflicts = loaded.conflicts();
            let Some(file) = rendered.file() else { continue };
            let view = FileView::new(&loaded.document, file, &conflicts);
            for entry in view.keys() {
                let address = format!("{}#{}", murmurate_crdt::key::percent_encoded(&entry.doc), entry.key);
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

    pub(super) fn get(&mut self, address: &str) -> Result<Entry, ApiError> {
        let what = format!("get {address}");
        let address = parse(address)?;
        let loaded = self.documents.get(&address.document).map_err(|error| no_document(what.clone(), &error))?;
        let rendered = loaded.rendered();
        let conflicts = loaded.conflicts();
        let file = rendered.file().ok_or_else(|| not_found(&what, "there is no such document"))?;
        let path = match Lookup::new(&file.tree).find(&address.key) {
            Found::Here(path) => path,
            Found::Absent(_) => return Err(not_found(&what, "there is no such key")),
            Found::NoSuchItem(why) => return Err(not_found(&what, why)),
        };
        let heads = states::name(&loaded.document, &rendered.heads);
        let view = FileView::new(&loaded.document, file, &conflicts);
        let entry = view.entry(&path).ok_or_else(|| not_found(&what, "it has no value"))?;
        let of_path = conflicts.iter().filter(|conflict| conflict.path == path);
        let values = of_path.flat_map(|conflict| &conflict.values).collect::<Vec<_>>();
        let origin = entry.dot.map(|dot| self.origin(&address.document, dot));
        let conflicts = values.into_iter().map(|value| self.conflict_value(&address.document, value)).collect();
        Ok(Entry {
            v: V1,
            doc: address.document.to_string(),
            key: view::key_of(&address),
            value: entry.value,
            version: entry.dot.map(|dot| dot.to_string()).unwrap_or_default(),
            host: origin.as_ref().map(|origin| origin.host.clone()),
            author: origin.as_ref().map(|origin| origin.author.clone()),
            time: origin.map(|origin| origin.time),
            conflicts,
            heads,
        })
    }

    pub(super) fn read_file(&mut self, doc: &str) -> Result<File, ApiError> {
        let what = format!("get {doc}");
        let address = parse(doc)?;
        let loaded = self.documents.get(&address.document).map_err(|error| no_document(what.clone(), &error))?;
        let rendered = loaded.rendered();
        let file = rendered.file().ok_or_else(|| not_found(&what, "there is no such document"))?;
        let version = view::newest(&loaded.document).map(|dot| dot.to_string()).unwrap_or_default();
        Ok(File {
            doc: address.document.to_string(),
            format: file.format().name().into(),
            version,
            heads: states::name(&loaded.document, &rendered.heads),
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
        let Ok(loaded) = self.documents.get(document) else { return view::Shown::default() };
        let rendered = loaded.rendered();
        let conflicts = loaded.conflicts();
        let Some(file) = rendered.file() else { return view::Shown::default() };
        FileView::new(&loaded.document, file, &conflicts).shown(before)
    }
}
