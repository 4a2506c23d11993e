//! The set of statements that count.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::OnceLock;

use murmurate_crdt::id::{MeshId, NodeId};
use murmurate_crdt::wire::DecodeError;
use sha2::{Digest, Sha256};

use super::Roots;
use super::fact::kind;
use super::limits::{EARLY, REVOCATIONS, STATEMENTS};
use super::signer::SignedBy;
use super::statement::Statement;
use crate::summary::{EMPTY, Hash};

/// A statement is refused. The roster wasn't changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// It can't be read.
    #[error("the statement can't be read: {0}")]
    Unreadable(#[from] DecodeError),
    /// It is about another mesh.
    #[error("the statement is for mesh {0}, not for this one")]
    OtherMesh(MeshId),
    /// A signature isn't that of who should have signed: of it, or of the grant it carries.
    #[error("the statement isn't signed by this mesh's authority, an issuer of it, or the node it is about")]
    BadSignature,
    /// The roster has reached its limit.
    #[error(
        "the roster is full: it holds {STATEMENTS} statements or {REVOCATIONS} revocations, which are its limits; \
         a new mesh is needed"
    )]
    Full,
}

/// What came of an insertion.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inserted {
    /// What is in the roster now and wasn't before, in this order: the statement itself, unless it was known or a later
    /// one of its kind about its node is; and with an admission what the node said of itself before.
    pub added: Vec<Statement>,
    /// The digests of the statements whose place it took: they aren't in the roster any more.
    pub dropped: Vec<Hash>,
}

impl Inserted {
    /// Whether the roster was changed.
    #[must_use]
    pub fn is_new(&self) -> bool {
        !self.added.is_empty()
    }
}

/// The verified statements of one mesh that count. Given the same statements, in any order, all hosts hold the same set,
/// and its hash is the same.
///
/// What a node says of itself counts only once it is admitted; before, it waits outside the set, within a limit. What
/// doesn't fit there comes again with the rest of the roster of who knows the admission.
#[derive(Debug, Clone)]
pub struct Roster {
    mesh: MeshId,
    roots: Roots,
    pub(super) statements: BTreeMap<Hash, Statement>,
    /// Of each node and kind the digest of the one statement that counts.
    pub(super) latest: BTreeMap<(NodeId, u8), Hash>,
    pub(super) revoked: BTreeSet<NodeId>,
    /// What nodes that aren't admitted said of themselves.
    early: BTreeMap<NodeId, BTreeMap<u8, Statement>>,
    hash: OnceLock<Hash>,
    revoked_hash: OnceLock<Hash>,
}

impl Roster {
    /// A roster without members.
    #[must_use]
    pub fn new(mesh: MeshId, roots: Roots) -> Self {
        Self {
            mesh,
            roots,
            statements: BTreeMap::new(),
            latest: BTreeMap::new(),
            revoked: BTreeSet::new(),
            early: BTreeMap::new(),
            hash: OnceLock::new(),
            revoked_hash: OnceLock::new(),
        }
    }

    /// Verifies and takes in a statement.
    ///
    /// # Errors
    /// When it is another mesh's, isn't signed by who may say this, or the roster is full.
    pub fn insert(&mut self, statement: Statement) -> Result<Inserted, StatementError> {
        if self.is_outdone(&statement) {
            return Ok(Inserted::default());
        }
        statement.verify(self.mesh, &self.roots, &|grant| self.statements.contains_key(grant))?;
        if matches!(statement.signed_by(), SignedBy::Own(node) if !self.is_admitted(node)) {
            self.keep_early(statement);
            return Ok(Inserted::default());
        }
        if !self.has_room(&statement) {
            return Err(StatementError::Full);
        }
        let mut inserted = Inserted::default();
        let (kind, node) = (statement.kind(), statement.node());
        self.replace(statement, &mut inserted);
        if kind == kind::ADMIT {
            let early = self.early.remove(&node).unwrap_or_default();
            early.into_values().for_each(|statement| self.replace(statement, &mut inserted));
        }
        Ok(inserted)
    }

    /// Whether the statement, or a later one in its place, is known.
    fn is_outdone(&self, statement: &Statement) -> bool {
        let latest = self.latest.get(&(statement.node(), statement.kind()));
        latest.and_then(|digest| self.statements.get(digest)).is_some_and(|latest| latest.rank() >= statement.rank())
    }

    /// Whether a later statement counts in its place.
    #[must_use]
    pub fn is_superseded(&self, statement: &Statement) -> bool {
        self.is_outdone(statement) && !self.statements.contains_key(&statement.digest())
    }

    /// Takes the place of the statement of that kind about that node, if there is one.
    fn replace(&mut self, statement: Statement, inserted: &mut Inserted) {
        let digest = statement.digest();
        if let Some(former) = self.latest.insert((statement.node(), statement.kind()), digest) {
            self.statements.remove(&former);
            inserted.dropped.push(former);
        }
        if statement.kind() == kind::REVOKE && self.revoked.insert(statement.node()) {
            self.revoked_hash.take();
        }
        inserted.added.push(statement.clone());
        self.statements.insert(digest, statement);
        self.hash.take();
    }

    fn has_room(&self, statement: &Statement) -> bool {
        let is_new = !self.latest.contains_key(&(statement.node(), statement.kind()));
        let has_room = match statement.kind() {
            kind::REVOKE => self.revoked.len() < REVOCATIONS,
            _ => self.statements.len() - self.revoked.len() < STATEMENTS,
        };
        !is_new || has_room
    }

    fn keep_early(&mut self, statement: Statement) {
        let has_room = self.early.values().map(BTreeMap::len).sum::<usize>() < EARLY;
        let of_node = self.early.get(&statement.node());
        let former = of_node.and_then(|of_node| of_node.get(&statement.kind()));
        if former.map_or(has_room, |former| former.rank() < statement.rank()) {
            self.early.entry(statement.node()).or_default().insert(statement.kind(), statement);
        }
    }

    /// The hash of the statements: equal hashes, equal rosters.
    #[must_use]
    pub fn hash(&self) -> Hash {
        *self.hash.get_or_init(|| hash_of(self.statements.keys()))
    }

    /// The hash of the revoked nodes' ids: by it a peer says of whose revocation it knows.
    #[must_use]
    pub fn revoked_hash(&self) -> Hash {
        *self.revoked_hash.get_or_init(|| hash_of(self.revoked.iter().map(|node| &node.0)))
    }

    /// All statements that count, in the order of their digests.
    pub fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.statements.values()
    }

    /// Statements with a digest above `after`, in rising order; those about `nodes` only, if any is named.
    pub fn after<'a>(&'a self, after: Hash, nodes: &[NodeId]) -> Box<dyn Iterator<Item = &'a Statement> + 'a> {
        if nodes.is_empty() {
            return Box::new(self.statements.range((Excluded(after), Unbounded)).map(|(_, statement)| statement));
        }
        let about = |&node: &NodeId| self.latest.range((node, 0)..=(node, u8::MAX)).map(|(_, &digest)| digest);
        let digests: BTreeSet<Hash> = nodes.iter().flat_map(about).filter(|&digest| digest > after).collect();
        Box::new(digests.into_iter().filter_map(|digest| self.statements.get(&digest)))
    }
}

fn hash_of<'a>(parts: impl Iterator<Item = &'a Hash>) -> Hash {
    let mut hasher = Sha256::new();
    let mut is_empty = true;
    for part in parts {
        hasher.update(part);
        is_empty = false;
    }
    if is_empty { EMPTY } else { hasher.finalize().into() }
}
