//! The way of a received change: read, author not revoked or vouched for, author known, signed by it, fit, everything before it applied; then it is handed
//! out and relayed. What fails is dropped, waits, or is blocked; the blame falls on the signer, not on the relay.

use std::sync::Arc;

use murmurate_crdt::clock::Dot;
use murmurate_crdt::envelope::{Envelope, SignedEnvelope};
use murmurate_crdt::id::{DocumentId, NodeId};

use crate::context::Context;
use crate::effect::{Effect, Trouble};
use crate::engine::Engine;
use crate::plumtree::item_id;
use crate::strangers::Kept;
use crate::summary::EMPTY;
use crate::waiting::{Arrival, Candidate};

impl Engine {
    pub(crate) fn receive_changes(
        &mut self,
        ctx: &mut Context<'_>,
        from: NodeId,
        request: u64,
        envelopes: Vec<Arc<[u8]>>,
    ) {
        let mut dots = Vec::new();
        let mut brought = 0;
        for bytes in envelopes {
            let id = item_id(&bytes);
            match SignedEnvelope::decode(bytes) {
                Ok(envelope) => {
                    if request == 0 {
                        self.item_came(ctx, from, id, envelope.author);
                    } else {
                        self.item_fetched(id);
                    }
                    ctx.counts.changes_received.count(request == 0);
                    dots.push((envelope.document.clone(), envelope.dot));
                    brought += u64::from(self.ingest(ctx, Arrival { envelope, from, pushed: request == 0 }));
                }
                Err(error) => {
                    ctx.counts.changes_unreadable += 1;
                    ctx.trouble(Trouble::BadEnvelope { peer: from, error });
                }
            }
        }
        if request != 0 {
            self.wanted_came(ctx, from, request, &dots, brought);
        }
    }

    /// Takes in a change; says whether that brought this node on: something could be handed out, or its author, unknown so
    /// far, be asked for.
    pub(crate) fn ingest(&mut self, ctx: &mut Context<'_>, arrival: Arrival) -> bool {
        let Arrival { envelope, from, pushed } = &arrival;
        if self.recent.is_same(envelope) == Some(true) {
            ctx.counts.changes_duplicate.count(*pushed);
            return false;
        }
        if !self.index.takes(&envelope.document, envelope.dot) {
            return false;
        }
        if !self.is_vouched(&arrival) {
            ctx.counts.changes_left += 1;
            return false;
        }
        let Some(key) = self.roster.key(envelope.author).copied() else {
            return self.keep_strangers(ctx, arrival);
        };
        if let Err(error) = envelope.verify(self.config.mesh, &key) {
            ctx.counts.changes_forged += 1;
            ctx.trouble(Trouble::BadSignature { peer: *from, error });
            return false;
        }
        if self.index.is_applied(&envelope.document, envelope.dot) {
            ctx.counts.changes_duplicate.count(*pushed);
            self.duplicate(ctx, arrival.envelope);
            return false;
        }
        self.admit(ctx, arrival)
    }

    /// Takes in a verified change that isn't applied.
    fn admit(&mut self, ctx: &mut Context<'_>, arrival: Arrival) -> bool {
        let envelope = &arrival.envelope;
        if let Some(why) = self.unfit(envelope) {
            self.index.block(&envelope.document, envelope.generation, envelope.dot);
            self.waiting.remove_document(&envelope.document);
            ctx.counts.changes_unfit += 1;
            let Envelope { author, document, dot, .. } = Envelope::clone(envelope);
            ctx.trouble(Trouble::BadChange { author, document, dot, why });
            return false;
        }
        match self.waiting.get(&envelope.document, envelope.dot) {
            None => self.settle(ctx, arrival),
            Some(other) if other.bytes() == envelope.bytes() => {
                ctx.counts.changes_duplicate.count(arrival.pushed);
                false
            }
            Some(_) => {
                let other = self.waiting.take(&envelope.document, envelope.dot);
                self.equivocation(ctx, other.into_iter().chain([arrival.envelope]).collect());
                false
            }
        }
    }

