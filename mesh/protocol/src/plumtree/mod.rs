//! Push in a large mesh: over trees that form by themselves, after Plumtree (Leitao, Pereira, Rodrigues, "Epidemic
//! Broadcast Trees", 2007).
//!
//! ```text
//!   a new item ──▶ eager links: the item itself                 came twice: prune, the link becomes lazy
//!              └─▶ lazy links: its name, within 50 ms           announced and not here after 100 ms: graft, it becomes eager
//! ```
//! Each author's changes have a tree of their own, so that each takes the shortest ways from where it is written; the
//! roster's statements share one. Of an author that wasn't heard of for long nothing is known: its next change goes over
//! all links, which is the fastest way, and prunes them to a tree. What was announced can be fetched for a while; what is
//! missed even then anti-entropy finds.
//!
//! A peer of an older protocol version knows nothing of this: it is pushed everything.

mod missing;
mod shelf;
mod trees;

use std::time::Duration;

use murmurate_crdt::id::NodeId;
use sha2::{Digest, Sha256};

use self::missing::Missing;
use self::shelf::Shelf;
pub(crate) use self::shelf::{Item, Kind};
use self::trees::Trees;
use crate::context::Context;
use crate::effect::Class;
use crate::engine::{Engine, Filled};
use crate::message::{ITEMS_PER_MESSAGE, ItemId, Message};

/// The tree of the roster's statements.
pub(crate) const ROSTER: NodeId = NodeId([0; 32]);
/// Names of one link are collected for this long. It is part of how long a change takes where a tree is broken, and
/// shares the cost of a datagram among what is written in it.
const ANNOUNCE_WITHIN: Duration = Duration::from_millis(50);

/// What this host knows of trees and of items under way.
#[derive(Debug, Default)]
pub(crate) struct Plumtree {
    trees: Trees,
    shelf: Shelf,
    missing: Missing,
    announce_at: Option<Duration>,
}

impl Plumtree {
    /// When something is to be announced or grafted.
    pub(crate) fn wakes(&self) -> Option<Duration> {
        self.announce_at.into_iter().chain(self.missing.wakes()).min()
    }

    /// Bytes that may be fetched, items that are missing, and trees, each with its limit.
    pub(crate) fn filled(&self) -> (Filled, Filled, Filled) {
        (self.shelf.filled(), self.missing.filled(), self.trees.filled())
    }

    /// The link with a peer is gone.
    pub(crate) fn forget(&mut self, peer: NodeId) {
        self.trees.forget(peer);
    }
}

/// The name of an item.
pub(crate) fn item_id(bytes: &[u8]) -> ItemId {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let mut id = ItemId::default();
    id.copy_from_slice(&digest[..16]);
    id
}

impl Engine {
    /// Notes that an item came from a peer, or was made here. A second copy prunes the link it came by.
    pub(crate) fn item_came(&mut self, ctx: &mut Context<'_>, from: NodeId, id: ItemId, tree: NodeId) {
        self.plumtree.missing.remove(&id);
        let came_before = self.plumtree.shelf.see(id, true);
        if from == self.config.node || !self.topology.is_tree() {
            return;
        }
        if !came_before {
            self.plumtree.trees.make_eager(tree, from, ctx.now);
        } else if self.peers.session(from).is_some_and(|session| session.speaks_trees()) {
            self.plumtree.trees.make_lazy(tree, from, ctx.now);
            ctx.prune(from, tree);
        }
    }

    /// Notes an item that was fetched by anti-entropy. Its way by push is no worse for coming later; and if it doesn't come
    /// at all, who announced it is asked for it all the same, for the tree's sake.
    pub(crate) fn item_fetched(&mut self, id: ItemId) {
        self.plumtree.shelf.see(id, false);
    }

    /// Pushes an item over the eager links of its tree, and announces it on the others.
    pub(crate) fn spread(&mut self, ctx: &mut Context<'_>, item: Item, from: NodeId) {
        let lazy = self.plumtree.trees.lazy(item.tree, ctx.now);
        let mut announces = false;
        for (peer, session) in self.peers.sessions_mut().filter(|(_, session)| !session.is_congested()) {
            if peer == from || peer == item.tree {
                continue;
            }
            if !lazy.contains(&peer) {
                item.push_to(ctx, peer);
                continue;
            }
            session.announcing.push(item.id);
            announces = true;
            if session.announcing.len() == ITEMS_PER_MESSAGE {
                let items = std::mem::take(&mut session.announcing);
                ctx.send(peer, Class::Control, &Message::Announce { items });
            }
        }
        if announces {
            self.plumtree.announce_at = self.plumtree.announce_at.or(Some(ctx.now + ANNOUNCE_WITHIN));
        }
        self.plumtree.shelf.keep(item, ctx.now);
    }

    /// Announces and grafts what is due.
    pub(crate) fn run_plumtree_timers(&mut self, ctx: &mut Context<'_>) {
        self.plumtree.shelf.expire(ctx.now);
        if self.plumtree.announce_at.take_if(|at| *at <= ctx.now).is_some() {
            for (peer, session) in self.peers.sessions_mut().filter(|(_, session)| !session.announcing.is_empty()) {
                let items = std::mem::take(&mut session.announcing);
                ctx.send(peer, Class::Control, &Message::Announce { items });
            }
        }
        let is_linked = |peer| self.peers.session(peer).is_some_and(|session| !session.is_congested());
        for (peer, items) in self.plumtree.missing.due(ctx.now, is_linked) {
            for items in items.chunks(ITEMS_PER_MESSAGE) {
                ctx.send(peer, Class::Control, &Message::Graft { items: items.to_vec() });
            }
        }
    }

    pub(crate) fn receive_announce(&mut self, ctx: &mut Context<'_>, peer: NodeId, items: Vec<ItemId>) {
        for id in items {
            if !self.plumtree.shelf.has_seen(&id) {
                let is_awaited = self.plumtree.missing.announced(id, peer, ctx.now);
                ctx.counts.announcements_ignored += u64::from(!is_awaited);
            }
        }
    }

    /// A peer asks for what was announced to it. What isn't kept any more, anti-entropy brings.
    pub(crate) fn receive_graft(&mut self, ctx: &mut Context<'_>, peer: NodeId, mut items: Vec<ItemId>) {
        items.sort_unstable();
        items.dedup();
        for id in items {
            if let Some(item) = self.plumtree.shelf.get(&id) {
                item.push_to(ctx, peer);
                self.plumtree.trees.make_eager(item.tree, peer, ctx.now);
            }
        }
    }

    pub(crate) fn receive_prune(&mut self, ctx: &mut Context<'_>, peer: NodeId, trees: &[NodeId]) {
        if self.peers.session(peer).is_some_and(|session| session.speaks_trees()) {
            trees.iter().for_each(|&tree| self.plumtree.trees.make_lazy(tree, peer, ctx.now));
        }
    }
}
