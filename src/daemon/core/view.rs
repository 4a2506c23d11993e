//! How documents look from outside: keys with values, versions, and the shapes of the local API.

use std::collections::{BTreeMap, BTreeSet};

use murmurate_client::types::{self, Time, TypedValue, ValueType};
use murmurate_crdt::clock::Dot;
use murmurate_crdt::conflict::{self, Conflict, Kind, Subject};
use murmurate_crdt::document::Document;
use murmurate_crdt::id::DocumentId;
use murmurate_crdt::key::{Address, Lookup};
use murmurate_crdt::overlay::{Composed, Overlay, Source};
use murmurate_crdt::path::{Path, Segment};
use murmurate_crdt::register::{EpochId, Part, Register};
use murmurate_crdt::render::Content;
use murmurate_crdt::tree::{self, Node};
use murmurate_crdt::value::Value;

use super::Core;
use super::overlays::Effective;

/// Longest text of a whole file that a conflict shows; the rest is named by its length.
const SHOWN_BYTES: usize = 4_096;

/// Who wrote something, where and when.
pub(super) struct Origin {
    pub(super) host: String,
    pub(super) author: String,
    pub(super) time: Time,
}

impl Core {
    pub(super) fn host_name(&self, actor: murmurate_crdt::id::ActorId) -> String {
        let Some(node) = self.authors.get(&actor) else { return actor.to_string() };
        if *node == self.identity.node {
            return self.identity.name.clone();
        }
        self.engine.roster().name(*node).map_or_else(|| node.to_string(), String::from)
    }

    pub(super) fn origin(&mut self, document: &DocumentId, dot: Dot) -> Origin {
        let host = self.host_name(dot.writer.actor);
        let record = self.documents.get(document).ok().and_then(|loaded| loaded.document.history().record(dot));
        let (time_ms, user) = record.map(|record| (record.time_ms, record.user.clone())).unwrap_or_default();
        let author = if user.is_empty() { host.clone() } else { user };
        Origin { host, author, time: Time::from_ms(time_ms) }
    }

    pub(super) fn conflict_value(
        &mut self,
        document: &DocumentId,
        value: &conflict::ConflictValue,
    ) -> types::ConflictValue {
        let origin = self.origin(document, value.dot);
        types::ConflictValue {
            value: conflict_typed(value),
            host: origin.host,
            author: origin.author,
            time: origin.time,
            version: value.dot.to_string(),
        }
    }

    pub(super) fn conflict(&mut self, document: &DocumentId, key: String, conflict: &Conflict) -> types::Conflict {
        let values: Vec<_> = conflict.values.iter().map(|value| self.conflict_value(document, value)).collect();
        types::Conflict {
            doc: document.to_string(),
            key,
            part: part(conflict.subject),
            kind: kind(conflict),
            winner: values.first().map(|value| value.value.value.clone()).unwrap_or_default(),
            values,
        }
    }
}

pub(super) fn part(subject: Subject) -> types::ConflictPart {
    match subject {
        Subject::Value => types::ConflictPart::Value,
        Subject::Comment => types::ConflictPart::Comment,
        Subject::File => types::ConflictPart::File,
    }
}

fn kind(conflict: &Conflict) -> types::ConflictKind {
    match (conflict.kind, conflict.subject) {
        (Kind::Concurrent, Subject::File) => types::ConflictKind::Replaced,
        (Kind::Concurrent, _) => types::ConflictKind::Concurrent,
        (Kind::Deleted, _) => types::ConflictKind::Deleted,
        (Kind::Shape, _) => types::ConflictKind::Shape,
        (Kind::Unrenderable, _) => types::ConflictKind::Invalid,
    }
}

fn conflict_typed(value: &conflict::ConflictValue) -> TypedValue {
    let Some(text) = &value.text else { return TypedValue::deleted() };
    let shown = if text.len() > SHOWN_BYTES {
        format!("{}… ({} bytes)", &text[..text.floor_char_boundary(SHOWN_BYTES)], text.len())
    } else {
        text.clone()
    };
    match &value.value {
        Some(value) => typed(value, &shown),
        None => TypedValue { value: shown.clone().into(), kind: ValueType::String, text: shown },
    }
}

