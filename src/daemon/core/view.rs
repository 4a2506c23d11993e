//! How documents look from outside: keys with values, versions, and the shapes of the local API.

use std::collections::{BTreeMap, BTreeSet};

use murmurate_client::types::{self, Time, TypedValue, ValueType};
use murmurate_crdt::clock::Dot;
use murmurate_crdt::conflict::{self, Conflict, Kind, Subject};
use murmurate_crdt::document::Document;
use murmurate_crdt::id::DocumentId;
use murmurate_crdt::key::{Address, Lookup};
use murmurate_crdt::path::Path;
use murmurate_crdt::register::{EpochId, Part, Register};
use murmurate_crdt::render::Content;
use murmurate_crdt::tree::{self, Node};
use murmurate_crdt::value::Value;

use super::Core;

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

/// A value with its version.
pub(super) struct EntryView {
    pub(super) value: TypedValue,
    pub(super) dot: Option<Dot>,
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
    pub(super) conflicts: usize,
}

impl ShownKey {
    /// Whether the node is this key as the same change left it: then it has the same value, which needn't be read again.
    fn is_of(&self, node: &Node, dot: Option<Dot>) -> bool {
        let is_text = matches!(&node.content, tree::Content::Scalar(text) if *text == self.value.text);
        is_text && dot.is_some() && dot == self.dot
    }
}

/// One file, ready to be looked at.
pub(super) struct FileView<'a> {
    document: &'a Document,
    file: &'a Content,
    lookup: Lookup<'a>,
    conflicted: BTreeMap<&'a Path, usize>,
}

impl<'a> FileView<'a> {
    pub(super) fn new(document: &'a Document, file: &'a Content, conflicts: &'a [Conflict]) -> Self {
        let mut conflicted = BTreeMap::new();
        for conflict in conflicts {
            *conflicted.entry(&conflict.path).or_insert(0) += conflict.values.len();
        }
        Self { document, file, lookup: Lookup::new(&file.tree), conflicted }
    }

    /// The key of a path, as users write it.
    pub(super) fn key(&self, path: &Path) -> String {
        self.lookup.format(path)
    }

    pub(super) fn keys(&self) -> Vec<types::Key> {
        values(self.file)
            .filter_map(|node| {
                let value = self.scalar(node)?;
                let dot = dot_at(self.document, &self.file.epoch, &node.path);
                Some(types::Key {
                    doc: self.document.id().to_string(),
                    key: self.key(&node.path),
                    value,
                    version: dot.map(|dot| dot.to_string()).unwrap_or_default(),
                    conflict: self.conflicted.contains_key(&node.path),
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
            return Some(EntryView { value, dot: dot_at(self.document, &self.file.epoch, path) });
        }
        let meaning = self.file.meaning_at(path)?;
        let below: BTreeSet<Dot> = values(self.file)
            .filter(|node| node.path.starts_with(path))
            .filter_map(|node| dot_at(self.document, &self.file.epoch, &node.path))
            .collect();
        let history = self.document.history();
        let dot = below.into_iter().max_by_key(|dot| history.record(*dot).map(|record| (record.max_op, dot.writer)));
        let text = meaning.to_json().to_string();
        Some(EntryView { value: typed(&meaning, &text), dot })
    }

    /// Every value, by its key.
    pub(super) fn values_by_key(&self) -> BTreeMap<String, TypedValue> {
        values(self.file).filter_map(|node| Some((self.key(&node.path), self.scalar(node)?))).collect()
    }

    /// What a watcher would see now. Values that it saw before are taken from there.
    pub(super) fn shown(&self, before: Option<&Shown>) -> Shown {
        let keys = values(self.file).filter_map(|node| {
            let key = self.key(&node.path);
            let dot = dot_at(self.document, &self.file.epoch, &node.path);
            let known = before.and_then(|before| before.keys.get(&key)).filter(|known| known.is_of(node, dot));
            let value = known.map_or_else(|| self.scalar(node), |known| Some(known.value.clone()))?;
            let conflicts = self.conflicted.get(&node.path).copied().unwrap_or(0);
            Some((key, ShownKey { value, dot, conflicts }))
        });
        Shown { keys: keys.collect() }
    }
}
