//! A document: the automerge store under the registers, and the only place that touches it.
//!
//! ```text
//!  write(at heads, writer, cells) ─┐                       ┌─▶ state (registers at all heads)
//!                                  ├─▶ automerge ─▶ refresh ┤
//!  apply(signed envelope) ─ guards ┘                       └─▶ history (dots, hashes, times)
//! ```
//! automerge panics on some mutated input, so changes of others are applied under `catch_unwind`, after the guards of
//! [`crate::change`]. A document in which that happened is not to be used any more: reload it from disk, without the
//! change.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::legacy::{Key, ObjectId, Op, OpId, OpType};
use automerge::transaction::{CommitOptions, Transactable};
use automerge::{Automerge, Change, ExpandedChange, ObjId, PatchLog, ReadDoc, ScalarValue, Value};

use crate::change::{self, ChangeError, ChangeFrame};
use crate::clock::{Dot, VersionVector};
use crate::envelope::SignedEnvelope;
use crate::genesis;
use crate::history::{ChangeRecord, History};
use crate::id::{ActorId, ChangeHash, DocumentId, Lane, Writer};
use crate::register::{BUCKETS, Cell, Register};
use crate::state::{Candidate, Candidates, Operation, State};

/// How long a document's history is for each operation of a change before the change is made once more rather than
/// merged in. Measured: a merge takes some 0.1 ms, 12 us for each operation and 0.25 us for each operation of the history,
/// making it once more 30 us for each operation (`cargo bench --bench documents`).
const HISTORY_PER_REPLAYED: u64 = 64;

/// A point in a document's history: changes of which none is an ancestor of another. Empty means the genesis.
pub type Heads = Vec<ChangeHash>;

/// Why a change of another host can't become part of a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// It failed a guard. The document is as it was.
    #[error(transparent)]
    Refused(#[from] ChangeError),
    /// It isn't the next of its writer. The document is as it was.
    #[error("{dot} isn't the next change of its writer, which is {next}")]
    NotNext {
        /// The change.
        dot: Dot,
        /// The sequence that would be next.
        next: u64,
    },
    /// What it builds on isn't what its envelope says, or isn't here. The document is as it was.
    #[error("{0} doesn't build on the changes that its envelope names")]
    Dependencies(Dot),
    /// It does something that no register is changed by. The document is as it was.
    #[error("{0} isn't a change of registers: {1}")]
    Schema(Dot, &'static str),
    /// automerge failed on it. The document must be reloaded without it.
    #[error("{0} could not be applied: {1}")]
    Failed(Dot, String),
}

impl ApplyError {
    /// Whether the document in memory may still be used.
    #[must_use]
    pub fn left_document_intact(&self) -> bool {
        !matches!(self, Self::Failed(..))
    }
}

/// Stored bytes aren't a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot of {document} can't be read: {why}")]
pub struct LoadError {
    /// The document.
    pub document: DocumentId,
    /// What is wrong.
    pub why: String,
}

/// A local write that automerge didn't take as intended. The document must be reloaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not write to {document}: {why}")]
pub struct WriteError {
    /// The document.
    pub document: DocumentId,
    /// What went wrong.
    pub why: String,
}

/// Who writes, when, for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The writer.
    pub writer: Writer,
    /// The wall clock, milliseconds since 1970 UTC.
    pub time_ms: u64,
    /// The user, if known.
    pub user: String,
}

/// A change that was just written here: what goes into its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its name.
    pub dot: Dot,
    /// automerge's name for it.
    pub hash: ChangeHash,
    /// What it directly builds on, without the genesis.
    pub dependencies: Vec<Dot>,
    /// The uncompressed chunk.
    pub change: Vec<u8>,
    /// What it wrote to.
    pub registers: Vec<Register>,
}

/// One file's registers with their history.
#[derive(Debug, Clone)]
pub struct Document {
    id: DocumentId,
    automerge: Automerge,
    genesis: ChangeHash,
    buckets: Vec<ObjId>,
    state: State,
    history: History,
}

impl Document {
    /// A document that nothing was written to yet.
    #[must_use]
    pub fn new(id: DocumentId) -> Self {
        let automerge = genesis::document();
        let buckets = genesis::buckets(&automerge).expect("the genesis makes the buckets");
        let genesis = ChangeHash(automerge.get_heads()[0].0);
        Self { id, automerge, genesis, buckets, state: State::default(), history: History::default() }
    }

