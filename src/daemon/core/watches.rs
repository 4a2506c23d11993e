//! Those who watch keys: what each is told when a document changed.
//!
//! A watcher is told of states, not of operations: between two flushes several changes of a key are one event. What a
//! document showed before is kept from just before its first change in a turn, and only while somebody watches; what its
//! watchers were told last is that, too.

use std::collections::{BTreeMap, BTreeSet};

use murmurate_client::types::{ApiError, ErrorCode, Event, EventKind, TypedValue, V1};
use murmurate_crdt::clock::Dot;
use murmurate_crdt::document::Heads;
use murmurate_crdt::id::DocumentId;
use murmurate_crdt::overlay::Overlay;
use tokio::sync::mpsc;

use super::Core;
use super::limits::{RESUMED_CHANGES, TOLD_DOCUMENTS, WATCHES};
use super::view::{Shown, ShownKey};
use crate::daemon::request::Watcher;

struct Watch {
    prefix: String,
    watcher: Watcher,
    /// The position of the last event it got.
    last: String,
}

/// All watches.
#[derive(Default)]
pub(super) struct Watches {
    watches: Vec<Watch>,
    /// What the documents of this turn showed before it.
    before: BTreeMap<DocumentId, Shown>,
    /// What watchers were told last of the documents that changed lately.
    told: BTreeMap<DocumentId, Shown>,
}

impl Watches {
    /// How many there are.
    pub(super) fn open(&self) -> usize {
        self.watches.len()
    }

    fn remember_told(&mut self, document: &DocumentId, shown: Shown) {
        if self.told.len() >= TOLD_DOCUMENTS {
            self.told.clear();
        }
        self.told.insert(document.clone(), shown);
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.watches.len()
    }

    /// The most events that one of them waits to read.
    pub(super) fn most_waiting(&self) -> usize {
        self.watches.iter().map(|watch| watch.watcher.waiting()).max().unwrap_or(0)
    }

    /// Whether anybody watches keys of the document.
    fn concern(&self, document: &DocumentId) -> bool {
        if self.watches.is_empty() {
            return false;
        }
        let keys = format!("{document}#");
        self.watches.iter().any(|watch| keys.starts_with(&watch.prefix) || watch.prefix.starts_with(&keys))
    }
}

/// One difference between what was shown and what is.
struct Difference {
    kind: EventKind,
    key: String,
    value: Option<TypedValue>,
    dot: Option<Dot>,
    overlay: Option<Overlay>,
}

impl Core {
    /// Remembers what a document shows, before it changes; of an overlay also what the file shows that it is over.
    pub(super) fn tell_watchers_before(&mut self, document: &DocumentId) {
        if let Some(file) = self.file_with(document) {
            self.remember_shown(&file);
        }
        self.remember_shown(document);
    }

    fn remember_shown(&mut self, document: &DocumentId) {
        if self.watches.before.contains_key(document) {
            return;
        }
        let told = self.watches.told.remove(document);
        if self.watches.concern(document) {
            let shown = told.unwrap_or_else(|| self.shown(document, None));
            self.watches.before.insert(document.clone(), shown);
        }
    }

    /// Tells the watchers of a document what is different now.
    pub(super) fn tell_watchers(&mut self, document: &DocumentId) {
        let Some(before) = self.watches.before.remove(document) else { return };
        if self.watches.watches.is_empty() {
            return;
        }
        let now = self.shown(document, Some(&before));
        let position = self.position();
        for difference in differences(&before, &now) {
            let event = self.event(document, difference, &position);
            self.offer(&event);
        }
        self.watches.remember_told(document, now);
    }

    /// This store's position in its own order of changes: what a watch can resume from.
    pub(super) fn position(&self) -> String {
        let index = self.store.last_apply_index().unwrap_or(0);
        format!("{}-{index}", self.store.store_id())
    }

    fn event(&mut self, document: &DocumentId, difference: Difference, position: &str) -> Event {
        let source = difference.overlay.as_ref().and_then(|overlay| document.with_overlay(overlay).ok());
        let origin = difference.dot.map(|dot| self.origin(source.as_ref().unwrap_or(document), dot));
        Event {
            v: V1,
            kind: difference.kind,
            doc: document.to_string(),
            key: difference.key,
            value: difference.value,
            host: origin.as_ref().map(|origin| origin.host.clone()),
            author: origin.as_ref().map(|origin| origin.author.clone()),
            time: origin.map(|origin| origin.time),
            version: difference.dot.map(|dot| dot.to_string()),
            resume: position.into(),
        }
    }

    pub(super) fn offer(&mut self, event: &Event) {
        let address = address(event);
        self.watches.watches.retain_mut(|watch| {
            if !address.starts_with(&watch.prefix) {
                return !watch.watcher.is_closed();
            }
            let goes_on = watch.watcher.offer(event.clone(), &watch.last);
            watch.last.clone_from(&event.resume);
            self.counted.watches_reset += u64::from(!goes_on && !watch.watcher.is_closed());
            goes_on
        });
    }

