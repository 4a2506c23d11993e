//! From a document to the bytes of its file: a pure function of the changes it holds.
//!
//! A render is good if an independent parser reads back exactly the document's keys and values (P6). If the merge of
//! all heads isn't good, the heads are taken in a fixed order, each kept if the result stays good; the others become
//! conflicts (MERGE rule 13).

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use crate::codec::{self, meaning};
use crate::document::{Document, Heads};
use crate::id::{ActorId, ChangeHash, Lane, Writer};
use crate::path::{Path, Segment};
use crate::register::{Cell, EpochId, Register};
use crate::state::{Candidate, Candidates, Operation, State};
use crate::structure::{self, Hidden};
use crate::tree::{Format, Tree};
use crate::value::Value;

/// How many heads are tried for the good subset: one render each. The rest are conflicts.
const SUBSET_HEADS: usize = 32;

/// The fixed order of heads: the highest operation, then the writer.
type Age = (u64, Writer);

/// The content of a file at some heads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The epoch it stands in.
    pub epoch: EpochId,
    /// Its fragments.
    pub tree: Tree,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The SHA-256 of the bytes.
    pub hash: [u8; 32],
    /// Whether the file is executable.
    pub executable: bool,
    /// What an overlay takes away from its file, by the file's paths.
    pub hides: BTreeSet<Path>,
    /// What lives but has no place in the tree.
    pub(crate) hidden: Vec<Hidden>,
}

impl Content {
    /// The content of a file that is in no document.
    pub(crate) fn of_file(tree: Tree, bytes: &[u8], executable: bool) -> Self {
        Self {
            epoch: EpochId::first(tree.format),
            hash: Sha256::digest(bytes).into(),
            bytes: bytes.to_vec(),
            executable,
            tree,
            hides: BTreeSet::new(),
            hidden: Vec::new(),
        }
    }

    /// How the file is cut.
    #[must_use]
    pub fn format(&self) -> Format {
        self.tree.format
    }

    /// The file's keys and values; `None` for bytes that are no text.
    #[must_use]
    pub fn meaning(&self) -> Option<Value> {
        meaning::meaning(codec::of(self.tree.format), &self.tree.root)
    }

    /// What stands at a path and below it; `None` where there is nothing.
    #[must_use]
    pub fn meaning_at(&self, path: &Path) -> Option<Value> {
        let mut value = self.meaning()?;
        for depth in 0..path.0.len() {
            value = match (value, &path.0[depth]) {
                (Value::Table(mut entries), Segment::Key(key)) => entries.remove(key)?,
                (Value::List(items), Segment::Item(_)) => {
                    let index = self.item_index(&Path(path.0[..=depth].to_vec()))?;
                    items.into_iter().nth(index)?
                }
                // The only occurrence of a key is its value.
                (value, Segment::Item(_)) if codec::of(self.tree.format).keys_repeat() => value,
                _ => return None,
            };
        }
        Some(value)
    }

    /// How many items of its list stand before an item.
    fn item_index(&self, item: &Path) -> Option<usize> {
        let list = item.parent()?;
        let mut items = Vec::new();
        self.tree.root.walk(&mut |node| {
            if matches!(node.path.last(), Some(Segment::Item(_))) && node.path.parent().as_ref() == Some(&list) {
                items.push(&node.path);
            }
        });
        items.iter().position(|path| *path == item)
    }

    /// The meaning of a value's text in this file's format.
    #[must_use]
    pub fn scalar(&self, text: &str) -> Option<Value> {
        codec::of(self.tree.format).scalar(text)
    }
}

/// What a document's file should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The heads that the content shows. Local edits of it are written at these.
    pub heads: Heads,
    /// Heads left out, because the merge with them isn't good.
    pub excluded: Heads,
    /// Whether the file was deleted. Its content is still there, for the next life of its path.
    pub deleted: bool,
    /// What the registers hold; `None` before the file was first written.
    pub content: Option<Content>,
}

impl Rendered {
    /// The file, if there is to be one.
    #[must_use]
    pub fn file(&self) -> Option<&Content> {
        self.content.as_ref().filter(|_| !self.deleted)
    }
}

impl Document {
    /// What the file should be, by all that this document holds.
    #[must_use]
    pub fn render(&self) -> Rendered {
        let heads = self.heads();
        let all = self.render_state(self.state(), heads);
        if is_good(&all) {
            return all;
        }
        self.render_good_subset(&all.heads).unwrap_or(all)
    }

    /// What the file was, by the changes up to `heads`. Costs time linear in the document.
    #[must_use]
    pub fn render_at(&self, heads: &[ChangeHash]) -> Rendered {
        if heads == self.heads() {
            return self.render_state(self.state(), heads.to_vec());
        }
        self.render_state(&self.state_by(heads), heads.to_vec())
    }