    /// Reads what [`Self::save`] returned.
    ///
    /// # Errors
    /// When the bytes are damaged or are no document of this kind.
    pub fn load(id: DocumentId, snapshot: &[u8]) -> Result<Self, LoadError> {
        let failed = |why: String| LoadError { document: id.clone(), why };
        let automerge = guarded(|| Automerge::load(snapshot).map_err(|error| error.to_string())).map_err(failed)?;
        let buckets = genesis::buckets(&automerge).ok_or_else(|| failed("it has no buckets".into()))?;
        let mut document = Self { buckets, automerge, ..Self::new(id.clone()) };
        document.rebuild_history().map_err(failed)?;
        document.state = document.read_state(None);
        Ok(document)
    }

    /// The document's bytes, read back once to be sure.
    ///
    /// # Errors
    /// When the bytes read back aren't the document.
    pub fn save(&self) -> Result<Vec<u8>, WriteError> {
        guarded(|| self.automerge.save_and_verify().map_err(|error| error.to_string()))
            .map_err(|why| WriteError { document: self.id.clone(), why })
    }

    /// The document's name.
    #[must_use]
    pub fn id(&self) -> &DocumentId {
        &self.id
    }

    /// The changes that nothing here builds on.
    #[must_use]
    pub fn heads(&self) -> Heads {
        let mut heads: Heads = self.automerge.get_heads().iter().map(|head| ChangeHash(head.0)).collect();
        heads.retain(|head| *head != self.genesis);
        heads.sort_unstable();
        heads
    }

    /// How many changes of each writer are in.
    #[must_use]
    pub fn version(&self) -> VersionVector {
        self.history.version()
    }

    /// Times, hashes and dots of the changes.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The registers at all heads.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The registers at some heads. Costs time linear in the document: for start-up and for merges that aren't good.
    #[must_use]
    pub fn state_at(&self, heads: &[ChangeHash]) -> State {
        self.state_by(heads).into_owned()
    }