    /// Why a verified change can't be taken, whatever else comes.
    fn unfit(&self, envelope: &SignedEnvelope) -> Option<String> {
        let Dot { writer, sequence } = envelope.dot;
        let is_ahead = |dot: &Dot| dot.writer == writer && dot.sequence >= sequence;
        if envelope.dependencies.iter().any(is_ahead) {
            return Some("it depends on itself or on what its writer wrote later".to_owned());
        }
        if !envelope.is_understood() {
            return Some("it needs a newer version of this program".to_owned());
        }
        if let Some(why) = self.index.has_no_place(envelope) {
            return Some(why.to_owned());
        }
        // The one place where the change inside an envelope is looked at: crdt's checksum and cap on operations.
        (self.config.check)(envelope).err()
    }

    /// Hands out a change and all that waited for it, or lets it wait; says whether any was handed out.
    fn settle(&mut self, ctx: &mut Context<'_>, arrival: Arrival) -> bool {
        let mut handed_out = false;
        let mut candidates = vec![Candidate { arrival, checked: 0 }];
        while let Some(candidate) = candidates.pop() {
            match self.index.unmet(&candidate.arrival.envelope, candidate.checked) {
                Some((needs, checked)) => self.wait(ctx, Candidate { checked, ..candidate }, needs),
                None => {
                    let (document, dot) = self.hand_out(ctx, candidate.arrival);
                    candidates.extend(self.waiting.release(&document, dot));
                    handed_out = true;
                }
            }
        }
        handed_out
    }

    fn wait(&mut self, ctx: &mut Context<'_>, candidate: Candidate, needs: Dot) {
        let Arrival { envelope, from, .. } = &candidate.arrival;
        let (from, Dot { writer, sequence }) = (*from, envelope.dot);
        let applied = self.index.document(&envelope.document).map_or(0, |document| document.applied().get(writer));
        if let Some((peer, dropped)) = self.waiting.insert(candidate, needs, sequence.saturating_sub(applied)) {
            ctx.counts.changes_dropped += dropped as u64;
            ctx.trouble(Trouble::WaitingFull { peer, dropped });
        }
        self.check_soon(ctx, from);
    }

    fn hand_out(&mut self, ctx: &mut Context<'_>, arrival: Arrival) -> (DocumentId, Dot) {
        let Arrival { envelope, from, pushed } = arrival;
        let (document, dot) = (envelope.document.clone(), envelope.dot);
        ctx.counts.changes_applied.count(pushed);
        self.agreement.changed(ctx.now);
        self.index.apply(&document, envelope.generation, dot);
        self.recent.remember(&envelope);
        if pushed {
            self.relay(ctx, &envelope, from);
        }
        ctx.effect(Effect::Apply { envelope, from });
        (document, dot)
    }

    /// A verified change whose dot is applied, and that isn't known to be the very same.
    fn duplicate(&mut self, ctx: &mut Context<'_>, envelope: SignedEnvelope) {
        if self.recent.is_same(&envelope).is_some() {
            self.equivocation(ctx, vec![envelope]);
        } else {
            ctx.effect(Effect::CompareDuplicate { envelope });
        }
    }

    /// Two changes of one dot: the document takes no more until it is repaired.
    fn equivocation(&mut self, ctx: &mut Context<'_>, envelopes: Vec<SignedEnvelope>) {
        let Some(first) = envelopes.first() else { return };
        ctx.counts.equivocations += 1;
        let (document, dot, generation) = (first.document.clone(), first.dot, first.generation);
        self.index.freeze(&document, generation);
        self.waiting.remove_document(&document);
        ctx.effect(Effect::Equivocation { document, dot, envelopes });
    }

    fn keep_strangers(&mut self, ctx: &mut Context<'_>, arrival: Arrival) -> bool {
        let (author, peer) = (arrival.envelope.author, arrival.from);
        let is_new = !self.strangers.knows(author);
        let pushed = arrival.pushed;
        let kept = self.strangers.insert(arrival);
        match kept {
            Kept::New => {}
            Kept::Known => ctx.counts.changes_duplicate.count(pushed),
            Kept::NoRoom => ctx.counts.changes_dropped += 1,
        }
        if kept == Kept::New && is_new {
            self.ask_statements(ctx, peer, EMPTY, vec![author]);
        }
        kept == Kept::New
    }
}
