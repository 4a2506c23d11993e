//! The last step of a diff: what was saved must be what is rendered by this change alone (P5).
//!
//! Registers may hold more than the base showed: a value below which keys live, a deleted table that lives on with
//! them, another shape of a path. When an edit takes away what hid them, they would come back. So the cells are tried
//! on the registers, and what would still differ from the saved tree is written too.

use std::collections::BTreeMap;

use crate::diff::Target;
use crate::path::Path;
use crate::register::{Cell, Part, Register};
use crate::state::{Candidate, Candidates, EpochState, Operation};
use crate::structure;
use crate::tree::{Content, Node, Tree};

/// What comes back may hide something else again; deeper than this nothing was ever found.
const ROUNDS: usize = 8;

/// Adds the cells without which `new` would not be what is rendered.
pub(crate) fn settle(new: &Tree, target: &Target<'_>, cells: &mut Vec<(Register, Cell)>) {
    let mut epoch = target.state.epoch(target.epoch).cloned().unwrap_or_default();
    let wanted = nodes(new);
    let mut tried = 0;
    for _ in 0..ROUNDS {
        cells[tried..].iter().for_each(|(register, cell)| try_on(&mut epoch, target, register, cell));
        tried = cells.len();
        let built = structure::build(&epoch, new.format).tree;
        let missing = differences(&wanted, &nodes(&built));
        if missing.is_empty() {
            return;
        }
        cells.extend(missing.into_iter().map(|(path, part, cell)| {
            let register = Register::Fragment { epoch: target.epoch.clone(), path: path.clone(), part };
            (register, cell)
        }));
    }
}

fn try_on(epoch: &mut EpochState, target: &Target<'_>, register: &Register, cell: &Cell) {
    let Register::Fragment { epoch: id, path, part } = register else { return };
    if id != target.epoch {
        return;
    }
    let operation = Operation { counter: u64::MAX, writer: target.dot.writer };
    let alone = Candidates(vec![Candidate { cell: cell.clone(), operation }]);
    epoch.set(path.clone(), *part, alone);
}

fn nodes(tree: &Tree) -> BTreeMap<&Path, &Node> {
    let mut nodes = BTreeMap::new();
    tree.root.walk(&mut |node| {
        nodes.insert(&node.path, node);
    });
    nodes
}

fn differences<'a>(
    wanted: &BTreeMap<&'a Path, &'a Node>,
    built: &BTreeMap<&'a Path, &'a Node>,
) -> Vec<(&'a Path, Part, Cell)> {
    let mut cells = Vec::new();
    for (path, node) in wanted {
        let shown = built.get(path);
        if shown.is_none_or(|shown| shown.content != node.content) {
            cells.push((*path, Part::Content, Cell::Content(node.content.clone())));
        }
        if shown.is_some_and(|shown| shown.decor != node.decor) {
            cells.push((*path, Part::Decor, Cell::Decor(node.decor.clone())));
        }
    }
    for (path, node) in built.iter().filter(|(path, _)| !wanted.contains_key(*path)) {
        let container = matches!(node.content, Content::Container(_));
        // All that is below a path comes right behind it.
        let mut below = wanted.range::<Path, _>(*path..).take_while(|(below, _)| below.starts_with(path));
        let lives_on = container && below.any(|(below, _)| !below.is_trivia());
        let cell = if lives_on { Cell::Implied } else { Cell::Tombstone { container } };
        cells.push((*path, Part::Content, cell));
    }
    cells
}