    /// The same, without a copy where the heads are all there are.
    pub(crate) fn state_by(&self, heads: &[ChangeHash]) -> Cow<'_, State> {
        if heads == self.heads() {
            return Cow::Borrowed(&self.state);
        }
        Cow::Owned(self.read_state(Some(&self.automerge_heads(heads))))
    }

    /// The lane of `actor` that may write at `heads`: the preferred one, or a late lane where that one has changes
    /// that `heads` don't include. `None` if all have.
    #[must_use]
    pub fn writer_at(&self, actor: ActorId, preferred: Lane, heads: &[ChangeHash]) -> Option<Writer> {
        let is_current = heads == self.heads();
        let late = Lane::LATE.filter_map(|number| Lane::new(number).ok());
        std::iter::once(preferred)
            .chain(late)
            .map(|lane| Writer { actor, lane })
            .find(|writer| is_current || self.history.last(*writer).is_none_or(|last| self.history.is_in(last, heads)))
    }

    /// Writes cells at `heads` as one change, the next of the stamp's writer. `None` where all are there already.
    ///
    /// The writer's own changes must all be ancestors of `heads`, or automerge would make up another writer.
    ///
    /// # Errors
    /// When the heads aren't known or automerge took another writer: the document must then be reloaded.
    pub fn write(
        &mut self,
        heads: &[ChangeHash],
        stamp: Stamp,
        cells: &[(Register, Cell)],
    ) -> Result<Option<Written>, WriteError> {
        if cells.is_empty() {
            return Ok(None);
        }
        let id = self.id.clone();
        let failed = |why: String| WriteError { document: id.clone(), why };
        let sequence = self.history.last_sequence(stamp.writer) + 1;
        let Some(change) = self.commit_to_automerge(heads, &stamp, cells).map_err(&failed)? else {
            return Ok(None);
        };
        let dot = Dot { writer: stamp.writer, sequence };
        if change.actor_id().to_bytes() != stamp.writer.to_bytes() || change.seq() != sequence {
            return Err(failed(format!("automerge wrote {} where {dot} was meant", change.actor_id())));
        }
        let hash = ChangeHash(change.hash().0);
        let dependencies = self
            .dots(change.deps().iter().map(|hash| ChangeHash(hash.0)))
            .ok_or_else(|| failed("it depends on an unknown change".into()))?;
        debug_assert!(ChangeFrame::read(change.raw_bytes()).is_ok(), "what is written here, others must take");
        self.history.push(stamp.writer, self.record(&change, stamp.time_ms, stamp.user));
        let registers: Vec<Register> = cells.iter().map(|(register, _)| register.clone()).collect();
        self.refresh(&registers);
        Ok(Some(Written { dot, hash, dependencies, change: change.raw_bytes().to_vec(), registers }))
    }

    fn commit_to_automerge(
        &mut self,
        heads: &[ChangeHash],
        stamp: &Stamp,
        cells: &[(Register, Cell)],
    ) -> Result<Option<Change>, String> {
        let at = self.automerge_heads(heads);
        let is_current = heads == self.heads();
        self.automerge.set_actor(automerge::ActorId::from(&stamp.writer.to_bytes()[..]));
        let buckets = &self.buckets;
        let automerge = &mut self.automerge;
        guarded(|| {
            let mut transaction = if is_current {
                automerge.transaction()
            } else {
                automerge.transaction_at(PatchLog::null(), &at).map_err(|error| error.to_string())?
            };
            for (register, cell) in cells {
                transaction
                    .put(&buckets[register.bucket()], register.name(), ScalarValue::Bytes(cell.encode()))
                    .map_err(|error| error.to_string())?;
            }
            let mut options = CommitOptions::default().with_time(i64::try_from(stamp.time_ms).unwrap_or(i64::MAX));
            if !stamp.user.is_empty() {
                options.set_message(stamp.user.clone());
            }
            let (hash, _) = transaction.commit_with(options);
            // Values that are there already are no operations.
            let Some(hash) = hash else { return Ok(None) };
            automerge.get_change_by_hash(&hash).map(Some).ok_or_else(|| "the change is gone".into())
        })
    }

    /// Takes in a change of another host (or one of this host's, from disk), and returns the registers it touched.
    ///
    /// Its author and signature must have been checked. A change that is already in is taken without effect.
    ///
    /// # Errors
    /// See [`ApplyError`].
    pub fn apply(&mut self, envelope: &SignedEnvelope) -> Result<Vec<Register>, ApplyError> {
        let frame = change::check(envelope)?;
        let dot = envelope.dot;
        let last = self.history.last_sequence(dot.writer);
        if self.history.dot(&frame.hash) == Some(dot) {
            return Ok(Vec::new());
        }
        if dot.sequence != last + 1 {
            return Err(ApplyError::NotNext { dot, next: last + 1 });
        }
        self.check_dependencies(dot, &frame.dependencies, &envelope.dependencies)?;
        let below =
            envelope.dependencies.iter().filter_map(|dot| self.history.record(*dot)).map(|record| record.max_op);
        if frame.start_op <= below.max().unwrap_or(BUCKETS as u64) {
            return Err(ApplyError::Schema(dot, "its operations don't come after those that it builds on"));
        }
        let Read { change, registers, replacements } =
            guarded(|| self.read_change(&envelope.change, dot)).map_err(|why| ApplyError::Failed(dot, why))??;
        let record = self.record(&change, envelope.time_ms, envelope.user.clone());
        let failed = |why| ApplyError::Failed(dot, why);
        match replacements {
            Some(replacements) => {
                self.replay(change, &replacements).map_err(failed)?;
                self.replace(replacements, Operation { counter: frame.start_op, writer: dot.writer });
            }
            None => {
                self.apply_to_automerge(change, frame.hash).map_err(failed)?;
                self.refresh(&registers);
            }
        }
        self.history.push(dot.writer, record);
        Ok(registers)
    }

    /// Reads a checked chunk and finds the registers it writes.
    #[allow(clippy::type_complexity, reason = "the two kinds of failure stay apart: automerge's, and the schema's")]
    fn read_change(&self, chunk: &[u8], dot: Dot) -> Result<Result<Read, ApplyError>, String> {
        let change = Change::from_bytes(chunk.to_vec()).map_err(|error| error.to_string())?;
        let expanded = ExpandedChange::from(&change);
        // Mostly it was written at all that is here, which needs no look into the past.
        let is_current = self.automerge.get_heads().iter().all(|head| change.deps().contains(head));
        let mut registers = Vec::with_capacity(expanded.operations.len());
        let is_worth_it = expanded.operations.len() as u64 * HISTORY_PER_REPLAYED <= change.start_op().get();
        let mut replacements = (is_current && is_worth_it && self.is_next(&change)).then(Vec::new);
        for operation in &expanded.operations {
            let register = match written_register(operation, &self.buckets) {
                Ok(register) => register,
                Err(why) => return Ok(Err(ApplyError::Schema(dot, why))),
            };
            // What supersedes nothing needs no look, unless it is to be known that nothing is there.
            let present = if operation.pred.is_empty() && replacements.is_none() {
                Cow::default()
            } else {
                self.present(&change, &register, is_current)
            };
            if let Err(why) = check_superseded(&change, operation, &register, &registers, &present) {
                return Ok(Err(ApplyError::Schema(dot, why)));
            }
            replacements = replacements.and_then(|mut all| {
                all.push(replacement(operation, &register, &present)?);
                Some(all)
            });
            registers.push(register);
        }
        let replacements = replacements.filter(|_| all_differ(&registers));
        // A snapshot keeps operations, not bytes: what isn't written the one way can't be restored from it.
        if Change::from(expanded).raw_bytes() != chunk {
            return Ok(Err(ApplyError::Schema(dot, "it isn't in automerge's own form")));
        }
        Ok(Ok(Read { change, registers, replacements }))
    }

    /// Whether a change that builds on all that is here is numbered and placed as automerge would do it, were it made
    /// here and now: automerge names the writer's last change too.
    fn is_next(&self, change: &Change) -> bool {
        let heads = self.heads();
        let records = heads.iter().filter_map(|head| self.history.record(self.history.dot(head)?));
        let max_op = records.map(|record| record.max_op).max().unwrap_or(BUCKETS as u64);
        let writer = Writer::from_bytes(change.actor_id().to_bytes()).ok();
        let last = writer.and_then(|writer| self.history.last(writer)).map(|record| record.hash.0);
        let mut expected: Vec<_> = self.automerge.get_heads();
        expected.extend(last.map(automerge::ChangeHash).filter(|last| !expected.contains(last)));
        let is_placed =
            expected.len() == change.deps().len() && expected.iter().all(|hash| change.deps().contains(hash));
        is_placed && change.extra_bytes().is_empty() && change.start_op().get() == max_op + 1
    }

    /// What a register held where a change was written.
    fn present(&self, change: &Change, register: &Register, is_current: bool) -> Cow<'_, Candidates> {
        if is_current {
            return self.state.get(register).map_or_else(Cow::default, Cow::Borrowed);
        }
        let bucket = &self.buckets[register.bucket()];
        Cow::Owned(self.candidates(bucket, &register.name(), Some(change.deps())))
    }

    fn record(&self, change: &Change, time_ms: u64, user: String) -> ChangeRecord {
        let dependencies = change.deps().iter().map(|hash| ChangeHash(hash.0)).filter(|hash| *hash != self.genesis);
        ChangeRecord {
            hash: ChangeHash(change.hash().0),
            start_op: change.start_op().get(),
            max_op: change.max_op(),
            dependencies: dependencies.collect(),
            time_ms,
            user,
        }
    }

    fn check_dependencies(&self, dot: Dot, inside: &[ChangeHash], outside: &[Dot]) -> Result<(), ApplyError> {
        let mut inside = self.dots(inside.iter().copied()).ok_or(ApplyError::Dependencies(dot))?;
        let mut outside = outside.to_vec();
        inside.sort_unstable();
        outside.sort_unstable();
        if inside == outside { Ok(()) } else { Err(ApplyError::Dependencies(dot)) }
    }

    fn apply_to_automerge(&mut self, change: Change, hash: ChangeHash) -> Result<(), String> {
        let automerge = &mut self.automerge;
        guarded(|| {
            automerge.apply_changes([change]).map_err(|error| error.to_string())?;
            let applied = automerge.get_heads().iter().any(|head| head.0 == hash.0);
            if applied { Ok(()) } else { Err("automerge put it aside".into()) }
        })
    }

    /// Makes a small change of another host once more, here: automerge takes in foreign changes by going over all that was
    /// ever written to their maps, own ones at once. That it is the very same change its hash says.
    fn replay(&mut self, change: Change, replacements: &[Replacement]) -> Result<(), String> {
        let (before, hash) = (self.automerge.get_heads(), change.hash());
        let (automerge, buckets) = (&mut self.automerge, &self.buckets);
        automerge.set_actor(change.actor_id().clone());
        let made = guarded(|| {
            let mut transaction = automerge.transaction();
            for Replacement { register, bytes, .. } in replacements {
                let value = ScalarValue::Bytes(bytes.clone());
                transaction
                    .put(&buckets[register.bucket()], register.name(), value)
                    .map_err(|error| error.to_string())?;
            }
            let mut options = CommitOptions::default().with_time(change.timestamp());
            if let Some(message) = change.message() {
                options.set_message(message);
            }
            Ok::<_, String>(transaction.commit_with(options).0)
        })?;
        if made == Some(hash) {
            return Ok(());
        }
        // Nothing is known that comes to this; should there be something, it is taken back and taken in the long way.
        self.automerge = guarded(|| self.automerge.fork_at(&before).map_err(|error| error.to_string()))?;
        self.apply_to_automerge(change, ChangeHash(hash.0))
    }

    /// The dots of changes, without the genesis; `None` if one is unknown.
    fn dots(&self, hashes: impl Iterator<Item = ChangeHash>) -> Option<Vec<Dot>> {
        hashes.filter(|hash| *hash != self.genesis).map(|hash| self.history.dot(&hash)).collect()
    }

    fn automerge_heads(&self, heads: &[ChangeHash]) -> Vec<automerge::ChangeHash> {
        if heads.is_empty() {
            return vec![automerge::ChangeHash(self.genesis.0)];
        }
        heads.iter().map(|head| automerge::ChangeHash(head.0)).collect()
    }

    /// Reads the touched registers again.
    fn refresh<'a>(&mut self, registers: impl IntoIterator<Item = &'a Register>) {
        for register in registers {
            let candidates = self.candidates(&self.buckets[register.bucket()], &register.name(), None);
            self.state.set(register.clone(), candidates);
        }
    }

    /// Brings the registers of a change that was made once more up to date: each holds its new cell alone.
    fn replace(&mut self, replacements: Vec<Replacement>, first: Operation) {
        for (counter, Replacement { register, cell, .. }) in (first.counter..).zip(replacements) {
            let candidates = Candidates(vec![Candidate { cell, operation: Operation { counter, ..first } }]);
            debug_assert_eq!(candidates, self.candidates(&self.buckets[register.bucket()], &register.name(), None));
            self.state.set(register, candidates);
        }
    }

    fn read_state(&self, heads: Option<&[automerge::ChangeHash]>) -> State {
        let mut state = State::default();
        for bucket in 0..BUCKETS {
            let object = &self.buckets[bucket];
            let names: Vec<String> = match heads {
                Some(heads) => self.automerge.keys_at(object, heads).collect(),
                None => self.automerge.keys(object).collect(),
            };
            for name in names {
                if let Some(register) = Register::from_name(&name) {
                    state.set(register, self.candidates(object, &name, heads));
                }
            }
        }
        state
    }

    fn candidates(&self, bucket: &ObjId, name: &str, heads: Option<&[automerge::ChangeHash]>) -> Candidates {
        let values = match heads {
            Some(heads) => self.automerge.get_all_at(bucket, name, heads),
            None => self.automerge.get_all(bucket, name),
        };
        let mut candidates: Vec<Candidate> =
            values.unwrap_or_default().iter().filter_map(|(value, id)| candidate(value, id)).collect();
        candidates.sort_by_key(|candidate| candidate.operation);
        Candidates(candidates)
    }

    fn rebuild_history(&mut self) -> Result<(), String> {
        let mut records = Vec::new();
        for change in self.automerge.get_changes(&[]) {
            if change.hash().0 == self.genesis.0 {
                continue;
            }
            let writer = Writer::from_bytes(change.actor_id().to_bytes()).map_err(|error| error.to_string())?;
            let time_ms = u64::try_from(change.timestamp()).unwrap_or(0);
            let record = self.record(&change, time_ms, change.message().map(String::from).unwrap_or_default());
            records.push((writer, change.seq(), record));
        }
        records.sort_by_key(|(writer, sequence, _)| (*writer, *sequence));
        for (writer, sequence, record) in records {
            if sequence != self.history.last_sequence(writer) + 1 {
                return Err(format!("change {sequence} of {writer} doesn't follow the one before"));
            }
            self.history.push(writer, record);
        }
        Ok(())
    }
}

