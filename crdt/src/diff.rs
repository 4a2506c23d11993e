//! From two trees to the registers that differ.
//!
//! The base is the tree that was last rendered, the other one what an editor or a put made of it, with its ids already
//! given by [`crate::identity`]. Only what differs is written: a value, a placement, comments, or a tombstone; and of an
//! order only the positions that must change (MERGE rule 8).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::clock::Dot;
use crate::codec;
use crate::path::Path;
use crate::position::Position;
use crate::register::{Cell, EpochId, Part, Placement, Register};
use crate::settle::settle;
use crate::state::{EpochState, State};
use crate::structure::{implied_lists, rank};
use crate::tree::{Content, Decor, FileStyle, Format, Node, Shape, Tree};

/// What a diff is made for.
pub(crate) struct Target<'a> {
    /// The epoch whose registers are written.
    pub(crate) epoch: &'a EpochId,
    /// The document's registers where the diff is written: a part that was ever written is written again rather than
    /// left to its default.
    pub(crate) state: &'a State,
    /// The change that will hold the cells: positions carry it.
    pub(crate) dot: Dot,
}

/// The cells that turn `base` into `new`; `None` is a file that has no content yet.
pub(crate) fn diff(base: Option<&Tree>, new: &Tree, target: &Target<'_>) -> Vec<(Register, Cell)> {
    let old = base.map(Index::new).unwrap_or_default();
    let current = Index::new(new);
    let mut writer = CellWriter { target, epoch: target.state.epoch(target.epoch), cells: Vec::new() };
    writer.style(base.map(|base| base.style), new.style);
    for (path, entry) in &current.nodes {
        writer.node(old.nodes.get(path), entry, new.format);
    }
    let positions = Positions { format: new.format, old: &old, dot: target.dot, import: base.is_none() };
    positions.write(&new.root, &mut writer);
    let lists = implied_lists(new);
    for (path, entry) in &old.nodes {
        if !current.nodes.contains_key(path) && !lists.contains(*path) {
            let is_container = matches!(entry.node.content, Content::Container(_));
            if is_container && current.has_below(path) {
                writer.push(path, Part::Content, Cell::Implied);
            } else {
                writer.tombstone(path, is_container);
            }
        }
    }
    writer.implied_lists(&base.map(implied_lists).unwrap_or_default(), &lists, &current);
    writer.implied_tables(&old, &current, &lists);
    let mut cells = writer.cells;
    if base.is_some() && new.format.is_structured() {
        settle(new, target, &mut cells);
    }
    cells
}

/// The nodes of a tree by path, each with the path of the node it stands in.
#[derive(Default)]
struct Index<'a> {
    nodes: BTreeMap<&'a Path, Entry<'a>>,
}

#[derive(Clone, Copy)]
struct Entry<'a> {
    node: &'a Node,
    container: &'a Path,
    /// Its place among its siblings.
    index: usize,
}

impl<'a> Index<'a> {
    fn new(tree: &'a Tree) -> Self {
        let mut nodes = BTreeMap::new();
        nodes.insert(&tree.root.path, Entry { node: &tree.root, container: &tree.root.path, index: 0 });
        add_children(&tree.root, &mut nodes);
        Self { nodes }
    }

    /// Whether a key or an item stands below a path.
    fn has_below(&self, path: &Path) -> bool {
        let below = self.nodes.range::<Path, _>((Bound::Excluded(path), Bound::Unbounded));
        below.take_while(|(below, _)| below.starts_with(path)).any(|(below, _)| !below.is_trivia())
    }
}

fn add_children<'a>(container: &'a Node, nodes: &mut BTreeMap<&'a Path, Entry<'a>>) {
    for (index, node) in container.children.iter().enumerate() {
        nodes.insert(&node.path, Entry { node, container: &container.path, index });
        add_children(node, nodes);
    }
}

struct CellWriter<'a> {
    target: &'a Target<'a>,
    epoch: Option<&'a EpochState>,
    cells: Vec<(Register, Cell)>,
}

