//! Which links are lazy, for each tree. All others are eager.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use murmurate_crdt::id::NodeId;

use crate::engine::Filled;
use crate::limits::TREES;

#[derive(Debug, Default)]
struct Tree {
    lazy: BTreeSet<NodeId>,
    used: Duration,
}

/// Trees by author.
#[derive(Debug, Default)]
pub(super) struct Trees(BTreeMap<NodeId, Tree>);

impl Trees {
    fn tree(&mut self, author: NodeId, now: Duration) -> &mut Tree {
        if !self.0.contains_key(&author) && self.0.len() >= TREES {
            let least_used = self.0.iter().min_by_key(|(_, tree)| tree.used).map(|(&author, _)| author);
            least_used.and_then(|author| self.0.remove(&author));
        }
        let tree = self.0.entry(author).or_default();
        tree.used = now;
        tree
    }

    pub(super) fn make_eager(&mut self, author: NodeId, peer: NodeId, now: Duration) {
        self.tree(author, now).lazy.remove(&peer);
    }

    pub(super) fn make_lazy(&mut self, author: NodeId, peer: NodeId, now: Duration) {
        self.tree(author, now).lazy.insert(peer);
    }

    /// The links on which the tree's items are only announced.
    pub(super) fn lazy(&mut self, author: NodeId, now: Duration) -> &BTreeSet<NodeId> {
        &self.tree(author, now).lazy
    }

    pub(super) fn filled(&self) -> Filled {
        Filled { held: self.0.len(), limit: TREES }
    }

    /// A link is gone. A new one with the same peer is eager.
    pub(super) fn forget(&mut self, peer: NodeId) {
        for tree in self.0.values_mut() {
            tree.lazy.remove(&peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_used_tree_is_forgotten_first() {
        let node = |number: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&number.to_le_bytes());
            NodeId(id)
        };
        let (peer, at) = (NodeId([9; 32]), Duration::from_secs);
        let mut trees = Trees::default();
        (0..TREES).for_each(|number| trees.make_lazy(node(number), peer, at(1)));
        assert!(trees.lazy(node(0), at(2)).contains(&peer));
        trees.make_lazy(node(TREES), peer, at(3));
        assert_eq!(trees.0.len(), TREES);
        assert!(trees.lazy(node(0), at(4)).contains(&peer));
        trees.forget(peer);
        assert!(trees.lazy(node(0), at(4)).is_empty());
    }
}
