//! What an edit of a file with overlays means for each of them: [`compose`](super::compose) the other way round.

use super::atoms::Lists;
use super::compose::{Applied, Graft, Kind};
use super::edit::{Draft, OverlayEdit, is_same_part};
use super::graft::{self, copy_inside};
use super::{Composed, Layer};
use crate::clock::Dot;
use crate::codec::{self, NoPlace};
use crate::edit::{EditError, cut};
use crate::id::{ActorId, Lane, Writer};
use crate::identity::{self, Origin};
use crate::key::Lookup;
use crate::path::{Path, Segment};
use crate::render;
use crate::tree::{Content, Node, Tree};

/// An edit, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// What the file itself is to hold; `None` where the edit is about overlays alone.
    pub base: Option<Vec<u8>>,
    /// What each of the overlays is to hold, where that is something else, in their order.
    pub overlays: Vec<Option<OverlayEdit>>,
}

impl Composed {
    /// Takes apart what was saved by someone who saw this. `path` is the file's name in the mesh.
    ///
    /// # Errors
    /// [`EditError::Syntax`] for a file that doesn't parse: the edit is to be held; [`EditError::NoPlace`] where the parts
    /// would not be valid each for itself.
    pub fn split(&self, path: &str, saved: &[u8]) -> Result<Split, EditError> {
        if self.layers.iter().all(|(_, applied)| applied.grafts.is_empty()) {
            return Ok(self.of_file_alone(saved));
        }
        let format = self.content.format();
        let mut tree = cut(path, saved, Some(format))?;
        if tree.format != format {
            // Of another kind: nothing in it can be told to be an overlay's.
            return Ok(self.of_file_alone(saved));
        }
        // The ids are given anew when the parts are taken in: these tell items apart here only.
        let nobody = Dot { writer: Writer { actor: ActorId::default(), lane: Lane::FILE }, sequence: 0 };
        identity::assign(&mut tree, Some(&self.content.tree), Origin::Edit(nobody));
        let (base, overlays) = self.undo_all(tree)?;
        let (unedited, _) = self.undo_all(self.content.tree.clone())?;
        let bytes = codec::print(&base);
        if bytes == codec::print(&unedited) {
            return Ok(Split { base: None, overlays });
        }
        if !render::reads_back(&base, &bytes) {
            let why = "without the values that are this host's own, the file would not be valid";
            return Err(EditError::NoPlace(why.into()));
        }
        Ok(Split { base: Some(bytes), overlays })
    }

    fn of_file_alone(&self, saved: &[u8]) -> Split {
        let base = (saved != self.content.bytes).then(|| saved.to_vec());
        Split { base, overlays: vec![None; self.layers.len()] }
    }

    fn undo_all(&self, mut tree: Tree) -> Result<(Tree, Vec<Option<OverlayEdit>>), NoPlace> {
        let mut edits = Vec::with_capacity(self.layers.len());
        for (number, (layer, applied)) in self.layers.iter().enumerate().rev() {
            let file = self.base.content.as_ref().map(|content| &content.tree);
            let below = number.checked_sub(1).map(|below| &self.layers[below].1.tree).or(file);
            let edit;
            (tree, edit) = match below {
                Some(below) => undo(below, layer, applied, tree)?,
                None => (tree, None),
            };
            edits.push(edit);
        }
        edits.reverse();
        Ok((tree, edits))
    }
}

/// Takes an overlay off an edited file: gives the file below it, and what the edit makes of the overlay.
fn undo(below: &Tree, layer: &Layer, applied: &Applied, saved: Tree) -> Result<(Tree, Option<OverlayEdit>), NoPlace> {
    if applied.grafts.is_empty() {
        return Ok((saved, None));
    }
    let draft = Draft::of(layer.rendered.file(), below.format);
    let mut undoing = Undoing { below, applied, draft, saved, missing: Vec::new() };
    for (path, graft) in &applied.grafts {
        undoing.take_off(path, graft)?;
    }
    undoing.rename_items()?;
    undoing.remove_scaffold();
    undoing.restore_spacing();
    undoing.restore_missing();
    Ok((undoing.saved, undoing.draft.finish()?))
}

struct Undoing<'a> {
    below: &'a Tree,
    applied: &'a Applied,
    draft: Draft,
    /// Becomes the file below.
    saved: Tree,
    /// What the file below has and the edited one doesn't show.
    missing: Vec<Path>,
}

