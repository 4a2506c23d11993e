//! What people do to a document: save its file, put and delete keys, delete the file, resolve conflicts.
//!
//! Each becomes one change. A file edit is written at the heads that its editor saw; everything over the API at those
//! that are rendered, so that it supersedes what its user saw, and nothing else.

use std::borrow::Cow;

use crate::clock::Dot;
use crate::codec::{self, NoPlace, ParseError, SyntaxError, meaning};
use crate::conflict::{Choice, ConflictValue};
use crate::diff::{self, Target};
use crate::document::{Document, Heads, Stamp, WriteError, Written};
use crate::fit::{self, Unfit};
use crate::id::{ActorId, ChangeHash, Lane, Writer};
use crate::identity::{self, Origin};
use crate::key::{self, Found, Lookup, Step};
use crate::limits;
use crate::overlay::OverlayEdit;
use crate::path::{Path, Segment};
use crate::register::{Cell, EpochId, Part, Register, RenamedFrom};
use crate::render::{self, Rendered};
use crate::shown;
use crate::state::{Candidates, FragmentState, State};
use crate::tree::{Content, Format, Shape, Tree};
use crate::value::Value;

/// Who edits, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Editor {
    /// This host's actor.
    pub actor: ActorId,
    /// The wall clock, milliseconds since 1970 UTC.
    pub time_ms: u64,
    /// The user, if known.
    pub user: String,
}

/// Why an edit isn't taken. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The file's new content isn't valid: it is held until it is.
    #[error("{0}")]
    Syntax(#[from] SyntaxError),
    /// Past a limit that all hosts share.
    #[error("{what} is {found}, the limit is {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        found: usize,
        /// How large it may be.
        limit: usize,
    },
    /// The address leads nowhere.
    #[error("{0}")]
    NotFound(String),
    /// The new value has no place, or can't be written there.
    #[error("{0}")]
    NoPlace(String),
    /// The value isn't one of the type asked for, or the format has no such type.
    #[error("{0}")]
    Type(String),
    /// The document must be reloaded.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<NoPlace> for EditError {
    fn from(error: NoPlace) -> Self {
        Self::NoPlace(error.why)
    }
}

/// The type that a put asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutType {
    /// A literal of the existing value's type if it reads so, else the format's own literal, else a string.
    Automatic,
    /// Text, whatever it looks like.
    String,
    /// A literal of the format, of this type by [`Value::type_name`].
    Literal(&'static str),
}

/// What a put is going to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutPlan {
    /// Write this value over the present one. Such puts, to different registers, may share a change.
    Replace {
        /// Where.
        register: Register,
        /// The value.
        cell: Cell,
    },
    /// Nothing: the value is there already, since this change (MERGE rule 15).
    Unchanged {
        /// Where.
        register: Register,
        /// The change that wrote it.
        dot: Option<Dot>,
    },
    /// Put in a key that isn't there yet.
    Insert,
}

/// What a put did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutOutcome {
    /// A change was written.
    Written(Written),
    /// The value was there already, since this change (MERGE rule 15).
    Unchanged(Option<Dot>),
}

/// A saved file on its way into a document.
#[derive(Clone, Copy)]
struct File<'a> {
    /// What its editor saw.
    base: &'a Rendered,
    bytes: &'a [u8],
    executable: bool,
    /// Where it was before it was renamed.
    renamed_from: Option<&'a RenamedFrom>,
    /// The change that will hold it.
    dot: Dot,
}

/// Where the content of a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Epoch {
    /// Under what is there, if that has the same format.
    Present,
    /// As a replacement of the whole.
    New,
}

impl Document {
    /// Takes in a file that was saved by someone who had seen `base`. `None` if it differs in nothing. `lane` is the
    /// preferred one: [`Lane::FILE`] for files, [`Lane::API`] for whole files put over the API.
    ///
    /// # Errors
    /// [`EditError::Syntax`] for a structured file that doesn't parse: the edit is to be held.
    /// [`EditError::TooLarge`] past a limit.
    pub fn take_file(
        &mut self,
        base: &Rendered,
        bytes: &[u8],
        executable: bool,
        lane: Lane,
        editor: &Editor,
    ) -> Result<Option<Written>, EditError> {
        self.take_renamed_file(base, bytes, executable, None, lane, editor)
    }

