//! Edits of an overlay: values put in and taken away, over the API or by whoever saves a file that shows them.

use std::collections::BTreeSet;

use super::atoms::{Atom, Lists, atoms};
use super::compose::{apply, replace};
use super::graft;
use crate::codec::{self, NoPlace, ParseError};
use crate::edit::{EditError, PutType, literal};
use crate::identity::{self, IDENTITY_FIELDS, Origin};
use crate::key::{Found, Lookup, Step};
use crate::path::{Path, Segment};
use crate::render::{self, Content};
use crate::tree::{self, FileStyle, Format, Tree};

/// What an overlay is to hold, to be written by [`crate::document::Document::take_overlay`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlayEdit {
    pub(crate) format: Format,
    /// The whole overlay, as a file would hold it.
    pub(crate) bytes: Vec<u8>,
    /// What it takes away from the file from now on, by the file's paths.
    pub(crate) hide: BTreeSet<Path>,
    /// What it takes away no more.
    pub(crate) show: BTreeSet<Path>,
}

impl OverlayEdit {
    /// What an overlay is to hold that goes on from another one, as it is or as an edit made it: its file was renamed.
    #[must_use]
    pub fn copy_of(other: &Content, edited: Option<&Self>) -> Self {
        let mut hide = other.hides.clone();
        let mut bytes = other.bytes.clone();
        if let Some(edited) = edited {
            hide.extend(edited.hide.iter().cloned());
            hide.retain(|path| !edited.show.contains(path));
            bytes.clone_from(&edited.bytes);
        }
        Self { format: other.format(), bytes, hide, show: BTreeSet::new() }
    }
}

/// An overlay that is being edited.
pub(super) struct Draft {
    pub(super) tree: Tree,
    pub(super) hide: BTreeSet<Path>,
    pub(super) show: BTreeSet<Path>,
    is_changed: bool,
}

impl Draft {
    /// The overlay as it is; an empty one where there is none yet.
    pub(super) fn of(overlay: Option<&Content>, format: Format) -> Self {
        let empty = || Tree { format, style: FileStyle::default(), root: codec::of(format).empty() };
        let tree = overlay.map_or_else(empty, |overlay| overlay.tree.clone());
        Self { tree, hide: BTreeSet::new(), show: BTreeSet::new(), is_changed: false }
    }

    /// Takes a value away, and what then says nothing any more.
    pub(super) fn remove(&mut self, path: &Path) {
        self.is_changed = true;
        graft::remove(&mut self.tree.root, path);
        graft::prune_above(&mut self.tree, path);
    }

    /// Gives a value that is there another content, that of `from` in another tree.
    pub(super) fn replace(&mut self, path: &Path, source: &Tree, from: &Path) -> Result<(), NoPlace> {
        self.is_changed = true;
        replace(&mut self.tree, path, source, from)
    }

    /// Puts in a value that isn't there yet, as it stands at `from` in another tree.
    pub(super) fn add(&mut self, path: &Path, source: &Tree, from: &Path) -> Result<(), NoPlace> {
        self.is_changed = true;
        let inserted = source.root.find(from).map(|node| graft::insert(&mut self.tree, path, node));
        match inserted {
            Some(Ok(())) => Ok(()),
            _ => graft::graft(&mut self.tree, source, from, path),
        }
    }

    /// Takes over what an edited file has in a part that only the overlay has: as it stands there, or where that can't be,
    /// value by value. `former` is the file before the edit.
    pub(super) fn take(&mut self, own: &Path, saved: &Tree, former: &Tree, part: &Path) -> Result<(), NoPlace> {
        self.is_changed = true;
        let mut whole = self.tree.clone();
        if graft::graft(&mut whole, saved, part, own).is_ok() && render::reads_back(&whole, &codec::print(&whole)) {
            self.tree = whole;
            return Ok(());
        }
        let values =
            |tree: &Tree| -> Vec<Atom> { atoms(tree).into_iter().filter(|atom| atom.path.starts_with(part)).collect() };
        let (old, new) = (values(former), values(saved));
        for gone in old.iter().filter(|atom| !new.contains(atom)) {
            self.remove(&graft::moved(&gone.path, part, own));
        }
        for atom in &new {
            let place = graft::moved(&atom.path, part, own);
            if !old.contains(atom) {
                self.add(&place, saved, &atom.path)?;
            } else if !is_same_part(saved, former, &atom.path) {
                self.replace(&place, saved, &atom.path)?;
                self.take_comments(&place, saved, former, &atom.path);
            }
        }
        Ok(())
    }

    /// The comments of a value that only the overlay has are its own, too.
    fn take_comments(&mut self, own: &Path, saved: &Tree, former: &Tree, path: &Path) {
        let nodes = (self.tree.root.find_mut(own), saved.root.find(path), former.root.find(path));
        let (Some(node), Some(now), Some(before)) = nodes else { return };
        let mut former = graft::comments(&before.decor).into_iter();
        graft::copy_comments(&mut node.decor, &now.decor, |part| former.next() != Some(part));
    }