impl Undoing<'_> {
    fn take_off(&mut self, path: &Path, graft: &Graft) -> Result<(), NoPlace> {
        if self.is_in_deleted_item(path) {
            match graft.kind {
                Kind::Hidden => drop(self.draft.show.insert(path.clone())),
                Kind::Replaced | Kind::Added => self.draft.remove(&graft.own),
            }
            return Ok(());
        }
        let is_there = Lookup::new(&self.saved).exists(path);
        self.refuse_repeated(path)?;
        match (graft.kind, is_there) {
            (Kind::Hidden, false) => self.missing.push(path.clone()),
            (Kind::Hidden, true) => self.show_again(path, &graft.own)?,
            // Who deletes what only the overlay has, or gives another value, wants the file here without it.
            (Kind::Replaced, false) => {
                self.draft.remove(&graft.own);
                self.draft.hide.insert(path.clone());
                self.missing.push(path.clone());
            }
            (Kind::Added, false) => self.draft.remove(&graft.own),
            (Kind::Replaced, true) => self.take_value(path, &graft.own)?,
            (Kind::Added, true) => {
                if !is_same_part(&self.saved, &self.applied.tree, path) {
                    self.draft.take(&graft.own, &self.saved, &self.applied.tree, path)?;
                }
                graft::remove(&mut self.saved.root, path);
            }
        }
        Ok(())
    }

    /// An item of the file is the file's, whatever of it is the overlay's: who deletes it deletes it everywhere.
    fn is_in_deleted_item(&self, path: &Path) -> bool {
        let mut items = self.applied.names.keys().filter_map(Path::parent).filter(|item| path.starts_with(item));
        items.any(|item| !Lookup::new(&self.saved).exists(&item))
    }

    /// An item of the file that got another name is the same for the overlay.
    fn rename_items(&mut self) -> Result<(), NoPlace> {
        for (in_file, own) in &self.applied.names {
            let item_is_there = in_file.parent().is_some_and(|item| Lookup::new(&self.saved).exists(&item));
            if !item_is_there || self.draft.tree.root.find(own).is_none() {
                continue;
            }
            let now = self.saved.root.find(in_file).filter(|node| is_scalar(node));
            let now =
                now.ok_or_else(|| NoPlace { why: "an item with values of this host's own keeps its name".into() })?;
            if self.applied.tree.root.find(in_file).is_some_and(|before| before.content != now.content) {
                self.draft.replace(own, &self.saved, in_file)?;
            }
        }
        Ok(())
    }

    /// A key that stands several times means all its values: it can't be told any more which of them is the overlay's.
    fn refuse_repeated(&self, path: &Path) -> Result<(), NoPlace> {
        let is_occurrence = matches!(path.last(), Some(Segment::Item(_))) && codec::of(self.saved.format).keys_repeat();
        let Some(key) = path.parent().filter(|_| is_occurrence) else { return Ok(()) };
        let count = |tree: &Tree| Lists::of(tree).count(&key);
        if count(&self.saved) > count(&self.applied.tree).max(1) {
            let why = "a key with a value of this host's own stands there several times now";
            return Err(NoPlace { why: why.into() });
        }
        Ok(())
    }

    /// What was taken away here is there again, as the overlay's own value.
    fn show_again(&mut self, path: &Path, own: &Path) -> Result<(), NoPlace> {
        self.draft.show.insert(path.clone());
        let scalars = (self.saved.root.find(path).map(is_scalar), self.below.root.find(path).map(is_scalar));
        if scalars == (Some(true), Some(true)) {
            // An item that the overlay doesn't know can't be added by its id alone: then the value goes to the file.
            if self.draft.add(own, &self.saved, path).is_ok() {
                graft_content(&mut self.saved, self.below, path);
            }
        }
        Ok(())
    }

    fn take_value(&mut self, path: &Path, own: &Path) -> Result<(), NoPlace> {
        let nodes = (self.saved.root.find(path), self.applied.tree.root.find(path), self.below.root.find(path));
        match nodes {
            (Some(now), Some(before), Some(_))
                if now.content == before.content || (is_scalar(now) && is_scalar(before)) =>
            {
                if now.content != before.content || now.children != before.children {
                    self.draft.replace(own, &self.saved, path)?;
                }
                graft_content(&mut self.saved, self.below, path);
            }
            // A list of headers: there is no node of its own.
            (None, None, _) => {
                if !is_same_part(&self.saved, &self.applied.tree, path) {
                    self.draft.replace(own, &self.saved, path)?;
                }
                graft::graft(&mut self.saved, self.below, path, path)?;
            }
            // What was a value is a table now, say: that is an edit of the file, and ends the overlay's value.
            _ => self.draft.remove(own),
        }
        Ok(())
    }

    /// Takes away what was put in only to hold what the overlay adds, unless the edit has put something there, too.
    fn remove_scaffold(&mut self) {
        let below = Lookup::new(self.below);
        let mut scaffold = Vec::new();
        self.applied.tree.root.walk(&mut |node| {
            let is_new = below.node(&node.path).is_none() && self.applied.graft_over(&node.path).is_none();
            if is_new && matches!(node.content, Content::Container(_)) {
                scaffold.push(node.path.clone());
            }
        });
        for path in scaffold.iter().rev() {
            remove_empty(&mut self.saved.root, path);
        }
    }

    /// Spacing that changed only because of what the overlay adds becomes again what it was.
    fn restore_spacing(&mut self) {
        let (below, above) = (Lookup::new(self.below), Lookup::new(&self.applied.tree));
        restore_decor(&mut self.saved.root, &below, &above);
        if self.saved.style == self.applied.tree.style {
            self.saved.style = self.below.style;
        }
    }

    /// What the overlay takes away stays in the file below, unless the edit has left no place for it.
    fn restore_missing(&mut self) {
        if self.missing.is_empty() {
            return;
        }
        let mut all = self.saved.clone();
        graft::restore(&self.below.root, &mut all.root, &self.missing);
        if self.has_all(&all, &self.missing) {
            self.saved = all;
            return;
        }
        for path in std::mem::take(&mut self.missing) {
            let mut trial = self.saved.clone();
            let wanted = std::slice::from_ref(&path);
            graft::restore(&self.below.root, &mut trial.root, wanted);
            if self.has_all(&trial, wanted) {
                self.saved = trial;
            } else if !self.draft.hide.remove(&path) {
                self.draft.show.insert(path);
            }
        }
    }

    fn has_all(&self, tree: &Tree, wanted: &[Path]) -> bool {
        let lookup = Lookup::new(tree);
        wanted.iter().all(|path| lookup.exists(path)) && render::reads_back(tree, &codec::print(tree))
    }
}