    /// [`Self::take_file`], of a file that another document's was renamed to: the link is kept with it.
    ///
    /// # Errors
    /// See [`Self::take_file`].
    pub fn take_renamed_file(
        &mut self,
        base: &Rendered,
        bytes: &[u8],
        executable: bool,
        renamed_from: Option<&RenamedFrom>,
        lane: Lane,
        editor: &Editor,
    ) -> Result<Option<Written>, EditError> {
        if let Some(file) = base.file()
            && file.bytes == bytes
        {
            let cells = if file.executable == executable { vec![] } else { vec![executable_cell(executable)] };
            return self.commit(&base.heads, lane, editor, &cells);
        }
        let tree = cut(self.id().as_str(), bytes, base.file().map(|file| file.tree.format))?;
        let heads = base.heads.clone();
        let (writer, heads) = self.writer_and_heads(editor, lane, heads);
        let file = File { base, bytes, executable, renamed_from, dot: self.next_dot(writer) };
        let cells = self.fitting_cells(&file, tree)?;
        self.write_fitting(&heads, stamp(writer, editor), &cells)
    }

    /// The cells of a saved file. Where they would pass a limit of one change, the file is replaced as a whole, and if
    /// that doesn't help either, it is kept in a coarser format, as what can't be cut is.
    fn fitting_cells(&self, file: &File<'_>, tree: Tree) -> Result<Vec<(Register, Cell)>, EditError> {
        let format = tree.format;
        let cells = self.file_cells(file, tree, Epoch::Present);
        let fits = |cells: &[_]| fit::check(self.state(), cells).is_ok();
        if fits(&cells) {
            return Ok(cells);
        }
        for epoch in [Epoch::New, Epoch::Present] {
            let tree = match epoch {
                Epoch::New => cut(self.id().as_str(), file.bytes, Some(format))?,
                Epoch::Present => cut_as_text(file.bytes)?,
            };
            let cells = self.file_cells(file, tree, epoch);
            if fits(&cells) {
                return Ok(cells);
            }
        }
        let bytes = codec::parse(Format::Binary, file.bytes).map_err(|error| EditError::NoPlace(error.to_string()))?;
        Ok(self.file_cells(file, bytes, Epoch::New))
    }

    fn file_cells(&self, file: &File<'_>, mut tree: Tree, wanted: Epoch) -> Vec<(Register, Cell)> {
        let File { base, bytes, executable, renamed_from, dot } = *file;
        let format = tree.format;
        let mut cells = Vec::new();
        let under = base.content.as_ref().filter(|content| {
            wanted == Epoch::Present && content.tree.format == format && (!base.deleted || format.is_structured())
        });
        let epoch = match (under, &base.content) {
            (Some(content), _) => content.epoch.clone(),
            (None, None) if format.merges_when_created() => EpochId::first(format),
            _ => EpochId::replacing(format, &base.heads, bytes),
        };
        if under.is_none() {
            cells.push((Register::Epoch, Cell::Epoch(epoch.clone(), format)));
        }
        let base_tree = under.map(|content| &content.tree);
        let origin = if base_tree.is_some() { Origin::Edit(dot) } else { Origin::Import };
        identity::assign(&mut tree, base_tree, origin);
        let state = self.state_by(&base.heads);
        cells.extend(diff::diff(base_tree, &tree, &Target { epoch: &epoch, state: &state, dot }));
        if base.content.as_ref().is_some_and(|content| content.executable) != executable {
            cells.push(executable_cell(executable));
        }
        if base.deleted {
            cells.push((Register::Life, Cell::Flag(true)));
        }
        cells.extend(renamed_from.map(|from| (Register::RenamedFrom, Cell::RenamedFrom(from.clone()))));
        cells
    }

