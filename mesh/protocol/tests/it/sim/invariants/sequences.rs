//! Never the same (document, writer, sequence) twice: checked on what leaves its author.

use std::collections::BTreeSet;

use murmurate_crdt::clock::Dot;
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::DocumentId;

/// The names that were given out.
#[derive(Debug, Default)]
pub(crate) struct Used(BTreeSet<(DocumentId, Dot)>);

impl Used {
    pub(crate) fn check(&mut self, envelope: &SignedEnvelope) {
        let (document, dot) = (&envelope.document, envelope.dot);
        assert!(self.0.insert((document.clone(), dot)), "{document} {dot} was used twice");
    }
}
