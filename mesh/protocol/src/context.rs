//! What one call of the engine works with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use murmurate_crdt::id::NodeId;
use rand_core::Rng;

use crate::counts::Counts;
use crate::effect::{Class, Effect, Trouble};
use crate::message::{
    ENVELOPES_PER_MESSAGE, Message, PAGE_BYTES, RUMOURS_PER_MESSAGE, Rumour, STATEMENTS_PER_MESSAGE, TREES_PER_MESSAGE,
};

/// Signed envelopes' or statements' bytes.
type Items = Vec<Arc<[u8]>>;
/// Messages, and their frames.
type Encoded = Vec<(Arc<[u8]>, Message)>;

/// The arguments of one call, and the effects it has so far.
pub(crate) struct Context<'a> {
    pub(crate) now: Duration,
    rng: &'a mut dyn Rng,
    effects: Vec<Effect>,
    /// What was counted, this call included.
    pub(crate) counts: Counts,
    /// New changes for each peer, sent as few frames at the end of the call.
    pushes: BTreeMap<(Class, NodeId), Items>,
    /// The same of new statements.
    statements: BTreeMap<(Class, NodeId), Items>,
    /// The trees that peers are to prune.
    prunes: BTreeMap<NodeId, BTreeSet<NodeId>>,
    /// Rumours for each peer.
    rumours: BTreeMap<NodeId, Vec<Rumour>>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(now: Duration, rng: &'a mut dyn Rng, counts: Counts) -> Self {
        let (pushes, statements, prunes) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { now, rng, effects: Vec::new(), counts, pushes, statements, prunes, rumours: BTreeMap::new() }
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn trouble(&mut self, trouble: Trouble) {
        self.effect(Effect::Trouble(trouble));
    }

    pub(crate) fn send(&mut self, peer: NodeId, class: Class, message: &Message) {
        self.counts.sent(message);
        self.effect(Effect::Send { peer, class, frame: message.encode() });
    }

    pub(crate) fn push(&mut self, peer: NodeId, class: Class, envelope: Arc<[u8]>) {
        self.pushes.entry((class, peer)).or_default().push(envelope);
    }

    pub(crate) fn push_statement(&mut self, peer: NodeId, statement: Arc<[u8]>) {
        self.statements.entry((Class::Control, peer)).or_default().push(statement);
    }

    /// Asks a peer to push no more by a tree.
    pub(crate) fn prune(&mut self, peer: NodeId, tree: NodeId) {
        self.prunes.entry(peer).or_default().insert(tree);
    }

    /// Tells a peer a rumour.
    pub(crate) fn rumour(&mut self, peer: NodeId, rumour: Rumour) {
        self.rumours.entry(peer).or_default().push(rumour);
    }

    /// The effects, the pushes among them, and what was counted.
    pub(crate) fn finish(mut self) -> (Vec<Effect>, Counts) {
        let statements = std::mem::take(&mut self.statements);
        self.send_pushes(statements, STATEMENTS_PER_MESSAGE, |statements| Message::Statements {
            next: None,
            statements,
        });
        let pushes = std::mem::take(&mut self.pushes);
        self.send_pushes(pushes, ENVELOPES_PER_MESSAGE, |envelopes| Message::Changes { request: 0, envelopes });
        for (peer, rumours) in std::mem::take(&mut self.rumours) {
            for rumours in rumours.chunks(RUMOURS_PER_MESSAGE) {
                self.send(peer, Class::Control, &Message::Rumours { rumours: rumours.to_vec() });
            }
        }
        for (peer, trees) in std::mem::take(&mut self.prunes) {
            let trees = trees.into_iter().take(TREES_PER_MESSAGE).collect();
            self.send(peer, Class::Control, &Message::Prune { trees });
        }
        (self.effects, self.counts)
    }

    /// Peers that get the same share the frames' bytes.
    fn send_pushes(&mut self, pushes: BTreeMap<(Class, NodeId), Items>, limit: usize, message: fn(Items) -> Message) {
        let mut frames: Option<(Items, Encoded)> = None;
        for ((class, peer), items) in pushes {
            let same = |sent: &[Arc<[u8]>]| sent.iter().map(Arc::as_ptr).eq(items.iter().map(Arc::as_ptr));
            if !frames.as_ref().is_some_and(|(sent, _)| same(sent)) {
                let messages = pages(&items, limit).into_iter().map(message);
                let encoded = messages.map(|message| (message.encode(), message)).collect();
                frames = Some((items, encoded));
            }
            for (frame, message) in frames.iter().flat_map(|(_, encoded)| encoded) {
                self.counts.sent(message);
                self.effects.push(Effect::Send { peer, class, frame: frame.clone() });
            }
        }
    }

    /// An even choice below `bound`, which isn't 0. The bias of the remainder is below 2^-40 for the bounds used here.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }

    /// A time from `least` to below `most` from now.
    pub(crate) fn within(&mut self, least: Duration, most: Duration) -> Duration {
        let span_us = u64::try_from((most - least).as_micros()).unwrap_or(u64::MAX).max(1);
        self.now + least + Duration::from_micros(self.below(span_us))
    }
}

/// Cuts items into pages.
fn pages(items: &[Arc<[u8]>], limit: usize) -> Vec<Items> {
    let mut pages = Vec::new();
    let mut page = Items::new();
    let mut page_bytes = 0;
    for item in items {
        if !page.is_empty() && (page_bytes + item.len() > PAGE_BYTES || page.len() == limit) {
            pages.push(std::mem::take(&mut page));
            page_bytes = 0;
        }
        page_bytes += item.len();
        page.push(item.clone());
    }
    if !page.is_empty() {
        pages.push(page);
    }
    pages
}