    /// Writes what an overlay is to hold, made of its content at `base`. `None` if it differs in nothing. `lane` is the
    /// preferred one: [`Lane::FILE`] for an edit of the file that shows it, [`Lane::API`] for the API.
    ///
    /// # Errors
    /// [`EditError::TooLarge`] past a limit, [`EditError::NoPlace`] for what can't be kept key by key.
    pub fn take_overlay(
        &mut self,
        base: &Rendered,
        edit: &OverlayEdit,
        lane: Lane,
        editor: &Editor,
    ) -> Result<Option<Written>, EditError> {
        limit("the overlay", edit.bytes.len(), limits::FILE_BYTES)?;
        let tree = codec::parse(edit.format, &edit.bytes).map_err(|error| EditError::NoPlace(error.to_string()))?;
        if !is_sound(&tree, &edit.bytes) {
            return Err(EditError::NoPlace("it can't be kept key by key".into()));
        }
        let (writer, heads) = self.writer_and_heads(editor, lane, base.heads.clone());
        let dot = self.next_dot(writer);
        let file = File { base, bytes: &edit.bytes, executable: false, renamed_from: None, dot };
        let is_present = base.file().is_some_and(|file| file.bytes == edit.bytes && file.format() == edit.format);
        let mut cells = if is_present { Vec::new() } else { self.file_cells(&file, tree, Epoch::Present) };
        let opened = cells.iter().find_map(|(_, cell)| match cell {
            Cell::Epoch(epoch, _) => Some(epoch.clone()),
            _ => None,
        });
        let epoch = opened.or_else(|| base.content.as_ref().map(|content| content.epoch.clone()));
        let epoch = epoch.unwrap_or_else(|| EpochId::first(edit.format));
        let hidden = edit.hide.iter().map(|path| (path, true)).chain(edit.show.iter().map(|path| (path, false)));
        cells.extend(hidden.map(|(path, hidden)| {
            let register = Register::Fragment { epoch: epoch.clone(), path: path.clone(), part: Part::Hidden };
            (register, Cell::Flag(hidden))
        }));
        self.write_fitting(&heads, stamp(writer, editor), &cells)
    }

    /// Deletes the file that stands at `base`. `None` if there is none.
    ///
    /// # Errors
    /// [`EditError::Write`].
    pub fn delete_file(&mut self, base: &Rendered, lane: Lane, editor: &Editor) -> Result<Option<Written>, EditError> {
        if base.file().is_none() {
            return Ok(None);
        }
        // Where an edit outlived a deletion, putting the same tombstone again would write nothing.
        let again = (!self.state().life.0.is_empty()).then_some((Register::Life, Cell::Flag(true)));
        let mut cells: Vec<_> =
            again.into_iter().chain([(Register::Life, Cell::Tombstone { container: false })]).collect();
        cells.extend(base.file().map(hides_nothing).into_iter().flatten());
        self.commit(&base.heads, lane, editor, &cells)
    }

    /// Puts a value at a key. `rendered` is the current render.
    ///
    /// # Errors
    /// When the key has no place, or the text isn't a value of the type.
    pub fn put(
        &mut self,
        rendered: &Rendered,
        steps: &[Step],
        text: &str,
        put_type: PutType,
        editor: &Editor,
    ) -> Result<PutOutcome, EditError> {
        match self.plan_put(rendered, steps, text, put_type)? {
            PutPlan::Replace { register, cell } => self.put_values(rendered, &[(register, cell)], editor),
            PutPlan::Unchanged { dot, .. } => Ok(PutOutcome::Unchanged(dot)),
            PutPlan::Insert => {
                let tree = self.tree_for_put(rendered)?;
                match key::find(&tree, steps) {
                    Found::Here(path) | Found::Absent(path) => {
                        self.insert(rendered, tree.into_owned(), &path, text, put_type, editor)
                    }
                    Found::NoSuchItem(why) => Err(EditError::NotFound(why)),
                }
            }
        }
    }

