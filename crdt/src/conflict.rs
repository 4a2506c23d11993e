//! Concurrent values that lost, each with who, where and when, until someone resolves them (P3).

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::clock::Dot;
use crate::codec;
use crate::document::{Document, Heads};
use crate::id::Writer;
use crate::path::Path;
use crate::register::{Cell, EpochId, Part, Register};
use crate::render::{self, Rendered};
use crate::state::{Candidate, Candidates, EpochState, FragmentState, State, StyleState};
use crate::tree::{Content, Decor, Format, INDENT, Shape};
use crate::value::Value;

/// What a conflict is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The value of a key, an item or a line.
    Value,
    /// A comment.
    Comment,
    /// The file as a whole: its content, whether it is there, its execute bit.
    File,
}

/// How the values came to stand beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Two values were written at the same time.
    Concurrent,
    /// One side deleted what the other edited. The edit is shown.
    Deleted,
    /// One side made a table or list of what is a value, or another shape, on the other.
    Shape,
    /// The merge with this side can't be written as a valid file.
    Unrenderable,
}

/// One of the values.
#[derive(Debug, Clone, PartialEq)]
pub struct ConflictValue {
    /// As written; `None` is a deletion. Of tables, a short description.
    pub text: Option<String>,
    /// Its meaning, where it has one.
    pub value: Option<Value>,
    /// The change that wrote it.
    pub dot: Dot,
    /// What choosing it writes.
    pub(crate) choice: Choice,
}

/// What choosing a value writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// This cell into this register.
    Put(Register, Cell),
    /// Tombstones over the path and all below it.
    DeleteTree(Path),
    /// Keep what lives below the path, with this shape, in place of the value beside it.
    KeepBelow(Path),
    /// This scalar, and tombstones over all below it.
    ReplaceTree(Path, Content),
    /// The shape of `by` in which `hidden` has a place, and tombstones over what has none in it.
    TakeShape {
        /// What is shown in another shape.
        by: Path,
        /// What that hides.
        hidden: Path,
    },
    /// This comment, and the table or list that it stands in, which was deleted.
    Restore(Path),
    /// The file goes.
    DeleteFile,
    /// The file stays.
    KeepFile,
    /// The content that heads left out would show.
    TakeHeads(Heads),
    /// The content that is shown.
    KeepShown,
}

/// Values that stand beside each other in one place of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflict {
    /// The place; the root where the subject is the file.
    pub path: Path,
    /// What it is about.
    pub subject: Subject,
    /// How it came about.
    pub kind: Kind,
    /// The values: the one that is shown first, then the others, latest first.
    pub values: Vec<ConflictValue>,
}

/// All conflicts of a document, in the order of their paths. `rendered` is the document's current render.
#[must_use]
pub fn conflicts(document: &Document, rendered: &Rendered) -> Vec<Conflict> {
    // What stands in heads that are left out meets what is shown when they are taken.
    let state = document.state_by(&rendered.heads);
    let finder = Finder { document, state: &state, rendered };
    let mut found = finder.of_file();
    if let Some((id, format)) = finder.state.shown_epoch()
        && let Some(epoch) = finder.state.epoch(id)
        && !rendered.deleted
    {
        let fragments = FragmentFinder { finder: &finder, id, format, epoch };
        found.extend(fragments.all());
    }
    found.sort_by(|a, b| (&a.path, a.subject).cmp(&(&b.path, b.subject)));
    found
}

struct Finder<'a> {
    document: &'a Document,
    state: &'a State,
    rendered: &'a Rendered,
}

