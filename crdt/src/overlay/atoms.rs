//! What an overlay holds: its values, each with the place in the file that it is for.
//!
//! Values are scalars, tables without keys, and lists as a whole. Only a list whose items are all tables with an identity
//! field (`name`, `id` or `key`, each value once) isn't one value: its items are matched with the file's by that field.
//! Tables are merged key by key.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::identity;
use crate::path::{Path, Segment};
use crate::tree::{Content, Format, Node, Shape, Tree};

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Atom {
    /// Where it stands in its tree.
    pub(super) path: Path,
    pub(super) kind: AtomKind,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtomKind {
    /// A single value.
    Scalar,
    /// A list as a whole.
    List,
    /// A table without keys, but with bytes of its own.
    EmptyTable,
}

/// The lists of a tree with the nodes of their items, those without bytes of their own included.
pub(super) struct Lists<'a> {
    format: Format,
    items: BTreeMap<Path, Vec<&'a Node>>,
}

impl<'a> Lists<'a> {
    pub(super) fn of(tree: &'a Tree) -> Self {
        let mut items: BTreeMap<Path, Vec<&Node>> = BTreeMap::new();
        tree.root.walk(&mut |node| {
            if let (Some(Segment::Item(_)), Some(list)) = (node.path.last(), node.path.parent()) {
                items.entry(list).or_default().push(node);
            } else if node.content == Content::Container(Shape::List) {
                items.entry(node.path.clone()).or_default();
            }
        });
        Self { format: tree.format, items }
    }

    pub(super) fn is_list(&self, path: &Path) -> bool {
        self.items.contains_key(path)
    }

    /// The items of a list by their identity, as `name=a`; `None` where not all have one of their own.
    pub(super) fn named(&self, list: &Path) -> Option<BTreeMap<String, &'a Node>> {
        let items = self.items.get(list).filter(|items| !items.is_empty())?;
        let named: BTreeMap<_, _> =
            items.iter().map(|item| Some((identity::name(item, self.format)?, *item))).collect::<Option<_>>()?;
        (named.len() == items.len()).then_some(named)
    }

    /// The uppermost lists that are one value each.
    fn atomic(&self) -> BTreeSet<Path> {
        let mut atomic = BTreeSet::new();
        for list in self.items.keys().filter(|list| self.named(list).is_none()) {
            if first_in(&atomic, list).is_none() {
                atomic.insert(list.clone());
            }
        }
        atomic
    }

    fn named_lists(&self) -> impl Iterator<Item = (&Path, BTreeMap<String, &'a Node>)> {
        self.items.keys().filter_map(|list| Some((list, self.named(list)?)))
    }
}

/// The values of a tree, in the order of its text.
pub(super) fn atoms(tree: &Tree) -> Vec<Atom> {
    let lists = Lists::of(tree);
    let atomic = lists.atomic();
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    tree.root.walk(&mut |node| match (first_in(&atomic, &node.path), &node.content) {
        (Some(list), _) => {
            if !node.path.is_trivia() && seen.insert(list) {
                found.push(Atom { path: list.clone(), kind: AtomKind::List });
            }
        }
        (None, Content::Scalar(_)) => found.push(Atom { path: node.path.clone(), kind: AtomKind::Scalar }),
        (None, Content::Container(Shape::Table)) if !node.path.is_root() => {
            found.push(Atom { path: node.path.clone(), kind: AtomKind::EmptyTable });
        }
        _ => {}
    });
    let all: BTreeSet<Path> = found.iter().map(|atom| atom.path.clone()).collect();
    found.retain(|atom| atom.kind != AtomKind::EmptyTable || !has_below(&all, &atom.path));
    found
}

fn has_below(all: &BTreeSet<Path>, path: &Path) -> bool {
    let mut behind = all.range::<Path, _>((Bound::Excluded(path), Bound::Unbounded));
    behind.next().is_some_and(|next| next.starts_with(path))
}

/// The shortest path of `all` that leads to `path`.
fn first_in<'a>(all: &'a BTreeSet<Path>, path: &Path) -> Option<&'a Path> {
    (0..=path.0.len()).find_map(|length| all.get(&path.0[..length]))
}

/// Where the paths of one tree lead in another one: the same keys, items with the same identity.
pub(super) struct Mapping {
    /// Of items of the one tree, their ids in the other.
    ids: BTreeMap<Path, String>,
}

impl Mapping {
    /// From `from` to `to`. Items that `to` lacks keep their ids, unless another item there has it.
    pub(super) fn new(from: &Tree, to: &Tree) -> Self {
        let (from, to) = (Lists::of(from), Lists::of(to));
        let mut mapping = Self { ids: BTreeMap::new() };
        // Lists come before those inside their items.
        for (list, items) in from.named_lists() {
            let there = mapping.path(list);
            let counterparts = to.named(&there).unwrap_or_default();
            let taken: BTreeSet<&Segment> =
                to.items.get(&there).into_iter().flatten().filter_map(|item| item.path.last()).collect();
            for (name, item) in items {
                let Some(Segment::Item(own)) = item.path.last() else { continue };
                let id = match counterparts.get(&name).and_then(|counterpart| counterpart.path.last()) {
                    Some(Segment::Item(id)) => id.clone(),
                    _ if taken.contains(&Segment::Item(own.clone())) => format!("{own}+"),
                    _ => continue,
                };
                if id != *own {
                    mapping.ids.insert(item.path.clone(), id);
                }
            }
        }
        mapping
    }

    /// Where a path leads.
    pub(super) fn path(&self, path: &Path) -> Path {
        let mut mapped = path.clone();
        if self.ids.is_empty() {
            return mapped;
        }
        for depth in 0..path.0.len() {
            if let (Segment::Item(_), Some(id)) = (&path.0[depth], self.ids.get(&path.0[..=depth])) {
                mapped.0[depth] = Segment::Item(id.clone());
            }
        }
        mapped
    }
}