/// A change that was read and checked.
struct Read {
    change: Change,
    /// What it writes to.
    registers: Vec<Register>,
    /// What it puts in place of what, if that is all that it does to what is here: see [`Document::replay`].
    replacements: Option<Vec<Replacement>>,
}

/// A cell that takes the place of all that its register holds, and how its author wrote it.
struct Replacement {
    register: Register,
    cell: Cell,
    bytes: Vec<u8>,
}

/// What an operation supersedes must stand in its register, where the change was written or in the change itself:
/// automerge forgets the names of others, and can't restore the change from a snapshot.
fn check_superseded(
    change: &Change,
    operation: &Op,
    register: &Register,
    earlier: &[Register],
    present: &Candidates,
) -> Result<(), &'static str> {
    let is_own = |id: &OpId| {
        let index = id.counter().checked_sub(change.start_op().get()).and_then(|index| usize::try_from(index).ok());
        id.actor() == change.actor_id() && index.and_then(|index| earlier.get(index)) == Some(register)
    };
    let is_present = |id: &OpId| present.0.iter().any(|known| is_operation(known.operation, id));
    let known = operation.pred.iter().all(|id| is_own(id) || is_present(id));
    if known { Ok(()) } else { Err("it supersedes what isn't there") }
}

fn is_operation(known: Operation, id: &OpId) -> bool {
    known.counter == id.counter()
        && Writer::from_bytes(id.actor().to_bytes()).is_ok_and(|writer| writer == known.writer)
}