    /// What is to be written; `None` where nothing was edited.
    pub(super) fn finish(self) -> Result<Option<OverlayEdit>, NoPlace> {
        if !self.is_changed && self.hide.is_empty() && self.show.is_empty() {
            return Ok(None);
        }
        let bytes = codec::print(&self.tree);
        if !render::reads_back(&self.tree, &bytes) {
            return Err(NoPlace { why: "the overlay would not be valid with it".into() });
        }
        Ok(Some(OverlayEdit { format: self.tree.format, bytes, hide: self.hide, show: self.show }))
    }
}

/// Whether two trees have the same at a path, comments and spacing included.
pub(super) fn is_same_part(one: &Tree, other: &Tree, path: &Path) -> bool {
    let part = |tree: &Tree| {
        let mut found = Vec::new();
        graft::outermost(&tree.root, path, &mut found);
        found.into_iter().map(|(_, node)| node.clone()).collect::<Vec<_>>()
    };
    part(one) == part(other)
}

/// Puts a value into an overlay of a file. `file` is what the file itself has: it says of which type the value is, and
/// which items there are.
///
/// # Errors
/// When the file can't show it, or the text isn't a value of the type.
pub fn put(
    file: &Content,
    overlay: Option<&Content>,
    steps: &[Step],
    text: &str,
    put_type: PutType,
) -> Result<OverlayEdit, EditError> {
    check_formats(file, overlay)?;
    let mut draft = Draft::of(overlay, file.format());
    let place = Place::find(&draft.tree, file, steps)?;
    for item in &place.items {
        item.make(&mut draft.tree, file)?;
    }
    let value_at = |tree: &Tree, path: &Path| match &tree.root.find(path)?.content {
        tree::Content::Scalar(text) => codec::of(file.format()).scalar(text),
        _ => None,
    };
    let former = value_at(&draft.tree, &place.own).or_else(|| value_at(&file.tree, &place.in_file));
    let literal = literal(file.format(), text, put_type, former.as_ref())?;
    match draft.tree.root.find_mut(&place.own) {
        Some(node) if matches!(node.content, tree::Content::Scalar(_)) => node.content = tree::Content::Scalar(literal),
        _ => codec::of(file.format()).insert(&mut draft.tree.root, &place.own, &literal)?,
    }
    draft.is_changed = true;
    draft.show.extend(hidden_below(overlay, &place.in_file));
    let edit = draft.finish()?.ok_or_else(|| EditError::NoPlace("nothing is put".into()))?;
    check_shown(file, overlay, &edit)?;
    Ok(edit)
}

/// Takes what an overlay says at a key away, so that the file's own value stands again. `None` if it says nothing there.
///
/// # Errors
/// When the overlay would not be valid without it, or the key is one of an item by its place.
pub fn remove(file: &Content, overlay: &Content, steps: &[Step]) -> Result<Option<OverlayEdit>, EditError> {
    refuse_indexes(steps)?;
    let mut draft = Draft::of(Some(overlay), overlay.format());
    if let Found::Here(path) = Lookup::new(&overlay.tree).find(steps) {
        draft.remove(&path);
    }
    if let Found::Here(path) | Found::Absent(path) = Lookup::new(&file.tree).find(steps) {
        draft.show.extend(hidden_below(Some(overlay), &path));
    }
    Ok(draft.finish()?)
}

/// A whole overlay, as a file would hold it.
///
/// # Errors
/// When it isn't a valid file of the format that the file has.
pub fn replace_all(file: &Content, bytes: &[u8]) -> Result<OverlayEdit, EditError> {
    check_formats(file, None)?;
    match codec::parse(file.format(), bytes) {
        Ok(tree) if render::reads_back(&tree, bytes) => Ok(OverlayEdit {
            format: file.format(),
            bytes: bytes.to_vec(),
            hide: BTreeSet::new(),
            show: BTreeSet::new(),
        }),
        Ok(_) => Err(EditError::NoPlace("it isn't read back as it is written".into())),
        Err(ParseError::Syntax(error)) => Err(error.into()),
        Err(error) => Err(EditError::NoPlace(error.to_string())),
    }
}

fn hidden_below(overlay: Option<&Content>, path: &Path) -> Vec<Path> {
    let hides = overlay.iter().flat_map(|overlay| &overlay.hides);
    hides.filter(|hidden| hidden.starts_with(path)).cloned().collect()
}

fn check_formats(file: &Content, overlay: Option<&Content>) -> Result<(), EditError> {
    if !file.format().is_structured() {
        let why = format!(
            "the file is kept as {}; only files with keys have values of their own on some hosts",
            file.format().name()
        );
        return Err(EditError::NoPlace(why));
    }
    match overlay {
        Some(overlay) if overlay.format() != file.format() => {
            let formats = (overlay.format().name(), file.format().name());
            Err(EditError::NoPlace(format!("the overlay is kept as {}, and the file as {}", formats.0, formats.1)))
        }
        _ => Ok(()),
    }
}

