//! Digests of the changes applied last, to tell a harmless duplicate from a dot that was used twice.

use std::collections::{BTreeMap, VecDeque};

use murmurate_crdt::clock::Dot;
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::DocumentId;
use sha2::{Digest, Sha256};

use crate::limits::DIGESTS_REMEMBERED;
use crate::summary::Hash;

/// The digests.
#[derive(Debug, Default)]
pub(crate) struct RecentDigests {
    by_dot: BTreeMap<(DocumentId, Dot), Hash>,
    order: VecDeque<(DocumentId, Dot)>,
}

fn digest(envelope: &SignedEnvelope) -> Hash {
    Sha256::digest(envelope.bytes()).into()
}

impl RecentDigests {
    pub(crate) fn remember(&mut self, envelope: &SignedEnvelope) {
        let name = (envelope.document.clone(), envelope.dot);
        if self.by_dot.insert(name.clone(), digest(envelope)).is_none() {
            self.order.push_back(name);
        }
        if self.order.len() > DIGESTS_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_dot.remove(&oldest);
        }
    }

    /// Whether the change with this dot that was applied is this very one, if remembered.
    pub(crate) fn is_same(&self, envelope: &SignedEnvelope) -> Option<bool> {
        let known = self.by_dot.get(&(envelope.document.clone(), envelope.dot))?;
        Some(*known == digest(envelope))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waiting::tests::arrival;
    use murmurate_crdt::id::NodeId;

    #[test]
    fn the_last_digests_tell_the_same_from_another_and_the_oldest_are_forgotten() {
        let envelope = |sequence, change: &[u8]| arrival(NodeId([2; 32]), sequence, &[], change).envelope;
        let mut recent = RecentDigests::default();
        recent.remember(&envelope(1, b"a"));
        assert_eq!(recent.is_same(&envelope(1, b"a")), Some(true));
        assert_eq!(recent.is_same(&envelope(1, b"b")), Some(false));
        assert_eq!(recent.is_same(&envelope(2, b"a")), None);
        (2..=1 + DIGESTS_REMEMBERED as u64).for_each(|sequence| recent.remember(&envelope(sequence, b"a")));
        assert_eq!(recent.is_same(&envelope(1, b"a")), None);
        assert_eq!((recent.by_dot.len(), recent.order.len()), (DIGESTS_REMEMBERED, DIGESTS_REMEMBERED));
    }
}