/// What an operation replaces, if it puts a cell in the place of all that its register holds, and that is none of them.
fn replacement(operation: &Op, register: &Register, present: &Candidates) -> Option<Replacement> {
    let OpType::Put(ScalarValue::Bytes(bytes)) = &operation.action else { return None };
    let is_taken = |known: &Candidate| operation.pred.iter().any(|id| is_operation(known.operation, id));
    let takes_all = operation.pred.len() == present.0.len() && present.0.iter().all(is_taken);
    let cell = Cell::decode(bytes).ok()?;
    let is_new = present.0.iter().all(|known| known.cell != cell);
    (takes_all && is_new).then(|| Replacement { register: register.clone(), cell, bytes: bytes.clone() })
}

/// Whether no register is written to twice.
fn all_differ(registers: &[Register]) -> bool {
    let mut sorted: Vec<&Register> = registers.iter().collect();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0] != pair[1])
}

/// Runs what may panic inside automerge.
fn guarded<T, E: From<String>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(E::from(format!("automerge panicked: {}", text.unwrap_or_default())))
    })
}

fn candidate(value: &Value<'_>, id: &ObjId) -> Option<Candidate> {
    let Value::Scalar(scalar) = value else { return None };
    let ScalarValue::Bytes(bytes) = scalar.as_ref() else { return None };
    let ObjId::Id(counter, actor, _) = id else { return None };
    let operation = Operation { counter: *counter, writer: Writer::from_bytes(actor.to_bytes()).ok()? };
    Some(Candidate { cell: Cell::decode(bytes).ok()?, operation })
}