    /// The render of the good subset of heads. A head that isn't good alone gives way to what it builds on.
    fn render_good_subset(&self, heads: &[ChangeHash]) -> Option<Rendered> {
        let mut next: BTreeSet<(Age, ChangeHash)> = heads.iter().filter_map(|head| self.aged(head)).collect();
        let mut kept: Option<Rendered> = None;
        let mut excluded = Vec::new();
        let mut tries = 0..SUBSET_HEADS;
        while let Some((_, head)) = next.pop_last() {
            let mut trial = kept.as_ref().map(|kept| kept.heads.clone()).unwrap_or_default();
            if self.is_in(&head, &trial) {
                continue;
            }
            trial.push(head);
            trial.sort_unstable();
            let rendered = tries.next().map(|_| self.render_at(&trial));
            match rendered.filter(is_good) {
                Some(rendered) => kept = Some(rendered),
                None => excluded.push(head),
            }
            if kept.is_none() {
                let below = self.history().dot(&head).and_then(|dot| self.history().record(dot));
                next.extend(below.iter().flat_map(|record| &record.dependencies).filter_map(|head| self.aged(head)));
            }
        }
        excluded.retain(|head| heads.contains(head));
        kept.map(|kept| Rendered { excluded, ..kept })
    }

    fn aged(&self, head: &ChangeHash) -> Option<(Age, ChangeHash)> {
        let dot = self.history().dot(head)?;
        Some(((self.history().record(dot)?.max_op, dot.writer), *head))
    }

    fn is_in(&self, head: &ChangeHash, heads: &[ChangeHash]) -> bool {
        let record = self.history().dot(head).and_then(|dot| self.history().record(dot));
        record.is_some_and(|record| self.history().is_in(record, heads))
    }

    fn render_state(&self, state: &State, heads: Heads) -> Rendered {
        let deleted = self.is_deleted(state, &heads);
        Rendered { content: content(state), heads, excluded: Vec::new(), deleted }
    }

    /// A file is deleted if nothing was written beside or after its deletion: edit beats delete.
    fn is_deleted(&self, state: &State, heads: &[ChangeHash]) -> bool {
        let deletions: Vec<ChangeHash> = state
            .life
            .0
            .iter()
            .filter(|candidate| candidate.cell.is_tombstone())
            .filter_map(|candidate| self.history().dot_of(candidate.operation))
            .filter_map(|dot| self.history().record(dot))
            .map(|record| record.hash)
            .collect();
        !deletions.is_empty() && heads.iter().all(|head| deletions.contains(head))
    }
}

fn content(state: &State) -> Option<Content> {
    let (epoch, format) = state.shown_epoch()?;
    content_of(state, epoch, format)
}

/// The content that one epoch of a document has.
pub(crate) fn content_of(state: &State, epoch: &EpochId, format: Format) -> Option<Content> {
    let epoch_state = state.epoch(epoch)?;
    let structure = structure::build(epoch_state, format);
    let bytes = codec::print(&structure.tree);
    let executable = matches!(state.executable.winner().map(|candidate| &candidate.cell), Some(Cell::Flag(true)));
    Some(Content {
        epoch: epoch.clone(),
        hash: Sha256::digest(&bytes).into(),
        bytes,
        executable,
        tree: structure.tree,
        hides: epoch_state.hides(),
        hidden: structure.hidden,
    })
}

pub(crate) fn is_good(rendered: &Rendered) -> bool {
    rendered.content.as_ref().is_none_or(|content| reads_back(&content.tree, &content.bytes))
}

/// Whether the registers would make a good file with these cells in them, each alone in its register.
pub(crate) fn is_good_with(state: &State, cells: &[(Register, Cell)]) -> bool {
    let mut state = state.clone();
    for (register, cell) in cells {
        // What stands alone wins, whoever wrote it.
        let operation = Operation { counter: 0, writer: Writer { actor: ActorId([0; 16]), lane: Lane::API } };
        state.set(register.clone(), Candidates(vec![Candidate { cell: cell.clone(), operation }]));
    }
    content(&state).is_none_or(|content| reads_back(&content.tree, &content.bytes))
}

/// Whether an independent parser finds in `bytes` exactly what `tree` means.
pub(crate) fn reads_back(tree: &Tree, bytes: &[u8]) -> bool {
    if !tree.format.is_structured() {
        return true;
    }
    let meant = meaning::meaning(codec::of(tree.format), &tree.root);
    codec::read(tree.format, bytes).is_ok_and(|read| Some(read) == meant)
}