impl CellWriter<'_> {
    fn push(&mut self, path: &Path, part: Part, cell: Cell) {
        let register = Register::Fragment { epoch: self.target.epoch.clone(), path: path.clone(), part };
        self.cells.push((register, cell));
    }

    fn style(&mut self, base: Option<FileStyle>, new: FileStyle) {
        let written = self.epoch.map(|epoch| epoch.style.shown());
        let old = base.or(written).unwrap_or_default();
        let flags = [
            (Part::ByteOrderMark, old.byte_order_mark, new.byte_order_mark),
            (Part::Crlf, old.crlf, new.crlf),
            (Part::FinalNewline, old.final_newline, new.final_newline),
        ];
        for (part, _, new) in flags.into_iter().filter(|(_, old, new)| old != new) {
            self.push(&Path::ROOT, part, Cell::Flag(new));
        }
    }

    /// Content and decor; placements are written by [`Positions`].
    fn node(&mut self, old: Option<&Entry<'_>>, entry: &Entry<'_>, format: Format) {
        let node = entry.node;
        if old.map(|old| &old.node.content) != Some(&node.content) {
            self.push(&node.path, Part::Content, Cell::Content(node.content.clone()));
        }
        let default = default_decor(format, node);
        let needed = match old.map(|old| old.node) {
            // What another kind of content has by default isn't what this one has.
            Some(old) => old.decor != node.decor || default_decor(format, old) != default,
            None => self.decor_was_written(&node.path) || node.decor != default,
        };
        if needed {
            self.push(&node.path, Part::Decor, Cell::Decor(node.decor.clone()));
        }
    }

    fn decor_was_written(&self, path: &Path) -> bool {
        let fragment = self.epoch.and_then(|epoch| epoch.fragments.get(path));
        fragment.is_some_and(|fragment| !fragment.decor.0.is_empty())
    }

    fn tombstone(&mut self, path: &Path, container: bool) {
        self.push(path, Part::Content, Cell::Tombstone { container });
    }

    /// Lists that have no bytes of their own still have a shape (MERGE rule 6).
    fn implied_lists(&mut self, old: &BTreeSet<Path>, new: &BTreeSet<Path>, nodes: &Index<'_>) {
        for path in new.difference(old) {
            self.push(path, Part::Content, Cell::Content(Content::Container(Shape::List)));
        }
        for path in old.difference(new) {
            if !nodes.nodes.contains_key(path) {
                self.tombstone(path, true);
            }
        }
    }

    /// A table that lost its header, and gets descendants later, stays without one.
    fn implied_tables(&mut self, old: &Index<'_>, new: &Index<'_>, lists: &BTreeSet<Path>) {
        let Some(epoch) = self.epoch else { return };
        let mut implied = BTreeSet::new();
        for path in new.nodes.keys().filter(|path| !old.nodes.contains_key(*path)) {
            for depth in 1..path.0.len() {
                let above = Path(path.0[..depth].to_vec());
                let lost_header = epoch.fragments.get(&above).is_some_and(|fragment| fragment.content.has_tombstone());
                if lost_header && !new.nodes.contains_key(&above) && !lists.contains(&above) {
                    implied.insert(above);
                }
            }
        }
        for path in implied {
            self.push(&path, Part::Content, Cell::Implied);
        }
    }
}

fn default_decor(format: Format, node: &Node) -> Decor {
    let codec = codec::of(format);
    if node.path.is_root() { codec.empty().decor } else { codec.default_decor(&node.content) }
}

/// Writes the placements that changed.
struct Positions<'a> {
    format: Format,
    old: &'a Index<'a>,
    dot: Dot,
    import: bool,
}

