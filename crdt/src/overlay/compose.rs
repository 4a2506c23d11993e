//! One overlay put over a file, and what of the result is the overlay's.

use std::collections::BTreeMap;

use super::atoms::{Atom, AtomKind, Lists, Mapping, atoms_for};
use super::graft::{self, copy_inside, first_absent};
use crate::codec::{self, NoPlace};
use crate::identity::{self, Origin};
use crate::key::Lookup;
use crate::path::Path;
use crate::render::{self, Content};
use crate::tree::{self, Tree};

/// How often it is tried to do without a part of what makes a file invalid: each time costs as much as to take in a save.
const ATTEMPTS: usize = 128;

/// What an overlay does at one place of the file. All below the place is the overlay's, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It gives the file's key another value.
    Replaced,
    /// It adds what the file doesn't have.
    Added,
    /// It takes the file's key away.
    Hidden,
}

/// One place of the file that an overlay has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Graft {
    pub(super) kind: Kind,
    /// The place in the overlay.
    pub(super) own: Path,
}

/// What an overlay says and the file can't show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The place in the overlay.
    pub path: Path,
    /// Why the file can't show it.
    pub why: String,
}

/// What an overlay wants at one place.
#[derive(Debug, Clone)]
struct Wish {
    /// The place in the file.
    path: Path,
    graft: Graft,
    /// Of what is added, each value with its place in the file.
    atoms: Vec<(Atom, Path)>,
}

/// A file with an overlay over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) tree: Tree,
    pub(super) grafts: BTreeMap<Path, Graft>,
    pub(super) left_out: Vec<LeftOut>,
    /// Of items of the file that the overlay has something to say about, where the name stands: in the file, and in the
    /// overlay.
    pub(super) names: BTreeMap<Path, Path>,
}

impl Applied {
    /// A file over which nothing is put.
    pub(super) fn nothing(below: &Tree) -> Self {
        Self { tree: below.clone(), grafts: BTreeMap::new(), left_out: Vec::new(), names: BTreeMap::new() }
    }

    /// The place at or above a path that is the overlay's.
    pub(super) fn graft_over(&self, path: &Path) -> Option<(&Path, &Graft)> {
        (0..=path.0.len()).find_map(|length| self.grafts.get_key_value(&path.0[..length]))
    }

    /// What is taken away.
    pub(super) fn hidden(&self) -> impl Iterator<Item = &Path> {
        self.grafts.iter().filter(|(_, graft)| graft.kind == Kind::Hidden).map(|(path, _)| path)
    }
}

/// Puts an overlay over a file. Where it changes nothing, the tree is the file's.
pub(super) fn apply(below: &Tree, overlay: &Content) -> Applied {
    let mut applied = Applied::nothing(below);
    let mismatch = match (below.format.is_structured(), overlay.format() == below.format) {
        (false, _) => Some("only files with keys have values of their own on some hosts".to_string()),
        (true, false) => {
            Some(format!("it is kept as {}, and the file as {}", overlay.format().name(), below.format.name()))
        }
        (true, true) => None,
    };
    if let Some(why) = mismatch {
        applied.left_out.push(LeftOut { path: Path::ROOT, why });
        return applied;
    }
    let mapping = Mapping::new(&overlay.tree, below);
    let wishes = wishes(below, overlay, &mapping, &mut applied.left_out);
    applied.names = mapping.names.into_iter().map(|(own, in_file)| (in_file, own)).collect();
    if !wishes.is_empty() {
        let mut attempts = ATTEMPTS;
        fit(&mut applied, &overlay.tree, &wishes, &mut attempts);
    }
    applied
}

/// What the overlay wants, in the order of its text.
fn wishes(below: &Tree, overlay: &Content, mapping: &Mapping, left_out: &mut Vec<LeftOut>) -> Vec<Wish> {
    let (lists, present) = (Lists::of(below), Lookup::new(below));
    let mut wishes: Vec<Wish> = Vec::new();
    let mut added: BTreeMap<Path, usize> = BTreeMap::new();
    let all = atoms_for(&overlay.tree, below, mapping).into_iter();
    // The name of an item that the file has is the file's.
    for atom in all.filter(|atom| !mapping.names.contains_key(&atom.path)) {
        let path = mapping.path(&atom.path);
        if !present.exists(&path) {
            let region = first_absent(&present, &path);
            let own = Path(atom.path.0[..region.0.len()].to_vec());
            let at = *added.entry(region.clone()).or_insert(wishes.len());
            if at == wishes.len() {
                wishes.push(Wish { path: region, graft: Graft { kind: Kind::Added, own }, atoms: Vec::new() });
            }
            wishes[at].atoms.push((atom, path));
            continue;
        }
        let content = present.node(&path).map(|node| &node.content);
        let fits = match atom.kind {
            // Of several sections with one name it can't be told which is meant.
            AtomKind::List => lists.is_list(&path) && !lists.has_sections(&path),
            AtomKind::Scalar => matches!(content, Some(tree::Content::Scalar(_))),
            // A table is there, with or without keys.
            AtomKind::EmptyTable if !matches!(content, Some(tree::Content::Scalar(_))) && !lists.is_list(&path) => {
                continue;
            }
            AtomKind::EmptyTable => false,
        };
        if fits {
            let graft = Graft { kind: Kind::Replaced, own: atom.path.clone() };
            wishes.push(Wish { path: path.clone(), graft, atoms: vec![(atom, path)] });
        } else {
            let why = if lists.has_sections(&path) {
                "the file has several parts of that name"
            } else {
                "the file has something of another kind there: a table, a list or a single value"
            };
            left_out.push(LeftOut { path: atom.path, why: why.into() });
        }
    }
    // What the overlay has at or below a place goes before that it takes the place away.
    let is_free = |path: &&Path| !wishes.iter().any(|wish| wish.path.starts_with(path));
    let hides = overlay.hides.iter().filter(|path| present.exists(path) && !path.is_root()).filter(is_free);
    let hides = hides.map(|path| Wish {
        path: path.clone(),
        graft: Graft { kind: Kind::Hidden, own: path.clone() },
        atoms: Vec::new(),
    });
    let hides: Vec<Wish> = hides.collect();
    wishes.extend(hides);
    wishes
}