impl Finder<'_> {
    fn dot(&self, candidate: &Candidate) -> Option<Dot> {
        self.document.history().dot_of(candidate.operation)
    }

    /// Whether a change was made by someone who had seen another, or is that.
    fn is_after(&self, later: Dot, earlier: Dot) -> bool {
        let history = self.document.history();
        let records = history.record(later).zip(history.record(earlier));
        records.is_some_and(|(later, earlier)| history.is_in(earlier, &[later.hash]))
    }

    fn of_file(&self) -> Vec<Conflict> {
        if self.rendered.deleted {
            // Whoever deleted the file saw what stood in it.
            return self.excluded().into_iter().collect();
        }
        [self.epochs(), self.replaced(), self.life(), self.executable(), self.excluded()]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Contents that replaced the file at the same time.
    fn epochs(&self) -> Option<Conflict> {
        let value = |candidate: &Candidate| {
            let Cell::Epoch(id, format) = &candidate.cell else { return None };
            Some((whole(&render::content_of(self.state, id, *format)?), None))
        };
        self.file_register(Register::Epoch, &self.state.epoch, value)
    }

    /// Contents that were replaced while others edited them.
    fn replaced(&self) -> Option<Conflict> {
        let epochs: Vec<(&EpochId, Dot)> = self.state.epoch.0.iter().filter_map(|it| self.epoch_of(it)).collect();
        let mut values = vec![ConflictValue {
            text: self.rendered.file().map(whole),
            value: None,
            dot: epochs.last()?.1,
            choice: Choice::KeepShown,
        }];
        let history = self.document.history();
        let hash = |dot: Dot| history.record(dot).map(|record| record.hash);
        let writes: Heads = epochs.iter().filter_map(|(_, dot)| hash(*dot)).collect();
        let superseded = self.state.epochs.iter().filter(|(id, _)| epochs.iter().all(|(shown, _)| shown != id));
        for (_, epoch) in superseded {
            let unseen = |dot: &Dot| history.record(*dot).is_some_and(|record| !history.is_in(record, &writes));
            let unseen: Vec<Dot> = self.last_writes(epoch).into_values().filter(unseen).collect();
            let together = if unseen.len() > 1 { vec![unseen.clone()] } else { vec![] };
            let inner = self.losers_at(&unseen).into_iter().filter(|dot| !unseen.contains(dot)).collect::<Vec<_>>();
            for dots in together.into_iter().chain(unseen.iter().chain(&inner).map(|dot| vec![*dot])) {
                values.extend(self.content_at(&dots).filter(|value| values.iter().all(|it| it.text != value.text)));
            }
        }
        conflict(Path::ROOT, Subject::File, Kind::Concurrent, values)
    }

    /// The changes that wrote what is in a conflict within the file that some changes together make.
    fn losers_at(&self, dots: &[Dot]) -> BTreeSet<Dot> {
        let history = self.document.history();
        let heads: Heads = dots.iter().filter_map(|dot| Some(history.record(*dot)?.hash)).collect();
        let (state, rendered) = (self.document.state_by(&heads), self.document.render_at(&heads));
        let finder = Finder { document: self.document, state: &state, rendered: &rendered };
        let Some((id, format)) = state.shown_epoch() else { return BTreeSet::new() };
        let Some(epoch) = state.epoch(id) else { return BTreeSet::new() };
        let conflicts = FragmentFinder { finder: &finder, id, format, epoch }.all();
        conflicts.iter().flat_map(|conflict| &conflict.values).map(|value| value.dot).collect()
    }

    /// The file that some changes together make, to be taken for the whole.
    fn content_at(&self, dots: &[Dot]) -> Option<ConflictValue> {
        let history = self.document.history();
        let heads: Heads = dots.iter().filter_map(|dot| Some(history.record(*dot)?.hash)).collect();
        let dot = *dots.iter().max_by_key(|dot| (history.record(**dot).map(|record| record.max_op), dot.writer))?;
        let rendered = self.document.render_at(&heads);
        let text = Some(whole(rendered.file()?));
        Some(ConflictValue { text, value: None, dot, choice: Choice::TakeHeads(heads) })
    }

    fn epoch_of<'b>(&self, candidate: &'b Candidate) -> Option<(&'b EpochId, Dot)> {
        let Cell::Epoch(id, _) = &candidate.cell else { return None };
        Some((id, self.dot(candidate)?))
    }

    /// The last change of each writer to what an epoch still holds.
    fn last_writes(&self, epoch: &EpochState) -> BTreeMap<Writer, Dot> {
        let parts = epoch.fragments.values().flat_map(|it| [&it.content, &it.placement, &it.decor]);
        let mut last: BTreeMap<Writer, Dot> = BTreeMap::new();
        let StyleState { byte_order_mark, crlf, final_newline } = &epoch.style;
        for dot in parts
            .chain([byte_order_mark, crlf, final_newline])
            .flat_map(|it| &it.0)
            .filter_map(|candidate| self.dot(candidate))
        {
            let known = last.entry(dot.writer).or_insert(dot);
            *known = (*known).max(dot);
        }
        last
    }

    fn executable(&self) -> Option<Conflict> {
        let value = |candidate: &Candidate| {
            let text = if candidate.cell == Cell::Flag(true) { "executable" } else { "not executable" };
            Some((text.to_string(), None))
        };
        self.file_register(Register::Executable, &self.state.executable, value)
    }

    fn file_register(
        &self,
        register: Register,
        candidates: &Candidates,
        describe: impl Fn(&Candidate) -> Option<(String, Option<Value>)>,
    ) -> Option<Conflict> {
        let distinct = distinct(candidates, |a, b| a == b);
        let values: Vec<ConflictValue> = distinct
            .into_iter()
            .filter_map(|candidate| {
                let (text, value) = describe(candidate)?;
                let choice = Choice::Put(register.clone(), candidate.cell.clone());
                Some(ConflictValue { text: Some(text), value, dot: self.dot(candidate)?, choice })
            })
            .collect();
        conflict(Path::ROOT, Subject::File, Kind::Concurrent, values)
    }

    /// A deletion beside an edit.
    fn life(&self) -> Option<Conflict> {
        let deletion = self.state.life.0.iter().rev().find(|candidate| candidate.cell.is_tombstone())?;
        let deletion_dot = self.dot(deletion)?;
        let history = self.document.history();
        let edits = self.rendered.heads.iter().filter_map(|head| history.dot(head)).filter(|dot| *dot != deletion_dot);
        let edit = edits.max_by_key(|dot| history.record(*dot).map(|record| (record.max_op, dot.writer)))?;
        let kept = ConflictValue { text: Some("kept".into()), value: None, dot: edit, choice: Choice::KeepFile };
        let deleted = ConflictValue { text: None, value: None, dot: deletion_dot, choice: Choice::DeleteFile };
        conflict(Path::ROOT, Subject::File, Kind::Deleted, vec![kept, deleted])
    }

    /// Heads whose merge can't be written.
    fn excluded(&self) -> Option<Conflict> {
        let history = self.document.history();
        let shown = self.rendered.heads.iter().filter_map(|head| history.dot(head)).max()?;
        let text = |rendered: &Rendered| rendered.file().map(whole);
        let mut values =
            vec![ConflictValue { text: text(self.rendered), value: None, dot: shown, choice: Choice::KeepShown }];
        for head in &self.rendered.excluded {
            let Some(dot) = history.dot(head) else { continue };
            let content = self.document.render_at(std::slice::from_ref(head));
            values.push(ConflictValue {
                text: text(&content),
                value: None,
                dot,
                choice: Choice::TakeHeads(vec![*head]),
            });
        }
        conflict(Path::ROOT, Subject::File, Kind::Unrenderable, values)
    }
}