    /// What a put would do, without doing it. `rendered` is the current render.
    ///
    /// # Errors
    /// When the key has no place, or the text isn't a value of the type.
    pub fn plan_put(
        &self,
        rendered: &Rendered,
        steps: &[Step],
        text: &str,
        put_type: PutType,
    ) -> Result<PutPlan, EditError> {
        limit("the value", text.len(), limits::VALUE_BYTES)?;
        let tree = self.tree_for_put(rendered)?;
        let path = match key::find(&tree, steps) {
            Found::Here(path) => path,
            Found::Absent(_) => return Ok(PutPlan::Insert),
            Found::NoSuchItem(why) => return Err(EditError::NotFound(why)),
        };
        let Some(Content::Scalar(old)) = tree.root.find(&path).map(|node| &node.content) else {
            return Err(EditError::NoPlace("a table or list stands there; put its keys, or the whole file".into()));
        };
        let codec = codec::of(tree.format);
        let former = codec.scalar(old);
        let literal = literal(tree.format, text, put_type, former.as_ref())?;
        let epoch = match &rendered.content {
            Some(content) => content.epoch.clone(),
            None => EpochId::first(tree.format),
        };
        if !reads_back_with(&tree, &path, old, &literal) {
            return Err(EditError::NoPlace("the file would not be valid with it".into()));
        }
        let register = Register::Fragment { epoch, path, part: Part::Content };
        let is_same = literal == *old || codec.scalar(&literal).is_some_and(|value| former == Some(value));
        let present = self.state().get(&register);
        if is_same && present.is_none_or(|present| present.0.len() < 2) {
            let winner = present.and_then(Candidates::winner);
            let dot = winner.and_then(|winner| self.history().dot_of(winner.operation));
            return Ok(PutPlan::Unchanged { register, dot });
        }
        let depends = former == Some(Value::Null) || !shown::stands_alone(tree.format, &literal);
        if codec.keys_repeat() && depends {
            check_in_place(&tree, &register, &literal)?;
        }
        Ok(PutPlan::Replace { register, cell: Cell::Content(Content::Scalar(literal)) })
    }

    /// Writes values that were planned at this render, as one change.
    ///
    /// # Errors
    /// [`EditError::Write`].
    pub fn put_values(
        &mut self,
        rendered: &Rendered,
        cells: &[(Register, Cell)],
        editor: &Editor,
    ) -> Result<PutOutcome, EditError> {
        self.commit(&rendered.heads, Lane::API, editor, cells).map(outcome)
    }

