//! What an overlay holds: its values, each with the place in the file that it is for.
//!
//! Values are scalars, tables without keys, and lists as a whole. Only a list whose items are all tables with an identity
//! field (`name`, `id` or `key`, each value once) isn't one value: its items are matched with the file's by that field.
//! Tables are merged key by key. Where keys may stand several times, one that stands once in both means its value.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::codec;
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

    /// Where keys may stand several times, the only occurrence of one.
    fn only(&self, list: &Path) -> Option<&'a Node> {
        match &self.items.get(list)?[..] {
            [only] if codec::of(self.format).keys_repeat() => Some(only),
            _ => None,
        }
    }

    /// Whether sections or blocks with keys of their own share a name there.
    pub(super) fn has_sections(&self, list: &Path) -> bool {
        let is_table = |item: &&&Node| matches!(item.content, Content::Container(Shape::Table));
        codec::of(self.format).keys_repeat() && self.items.get(list).into_iter().flatten().find(is_table).is_some()
    }

    /// How often a key stands there, or how many items a list has.
    pub(super) fn count(&self, list: &Path) -> usize {
        self.items.get(list).map_or(0, Vec::len)
    }

    /// The uppermost lists that are one value each, also where they lead in another tree.
    fn atomic(&self, other: &Self, mapping: &Mapping) -> BTreeSet<Path> {
        let is_value = |list: &Path| self.only(list).is_some() && other.count(&mapping.path(list)) < 2;
        let mut atomic = BTreeSet::new();
        for list in self.items.keys().filter(|list| self.named(list).is_none() && !is_value(list)) {
            if first_in(&atomic, list).is_none() {
                atomic.insert(list.clone());
            }
        }
        atomic
    }
}

/// The values of a tree, in the order of its text.
pub(super) fn atoms(tree: &Tree) -> Vec<Atom> {
    atoms_for(tree, tree, &Mapping::default())
}

/// The values of a tree that are for another one.
pub(super) fn atoms_for(tree: &Tree, other: &Tree, mapping: &Mapping) -> Vec<Atom> {
    let atomic = Lists::of(tree).atomic(&Lists::of(other), mapping);
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    tree.root.walk(&mut |node| match (first_in(&atomic, &node.path), &node.content) {
        (Some(list), _) if !node.path.is_trivia() && seen.insert(list) => {
            found.push(Atom { path: list.clone(), kind: AtomKind::List });
        }
        (Some(_), _) => {}
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
#[derive(Default)]
pub(super) struct Mapping {
    /// Of items of the one tree, their ids in the other.
    ids: BTreeMap<Path, String>,
    /// Of items that both have, where the name stands by which they are the same: in the one tree, and in the other.
    pub(super) names: BTreeMap<Path, Path>,
}

impl Mapping {
    /// From `from` to `to`. Items that `to` lacks keep their ids, unless another item there has it.
    pub(super) fn new(from: &Tree, to: &Tree) -> Self {
        let (from, to) = (Lists::of(from), Lists::of(to));
        let mut mapping = Self::default();
        // Lists come before those inside their items.
        for list in from.items.keys() {
            let there = mapping.path(list);
            match (from.only(list), to.only(&there)) {
                (Some(item), Some(counterpart)) => mapping.map(item, counterpart),
                _ => mapping.map_named(list, &there, &from, &to),
            }
        }
        mapping
    }

    fn map(&mut self, item: &Node, counterpart: &Node) {
        if let (Some(Segment::Item(own)), Some(Segment::Item(id))) = (item.path.last(), counterpart.path.last())
            && own != id
        {
            self.ids.insert(item.path.clone(), id.clone());
        }
    }

    fn map_named(&mut self, list: &Path, there: &Path, from: &Lists<'_>, to: &Lists<'_>) {
        let counterparts = to.named(there).unwrap_or_default();
        let taken: BTreeSet<&Segment> =
            to.items.get(there).into_iter().flatten().filter_map(|item| item.path.last()).collect();
        for (name, item) in from.named(list).unwrap_or_default() {
            let Some(Segment::Item(own)) = item.path.last() else { continue };
            match counterparts.get(&name) {
                Some(counterpart) => {
                    self.map(item, counterpart);
                    let field = name.split_once('=').map_or("", |(field, _)| field);
                    self.names.insert(item.path.key(field), counterpart.path.key(field));
                }
                None if taken.contains(&Segment::Item(own.clone())) => {
                    self.ids.insert(item.path.clone(), format!("{own}+"));
                }
                None => {}
            }
        }
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