fn is_scalar(node: &Node) -> bool {
    matches!(node.content, Content::Scalar(_))
}

/// Gives the value at a path the content that it has in another tree.
fn graft_content(tree: &mut Tree, from: &Tree, path: &Path) {
    if let (Some(node), Some(other)) = (tree.root.find_mut(path), from.root.find(path)) {
        copy_inside(node, other);
    }
}

/// Takes a node away that holds nothing, and nothing that stands elsewhere.
fn remove_empty(node: &mut Node, path: &Path) {
    node.children.retain(|child| child.path != *path || !child.children.is_empty());
    node.children.iter_mut().for_each(|child| remove_empty(child, path));
}

/// Where the overlay has changed the spacing of what isn't its own, and the edit hasn't, it becomes again what it was. The
/// inside of a table stays spaced as it is for keys that the edit has put into it.
fn restore_decor(node: &mut Node, below: &Lookup<'_>, above: &Lookup<'_>) {
    let has_new = node.children.iter().any(|child| below.node(&child.path).is_none());
    if let (Some(below), Some(above)) = (below.node(&node.path), above.node(&node.path)) {
        let (now, below, above) = (&mut node.decor, &below.decor, &above.decor);
        restore_part(&mut now.lead, &below.lead, &above.lead);
        restore_part(&mut now.separator, &below.separator, &above.separator);
        restore_part(&mut now.trail, &below.trail, &above.trail);
        restore_part(&mut now.after_comma, &below.after_comma, &above.after_comma);
        if !has_new {
            restore_part(&mut now.close, &below.close, &above.close);
            restore_part(&mut now.indent, &below.indent, &above.indent);
            restore_part(&mut now.trailing_comma, &below.trailing_comma, &above.trailing_comma);
        }
    }
    node.children.iter_mut().for_each(|child| restore_decor(child, below, above));
}

fn restore_part<T: PartialEq + Clone>(now: &mut T, below: &T, above: &T) {
    if now == above {
        now.clone_from(below);
    }
}