    /// The tree that a put edits: the file's, or an empty one of the format that the path asks for.
    fn tree_for_put<'a>(&self, rendered: &'a Rendered) -> Result<Cow<'a, Tree>, EditError> {
        if let Some(file) = rendered.file() {
            return Ok(Cow::Borrowed(&file.tree));
        }
        let format = codec::detect(self.id().as_str(), b"");
        if !format.is_structured() {
            let why = "a file that isn't there, in a format without keys; put the whole file";
            return Err(EditError::NoPlace(why.into()));
        }
        let root = codec::of(format).empty();
        Ok(Cow::Owned(Tree { format, style: crate::tree::FileStyle::default(), root }))
    }

    fn insert(
        &mut self,
        base: &Rendered,
        mut tree: Tree,
        path: &Path,
        text: &str,
        put_type: PutType,
        editor: &Editor,
    ) -> Result<PutOutcome, EditError> {
        limit("the key", path.encode().len(), limits::PATH_BYTES)?;
        let codec = codec::of(tree.format);
        let literal = literal(tree.format, text, put_type, None)?;
        codec.insert(&mut tree.root, path, &literal)?;
        let bytes = codec::print(&tree);
        let reads = render::reads_back(&tree, &bytes);
        if !reads {
            return Err(EditError::NoPlace("the file would not be valid with it".into()));
        }
        limit("the file", bytes.len(), limits::FILE_BYTES)?;
        let executable = base.file().is_some_and(|file| file.executable);
        let (writer, heads) = self.writer_and_heads(editor, Lane::API, base.heads.clone());
        let dot = self.next_dot(writer);
        // Cut again: what was inserted gets the ids and the shape that a parser gives it.
        let format = tree.format;
        let tree = cut(self.id().as_str(), &bytes, Some(format))?;
        if tree.format != format {
            // Past a limit a file is kept as a whole: a put must not take its keys away.
            let why = "with it the file would have too many keys, or too deep ones, to be merged key by key";
            return Err(EditError::NoPlace(why.into()));
        }
        let file = File { base, bytes: &bytes, executable, renamed_from: None, dot };
        let cells = self.file_cells(&file, tree, Epoch::Present);
        self.write_fitting(&heads, stamp(writer, editor), &cells).map(outcome)
    }

    /// Deletes a key with all below it. `None` if it isn't there.
    ///
    /// # Errors
    /// When the file would not be valid without it.
    pub fn delete_key(
        &mut self,
        rendered: &Rendered,
        steps: &[Step],
        editor: &Editor,
    ) -> Result<Option<Written>, EditError> {
        let Some(file) = rendered.file() else { return Ok(None) };
        let Found::Here(path) = Lookup::new(&file.tree).find(steps) else { return Ok(None) };
        let mut tree = file.tree.clone();
        remove(&mut tree.root, &path);
        if !render::reads_back(&tree, &codec::print(&tree)) {
            return Err(EditError::NoPlace("the file would not be valid without it".into()));
        }
        let (writer, heads) = self.writer_and_heads(editor, Lane::API, rendered.heads.clone());
        let state = self.state_by(&rendered.heads);
        let target = Target { epoch: &file.epoch, state: &state, dot: self.next_dot(writer) };
        let cells = diff::diff(Some(&file.tree), &tree, &target);
        drop(state);
        self.write_fitting(&heads, stamp(writer, editor), &cells)
    }

    /// Ends a conflict by choosing one of its values. `rendered` is the current render: the choice is written at its heads,
    /// that between heads at all heads.
    ///
    /// # Errors
    /// [`EditError::NoPlace`] for a value with which the file would not be valid, [`EditError::Write`].
    pub fn resolve(
        &mut self,
        chosen: &ConflictValue,
        rendered: &Rendered,
        editor: &Editor,
    ) -> Result<Option<Written>, EditError> {
        match &chosen.choice {
            Choice::DeleteFile => self.delete_file(rendered, Lane::API, editor),
            Choice::TakeHeads(heads) => self.take_heads(heads, rendered, editor),
            Choice::KeepShown => self.take_content(rendered, editor),
            choice => {
                let state = self.state_by(&rendered.heads);
                let cells = chosen_cells(choice, &state, rendered);
                if render::is_good(rendered) && !render::is_good_with(&state, &cells) {
                    let why = "the file would not be valid with this value alone; choose another, or edit the file";
                    return Err(EditError::NoPlace(why.into()));
                }
                drop(state);
                self.commit(&rendered.heads, Lane::API, editor, &cells)
            }
        }
    }

    /// Makes what left-out heads show the content of the file.
    fn take_heads(
        &mut self,
        heads: &[ChangeHash],
        rendered: &Rendered,
        editor: &Editor,
    ) -> Result<Option<Written>, EditError> {
        let wanted = self.render_at(heads);
        if !render::is_good(&wanted) {
            return Err(EditError::NoPlace("this side alone isn't a valid file; choose another, then edit it".into()));
        }
        match wanted.file() {
            Some(_) => self.take_content(&wanted, editor),
            None => self.delete_file(&Rendered { heads: self.heads(), ..rendered.clone() }, Lane::API, editor),
        }
    }

    /// Opens a new epoch with this content, at all heads: nothing that stood beside it is left in it.
    fn take_content(&mut self, wanted: &Rendered, editor: &Editor) -> Result<Option<Written>, EditError> {
        let Some(file) = wanted.file() else { return Ok(None) };
        let heads = self.heads();
        let epoch = EpochId::replacing(file.tree.format, &heads, &file.bytes);
        let (writer, heads) = self.writer_and_heads(editor, Lane::API, heads);
        let mut cells = vec![(Register::Epoch, Cell::Epoch(epoch.clone(), file.tree.format))];
        let state = self.state_by(&heads);
        let target = Target { epoch: &epoch, state: &state, dot: self.next_dot(writer) };
        cells.extend(diff::diff(None, &file.tree, &target));
        drop(state);
        self.write_fitting(&heads, stamp(writer, editor), &cells)
    }

    fn next_dot(&self, writer: Writer) -> Dot {
        Dot { writer, sequence: self.history().last_sequence(writer) + 1 }
    }

    /// The lane that may write at `heads`; where none may, the preferred one writes at all heads.
    fn writer_and_heads(&self, editor: &Editor, lane: Lane, heads: Heads) -> (Writer, Heads) {
        match self.writer_at(editor.actor, lane, &heads) {
            Some(writer) => (writer, heads),
            None => (Writer { actor: editor.actor, lane }, self.heads()),
        }
    }

    fn commit(
        &mut self,
        heads: &Heads,
        lane: Lane,
        editor: &Editor,
        cells: &[(Register, Cell)],
    ) -> Result<Option<Written>, EditError> {
        let (writer, heads) = self.writer_and_heads(editor, lane, heads.clone());
        self.write_fitting(&heads, stamp(writer, editor), cells)
    }

    /// Writes a change that others will take.
    fn write_fitting(
        &mut self,
        heads: &Heads,
        stamp: Stamp,
        cells: &[(Register, Cell)],
    ) -> Result<Option<Written>, EditError> {
        fit::check(self.state(), cells).map_err(|Unfit { what, found, limit }| EditError::TooLarge {
            what,
            found,
            limit,
        })?;
        Ok(self.write(heads, stamp, cells)?)
    }
}