/// A value in the API's shape.
pub(super) fn typed(value: &Value, text: &str) -> TypedValue {
    let kind = value.type_name().parse().unwrap_or(ValueType::Unknown);
    // A key without a value is written as nothing.
    TypedValue { value: value.to_json(), kind, text: text.trim_matches(tree::INDENT).into() }
}

/// The key of an address, as it is shown.
pub(super) fn key_of(address: &Address) -> String {
    address.to_string().split_once('#').map(|(_, key)| key.to_string()).unwrap_or_default()
}

/// The key of a path of an overlay, as it is addressed there.
pub(super) fn plain_key(effective: &Effective, overlay: &Overlay, path: &Path) -> String {
    let layer = effective.layers().find(|layer| layer.overlay == *overlay);
    let content = layer.and_then(|layer| layer.rendered.file());
    content.map(|content| Lookup::new(&content.tree).format(path)).unwrap_or_default()
}

/// The newest change of a document, as the merge orders them.
pub(super) fn newest(document: &Document) -> Option<Dot> {
    let history = document.history();
    let dots = document.heads().into_iter().filter_map(|head| history.dot(&head));
    dots.max_by_key(|dot| history.record(*dot).map(|record| (record.max_op, dot.writer)))
}

/// The change that wrote the value at a path.
pub(super) fn dot_at(document: &Document, epoch: &EpochId, path: &Path) -> Option<Dot> {
    let register = Register::Fragment { epoch: epoch.clone(), path: path.clone(), part: Part::Content };
    let winner = document.state().get(&register)?.winner()?;
    document.history().dot_of(winner.operation)
}

/// The nodes with a value.
pub(super) fn values(file: &Content) -> impl Iterator<Item = &Node> {
    let mut nodes = Vec::new();
    file.tree.root.walk(&mut |node| {
        if matches!(node.content, tree::Content::Scalar(_) | tree::Content::Bytes(_)) {
            nodes.push(node);
        }
    });
    nodes.into_iter()
}

/// A value with its version, and the overlay that it comes from.
pub(super) struct EntryView {
    pub(super) value: TypedValue,
    pub(super) dot: Option<Dot>,
    pub(super) overlay: Option<Overlay>,
}

/// What one document says of a key.
pub(super) struct ExplainedView {
    pub(super) key: String,
    pub(super) value: TypedValue,
    pub(super) dot: Option<Dot>,
    pub(super) overlay: Option<Overlay>,
    pub(super) is_shown: bool,
}

/// What watchers last saw of a document: by key its text, version, and whether it has a conflict.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Shown {
    pub(super) keys: BTreeMap<String, ShownKey>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ShownKey {
    pub(super) value: TypedValue,
    pub(super) dot: Option<Dot>,
    pub(super) overlay: Option<Overlay>,
    pub(super) conflicts: usize,
}

impl ShownKey {
    /// Whether the node is this key as the same change left it: then it has the same value, which needn't be read again.
    fn is_of(&self, node: &Node, origin: &Where) -> bool {
        let is_text = matches!(&node.content, tree::Content::Scalar(text) if *text == self.value.text);
        is_text && origin.dot.is_some() && origin.dot == self.dot && origin.overlay == self.overlay
    }
}

/// Which change wrote a value, and to which overlay.
#[derive(Debug, Clone, PartialEq)]
struct Where {
    dot: Option<Dot>,
    overlay: Option<Overlay>,
    conflicts: usize,
}

/// A document that a file is made of.
struct PartView<'a> {
    document: &'a Document,
    content: Option<&'a Content>,
    conflicted: BTreeMap<&'a Path, usize>,
}

impl<'a> PartView<'a> {
    fn new(document: &'a Document, content: Option<&'a Content>, conflicts: &'a [Conflict]) -> Self {
        let mut conflicted = BTreeMap::new();
        for conflict in conflicts {
            *conflicted.entry(&conflict.path).or_insert(0) += conflict.values.len();
        }
        Self { document, content, conflicted }
    }

