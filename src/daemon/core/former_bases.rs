//! Finds what an edit began from when that isn't remembered any more: in the document's own history.
//!
//! Of a file's former contents only the last few outlive a restart. Were a later one taken as the ground of the edit, all
//! that changed in between would look as if the editor had changed it back. What this host showed is what a beginning of
//! its stored changes renders, or what one change alone renders: a save that was taken in.

use std::collections::BTreeSet;

use murmurate_crdt::change;
use murmurate_crdt::clock::VersionVector;
use murmurate_crdt::document::Heads;
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::DocumentId;
use murmurate_crdt::overlay::Overlay;

use super::Core;
use super::folders::Base;
use crate::daemon::files::ContentHash;

/// Changes that are gone back over. Each costs up to two renders, while the core does nothing else.
const SEARCHED_CHANGES: usize = 128;

impl Core {
    /// The newest state of the document that rendered as a file with this hash.
    pub(super) fn find_former_base(&mut self, document: &DocumentId, hash: ContentHash) -> Option<Base> {
        let states = candidates(&self.stored_changes(document)?);
        let mut overlays = Vec::new();
        for (overlay, id) in self.own_overlays(document) {
            let mut states = candidates(&self.stored_changes(&id)?);
            // There may have been none over the file.
            states.insert(0, Heads::new());
            overlays.push((overlay, states));
        }
        self.first_with(document, hash, &states, &overlays)
    }

    /// The newest of the states that a file and its overlays may have been in, one beside the other, that shows a file with
    /// this hash. Of what the overlays may have shown, only so much is tried.
    fn first_with(
        &mut self,
        document: &DocumentId,
        hash: ContentHash,
        states: &[Heads],
        overlays: &[(Overlay, Vec<Heads>)],
    ) -> Option<Base> {
        let mut combined: Vec<Vec<(Overlay, Heads)>> = vec![Vec::new()];
        for (overlay, states) in overlays {
            let with = |combined: &Vec<(Overlay, Heads)>| {
                let newest = states.iter().rev().map(|heads| (overlay.clone(), heads.clone()));
                newest.map(|state| [combined.clone(), vec![state]].concat()).collect::<Vec<_>>()
            };
            combined = combined.iter().flat_map(with).take(SEARCHED_CHANGES).collect();
        }
        let tried = combined.iter().flat_map(|overlays| states.iter().rev().map(move |heads| (heads, overlays)));
        for (heads, overlays) in tried.take(2 * SEARCHED_CHANGES) {
            let there: Vec<_> = overlays.iter().filter(|(_, heads)| !heads.is_empty()).cloned().collect();
            let base = Base::of(&self.effective_at(document, heads, &there).ok()?);
            if base.hash == Some(hash) {
                return Some(base);
            }
        }
        None
    }

    /// The change by which this host took in a file with this hash as an edit of `base`, if it did so before: then the same
    /// edit is found again in what a crash left.
    pub(super) fn find_taken(&mut self, document: &DocumentId, base: &Base, hash: ContentHash) -> Option<Base> {
        let mut states = self.own_changes_on(document, &base.heads)?;
        let mut overlays = Vec::new();
        for (overlay, heads) in &base.overlays {
            let id = document.with_overlay(overlay).ok()?;
            // The edit may have been about the others.
            let states = [vec![heads.clone()], self.own_changes_on(&id, heads)?].concat();
            overlays.push((overlay.clone(), states));
        }
        if !overlays.is_empty() {
            states.insert(0, base.heads.clone());
        }
        self.first_with(document, hash, &states, &overlays)
    }

    /// The states right behind some heads that a change of this host led to.
    fn own_changes_on(&self, document: &DocumentId, heads: &Heads) -> Option<Vec<Heads>> {
        let mut ground = heads.clone();
        ground.sort_unstable();
        let envelopes = self.stored_changes(document)?;
        let unsearched = envelopes.len().saturating_sub(SEARCHED_CHANGES);
        let own = envelopes.iter().skip(unsearched).filter(|envelope| envelope.author == self.identity.node);
        let on_base = own.filter_map(|envelope| {
            let mut frame = change::check(envelope).ok()?;
            frame.dependencies.sort_unstable();
            (frame.dependencies == ground).then_some(vec![frame.hash])
        });
        Some(on_base.collect())
    }

    fn stored_changes(&self, document: &DocumentId) -> Option<Vec<SignedEnvelope>> {
        let ranges = self.durable.get(document)?.missing_in(&VersionVector::new());
        self.store.changes(document, &ranges, usize::MAX).ok()
    }
}

/// The heads of all states that a file may have shown, the newest last.
fn candidates(envelopes: &[SignedEnvelope]) -> Vec<Heads> {
    let mut heads = BTreeSet::new();
    let mut candidates = Vec::new();
    for envelope in envelopes {
        let Ok(frame) = change::check(envelope) else { continue };
        for dependency in &frame.dependencies {
            heads.remove(dependency);
        }
        heads.insert(frame.hash);
        candidates.push(vec![frame.hash]);
        candidates.push(heads.iter().copied().collect());
    }
    let unsearched = candidates.len().saturating_sub(2 * SEARCHED_CHANGES);
    candidates.split_off(unsearched)
}