/// What makes an overlay take nothing away from its file any more.
fn hides_nothing(overlay: &crate::render::Content) -> Vec<(Register, Cell)> {
    let register =
        |path: &Path| Register::Fragment { epoch: overlay.epoch.clone(), path: path.clone(), part: Part::Hidden };
    overlay.hides.iter().map(|path| (register(path), Cell::Flag(false))).collect()
}

/// What choosing a value within a file writes.
fn chosen_cells(choice: &Choice, state: &State, rendered: &Rendered) -> Vec<(Register, Cell)> {
    match choice {
        Choice::Put(register, cell) => vec![(register.clone(), cell.clone())],
        Choice::KeepFile => vec![(Register::Life, Cell::Flag(true))],
        Choice::DeleteTree(path) => tombstones(state, path),
        Choice::TakeShape { by, hidden } => take_shape(state, by, hidden),
        Choice::KeepBelow(path) => keep_below(state, path, rendered),
        Choice::ReplaceTree(path, content) => replace_tree(state, path, content),
        Choice::Restore(path) => restore(state, path),
        // These aren't about what stands in the file.
        Choice::DeleteFile | Choice::TakeHeads(_) | Choice::KeepShown => Vec::new(),
    }
}

/// Tombstones over a path and all that lives below it.
fn tombstones(state: &State, doomed: &Path) -> Vec<(Register, Cell)> {
    let Some((id, epoch)) = state.shown_epoch().and_then(|(id, _)| Some((id, state.epoch(id)?))) else {
        return Vec::new();
    };
    let doomed_fragments = epoch.fragments.iter().filter(|(path, _)| path.starts_with(doomed));
    doomed_fragments
        .filter(|(path, fragment)| fragment.is_live() || *path == doomed)
        .map(|(path, fragment)| {
            let container = matches!(fragment.live_content(), Some(Content::Container(_)));
            (content_register(id, path), Cell::Tombstone { container })
        })
        .collect()
}

/// Gives `by` the shape that `hidden` stands in, and takes away what stands in the one it has.
fn take_shape(state: &State, by: &Path, hidden: &Path) -> Vec<(Register, Cell)> {
    let Some((id, _)) = state.shown_epoch() else { return Vec::new() };
    let is_item = |path: &Path| matches!(path.0.get(by.0.len()), Some(Segment::Item(_)));
    let shape = if is_item(hidden) { Shape::List } else { Shape::Table };
    let own = content_register(id, by);
    let mut cells = tombstones(state, by);
    cells.retain(|(register, _)| match register {
        Register::Fragment { path, .. } => *register != own && is_item(path) != is_item(hidden),
        _ => false,
    });
    cells.push((own, Cell::Content(Content::Container(shape))));
    cells
}

/// Brings a comment back with the deleted containers that it stands in.
fn restore(state: &State, path: &Path) -> Vec<(Register, Cell)> {
    let Some((id, epoch)) = state.shown_epoch().and_then(|(id, _)| Some((id, state.epoch(id)?))) else {
        return Vec::new();
    };
    let above = (1..path.0.len()).map(|depth| Path(path.0[..depth].to_vec())).filter(|above| !epoch.is_there(above));
    let mut cells: Vec<_> = above
        .map(|above| {
            let mut below = epoch.below(&above).filter_map(|(below, _)| below.0.get(above.0.len()));
            let is_list = below.any(|segment| matches!(segment, Segment::Item(_)));
            let shape = if is_list { Shape::List } else { Shape::Table };
            (content_register(id, &above), Cell::Content(Content::Container(shape)))
        })
        .collect();
    let comment = epoch.fragments.get(path).and_then(FragmentState::live_content);
    cells.extend(comment.map(|comment| (content_register(id, path), Cell::Content(comment.clone()))));
    cells
}

