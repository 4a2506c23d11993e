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

use super::Core;
use super::folders::Base;
use crate::daemon::files::ContentHash;

/// Changes that are gone back over. Each costs up to two renders, while the core does nothing else.
const SEARCHED_CHANGES: usize = 128;

impl Core {
    /// The newest state of the document that rendered as a file with this hash.
    pub(super) fn find_former_base(&mut self, document: &DocumentId, hash: ContentHash) -> Option<Base> {
        let envelopes = self.stored_changes(document)?;
        let document = &self.documents.get(document).ok()?.document;
        candidates(&envelopes).into_iter().rev().find_map(|heads| {
            let base = Base::of(&document.render_at(&heads).into());
            (base.hash == Some(hash)).then_some(base)
        })
    }

    /// The change by which this host took in a file with this hash as an edit of `base`, if it did so before: then the same
    /// edit is found again in what a crash left.
    pub(super) fn find_taken(&mut self, document: &DocumentId, base: &Base, hash: ContentHash) -> Option<Base> {
        let envelopes = self.stored_changes(document)?;
        let mut ground = base.heads.clone();
        ground.sort_unstable();
        let own =
            envelopes.iter().rev().take(SEARCHED_CHANGES).filter(|envelope| envelope.author == self.identity.node);
        let on_base = own.filter_map(|envelope| {
            let mut frame = change::check(envelope).ok()?;
            frame.dependencies.sort_unstable();
            (frame.dependencies == ground).then_some(vec![frame.hash])
        });
        let candidates: Vec<Heads> = on_base.collect();
        let document = &self.documents.get(document).ok()?.document;
        let mut bases = candidates.into_iter().map(|heads| Base::of(&document.render_at(&heads).into()));
        bases.find(|taken| taken.hash == Some(hash))
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
