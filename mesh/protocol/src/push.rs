//! Push: what is new goes at once to whom it may be new.
//!
//! ```text
//!   up to 16 members   author ──▶ all its neighbours ──▶ those of their neighbours that are neither the author's nor the sender's
//!   above              author ──▶ its tree, see `plumtree`
//! ```
//! In a full mesh each change crosses each link from its author once; where links are missing it takes one more hop.
//! Who was wrongly believed to have it already gets it by anti-entropy.

use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::NodeId;

use crate::context::Context;
use crate::engine::Engine;
use crate::peers::Session;
use crate::plumtree::{Item, Kind, ROSTER, item_id};
use crate::roster::Statement;

impl Engine {
    /// Pushes a change that was written here.
    pub(crate) fn push_own(&mut self, ctx: &mut Context<'_>, envelope: &SignedEnvelope) {
        let item = change(envelope);
        self.item_came(ctx, self.config.node, item.id, item.tree);
        if self.overlay.is_tree() {
            return self.spread(ctx, item, self.config.node);
        }
        for (peer, _) in self.peers.sessions().filter(|(_, session)| !session.is_congested()) {
            ctx.push(peer, envelope.bytes().clone());
        }
    }

    /// Passes a pushed change on.
    pub(crate) fn relay(&mut self, ctx: &mut Context<'_>, envelope: &SignedEnvelope, from: NodeId) {
        if self.overlay.is_tree() {
            return self.spread(ctx, change(envelope), from);
        }
        let needs = |peer: NodeId, session: &Session| {
            !session.is_congested()
                && peer != from
                && peer != envelope.author
                && !self.reaches(from, peer)
                && !self.reaches(envelope.author, peer)
        };
        for (peer, _) in self.peers.sessions().filter(|&(peer, session)| needs(peer, session)) {
            ctx.push(peer, envelope.bytes().clone());
        }
    }

    /// Passes a new statement on. Its sender may be this node.
    pub(crate) fn relay_statement(&mut self, ctx: &mut Context<'_>, statement: &Statement, from: NodeId) {
        if self.overlay.is_tree() {
            let bytes = statement.bytes().clone();
            let item = Item { id: item_id(&bytes), kind: Kind::Statement, tree: ROSTER, bytes };
            return self.spread(ctx, item, from);
        }
        let needs = |peer, session: &Session| !session.is_congested() && peer != from && !self.reaches(from, peer);
        for (peer, _) in self.peers.sessions().filter(|&(peer, session)| needs(peer, session)) {
            ctx.push_statement(peer, statement.bytes().clone());
        }
    }

    /// Whether `node`, a connected peer, said to be connected to `peer`.
    pub(crate) fn reaches(&self, node: NodeId, peer: NodeId) -> bool {
        self.peers.session(node).is_some_and(|session| session.neighbours.contains(&peer))
    }
}

fn change(envelope: &SignedEnvelope) -> Item {
    let bytes = envelope.bytes().clone();
    Item { id: item_id(&bytes), kind: Kind::Change, tree: envelope.author, bytes }
}
