//! From registers to a tree: which fragments live, and where each one stands.
//!
//! ```text
//!  registers ─▶ live? ─▶ shape of each container ─▶ container of each node ─▶ order ─▶ tree
//!                 └ hidden fragments, each a conflict ◀┘
//! ```
//! A pure function of the registers: hosts with the same changes build the same tree.

use std::collections::{BTreeMap, BTreeSet};

use crate::codec::{self, Codec};
use crate::path::{Path, Segment};
use crate::register::{Cell, Placement};
use crate::state::{EpochState, FragmentState};
use crate::tree::{Content, Decor, Format, Node, Shape, Tree};

/// A fragment that lives but can't be shown, because another shape of its path won (MERGE rule 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hidden {
    /// Where it would stand.
    pub(crate) path: Path,
    /// The path whose shape hides it, which is shown.
    pub(crate) by: Path,
}

/// The tree of one epoch, and what doesn't fit in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Structure {
    pub(crate) tree: Tree,
    pub(crate) hidden: Vec<Hidden>,
}

/// Siblings of one rank are ordered by position; in TOML and INI all entries come before all headers (MERGE rule 2).
pub(crate) fn rank(format: Format, content: &Content) -> u8 {
    u8::from(matches!(format, Format::Toml | Format::Ini) && matches!(content, Content::Container(_)))
}

/// Builds the tree of an epoch.
pub(crate) fn build(epoch: &EpochState, format: Format) -> Structure {
    let builder = Builder { epoch, format, codec: codec::of(format) };
    let live = builder.live();
    let (shown, hidden) = builder.shapes(&live);
    let mut nodes = builder.nodes(shown);
    let containers = builder.containers(&nodes);
    builder.label(&mut nodes, &containers);
    let root = assemble(format, nodes, &containers);
    Structure { tree: Tree { format, style: epoch.style.shown(), root }, hidden }
}

struct Builder<'a> {
    epoch: &'a EpochState,
    format: Format,
    codec: &'static dyn Codec,
}

/// A path's steps, borrowed from the registers: rendering goes over all of them, and copies none it need not.
type Steps<'a> = &'a [Segment];

/// The paths that live, each with whether something below it lives.
type Live<'a> = BTreeMap<Steps<'a>, bool>;