impl Positions<'_> {
    fn write(&self, container: &Node, writer: &mut CellWriter<'_>) {
        for wanted in 0..=1 {
            let siblings: Vec<&Node> =
                container.children.iter().filter(|child| rank(self.format, &child.content) == wanted).collect();
            self.write_siblings(&container.path, &siblings, writer);
        }
        for child in &container.children {
            self.write(child, writer);
        }
    }

    fn write_siblings(&self, container: &Path, siblings: &[&Node], writer: &mut CellWriter<'_>) {
        let mut positions = self.kept(container, siblings);
        if self.import {
            for (index, position) in positions.iter_mut().enumerate() {
                *position = Some(Position::imported(index));
            }
        } else {
            fill(&mut positions, self.dot);
        }
        for (node, position) in siblings.iter().zip(positions) {
            let old = self.old.nodes.get(&node.path);
            let placement = Placement {
                container_depth: container.0.len(),
                position: position.unwrap_or_default(),
                label: node.label.clone(),
            };
            let is_unchanged = old.is_some_and(|old| {
                old.container == container && old.node.label == node.label && old.node.position == placement.position
            });
            if !is_unchanged {
                writer.push(&node.path, Part::Placement, Cell::Placement(placement));
            }
        }
    }

    /// The old positions of the siblings that can stay: the longest run of them that is in order.
    fn kept(&self, container: &Path, siblings: &[&Node]) -> Vec<Option<Position>> {
        let old: Vec<Option<Entry<'_>>> = siblings
            .iter()
            .map(|node| {
                let old = self.old.nodes.get(&node.path).copied()?;
                let same_rank = rank(self.format, &old.node.content) == rank(self.format, &node.content);
                (old.container == container && same_rank).then_some(old)
            })
            .collect();
        let indexes: Vec<Option<usize>> = old.iter().map(|old| old.map(|old| old.index)).collect();
        let stays = longest_increasing(&indexes);
        old.into_iter()
            .zip(stays)
            .map(|(old, stays)| old.filter(|_| stays).map(|old| old.node.position.clone()))
            .collect()
    }
}

/// Gives every run of siblings without a position one run of positions between its neighbours'.
fn fill(positions: &mut [Option<Position>], dot: Dot) {
    let mut start = 0;
    while start < positions.len() {
        if positions[start].is_some() {
            start += 1;
            continue;
        }
        let length = positions[start..].iter().take_while(|position| position.is_none()).count();
        let before = start.checked_sub(1).and_then(|index| positions[index].clone());
        let after = positions.get(start + length).cloned().flatten();
        let run = Position::run_between(before.as_ref(), after.as_ref(), dot, length);
        for (slot, position) in positions[start..start + length].iter_mut().zip(run) {
            *slot = Some(position);
        }
        start += length;
    }
}

/// Which of the present numbers belong to one longest strictly increasing subsequence (Fredman, 1975).
fn longest_increasing(numbers: &[Option<usize>]) -> Vec<bool> {
    // `tails[n]` is where the lowest-ending sequence of length n + 1 ends; `before` links each to what it follows.
    let mut tails: Vec<usize> = Vec::new();
    let mut before = vec![None; numbers.len()];
    for (index, number) in numbers.iter().enumerate() {
        let Some(number) = number else { continue };
        let length = tails.partition_point(|&tail| numbers[tail] < Some(*number));
        before[index] = length.checked_sub(1).map(|shorter| tails[shorter]);
        if length == tails.len() {
            tails.push(index);
        } else {
            tails[length] = index;
        }
    }
    let mut stays = vec![false; numbers.len()];
    let mut next = tails.last().copied();
    while let Some(index) = next {
        stays[index] = true;
        next = before[index];
    }
    stays
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_moved_item_is_one_that_does_not_stay() {
        let stays = longest_increasing(&[Some(0), Some(3), Some(1), Some(2)]);
        assert_eq!(stays, [true, false, true, true]);
        assert_eq!(longest_increasing(&[None, Some(1), None]), [false, true, false]);
    }

    proptest! {
        #![proptest_config(crate::testing::cases(256))]

        #[test]
        fn what_stays_is_in_order_and_as_long_as_can_be(numbers in proptest::collection::vec(0usize..12, 0..9)) {
            let present: Vec<_> = numbers.iter().copied().map(Some).collect();
            let stays = longest_increasing(&present);
            let kept: Vec<_> = numbers.iter().zip(&stays).filter(|(_, stays)| **stays).map(|(number, _)| *number).collect();
            prop_assert!(kept.is_sorted_by(|a, b| a < b));
            let best = (0u32..1 << numbers.len())
                .filter(|mask| {
                    let chosen: Vec<_> = (0..numbers.len()).filter(|bit| mask >> bit & 1 == 1).map(|bit| numbers[bit]).collect();
                    chosen.is_sorted_by(|a, b| a < b)
                })
                .map(u32::count_ones)
                .max();
            prop_assert_eq!(Some(u32::try_from(kept.len()).unwrap()), best);
        }
    }
}