    /// The change that wrote what stands at a path, or the list that it stands in.
    fn dot(&self, path: &Path) -> Option<Dot> {
        let epoch = &self.content?.epoch;
        let own = dot_at(self.document, epoch, path);
        own.or_else(|| self.dot(&path.parent().filter(|_| matches!(path.last(), Some(Segment::Item(_))))?))
    }
}

/// One file, ready to be looked at.
pub(super) struct FileView<'a> {
    /// The document, then the overlays over it.
    parts: Vec<PartView<'a>>,
    composed: Option<&'a Composed>,
    file: &'a Content,
    lookup: Lookup<'a>,
}

impl<'a> FileView<'a> {
    /// A document alone.
    pub(super) fn new(document: &'a Document, file: &'a Content, conflicts: &'a [Conflict]) -> Self {
        Self::composed(vec![(document, conflicts)], file, None)
    }

    /// A file with the documents that it is made of.
    pub(super) fn composed(
        documents: Vec<(&'a Document, &'a [Conflict])>,
        file: &'a Content,
        composed: Option<&'a Composed>,
    ) -> Self {
        let layers = composed.into_iter().flat_map(|composed| composed.layers().map(|layer| layer.rendered.file()));
        let contents = std::iter::once(Some(file)).chain(layers);
        let parts = documents.into_iter().zip(contents);
        let parts = parts.map(|((document, conflicts), content)| PartView::new(document, content, conflicts));
        Self { parts: parts.collect(), composed, file, lookup: Lookup::new(&file.tree) }
    }

    /// Where what stands at a path comes from.
    fn origin(&self, path: &Path) -> Where {
        let source =
            self.composed.map_or_else(|| Source { layer: None, path: path.clone() }, |composed| composed.source(path));
        let part = self.parts.get(source.layer.map_or(0, |layer| layer + 1));
        Where {
            dot: part.and_then(|part| part.dot(&source.path)),
            overlay: source.layer.and_then(|layer| self.overlay(layer)),
            conflicts: part.and_then(|part| part.conflicted.get(&source.path)).copied().unwrap_or(0),
        }
    }

    fn overlay(&self, layer: usize) -> Option<Overlay> {
        Some(self.composed?.layers().nth(layer)?.overlay.clone())
    }

    /// The key of a path, as users write it.
    pub(super) fn key(&self, path: &Path) -> String {
        self.lookup.format(path)
    }

    pub(super) fn keys(&self) -> Vec<types::Key> {
        values(self.file)
            .filter_map(|node| {
                let value = self.scalar(node)?;
                let Where { dot, overlay, conflicts } = self.origin(&node.path);
                Some(types::Key {
                    doc: self.doc(),
                    key: self.key(&node.path),
                    value,
                    version: dot.map(|dot| dot.to_string()).unwrap_or_default(),
                    conflict: conflicts > 0,
                    overlay: overlay.map(|overlay| overlay.to_string()),
                })
            })
            .collect()
    }

    fn scalar(&self, node: &Node) -> Option<TypedValue> {
        match &node.content {
            tree::Content::Scalar(text) => Some(typed(&self.file.scalar(text)?, text)),
            tree::Content::Bytes(bytes) => Some(typed(&Value::Bytes(bytes.clone()), "")),
            _ => None,
        }
    }

    /// The value at a path: a scalar, or a table or list with all in it.
    pub(super) fn entry(&self, path: &Path) -> Option<EntryView> {
        if let Some(value) = self.lookup.node(path).and_then(|node| self.scalar(node)) {
            let Where { dot, overlay, .. } = self.origin(path);
            return Some(EntryView { value, dot, overlay });
        }
        let meaning = self.file.meaning_at(path)?;
        let below = values(self.file).filter(|node| node.path.starts_with(path)).map(|node| self.origin(&node.path));
        // Of several documents that of the uppermost: their versions can't be compared.
        let newest = below.max_by_key(|origin| self.age(origin));
        let text = meaning.to_json().to_string();
        let (dot, overlay) = newest.map_or((None, None), |origin| (origin.dot, origin.overlay));
        Some(EntryView { value: typed(&meaning, &text), dot, overlay })
    }

