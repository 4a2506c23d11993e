//! What a document's registers hold at some heads: the materialised view that rendering and conflicts read.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::Writer;
use crate::path::Path;
use crate::register::{Cell, EpochId, Part, Register, RenamedFrom};
use crate::tree::{Content, FileStyle, Format};

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
    /// Whether this overlay takes away what its file has there.
    pub hidden: Candidates,
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

    /// Whether the fragment lives: it was written, and isn't deleted.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.live_content().is_some()
    }
}

/// The flags of a file's style, each a register: two people who change one each change both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StyleState {
    /// Whether the file begins with a byte order mark.
    pub byte_order_mark: Candidates,
    /// Whether each line ends with CRLF.
    pub crlf: Candidates,
    /// Whether the last line ends with a line end.
    pub final_newline: Candidates,
}

impl StyleState {
    /// The style that is shown.
    #[must_use]
    pub fn shown(&self) -> FileStyle {
        let default = FileStyle::default();
        FileStyle {
            byte_order_mark: flag(&self.byte_order_mark, default.byte_order_mark),
            crlf: flag(&self.crlf, default.crlf),
            final_newline: flag(&self.final_newline, default.final_newline),
        }
    }
}

fn flag(candidates: &Candidates, default: bool) -> bool {
    match candidates.winner().map(|candidate| &candidate.cell) {
        Some(Cell::Flag(flag)) => *flag,
        _ => default,
    }
}

/// The registers of one content of the file. A `BTreeMap` keeps all that is below a path right behind it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EpochState {
    /// What holds for the whole file.
    pub style: StyleState,
    /// The fragments by path.
    pub fragments: BTreeMap<Path, FragmentState>,
}

impl EpochState {
    /// Sets the values of one register.
    pub(crate) fn set(&mut self, path: Path, part: Part, candidates: Candidates) {
        match part {
            Part::Content => self.fragments.entry(path).or_default().content = candidates,
            Part::Placement => self.fragments.entry(path).or_default().placement = candidates,
            Part::Decor => self.fragments.entry(path).or_default().decor = candidates,
            Part::Hidden => self.fragments.entry(path).or_default().hidden = candidates,
            Part::ByteOrderMark => self.style.byte_order_mark = candidates,
            Part::Crlf => self.style.crlf = candidates,
            Part::FinalNewline => self.style.final_newline = candidates,
        }
    }

    /// The values of one register.
    fn get(&self, path: &Path, part: Part) -> Option<&Candidates> {
        match part {
            Part::Content => Some(&self.fragments.get(path)?.content),
            Part::Placement => Some(&self.fragments.get(path)?.placement),
            Part::Decor => Some(&self.fragments.get(path)?.decor),
            Part::Hidden => Some(&self.fragments.get(path)?.hidden),
            Part::ByteOrderMark => Some(&self.style.byte_order_mark),
            Part::Crlf => Some(&self.style.crlf),
            Part::FinalNewline => Some(&self.style.final_newline),
        }
    }

    /// What this overlay takes away from its file. A value that it has there goes before that.
    pub(crate) fn hides(&self) -> BTreeSet<Path> {
        let hides = |fragment: &FragmentState| {
            fragment.hidden.winner().is_some_and(|candidate| candidate.cell == Cell::Flag(true))
                && fragment.live_content().is_none()
        };
        self.fragments.iter().filter(|(_, fragment)| hides(fragment)).map(|(path, _)| path.clone()).collect()
    }

    /// Everything strictly below `path`.
    pub fn below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = (&'a Path, &'a FragmentState)> {
        use std::ops::Bound;
        self.fragments
            .range::<Path, _>((Bound::Excluded(path), Bound::Unbounded))
            .take_while(move |(below, _)| below.starts_with(path))
    }

    /// What lives strictly below `path`, comments left out: they keep no table alive.
    pub fn live_below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = (&'a Path, &'a FragmentState)> {
        self.below(path).filter(|(below, fragment)| !below.is_trivia() && fragment.is_live())
    }

    /// Whether a fragment lives, or something that keeps it alive lives below it.
    #[must_use]
    pub fn is_there(&self, path: &Path) -> bool {
        self.fragments.get(path).is_some_and(FragmentState::is_live) || self.live_below(path).next().is_some()
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
            Register::Fragment { epoch, path, part } => self.epochs.get(epoch)?.get(path, *part),
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
