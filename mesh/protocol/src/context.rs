//! What one call of the engine works with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use murmurate_crdt::id::NodeId;
use rand_core::Rng;

use crate::effect::{Class, Effect, Trouble};
use crate::message::{ENVELOPES_PER_MESSAGE, Message, PAGE_BYTES};

/// Signed envelopes' bytes.
type Envelopes = Vec<Arc<[u8]>>;

/// The arguments of one call, and the effects it has so far.
pub(crate) struct Context<'a> {
    pub(crate) now: Duration,
    rng: &'a mut dyn Rng,
    effects: Vec<Effect>,
    /// New changes for each peer, sent as few frames at the end of the call.
    pushes: BTreeMap<NodeId, Envelopes>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(now: Duration, rng: &'a mut dyn Rng) -> Self {
        Self { now, rng, effects: Vec::new(), pushes: BTreeMap::new() }
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn trouble(&mut self, trouble: Trouble) {
        self.effect(Effect::Trouble(trouble));
    }

    pub(crate) fn send(&mut self, peer: NodeId, class: Class, message: &Message) {
        self.effect(Effect::Send { peer, class, frame: message.encode() });
    }

    pub(crate) fn push(&mut self, peer: NodeId, envelope: Arc<[u8]>) {
        self.pushes.entry(peer).or_default().push(envelope);
    }

    /// The effects, the pushes among them. Peers that get the same changes share the frames' bytes.
    pub(crate) fn finish(mut self) -> Vec<Effect> {
        let mut frames: Option<(Envelopes, Vec<Arc<[u8]>>)> = None;
        for (peer, envelopes) in std::mem::take(&mut self.pushes) {
            let same = |sent: &[Arc<[u8]>]| sent.iter().map(Arc::as_ptr).eq(envelopes.iter().map(Arc::as_ptr));
            if !frames.as_ref().is_some_and(|(sent, _)| same(sent)) {
                let encoded = push_frames(&envelopes);
                frames = Some((envelopes, encoded));
            }
            for frame in frames.iter().flat_map(|(_, encoded)| encoded) {
                self.effects.push(Effect::Send { peer, class: Class::Push, frame: frame.clone() });
            }
        }
        self.effects
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

/// Cuts changes into frames of about a page.
fn push_frames(envelopes: &[Arc<[u8]>]) -> Vec<Arc<[u8]>> {
    let mut frames = Vec::new();
    let mut page = Envelopes::new();
    let mut page_bytes = 0;
    for envelope in envelopes {
        if !page.is_empty() && (page_bytes + envelope.len() > PAGE_BYTES || page.len() == ENVELOPES_PER_MESSAGE) {
            frames.push(Message::Changes { request: 0, envelopes: std::mem::take(&mut page) }.encode());
            page_bytes = 0;
        }
        page_bytes += envelope.len();
        page.push(envelope.clone());
    }
    if !page.is_empty() {
        frames.push(Message::Changes { request: 0, envelopes: page }.encode());
    }
    frames
}
