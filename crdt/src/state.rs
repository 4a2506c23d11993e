//! What a document's registers hold at some heads: the materialised view that rendering and conflicts read.

use std::collections::BTreeMap;

use crate::id::Writer;
use crate::path::Path;
use crate::register::{Cell, EpochId, Part, Register, RenamedFrom};
use crate::tree::{Content, Format};

/// The operation that wrote a cell. Ordered as automerge orders concurrent operations: the highest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operation {
    /// automerge's Lamport counter.
    pub counter: u64,
    /// Who wrote it.
    pub writer: Writer,
}

/// One of the values that a register holds at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The value.
    pub cell: Cell,
    /// What wrote it.
    pub operation: Operation,
}

/// All values of a register that nothing has superseded; several when they were written concurrently. In rising order
/// of operation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Candidates(pub Vec<Candidate>);

impl Candidates {
    /// The value that is shown: the last that isn't a tombstone; a tombstone wins only alone (MERGE rule 11).
    #[must_use]
    pub fn winner(&self) -> Option<&Candidate> {
        self.0.iter().rev().find(|candidate| !candidate.cell.is_tombstone()).or(self.0.last())
    }

    /// Whether a tombstone is among the values.
    #[must_use]
    pub fn has_tombstone(&self) -> bool {
        self.0.iter().any(|candidate| candidate.cell.is_tombstone())
    }
}

/// The registers of one fragment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FragmentState {
    /// Value, kind of container, or tombstone.
    pub content: Candidates,
    /// Where it stands.
    pub placement: Candidates,
    /// Comments and spacing.
    pub decor: Candidates,
}

impl FragmentState {
    /// The content that is shown; `None` where the fragment is deleted or was never written.
    #[must_use]
    pub fn live_content(&self) -> Option<&Content> {
        match &self.content.winner()?.cell {
            Cell::Content(content) => Some(content),
            _ => None,
        }
    }
}

/// The registers of one content of the file. A `BTreeMap` keeps all that is below a path right behind it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EpochState {
    /// What holds for the whole file.
    pub style: Candidates,
    /// The fragments by path.
    pub fragments: BTreeMap<Path, FragmentState>,
}

impl EpochState {
    /// Sets the values of one register.
    pub(crate) fn set(&mut self, path: Path, part: Part, candidates: Candidates) {
        if part == Part::Style {
            self.style = candidates;
            return;
        }
        let fragment = self.fragments.entry(path).or_default();
        match part {
            Part::Content => fragment.content = candidates,
            Part::Placement => fragment.placement = candidates,
            Part::Decor | Part::Style => fragment.decor = candidates,
        }
    }

    /// Everything strictly below `path`.
    pub fn below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = (&'a Path, &'a FragmentState)> {
        use std::ops::Bound;
        self.fragments
            .range::<Path, _>((Bound::Excluded(path), Bound::Unbounded))
            .take_while(move |(below, _)| below.starts_with(path))
    }
}

/// All registers of a document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Which content is shown.
    pub epoch: Candidates,
    /// Whether the file is deleted.
    pub life: Candidates,
    /// Whether it is executable.
    pub executable: Candidates,
    /// Which document's file was renamed to this one's.
    pub renamed_from: Candidates,
    /// Every content there is.
    pub epochs: BTreeMap<EpochId, EpochState>,
}

impl State {
    /// The epoch that is shown, and its format; `None` before the file was first written.
    #[must_use]
    pub fn shown_epoch(&self) -> Option<(&EpochId, Format)> {
        match &self.epoch.winner()?.cell {
            Cell::Epoch(id, format) => Some((id, *format)),
            _ => None,
        }
    }

    /// Where the file was before it was renamed here, if it was.
    #[must_use]
    pub fn renamed_from(&self) -> Option<&RenamedFrom> {
        match &self.renamed_from.winner()?.cell {
            Cell::RenamedFrom(from) => Some(from),
            _ => None,
        }
    }

    /// The registers of an epoch.
    #[must_use]
    pub fn epoch(&self, id: &EpochId) -> Option<&EpochState> {
        self.epochs.get(id)
    }

    /// The values of one register.
    #[must_use]
    pub fn get(&self, register: &Register) -> Option<&Candidates> {
        match register {
            Register::Epoch => Some(&self.epoch),
            Register::Life => Some(&self.life),
            Register::Executable => Some(&self.executable),
            Register::RenamedFrom => Some(&self.renamed_from),
            Register::Fragment { epoch, part: Part::Style, .. } => self.epochs.get(epoch).map(|state| &state.style),
            Register::Fragment { epoch, path, part } => {
                let fragment = self.epochs.get(epoch)?.fragments.get(path)?;
                Some(match part {
                    Part::Content => &fragment.content,
                    Part::Placement => &fragment.placement,
                    Part::Decor | Part::Style => &fragment.decor,
                })
            }
        }
    }

    /// Sets the values of one register.
    pub fn set(&mut self, register: Register, candidates: Candidates) {
        match register {
            Register::Epoch => self.epoch = candidates,
            Register::Life => self.life = candidates,
            Register::Executable => self.executable = candidates,
            Register::RenamedFrom => self.renamed_from = candidates,
            Register::Fragment { epoch, path, part } => {
                self.epochs.entry(epoch).or_default().set(path, part, candidates);
            }
        }
    }
}