/// A whole file, as a value of a conflict: its text. Bytes that are no text are told by their number and SHA-256.
fn whole(content: &render::Content) -> String {
    match content.format() {
        Format::Binary => digest(&content.bytes),
        _ => String::from_utf8_lossy(&content.bytes).into_owned(),
    }
}

fn digest(bytes: &[u8]) -> String {
    let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} bytes, SHA-256 {hash}", bytes.len())
}

/// One value alone is no conflict.
fn conflict(path: Path, subject: Subject, kind: Kind, values: Vec<ConflictValue>) -> Option<Conflict> {
    (values.len() > 1).then_some(Conflict { path, subject, kind, values })
}

/// The candidates that differ, the winner first, then the others, latest first.
fn distinct(candidates: &Candidates, same: impl Fn(&Cell, &Cell) -> bool) -> Vec<&Candidate> {
    let mut distinct: Vec<&Candidate> = candidates.winner().into_iter().collect();
    for candidate in candidates.0.iter().rev() {
        if !distinct.iter().any(|other| same(&other.cell, &candidate.cell)) {
            distinct.push(candidate);
        }
    }
    distinct
}

struct FragmentFinder<'a> {
    finder: &'a Finder<'a>,
    id: &'a EpochId,
    format: Format,
    epoch: &'a EpochState,
}