/// The register that an operation writes.
fn written_register(operation: &Op, buckets: &[ObjId]) -> Result<Register, &'static str> {
    match &operation.action {
        OpType::Put(ScalarValue::Bytes(bytes)) => drop(Cell::decode(bytes).map_err(|_| "a cell can't be read")?),
        // What automerge makes of a put of the value that is shown beside others: it takes the others away.
        OpType::Delete => {}
        _ => return Err("only puts of bytes are allowed"),
    }
    let Key::Map(name) = &operation.key else { return Err("only registers have values") };
    let register = Register::from_name(name).ok_or("no such register")?;
    let ObjectId::Id(object) = &operation.obj else { return Err("the root takes no values") };
    let ObjId::Id(counter, actor, _) = &buckets[register.bucket()] else { return Err("no bucket") };
    if object.counter() == *counter && object.actor() == actor && !operation.insert {
        Ok(register)
    } else {
        Err("a register stands in the wrong bucket")
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::edit::{Editor, PutOutcome, PutType};
    use crate::envelope::{Envelope, MESH_LEVEL};
    use crate::id::{Generation, MeshId, NodeId};

    const FILE: &[u8] = b"a = 1\nb = 2\n[t]\nc = 3\n";

    fn signed(document: &Document, written: Written) -> SignedEnvelope {
        let key = SigningKey::from_bytes(&[1; 32]);
        let author = NodeId::of_public_key(key.verifying_key().as_bytes());
        let Written { dot, dependencies, change, .. } = written;
        let (level, document, generation) = (MESH_LEVEL, document.id().clone(), Generation::default());
        let (user, message) = (String::new(), String::new());
        Envelope {
            level,
            document,
            generation,
            set: None,
            author,
            dot,
            time_ms: 0,
            dependencies,
            user,
            message,
            change,
        }
        .sign(MeshId([0; 16]), &key)
    }

    fn editor(number: u8) -> Editor {
        Editor { actor: ActorId([number; 16]), time_ms: u64::from(number), user: format!("user {number}") }
    }

    fn put(document: &mut Document, key: &str, value: &str, by: u8) -> SignedEnvelope {
        let rendered = document.render();
        let steps = crate::key::parse_key(key).unwrap();
        match document.put(&rendered, &steps, value, PutType::Automatic, &editor(by)).unwrap() {
            PutOutcome::Written(written) => signed(document, written),
            PutOutcome::Unchanged(_) => panic!("nothing was put"),
        }
    }

    fn is_replayed(document: &Document, envelope: &SignedEnvelope) -> bool {
        document.read_change(&envelope.change, envelope.dot).unwrap().unwrap().replacements.is_some()
    }

    /// What was made once more here is what was taken in the long way: the same change, the same document on disk.
    #[test]
    fn a_change_made_once_more_is_the_same() {
        let mut author = Document::new(DocumentId::new("f/app.toml").unwrap());
        let (mut replaying, mut plain) = (author.clone(), author.clone());
        let empty = author.render();
        let first = author.take_file(&empty, FILE, false, Lane::FILE, &editor(1)).unwrap().unwrap();
        let mut all = vec![signed(&author, first)];
        all.push(put(&mut author, "a", "10", 1));
        all.push(put(&mut author, "t.c", "30", 2));
        all.push(put(&mut author, "t.new", "4", 2));
        all.push(put(&mut author, "a", "11", 1));
        // The file and the new key, which need several registers, are too much for so short a history.
        for (envelope, is_small) in all.iter().zip([false, true, true, false, true]) {
            assert_eq!(is_replayed(&replaying, envelope), is_small, "{}", envelope.dot);
            replaying.apply(envelope).unwrap();
            let hash = change::check(envelope).unwrap().hash;
            plain.apply_to_automerge(Change::from_bytes(envelope.change.clone()).unwrap(), hash).unwrap();
        }
        assert_eq!(replaying.heads(), author.heads());
        assert_eq!(replaying.state(), author.state());
        assert_eq!(replaying.save().unwrap(), plain.save().unwrap());
        assert_eq!(replaying.save().unwrap(), author.save().unwrap());
    }

    #[test]
    fn only_what_builds_on_all_that_is_here_is_made_once_more() {
        let mut left = Document::new(DocumentId::new("f/app.toml").unwrap());
        let mut right = left.clone();
        let empty = left.render();
        let first = left.take_file(&empty, FILE, false, Lane::FILE, &editor(1)).unwrap().unwrap();
        right.apply(&signed(&left, first)).unwrap();
        let (mine, theirs) = (put(&mut left, "a", "10", 1), put(&mut right, "a", "20", 2));
        assert!(!is_replayed(&left, &theirs), "it is concurrent");
        left.apply(&theirs).unwrap();
        right.apply(&mine).unwrap();
        // It takes the place of both values.
        let both = put(&mut left, "a", "30", 1);
        assert!(is_replayed(&right, &both));
        right.apply(&both).unwrap();
        // What a put of the value that wins among several makes: a delete of the others.
        let (mine, theirs) = (put(&mut left, "b", "1", 1), put(&mut right, "b", "5", 2));
        left.apply(&theirs).unwrap();
        right.apply(&mine).unwrap();
        let shown = if left.render().file().unwrap().bytes.starts_with(b"a = 30\nb = 5") { "5" } else { "1" };
        let winner = put(&mut left, "b", shown, 1);
        assert!(!is_replayed(&right, &winner));
        right.apply(&winner).unwrap();
        assert_eq!(left.state(), right.state());
        assert_eq!(left.render(), right.render());
    }
}