/// Fulfils all wishes, or where that would be no valid file, as many as can be: each half for itself.
fn fit(applied: &mut Applied, overlay: &Tree, wishes: &[Wish], attempts: &mut usize) {
    *attempts = attempts.saturating_sub(1);
    match attempt(&applied.tree, overlay, wishes) {
        Ok(tree) => {
            applied.tree = tree;
            applied.grafts.extend(wishes.iter().map(|wish| (wish.path.clone(), wish.graft.clone())));
        }
        Err(error) if wishes.len() == 1 || *attempts == 0 => {
            let left = wishes.iter().map(|wish| LeftOut { path: wish.graft.own.clone(), why: error.why.clone() });
            applied.left_out.extend(left);
        }
        Err(_) => {
            let (one, other) = wishes.split_at(wishes.len() / 2);
            fit(applied, overlay, one, attempts);
            fit(applied, overlay, other, attempts);
        }
    }
}

/// The file with the wishes fulfilled, cut anew as a parser cuts it.
fn attempt(below: &Tree, overlay: &Tree, wishes: &[Wish]) -> Result<Tree, NoPlace> {
    let mut tree = below.clone();
    wishes.iter().try_for_each(|wish| fulfil(&mut tree, overlay, wish))?;
    let bytes = codec::print(&tree);
    let invalid = || NoPlace { why: "the file would not be valid with it".into() };
    if !render::reads_back(&tree, &bytes) {
        return Err(invalid());
    }
    let mut cut = codec::parse(tree.format, &bytes).map_err(|error| NoPlace { why: error.to_string() })?;
    identity::assign(&mut cut, Some(&tree), Origin::Import);
    let all = {
        let (found, meant) = (Lookup::new(&cut), Lookup::new(&tree));
        wishes.iter().all(|wish| is_fulfilled(&found, &meant, wish))
    };
    if all { Ok(cut) } else { Err(invalid()) }
}

fn fulfil(tree: &mut Tree, overlay: &Tree, wish: &Wish) -> Result<(), NoPlace> {
    let own = &wish.graft.own;
    match wish.graft.kind {
        Kind::Hidden => {
            graft::remove(&mut tree.root, &wish.path);
            Ok(())
        }
        Kind::Replaced => replace(tree, &wish.path, overlay, own),
        Kind::Added => add(tree, overlay, wish),
    }
}

/// Gives the value at `path` the content that `source` has at `from`. Comments and spacing around it stay.
pub(super) fn replace(tree: &mut Tree, path: &Path, source: &Tree, from: &Path) -> Result<(), NoPlace> {
    match (tree.root.find_mut(path), source.root.find(from)) {
        (Some(node), Some(other)) => {
            copy_inside(node, other);
            Ok(())
        }
        // A list of headers, or of a key's occurrences: there is no node of its own.
        _ => {
            let separator = graft::separator(tree, path).filter(|_| codec::of(tree.format).keys_repeat());
            graft::graft(tree, source, from, path)?;
            separator.iter().for_each(|separator| graft::separate(&mut tree.root, path, separator));
            Ok(())
        }
    }
}

/// Puts in what the file doesn't have: single values as a put does it, lists and comments as they stand in the overlay.
fn add(tree: &mut Tree, overlay: &Tree, wish: &Wish) -> Result<(), NoPlace> {
    if graft::has_more_than_values(&overlay.root, &wish.graft.own) {
        return graft::graft(tree, overlay, &wish.graft.own, &wish.path);
    }
    let mut inserted = wish.atoms.iter().map(|(atom, path)| match overlay.root.find(&atom.path) {
        Some(node) => graft::insert(tree, path, node),
        None => Err(NoPlace { why: "it is a list".into() }),
    });
    if inserted.all(|inserted| inserted.is_ok()) {
        return Ok(());
    }
    graft::remove(&mut tree.root, &wish.path);
    graft::graft(tree, overlay, &wish.graft.own, &wish.path)
}

fn is_fulfilled(found: &Lookup<'_>, meant: &Lookup<'_>, wish: &Wish) -> bool {
    if wish.graft.kind == Kind::Hidden {
        return !found.exists(&wish.path);
    }
    wish.atoms.iter().all(|(atom, path)| {
        let content = |tree: &Lookup<'_>| tree.node(path).map(|node| node.content.clone());
        found.exists(path) && (atom.kind == AtomKind::List || content(found) == content(meant))
    })
}