/// The nodes by path, each with the placement it was written with.
type Nodes<'a> = BTreeMap<Steps<'a>, (Node, Option<&'a Placement>)>;

impl<'a> Builder<'a> {
    fn fragment(&self, path: Steps<'_>) -> Option<&'a FragmentState> {
        self.epoch.fragments.get(path)
    }

    /// What has a value, and all above it. Comments alone keep no table alive.
    fn live(&self) -> Live<'a> {
        let mut live = Live::new();
        live.insert(&[], false);
        let alive = || self.epoch.fragments.iter().filter(|(_, fragment)| fragment.is_live());
        for (path, _) in alive().filter(|(path, _)| !path.is_trivia() && !path.is_root()) {
            live.entry(&path.0).or_insert(false);
            mark_above(&mut live, &path.0);
        }
        for (path, _) in alive().filter(|(path, _)| path.is_trivia()) {
            if above(&path.0).is_some_and(|container| live.contains_key(container)) {
                live.insert(&path.0, false);
            }
        }
        live
    }

    /// Leaves out what stands below a path that turned out to have another shape: that path hides all of it.
    fn shapes(&self, live: &Live<'a>) -> (BTreeMap<Steps<'a>, Content>, Vec<Hidden>) {
        let mut shown: BTreeMap<Steps<'a>, Content> = BTreeMap::new();
        let mut hidden = Vec::new();
        let children = child_kinds(live);
        for (&path, &has_descendants) in live {
            if let Some(parent) = above(path)
                && !fits(shown.get(parent), path.last())
            {
                let by = (0..path.len()).rev().map(|depth| &path[..depth]).find(|above| shown.contains_key(above));
                let by = Path(by.unwrap_or_default().to_vec());
                hidden.push(Hidden { path: Path(path.to_vec()), by });
                continue;
            }
            shown.insert(path, self.content(path, has_descendants, children.get(path).copied()));
        }
        (shown, hidden)
    }

    /// What a live path is shown as. A value with live descendants is shown as their table (MERGE rule 6).
    fn content(&self, path: Steps<'_>, has_descendants: bool, below: Option<Below>) -> Content {
        let own = self.fragment(path).and_then(FragmentState::live_content);
        match own {
            Some(content) if !has_descendants => content.clone(),
            Some(Content::Container(shape)) => Content::Container(*shape),
            _ if has_descendants => Content::Container(self.shape(path, below)),
            _ => self.codec.empty().content,
        }
    }

    /// The shape of a path that has live descendants, but no container as its winner.
    fn shape(&self, path: Steps<'_>, below: Option<Below>) -> Shape {
        let written = self.fragment(path).and_then(|fragment| {
            fragment.content.0.iter().rev().find_map(|candidate| match candidate.cell {
                Cell::Content(Content::Container(shape)) => Some(shape),
                _ => None,
            })
        });
        match (written, below) {
            (Some(shape), _) => shape,
            (None, Some(Below { keys: false, items: true })) => Shape::List,
            _ => Shape::Table,
        }
    }

    /// A node for each path that has bytes of its own.
    fn nodes(&self, shown: BTreeMap<Steps<'a>, Content>) -> Nodes<'a> {
        shown.into_iter().filter_map(|(path, content)| Some((path, self.node(path, content)?))).collect()
    }

    fn node(&self, path: Steps<'_>, content: Content) -> Option<(Node, Option<&'a Placement>)> {
        let placement = self.placement(path);
        if !path.is_empty() && (placement.is_none() || self.is_implied(path, &content)) {
            return None;
        }
        let decor = self.decor(path, &content);
        let mut node = Node::new(Path(path.to_vec()), "", content, decor);
        if let Some(placement) = placement {
            node.label.clone_from(&placement.label);
            node.position = placement.position.clone();
        }
        // The spacing may be of another kind of content, written at the same time.
        if node.decor.separator.is_empty() && !node.label.is_empty() {
            node.decor.separator = self.codec.default_decor(&node.content).separator;
        }
        Some((node, placement))
    }

    /// Whether a TOML table is there only through its descendants; a list of `[[headers]]` always is.
    fn is_implied(&self, path: Steps<'_>, content: &Content) -> bool {
        if self.format != Format::Toml || !matches!(content, Content::Container(_)) {
            return false;
        }
        let is_list = *content == Content::Container(Shape::List);
        let Some(fragment) = self.fragment(path).filter(|_| !is_list) else { return true };
        let has_header = fragment.content.0.iter().any(|candidate| {
            matches!(
                candidate.cell,
                Cell::Content(Content::Container(Shape::Table)) | Cell::Tombstone { container: true }
            )
        });
        let is_implied = fragment.content.0.iter().any(|candidate| candidate.cell == Cell::Implied);
        is_implied || !has_header
    }

    fn placement(&self, path: Steps<'_>) -> Option<&'a Placement> {
        match &self.fragment(path)?.placement.winner()?.cell {
            Cell::Placement(placement) => Some(placement),
            _ => None,
        }
    }

    fn decor(&self, path: Steps<'_>, content: &Content) -> Decor {
        let written = self.fragment(path).and_then(|fragment| fragment.decor.winner());
        match written.map(|candidate| &candidate.cell) {
            Some(Cell::Decor(decor)) => decor.clone(),
            _ if path.is_empty() => self.codec.empty().decor,
            _ => self.codec.default_decor(content),
        }
    }

    /// The node that each node stands in; the root stands in none.
    fn containers(&self, nodes: &Nodes<'a>) -> BTreeMap<Steps<'a>, Steps<'a>> {
        let is_container = |path: &Steps<'a>| {
            path.is_empty() || nodes.get(path).is_some_and(|(node, _)| matches!(node.content, Content::Container(_)))
        };
        let mut containers = BTreeMap::new();
        for (&path, (node, _)) in nodes.iter().filter(|(_, (_, placement))| placement.is_some()) {
            let is_header = rank(self.format, &node.content) == 1;
            let mut ancestors = (0..path.len()).rev().map(|depth| &path[..depth]);
            let container = if is_header {
                ancestors.find(|above| {
                    above.is_empty() || (matches!(above.last(), Some(Segment::Item(_))) && is_container(above))
                })
            } else {
                // The deepest table that has bytes of its own: what another host made a header of takes in what was
                // written beside it, and what lost its header goes up.
                ancestors.find(&is_container)
            };
            containers.insert(path, container.unwrap_or_default());
        }
        containers
    }

    /// Key texts fit the container they were written in; a node that moved to another takes a new one.
    fn label(&self, nodes: &mut Nodes<'a>, containers: &BTreeMap<Steps<'a>, Steps<'a>>) {
        for (path, (node, placement)) in nodes {
            let (Some(placement), Some(container)) = (placement, containers.get(path)) else { continue };
            let relative = &path[container.len()..];
            let is_key = relative.iter().any(|segment| matches!(segment, Segment::Key(_)));
            let is_header = rank(self.format, &node.content) == 1;
            if placement.container_depth != container.len() && is_key && !is_header {
                node.label = self.codec.label(relative);
            }
        }
    }
}

/// The path one step up; `None` at the root.
fn above(path: Steps<'_>) -> Option<Steps<'_>> {
    path.split_last().map(|(_, above)| above)
}

/// Whether a child of this kind can stand in what its parent turned out to be.
fn fits(parent: Option<&Content>, child: Option<&Segment>) -> bool {
    matches!(
        (parent, child),
        (Some(Content::Container(Shape::Table)), Some(Segment::Key(_)))
            | (Some(Content::Container(Shape::List)), Some(Segment::Item(_)))
            | (Some(Content::Container(_)), Some(Segment::Trivia(_)))
    )
}

/// Which kinds of children live directly below a path.
#[derive(Debug, Clone, Copy, Default)]
struct Below {
    keys: bool,
    items: bool,
}

fn child_kinds<'a>(live: &Live<'a>) -> BTreeMap<Steps<'a>, Below> {
    let mut kinds: BTreeMap<Steps<'a>, Below> = BTreeMap::new();
    for &path in live.keys() {
        let Some(parent) = above(path) else { continue };
        let below = kinds.entry(parent).or_default();
        match path.last() {
            Some(Segment::Key(_)) => below.keys = true,
            Some(Segment::Item(_)) => below.items = true,
            _ => {}
        }
    }
    kinds
}

fn mark_above<'a>(live: &mut Live<'a>, path: Steps<'a>) {
    for depth in (0..path.len()).rev() {
        if live.insert(&path[..depth], true) == Some(true) {
            return;
        }
    }
}