    fn age(&self, origin: &Where) -> Option<(usize, u64, murmurate_crdt::id::Writer)> {
        let is_of = |layer: &murmurate_crdt::overlay::Layer| Some(&layer.overlay) == origin.overlay.as_ref();
        let layer = self.composed.and_then(|composed| composed.layers().position(is_of));
        let number = layer.map_or(0, |layer| layer + 1);
        let dot = origin.dot?;
        let record = self.parts.get(number)?.document.history().record(dot)?;
        Some((number, record.max_op, dot.writer))
    }

    fn doc(&self) -> String {
        self.parts.first().map(|part| part.document.id().to_string()).unwrap_or_default()
    }

    /// What each document that the file is made of says at a path and below it, in the order of the keys, the documents in
    /// theirs.
    pub(super) fn explained(&self, at: &Path) -> Vec<ExplainedView> {
        let mut paths: BTreeSet<Path> = values(self.file).map(|node| node.path.clone()).collect();
        paths.extend(self.composed.iter().flat_map(|composed| composed.taken_away()).map(|(_, path)| path.clone()));
        let mut all = Vec::new();
        for path in paths.iter().filter(|path| path.starts_with(at)) {
            let said = (0..self.parts.len()).filter_map(|number| self.said(number, path));
            let before = all.len();
            all.extend(said);
            if all.len() > before
                && let Some(last) = all.last_mut()
            {
                last.is_shown = true;
            }
        }
        all
    }

    /// What one of the documents says at a path.
    fn said(&self, number: usize, path: &Path) -> Option<ExplainedView> {
        let part = self.parts.get(number)?;
        let (content, own) = match (number.checked_sub(1), self.composed) {
            (None, Some(composed)) => (composed.base().file()?, path.clone()),
            (None, None) => (self.file, path.clone()),
            (Some(layer), composed) => (part.content?, composed?.path_in(layer, path)?),
        };
        let node = content.tree.root.find(&own);
        let text = node.and_then(|node| match &node.content {
            tree::Content::Scalar(text) => Some(typed(&content.scalar(text)?, text)),
            _ => None,
        });
        let meaning = || content.meaning_at(&own).map(|value| typed(&value, &value.to_json().to_string()));
        let hidden = || content.hides.contains(&own).then(TypedValue::deleted);
        let value = text.or_else(meaning).or_else(hidden)?;
        let dot = part.dot(&own);
        let overlay = number.checked_sub(1).and_then(|layer| self.overlay(layer));
        // A table in the document may lie below what an overlay takes away as a whole.
        let key = match self.composed {
            Some(composed) if self.lookup.node(path).is_none() => {
                Lookup::new(&composed.base().file()?.tree).format(path)
            }
            _ => self.key(path),
        };
        Some(ExplainedView { key, value, dot, overlay, is_shown: false })
    }

    /// Every value, by its key.
    pub(super) fn values_by_key(&self) -> BTreeMap<String, TypedValue> {
        values(self.file).filter_map(|node| Some((self.key(&node.path), self.scalar(node)?))).collect()
    }

    /// What a watcher would see now. Values that it saw before are taken from there.
    pub(super) fn shown(&self, before: Option<&Shown>) -> Shown {
        let keys = values(self.file).filter_map(|node| {
            let key = self.key(&node.path);
            let origin = self.origin(&node.path);
            let known = before.and_then(|before| before.keys.get(&key)).filter(|known| known.is_of(node, &origin));
            let value = known.map_or_else(|| self.scalar(node), |known| Some(known.value.clone()))?;
            let Where { dot, overlay, conflicts } = origin;
            Some((key, ShownKey { value, dot, overlay, conflicts }))
        });
        Shown { keys: keys.collect() }
    }
}
