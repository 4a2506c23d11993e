//! The items that were pushed lately: their names for long, their bytes as long as they may be asked for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use murmurate_crdt::id::NodeId;

use crate::context::Context;
use crate::effect::Class;
use crate::engine::Filled;
use crate::message::ItemId;

/// Names of items that came: at 10 changes a second those of a quarter of an hour, in about 1 MiB.
const SEEN: usize = 8_192;
/// What was announced can be fetched for this long: many times a graft's wait. After it, anti-entropy is the way.
const KEPT_FOR: Duration = Duration::from_secs(10);
/// And only as much of it: a bulk import pushes the oldest out.
const KEPT_BYTES: usize = 4 << 20;

/// By which message an item goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Change,
    Statement,
}

/// Something that is pushed.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) id: ItemId,
    pub(crate) kind: Kind,
    /// Its author, or [`super::ROSTER`].
    pub(crate) tree: NodeId,
    pub(crate) bytes: Arc<[u8]>,
    /// By which stream it goes.
    pub(crate) class: Class,
}

impl Item {
    pub(crate) fn push_to(&self, ctx: &mut Context<'_>, peer: NodeId) {
        match self.kind {
            Kind::Change => ctx.push(peer, self.class, self.bytes.clone()),
            Kind::Statement => ctx.push_statement(peer, self.bytes.clone()),
        }
    }
}

/// Items by name.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    /// Whether they came by push.
    seen: BTreeMap<ItemId, bool>,
    seen_order: VecDeque<ItemId>,
    kept: BTreeMap<ItemId, Item>,
    kept_order: VecDeque<(Duration, ItemId)>,
    kept_bytes: usize,
}

impl Shelf {
    /// Notes that an item came; says whether it had come by push before.
    pub(super) fn see(&mut self, id: ItemId, pushed: bool) -> bool {
        let Some(came) = self.seen.get_mut(&id) else {
            self.seen.insert(id, pushed);
            self.seen_order.push_back(id);
            if self.seen_order.len() > SEEN
                && let Some(oldest) = self.seen_order.pop_front()
            {
                self.seen.remove(&oldest);
            }
            return false;
        };
        std::mem::replace(came, *came || pushed)
    }

    pub(super) fn has_seen(&self, id: &ItemId) -> bool {
        self.seen.contains_key(id)
    }

    /// Keeps an item to be fetched.
    pub(super) fn keep(&mut self, item: Item, now: Duration) {
        let (id, bytes) = (item.id, item.bytes.len());
        if self.kept.insert(id, item).is_none() {
            self.kept_order.push_back((now, id));
            self.kept_bytes += bytes;
        }
        self.expire(now);
    }

    /// Drops what is too old or too much.
    pub(super) fn expire(&mut self, now: Duration) {
        while let Some(&(since, oldest)) = self.kept_order.front()
            && (now > since + KEPT_FOR || self.kept_bytes > KEPT_BYTES)
        {
            self.kept_order.pop_front();
            self.kept_bytes -= self.kept.remove(&oldest).map_or(0, |item| item.bytes.len());
        }
    }

    /// Bytes that are kept.
    pub(super) fn filled(&self) -> Filled {
        Filled { held: self.kept_bytes, limit: KEPT_BYTES }
    }

    pub(super) fn get(&self, id: &ItemId) -> Option<&Item> {
        self.kept.get(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(number: u32, bytes: usize) -> Item {
        let mut id = ItemId::default();
        id[..4].copy_from_slice(&number.to_le_bytes());
        Item { id, kind: Kind::Change, tree: NodeId([1; 32]), bytes: vec![0; bytes].into(), class: Class::Push }
    }

    #[test]
    fn what_is_kept_is_bounded_in_time_and_bytes_and_names_in_number() {
        let mut shelf = Shelf::default();
        let second = Duration::from_secs(1);
        (0..10).for_each(|number| shelf.keep(item(number, 1 << 20), second));
        assert_eq!((shelf.kept.len(), shelf.kept_bytes), (4, 4 << 20));
        assert!(shelf.get(&item(9, 0).id).is_some() && shelf.get(&item(5, 0).id).is_none());
        shelf.keep(item(10, 1), second * 2 + KEPT_FOR);
        assert_eq!((shelf.kept.len(), shelf.kept_order.len(), shelf.kept_bytes), (1, 1, 1));
        (0..10_000).for_each(|number| assert!(!shelf.see(item(number, 0).id, true)));
        assert_eq!((shelf.seen.len(), shelf.seen_order.len()), (SEEN, SEEN));
    }

    #[test]
    fn a_second_push_is_told_from_a_push_after_a_fetch() {
        let mut shelf = Shelf::default();
        let id = item(1, 0).id;
        assert!(!shelf.see(id, false));
        assert!(!shelf.see(id, true));
        assert!(shelf.see(id, true) && shelf.has_seen(&id));
    }
}
