//! What a revocation does to a node, and to what it wrote.
//!
//! ```text
//!                            before this node knows      after
//!  changes from the thief    taken                       its connection is closed
//!  its changes from a peer
//!    that doesn't know yet   taken                       left there, and fetched once that peer knows
//!    that knows              taken                       taken: the peer held them before it knew, or has them from
//!                                                        another one that vouched
//! ```
//! So nothing enters any more that no member held before it knew, nothing is lost that one held, and all hosts end up with
//! the same changes. Clocks play no part: the thief can set its own to any time.
//!
//! A peer vouches while what it said last of the revocations it knows, their hash in its summary, equals what is known here.

use std::collections::BTreeSet;

use murmurate_crdt::id::{DocumentId, NodeId, Writer};

use crate::context::Context;
use crate::effect::Effect;
use crate::engine::Engine;
use crate::limits::LEFT_WRITERS;
use crate::peers::Session;
use crate::roster::Roster;
use crate::summary::{EMPTY, Hash};
use crate::waiting::Arrival;

/// What is left with a peer because it doesn't vouch.
#[derive(Debug, Default)]
pub(crate) struct Vouching {
    left: BTreeSet<(DocumentId, Writer)>,
    /// The revocations for which it vouched last.
    of: Option<Hash>,
}

impl Vouching {
    pub(crate) fn is_left(&self, document: &DocumentId, writer: Writer) -> bool {
        !self.left.is_empty() && self.left.contains(&(document.clone(), writer))
    }

    fn leave(&mut self, document: DocumentId, writer: Writer) {
        if self.left.len() < LEFT_WRITERS {
            self.left.insert((document, writer));
        }
    }
}

/// Whether what a peer holds of revoked nodes is history to this node.
fn vouches(session: &Session, roster: &Roster) -> bool {
    session.summary.as_ref().is_some_and(|summary| summary.revoked == roster.revoked_hash())
}

impl Engine {
    /// Whether a change may be taken, as far as its author's membership is concerned. One that may not is left where it
    /// is: it is neither applied nor remembered as bad, and asked for again when its sender vouches.
    pub(crate) fn is_vouched(&mut self, arrival: &Arrival) -> bool {
        let Arrival { envelope, from, .. } = arrival;
        if !self.roster.is_revoked(envelope.author) {
            return true;
        }
        let Some(session) = self.peers.session_mut(*from) else { return false };
        if vouches(session, &self.roster) {
            return true;
        }
        if !self.index.is_applied(&envelope.document, envelope.dot) {
            session.vouching.leave(envelope.document.clone(), envelope.dot.writer);
        }
        false
    }

    /// A node's revocation is known now: it is no peer any more, and what of it isn't applied was never received.
    pub(crate) fn revoked(&mut self, ctx: &mut Context<'_>, node: NodeId) {
        if self.peers.session(node).is_some() {
            self.refuse_revoked(ctx, node);
            self.end_session(ctx, node);
        }
        self.peers.forget(node);
        self.strangers.remove(node);
        self.waiting.remove_author(node);
        for (_, session) in self.peers.sessions_mut() {
            session.settled = None;
        }
        self.look_who_vouches(ctx);
    }

    /// Closes a revoked node's connection.
    pub(crate) fn refuse_revoked(&self, ctx: &mut Context<'_>, node: NodeId) {
        let reason = format!("{node} is revoked: it isn't a member any more");
        ctx.effect(Effect::Disconnect { peer: node, reason });
    }

    /// After a summary or a revocation: asks those who vouch since then for all that they hold.
    pub(crate) fn look_who_vouches(&mut self, ctx: &mut Context<'_>) {
        let known = self.roster.revoked_hash();
        if known == EMPTY {
            return;
        }
        for (peer, session) in self.peers.sessions_mut() {
            if vouches(session, &self.roster) && session.vouching.of != Some(known) {
                session.vouching = Vouching { left: BTreeSet::new(), of: Some(known) };
                session.settled = None;
                session.check_by(ctx.now);
                // The comparison under way left things out.
                self.pulls.remove(&peer);
            }
        }
    }
}