/// What is put must be shown: the file has no table where a value is put, say.
fn check_shown(file: &Content, overlay: Option<&Content>, edit: &OverlayEdit) -> Result<(), EditError> {
    let mut tree = codec::parse(edit.format, &edit.bytes).map_err(|error| EditError::NoPlace(error.to_string()))?;
    identity::assign(&mut tree, None, Origin::Import);
    let new = Content { tree, hides: BTreeSet::new(), ..file.clone() };
    let before = overlay.map_or(0, |overlay| apply(&file.tree, overlay).left_out.len());
    match apply(&file.tree, &new).left_out.last() {
        Some(left) if apply(&file.tree, &new).left_out.len() > before => Err(EditError::NoPlace(left.why.clone())),
        _ => Ok(()),
    }
}

fn refuse_indexes(steps: &[Step]) -> Result<(), EditError> {
    if steps.iter().any(|step| matches!(step, Step::Index(_))) {
        let why = "an overlay names items by what they hold, like `servers[name=a]`, or has the whole list";
        return Err(EditError::NoPlace(why.into()));
    }
    Ok(())
}

/// Where a put into an overlay leads.
struct Place {
    /// The place in the overlay.
    own: Path,
    /// The place in the file.
    in_file: Path,
    /// The items on the way that the overlay doesn't have yet.
    items: Vec<NewItem>,
}

/// An item that an overlay is to have.
struct NewItem {
    path: Path,
    field: String,
    name: String,
    in_file: Option<Path>,
}

impl Place {
    fn find(overlay: &Tree, file: &Content, steps: &[Step]) -> Result<Self, EditError> {
        refuse_indexes(steps)?;
        if codec::of(file.format()).keys_repeat() {
            return Self::among_lines(overlay, file, steps);
        }
        let (own, in_file) = (Lists::of(overlay), Lists::of(&file.tree));
        let mut place = Self { own: Path::ROOT, in_file: Path::ROOT, items: Vec::new() };
        for step in steps {
            let Step::Field(field, name) = step else {
                if let Step::Key(key) = step {
                    place.own = place.own.key(key);
                    place.in_file = place.in_file.key(key);
                }
                continue;
            };
            let identity = format!("{field}={name}");
            let item = |lists: &Lists<'_>, list: &Path| Some(lists.named(list)?.get(&identity)?.path.clone());
            let (here, there) = (item(&own, &place.own), item(&in_file, &place.in_file));
            place.own = match here {
                Some(path) => path,
                None => {
                    let path = place.own.child(Segment::Item("new".into()));
                    let item = NewItem { path, field: field.clone(), name: name.clone(), in_file: there.clone() };
                    place.items.push(item);
                    place.items.last().map(|item| item.path.clone()).unwrap_or_default()
                }
            };
            place.in_file = there.unwrap_or_else(|| place.in_file.child(Segment::Item("new".into())));
        }
        match steps.last() {
            Some(Step::Key(_)) => Ok(place),
            _ => Err(EditError::NoPlace("an item stands there; put its keys, or the whole list".into())),
        }
    }
}

impl Place {
    /// Where keys may stand several times: in the sections and blocks that stand once.
    fn among_lines(overlay: &Tree, file: &Content, steps: &[Step]) -> Result<Self, EditError> {
        if steps.iter().any(|step| !matches!(step, Step::Key(_))) {
            let why = "in a file of this format an overlay names keys only, and has all values of one that stands several times";
            return Err(EditError::NoPlace(why.into()));
        }
        let find = |tree: &Tree| match Lookup::new(tree).find(steps) {
            Found::Here(path) | Found::Absent(path) => Ok(path),
            Found::NoSuchItem(why) => Err(EditError::NoPlace(why)),
        };
        Ok(Self { own: find(overlay)?, in_file: find(&file.tree)?, items: Vec::new() })
    }
}

impl NewItem {
    /// Puts in the item with nothing but its name: as the file has it, else as a new one.
    fn make(&self, tree: &mut Tree, file: &Content) -> Result<(), EditError> {
        if !IDENTITY_FIELDS.contains(&&*self.field) {
            let why = format!("items are told apart by {}, not by `{}`", IDENTITY_FIELDS.join(", "), self.field);
            return Err(EditError::NoPlace(why));
        }
        let field = self.path.key(&self.field);
        if let Some(in_file) = &self.in_file {
            let mut source = file.tree.root.clone();
            graft::rename(&mut source, in_file, &self.path);
            graft::without_comments(&mut source);
            graft::restore(&source, &mut tree.root, std::slice::from_ref(&field));
        }
        if tree.root.find(&field).is_some() {
            return Ok(());
        }
        let literal = literal(tree.format, &self.name, PutType::Automatic, None)?;
        Ok(codec::of(tree.format).insert(&mut tree.root, &field, &literal)?)
    }
}