    /// Starts a watch: with what is there, or with what came since its resume token.
    pub(super) fn watch(
        &mut self,
        prefix: &str,
        resume: Option<&str>,
        init: bool,
    ) -> Result<mpsc::Receiver<Event>, ApiError> {
        self.watches.watches.retain(|watch| !watch.watcher.is_closed());
        if self.watches.watches.len() >= WATCHES {
            let why = format!("{WATCHES} watches are open");
            return Err(ApiError::new(ErrorCode::Busy, format!("watch {prefix}"), why, "end some of them"));
        }
        let (watcher, receiver) = Watcher::new();
        let position = self.position();
        let first = match resume {
            Some(token) => self.events_since(prefix, token, &position),
            None if init => self.present(prefix, &position),
            None => Vec::new(),
        };
        let mut goes_on = true;
        for event in first {
            goes_on = goes_on && watcher.offer(event, &position);
        }
        if goes_on {
            self.watches.watches.push(Watch { prefix: prefix.into(), watcher, last: position });
        }
        Ok(receiver)
    }

    fn present(&mut self, prefix: &str, position: &str) -> Vec<Event> {
        let mut events = Vec::new();
        for document in self.matching(prefix) {
            for (key, shown) in self.shown(&document, None).keys {
                let event = self.event(&document, put(EventKind::Init, &key, &shown), position);
                if address(&event).starts_with(prefix) {
                    events.push(event);
                }
            }
        }
        events
    }

    /// What a resumed watch has to be told: the present state of every key of each document that changed since, or a
    /// reset where that can't be said.
    fn events_since(&mut self, prefix: &str, token: &str, position: &str) -> Vec<Event> {
        let reset = || vec![Event::reset(position.into())];
        let Some((store, index)) = token.rsplit_once('-') else { return reset() };
        let Ok(index) = index.parse::<u64>() else { return reset() };
        let last = self.store.last_apply_index().unwrap_or(0);
        if store != self.store.store_id().to_string() || index > last {
            return reset();
        }
        let Ok(applied) = self.store.applied_since(index, RESUMED_CHANGES) else { return reset() };
        if applied.len() == RESUMED_CHANGES {
            return reset();
        }
        let mut since: BTreeMap<DocumentId, Vec<Dot>> = BTreeMap::new();
        applied.into_iter().for_each(|applied| since.entry(applied.document).or_default().push(applied.dot));
        let files: Vec<DocumentId> = since.keys().filter_map(|document| self.file_with(document)).collect();
        let documents: BTreeSet<DocumentId> = since.keys().cloned().chain(files).collect();
        let mut events = Vec::new();
        for document in documents {
            let before = self.shown_before(&document, &since).unwrap_or_default();
            let now = self.shown(&document, Some(&before));
            for difference in differences(&before, &now) {
                let event = self.event(&document, difference, position);
                if address(&event).starts_with(prefix) {
                    events.push(event);
                }
            }
        }
        events
    }

    /// What a document showed before some changes to it and to the overlays over it.
    fn shown_before(&mut self, document: &DocumentId, since: &BTreeMap<DocumentId, Vec<Dot>>) -> Option<Shown> {
        let heads = self.heads_before(document, since)?;
        let mut overlays = Vec::new();
        let over = if document.is_overlay() { Vec::new() } else { self.own_overlays(document) };
        for (overlay, id) in over {
            let heads = self.heads_before(&id, since)?;
            if !heads.is_empty() {
                overlays.push((overlay, heads));
            }
        }
        let effective = self.effective_at(document, &heads, &overlays).ok()?;
        self.look(document, &effective, false, |view| view.shown(None)).ok()?
    }

    /// The heads of a document before some changes: the changes that they build on and that aren't among them.
    fn heads_before(&mut self, document: &DocumentId, since: &BTreeMap<DocumentId, Vec<Dot>>) -> Option<Heads> {
        let loaded = self.documents.get(document).ok()?;
        let history = loaded.document.history();
        let dots = since.get(document).map_or(&[][..], Vec::as_slice);
        let records = dots.iter().filter_map(|dot| history.record(*dot));
        let new: BTreeSet<_> = records.clone().map(|record| record.hash).collect();
        let tips = loaded.document.heads();
        let below = records.flat_map(|record| &record.dependencies).chain(&tips).copied();
        let heads: BTreeSet<_> = below.filter(|hash| !new.contains(hash)).collect();
        Some(heads.into_iter().collect())
    }
}

fn address(event: &Event) -> String {
    format!("{}#{}", event.doc, event.key)
}

fn put(kind: EventKind, key: &str, shown: &ShownKey) -> Difference {
    Difference {
        kind,
        key: key.into(),
        value: Some(shown.value.clone()),
        dot: shown.dot,
        overlay: shown.overlay.clone(),
    }
}

fn gone(kind: EventKind, key: &str) -> Difference {
    Difference { kind, key: key.into(), value: None, dot: None, overlay: None }
}

/// What happened between two states of a document, in the order of the keys.
fn differences(before: &Shown, now: &Shown) -> Vec<Difference> {
    let mut found = Vec::new();
    for (key, shown) in &now.keys {
        let old = before.keys.get(key);
        let is_same = |old: &ShownKey| old.value == shown.value && old.dot == shown.dot && old.overlay == shown.overlay;
        if !old.is_some_and(is_same) {
            found.push(put(EventKind::Put, key, shown));
        }
        let conflicts_before = old.map_or(0, |old| old.conflicts);
        if shown.conflicts > conflicts_before {
            found.push(put(EventKind::Conflict, key, shown));
        } else if shown.conflicts == 0 && conflicts_before > 0 {
            found.push(put(EventKind::Resolved, key, shown));
        }
    }
    for (key, old) in before.keys.iter().filter(|(key, _)| !now.keys.contains_key(*key)) {
        found.push(gone(EventKind::Delete, key));
        if old.conflicts > 0 {
            found.push(gone(EventKind::Resolved, key));
        }
    }
    found
}
