//! Push: what is new goes at once to whom it may be new.
//!
//! ```text
//!   up to 16 members   author ──▶ all its neighbours ──▶ those of their neighbours that are neither the author's nor the sender's
//!   above              author ──▶ its tree, see `plumtree`
//! ```
//! In a full mesh each change crosses each link from its author once; where links are missing it takes one more hop.
//! Who was wrongly believed to have it already gets it by anti-entropy. What is bulk goes by another stream: see `flows`.

use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::NodeId;

use crate::context::Context;
use crate::effect::Class;
use crate::engine::Engine;
use crate::peers::Session;
use crate::plumtree::{Item, Kind, ROSTER, item_id};
use crate::roster::Statement;

impl Engine {
    /// Pushes a change that was written here.
    pub(crate) fn push_own(&mut self, ctx: &mut Context<'_>, envelope: &SignedEnvelope) {
        let item = self.change(ctx, envelope);
        self.item_came(ctx, self.config.node, item.id, item.tree);
        if self.topology.is_tree() {
            return self.spread(ctx, item, self.config.node);
        }
        for (peer, _) in self.peers.sessions().filter(|(_, session)| !session.is_congested()) {
            item.push_to(ctx, peer);
        }
    }

    /// Passes a pushed change on.
    pub(crate) fn relay(&mut self, ctx: &mut Context<'_>, envelope: &SignedEnvelope, from: NodeId) {
        let item = self.change(ctx, envelope);
        if self.topology.is_tree() {
            return self.spread(ctx, item, from);
        }
        let needs = |peer: NodeId, session: &Session| {
            !session.is_congested()
                && peer != from
                && peer != envelope.author
                && !self.reaches(from, peer)
                && !self.reaches(envelope.author, peer)
        };
        for (peer, _) in self.peers.sessions().filter(|&(peer, session)| needs(peer, session)) {
            item.push_to(ctx, peer);
        }
    }

    /// Passes a new statement on. Its sender may be this node.
    pub(crate) fn relay_statement(&mut self, ctx: &mut Context<'_>, statement: &Statement, from: NodeId) {
        if self.topology.is_tree() {
            let bytes = statement.bytes().clone();
            let item = Item { id: item_id(&bytes), kind: Kind::Statement, tree: ROSTER, bytes, class: Class::Control };
            return self.spread(ctx, item, from);
        }
        let needs = |peer, session: &Session| !session.is_congested() && peer != from && !self.reaches(from, peer);
        for (peer, _) in self.peers.sessions().filter(|&(peer, session)| needs(peer, session)) {
            ctx.push_statement(peer, statement.bytes().clone());
        }
    }

    fn change(&mut self, ctx: &Context<'_>, envelope: &SignedEnvelope) -> Item {
        let (bytes, class) = (envelope.bytes().clone(), self.flows.class(envelope, ctx.now));
        Item { id: item_id(&bytes), kind: Kind::Change, tree: envelope.author, bytes, class }
    }

    /// Whether `node`, a connected peer, said to be connected to `peer`.
    pub(crate) fn reaches(&self, node: NodeId, peer: NodeId) -> bool {
        self.peers.session(node).is_some_and(|session| session.neighbours.contains(&peer))
    }
}