/// Puts the nodes into their containers, deepest first, and orders them.
fn assemble<'a>(format: Format, nodes: Nodes<'a>, containers: &BTreeMap<Steps<'a>, Steps<'a>>) -> Node {
    let mut waiting: BTreeMap<Steps<'a>, Vec<Node>> = BTreeMap::new();
    let mut root = None;
    // In falling order every node comes after all that stands inside it.
    for (path, (mut node, _)) in nodes.into_iter().rev() {
        let mut children = waiting.remove(path).unwrap_or_default();
        children.sort_by(|a, b| {
            (rank(format, &a.content), &a.position, &a.path).cmp(&(rank(format, &b.content), &b.position, &b.path))
        });
        node.children = children;
        match containers.get(path) {
            Some(container) => waiting.entry(container).or_default().push(node),
            None => root = Some(node),
        }
    }
    root.unwrap_or_else(|| codec::of(format).empty())
}

/// The lists that a tree has without bytes of their own, but with a shape to be decided: in TOML those of `[[headers]]`.
/// Where keys may stand several times, every key is a list and nothing else.
pub(crate) fn implied_lists(tree: &Tree) -> BTreeSet<Path> {
    if codec::of(tree.format).keys_repeat() {
        return BTreeSet::new();
    }
    let mut nodes = BTreeSet::new();
    tree.root.walk(&mut |node| {
        nodes.insert(&node.path);
    });
    let mut lists = BTreeSet::new();
    for path in &nodes {
        if let (Some(Segment::Item(_)), Some(list)) = (path.last(), path.parent())
            && !nodes.contains(&list)
        {
            lists.insert(list);
        }
    }
    lists
}