/// Ends what stands beside the container that a path is shown as.
fn keep_below(state: &State, path: &Path, rendered: &Rendered) -> Vec<(Register, Cell)> {
    let Some((id, _)) = state.shown_epoch() else { return Vec::new() };
    let shown = rendered.file().and_then(|file| file.tree.root.find(path));
    // What has no bytes of its own is there through what is below it.
    let cell = shown.map_or(Cell::Implied, |node| Cell::Content(node.content.clone()));
    vec![(content_register(id, path), cell)]
}

fn replace_tree(state: &State, path: &Path, content: &Content) -> Vec<(Register, Cell)> {
    let Some((id, _)) = state.shown_epoch() else { return Vec::new() };
    let register = content_register(id, path);
    let mut cells = tombstones(state, path);
    cells.retain(|(other, _)| *other != register);
    cells.push((register, Cell::Content(content.clone())));
    cells
}

fn content_register(epoch: &EpochId, path: &Path) -> Register {
    Register::Fragment { epoch: epoch.clone(), path: path.clone(), part: Part::Content }
}

fn outcome(written: Option<Written>) -> PutOutcome {
    written.map_or(PutOutcome::Unchanged(None), PutOutcome::Written)
}

fn stamp(writer: Writer, editor: &Editor) -> Stamp {
    Stamp { writer, time_ms: editor.time_ms, user: editor.user.clone() }
}

fn executable_cell(executable: bool) -> (Register, Cell) {
    (Register::Executable, Cell::Flag(executable))
}

fn limit(what: &'static str, found: usize, limit: usize) -> Result<(), EditError> {
    if found > limit { Err(EditError::TooLarge { what, found, limit }) } else { Ok(()) }
}

fn remove(node: &mut crate::tree::Node, path: &Path) {
    node.children.retain(|child| !child.path.starts_with(path));
    node.children.iter_mut().for_each(|child| remove(child, path));
}

/// What a file would hold if it was saved now over one of the format `before`, without taking it in.
///
/// # Errors
/// As [`Document::take_file`]; only that the change would be too large isn't seen.
pub fn preview(
    path: &str,
    bytes: &[u8],
    executable: bool,
    before: Option<Format>,
) -> Result<render::Content, EditError> {
    let tree = cut(path, bytes, before)?;
    Ok(render::Content::of_file(tree, bytes, executable))
}

/// Cuts a file into fragments, in the format that its path and content ask for (MERGE rule 12). `before` is the format
/// it had.
pub(crate) fn cut(path: &str, bytes: &[u8], before: Option<Format>) -> Result<Tree, EditError> {
    limit("the file", bytes.len(), limits::FILE_BYTES)?;
    let format = codec::detect_again(path, bytes, before);
    match codec::parse(format, bytes) {
        Ok(tree) if is_sound(&tree, bytes) => Ok(tree),
        Err(ParseError::Syntax(error)) if format.is_structured() && is_held(format, bytes, before) => Err(error.into()),
        _ => cut_as_text(bytes),
    }
}

/// Whether a structured file that doesn't parse is a mistake to be held, rather than another kind of text. What is new and
/// has nginx's path may well be something else.
fn is_held(format: Format, bytes: &[u8], before: Option<Format>) -> bool {
    match before {
        Some(before) => before.is_structured(),
        None if format == Format::Blocks => false,
        None => !std::str::from_utf8(bytes).is_ok_and(codec::looks_like_template),
    }
}

/// What its own author can't read back, or what is too large to merge key by key, isn't kept key by key.
pub(crate) fn is_sound(tree: &Tree, bytes: &[u8]) -> bool {
    if tree.format == Format::Binary {
        return true;
    }
    let mut fits = true;
    tree.root.walk(&mut |node| {
        let value_bytes = if let Content::Scalar(text) = &node.content { text.len() } else { 0 };
        fits &= value_bytes <= limits::VALUE_BYTES && node.path.encode().len() <= limits::PATH_BYTES;
    });
    fits && render::reads_back(tree, bytes)
}