impl FragmentFinder<'_> {
    fn all(&self) -> Vec<Conflict> {
        let mut found = Vec::new();
        let mut fragments = self.epoch.fragments.iter().peekable();
        while let Some((path, fragment)) = fragments.next() {
            if let Some(orphan) = self.orphan(path, fragment) {
                found.push(orphan);
                continue;
            }
            found.extend(self.content(path, fragment));
            found.extend(self.comment(path, fragment));
            // All that is below a path comes right behind it.
            if fragments.peek().is_some_and(|(next, _)| next.starts_with(path)) {
                found.extend(self.value_over_table(path, fragment));
                found.extend(self.deleted_table(path, fragment));
            }
        }
        found.extend(self.hidden());
        found
    }

    fn register(&self, path: &Path, part: Part) -> Register {
        Register::Fragment { epoch: self.id.clone(), path: path.clone(), part }
    }

    fn put(&self, path: &Path, part: Part, candidate: &Candidate) -> Choice {
        match &candidate.cell {
            Cell::Tombstone { .. } => Choice::DeleteTree(path.clone()),
            cell => Choice::Put(self.register(path, part), cell.clone()),
        }
    }

    /// Equality is by meaning (MERGE rule 15); a table that is implied is the same table.
    fn same_content(&self, a: &Cell, b: &Cell) -> bool {
        let is_table = |cell: &Cell| matches!(cell, Cell::Implied | Cell::Content(Content::Container(Shape::Table)));
        match (a, b) {
            (Cell::Content(Content::Scalar(a)), Cell::Content(Content::Scalar(b))) => {
                let codec = codec::of(self.format);
                a == b || codec.scalar(a).is_some_and(|value| codec.scalar(b) == Some(value))
            }
            (a, b) if a.is_tombstone() && b.is_tombstone() => true,
            (a, b) => a == b || (is_table(a) && is_table(b)),
        }
    }

    fn content(&self, path: &Path, fragment: &FragmentState) -> Option<Conflict> {
        if fragment.content.0.len() < 2 {
            return None;
        }
        let distinct = distinct(&fragment.content, |a, b| self.same_content(a, b));
        let kind = if distinct.iter().any(|candidate| candidate.cell.is_tombstone()) {
            Kind::Deleted
        } else if distinct.iter().any(|candidate| {
            !matches!(candidate.cell, Cell::Content(Content::Scalar(_) | Content::Trivia(_) | Content::Bytes(_)))
        }) {
            Kind::Shape
        } else {
            Kind::Concurrent
        };
        let values = distinct.into_iter().filter_map(|candidate| self.content_value(path, candidate)).collect();
        let subject = match path {
            path if path.is_trivia() => Subject::Comment,
            path if path.is_root() => Subject::File,
            _ => Subject::Value,
        };
        conflict(path.clone(), subject, kind, values)
    }

    fn content_value(&self, path: &Path, candidate: &Candidate) -> Option<ConflictValue> {
        let (text, value) = self.describe(&candidate.cell);
        let choice = self.put(path, Part::Content, candidate);
        Some(ConflictValue { text, value, dot: self.finder.dot(candidate)?, choice })
    }

    fn describe(&self, cell: &Cell) -> (Option<String>, Option<Value>) {
        match cell {
            Cell::Content(Content::Scalar(text)) => {
                // A key without a value is written as nothing.
                (Some(text.trim_matches(INDENT).into()), codec::of(self.format).scalar(text))
            }
            Cell::Content(Content::Trivia(text)) => (Some(text.clone()), None),
            Cell::Content(Content::Bytes(bytes)) => (Some(digest(bytes)), Some(Value::Bytes(bytes.clone()))),
            Cell::Content(Content::Container(Shape::List)) => (Some("a list".into()), None),
            Cell::Content(Content::Container(Shape::Table)) | Cell::Implied => (Some("a table".into()), None),
            _ => (None, None),
        }
    }

    /// Comments that differ in more than spacing.
    fn comment(&self, path: &Path, fragment: &FragmentState) -> Option<Conflict> {
        if fragment.decor.0.len() < 2 || !self.epoch.is_there(path) {
            return None;
        }
        let comment =
            |cell: &Cell| if let Cell::Decor(decor) = cell { comments(decor, self.format) } else { String::new() };
        let values = distinct(&fragment.decor, |a, b| comment(a) == comment(b))
            .into_iter()
            .filter_map(|candidate| {
                let choice = self.put(path, Part::Decor, candidate);
                let text = Some(comment(&candidate.cell));
                Some(ConflictValue { text, value: None, dot: self.finder.dot(candidate)?, choice })
            })
            .collect();
        conflict(path.clone(), Subject::Comment, Kind::Concurrent, values)
    }

    /// The first live fragment strictly below a path that isn't a comment.
    fn first_below<'a>(&'a self, path: &'a Path) -> Option<(&'a Path, &'a Candidate)> {
        self.epoch.live_below(path).find_map(|(below, fragment)| Some((below, fragment.content.winner()?)))
    }

    /// A value where others wrote keys below it: the table is shown.
    fn value_over_table(&self, path: &Path, fragment: &FragmentState) -> Option<Conflict> {
        let winner = fragment.content.winner()?;
        let Cell::Content(content @ Content::Scalar(_)) = &winner.cell else { return None };
        if distinct(&fragment.content, |a, b| self.same_content(a, b)).len() > 1 {
            return None;
        }
        let (_, below) = self.first_below(path)?;
        let table = ConflictValue {
            text: Some("a table".into()),
            value: None,
            dot: self.finder.dot(below)?,
            choice: Choice::KeepBelow(path.clone()),
        };
        let mut value = self.content_value(path, winner)?;
        value.choice = Choice::ReplaceTree(path.clone(), content.clone());
        conflict(path.clone(), Subject::Value, Kind::Shape, vec![table, value])
    }

    /// The changes that wrote what lives below a path.
    fn dots_below(&self, path: &Path) -> BTreeSet<Dot> {
        self.epoch.live_below(path).filter_map(|(_, fragment)| self.finder.dot(fragment.content.winner()?)).collect()
    }

    /// A comment that somebody wrote into a table or list while another deleted that. It has no place to be shown in.
    fn orphan(&self, path: &Path, fragment: &FragmentState) -> Option<Conflict> {
        let comment = fragment.content.winner().filter(|_| path.is_trivia() && fragment.is_live())?;
        let container = path.parent()?;
        let is_there = |container: &Path| container.is_root() || self.epoch.is_there(container);
        if is_there(&container) {
            return None;
        }
        let above = (0..path.0.len()).rev().map(|depth| Path(path.0[..depth].to_vec()));
        let deletion = above.take_while(|above| !is_there(above)).find_map(|above| self.deletion(&above))?;
        let deleted = ConflictValue {
            text: None,
            value: None,
            dot: self.finder.dot(deletion)?,
            choice: Choice::DeleteTree(path.clone()),
        };
        let kept = ConflictValue { choice: Choice::Restore(path.clone()), ..self.content_value(path, comment)? };
        conflict(path.clone(), Subject::Comment, Kind::Deleted, vec![deleted, kept])
    }

    fn deletion(&self, path: &Path) -> Option<&Candidate> {
        let winner = self.epoch.fragments.get(path)?.content.winner()?;
        winner.cell.is_tombstone().then_some(winner)
    }

    /// A deleted table that lives on, because a key was added below it at the same time. A key below that was edited
    /// while it was deleted is a conflict of its own, and says as much.
    fn deleted_table(&self, path: &Path, fragment: &FragmentState) -> Option<Conflict> {
        let deletion = fragment.content.winner().filter(|winner| winner.cell.is_tombstone())?;
        let deletion_dot = self.finder.dot(deletion)?;
        let below = self.dots_below(path).into_iter().find(|dot| !self.finder.is_after(*dot, deletion_dot))?;
        let told_below =
            self.epoch.below(path).any(|(_, fragment)| fragment.is_live() && fragment.content.has_tombstone());
        if told_below {
            return None;
        }
        let choice = Choice::KeepBelow(path.clone());
        let kept = ConflictValue { text: Some("a table".into()), value: None, dot: below, choice };
        let deleted = self.content_value(path, deletion)?;
        conflict(path.clone(), Subject::Value, Kind::Deleted, vec![kept, deleted])
    }

    /// What lives but has no place beside another shape.
    fn hidden(&self) -> Vec<Conflict> {
        let hidden = self.finder.rendered.content.as_ref().map(|content| content.hidden.as_slice()).unwrap_or_default();
        hidden.iter().filter_map(|hidden| self.hidden_value(&hidden.path, &hidden.by)).collect()
    }

    fn hidden_value(&self, path: &Path, by: &Path) -> Option<Conflict> {
        let candidate = self.epoch.fragments.get(path)?.content.winner()?;
        let shown = ConflictValue {
            text: Some(format!("another shape of {by}")),
            value: None,
            dot: self.finder.dot(self.shaper(by)?)?,
            choice: Choice::DeleteTree(path.clone()),
        };
        let choice = Choice::TakeShape { by: by.clone(), hidden: path.clone() };
        let value = ConflictValue { choice, ..self.content_value(path, candidate)? };
        conflict(path.clone(), Subject::Value, Kind::Shape, vec![shown, value])
    }

    /// What gives a path the shape that it is shown in: the container written there, else the first that stands in it.
    fn shaper<'a>(&'a self, path: &'a Path) -> Option<&'a Candidate> {
        let own = self.epoch.fragments.get(path).and_then(|fragment| fragment.content.winner());
        let container = own.filter(|own| matches!(own.cell, Cell::Content(Content::Container(_))));
        container.or_else(|| Some(self.first_below(path)?.1))
    }
}

/// The comments of a decor, without spacing.
fn comments(decor: &Decor, format: Format) -> String {
    let all = [&decor.lead, &decor.separator, &decor.trail, &decor.after_comma, &decor.close];
    let text: String = all.into_iter().map(String::as_str).collect();
    // Separators are `=`, `:`, spaces, and of blocks what opens, ends and closes them; what else there is, is a comment.
    let is_mark = |character: char| {
        matches!(character, '=' | ':' | ' ') || (format == Format::Blocks && "{;}".contains(character))
    };
    let text = text.replace(INDENT, "");
    let lines = text.lines().map(str::trim).filter(|line| !line.chars().all(is_mark));
    let lines: Vec<&str> =
        lines.map(|line| if format == Format::Blocks { line.trim_start_matches(is_mark) } else { line }).collect();
    lines.join("\n").trim_start_matches(['=', ':', ' ']).to_string()
}