fn cut_as_text(bytes: &[u8]) -> Result<Tree, EditError> {
    let text = codec::parse(Format::Text, bytes).ok().filter(|tree| is_sound(tree, bytes));
    let tree = match text {
        Some(tree) => Ok(tree),
        None => codec::parse(Format::Binary, bytes),
    };
    tree.map_err(|error| EditError::NoPlace(error.to_string()))
}

/// Whether a value whose meaning depends on what is around it keeps it in its place.
fn check_in_place(tree: &Tree, register: &Register, literal: &str) -> Result<(), EditError> {
    let Register::Fragment { path, .. } = register else { return Ok(()) };
    let mut tree = tree.clone();
    if let Some(node) = tree.root.find_mut(path) {
        node.content = Content::Scalar(literal.into());
    }
    let reads = render::reads_back(&tree, &codec::print(&tree));
    if reads { Ok(()) } else { Err(EditError::NoPlace("the file would not be valid with it".into())) }
}

/// The literal that a put writes (MERGE rule 16).
pub(crate) fn literal(format: Format, text: &str, put_type: PutType, old: Option<&Value>) -> Result<String, EditError> {
    let codec = codec::of(format);
    let as_string = || {
        let value = Value::String(text.into());
        codec.literal(&value).ok_or_else(|| EditError::Type("the format has no such text".into()))
    };
    // What looks like an alias or an anchor is one only if asked for: `*.example.com` is a text.
    let is_reference = format == Format::Yaml && text.starts_with(['*', '&']) && put_type == PutType::Automatic;
    let own = codec.scalar(text).filter(|_| !is_reference);
    match (put_type, old) {
        (PutType::String, _) => as_string(),
        (PutType::Literal(wanted), _) => match own {
            Some(value) if value.type_name() == wanted => Ok(text.into()),
            Some(value) => Err(EditError::Type(format!("`{text}` is a {}, not a {wanted}", value.type_name()))),
            None => containers(codec, text, wanted),
        },
        // A text stays a text: `put app.toml#version 2` of "1" writes "2".
        (PutType::Automatic, Some(Value::String(_))) if !matches!(own, Some(Value::String(_))) => as_string(),
        // What stands for itself is written as the format writes such a text: a shell wants quotes around blanks.
        (PutType::Automatic, _) if format == Format::Env && own == Some(Value::String(text.into())) => as_string(),
        (PutType::Automatic, _) if own.is_some() => Ok(text.into()),
        (PutType::Automatic, _) => meaning_of(codec, text).map_or_else(as_string, |_| Ok(text.into())),
    }
}

/// Whether a file is still valid with another value. Only YAML's values may depend on what is elsewhere: an anchor on its
/// aliases, and they on it.
fn reads_back_with(tree: &Tree, path: &Path, old: &str, literal: &str) -> bool {
    let stands_alone = |text| shown::stands_alone(tree.format, text);
    if tree.format != Format::Yaml || (stands_alone(old) && stands_alone(literal)) {
        return true;
    }
    let mut changed = tree.clone();
    if let Some(node) = changed.root.find_mut(path) {
        node.content = Content::Scalar(literal.into());
    }
    render::reads_back(&changed, &codec::print(&changed))
}

/// A list or table given where the format cuts those into keys.
fn containers(codec: &dyn codec::Codec, text: &str, wanted: &str) -> Result<String, EditError> {
    match meaning_of(codec, text) {
        Some(value) if value.type_name() == wanted => Ok(text.into()),
        _ => Err(EditError::Type(format!("`{text}` isn't a {wanted}"))),
    }
}

/// The meaning of a whole text that is a list or a table.
fn meaning_of(codec: &dyn codec::Codec, text: &str) -> Option<Value> {
    if !text.starts_with(['[', '{']) {
        return None;
    }
    let root = codec.parse(&format!("{text}\n")).ok()?;
    let value = meaning::meaning(codec, &root)?;
    matches!(value, Value::List(_) | Value::Table(_)).then_some(value)
}
