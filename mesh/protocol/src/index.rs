//! What is held of every document, and the hashes by which two hosts find where they differ.
//!
//! ```text
//!  folder ──▶ root = SHA-256(buckets)
//!               └─ 64 buckets, each the XOR of its documents' digests
//!                    └─ digest = SHA-256(document, generation, durable version vector)
//! ```
//! XOR is enough here: a document is in its bucket exactly once, so nothing cancels out, and a digest is replaced in
//! constant time. Who can craft documents whose digests cancel is a member, and hides by it only a difference that it
//! could have hidden by staying silent; pushes don't depend on these hashes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::OnceLock;

use murmurate_crdt::clock::{Dot, VersionVector};
use murmurate_crdt::envelope::Envelope;
use murmurate_crdt::id::{DocumentId, Generation, Writer};
use murmurate_crdt::limits;
use murmurate_crdt::wire::Encoder;
use sha2::{Digest, Sha256};

use crate::limits::FORMER_ROOTS;
use crate::message::{BUCKETS, DocumentVector, FOLDERS};
use crate::summary::{EMPTY, FolderSummary, Hash, Summary};

/// What is held of one document.
#[derive(Debug, Default)]
pub(crate) struct Document {
    generation: Generation,
    applied: VersionVector,
    durable: VersionVector,
    bucket: usize,
    digest: Hash,
    frozen: bool,
    /// Of a writer the first sequence that can't be taken in this run.
    blocked: BTreeMap<Writer, u64>,
}

impl Document {
    /// The changes that were handed out to be applied.
    pub(crate) fn applied(&self) -> &VersionVector {
        &self.applied
    }

    /// Whether a change of this writer may be taken.
    pub(crate) fn takes(&self, dot: Dot) -> bool {
        !self.frozen && self.blocked.get(&dot.writer).is_none_or(|&first| dot.sequence < first)
    }

    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }
}

#[derive(Debug)]
struct Folder {
    documents: BTreeMap<DocumentId, Document>,
    buckets: Box<[Hash; BUCKETS]>,
    changes: u64,
    root: OnceLock<Hash>,
    former_roots: VecDeque<Hash>,
}

impl Default for Folder {
    fn default() -> Self {
        let buckets = Box::new([EMPTY; BUCKETS]);
        Self { documents: BTreeMap::new(), buckets, changes: 0, root: OnceLock::new(), former_roots: VecDeque::new() }
    }
}

impl Folder {
    fn root(&self) -> Hash {
        *self
            .root
            .get_or_init(|| if self.changes == 0 { EMPTY } else { Sha256::digest(self.buckets.as_flattened()).into() })
    }

    fn had_root(&self, root: Hash) -> bool {
        self.root() == root || self.former_roots.contains(&root)
    }

    /// Forgets the root, remembering it if it was ever computed.
    fn outdate_root(&mut self) {
        if let Some(root) = self.root.take() {
            self.former_roots.truncate(FORMER_ROOTS - 1);
            self.former_roots.push_front(root);
        }
    }

    fn set_durable(&mut self, id: &DocumentId, reached: &VersionVector) {
        let Some(document) = self.documents.get_mut(id) else { return };
        if document.durable.covers(reached) {
            return;
        }
        let changes_before = document.durable.changes();
        document.durable.merge(reached);
        document.applied.merge(reached);
        let digest = digest_of(id, document);
        let bucket = &mut self.buckets[document.bucket];
        xor(bucket, &document.digest);
        xor(bucket, &digest);
        document.digest = digest;
        self.changes += document.durable.changes() - changes_before;
        self.outdate_root();
    }
}

fn xor(sum: &mut Hash, digest: &Hash) {
    sum.iter_mut().zip(digest).for_each(|(sum, byte)| *sum ^= byte);
}

fn digest_of(id: &DocumentId, document: &Document) -> Hash {
    let mut encoder = Encoder::new();
    encoder.text(id.as_str()).varint(document.generation.number.into()).raw(&document.generation.cut);
    document.durable.encode(&mut encoder);
    Sha256::digest(encoder.finish()).into()
}

fn bucket_of(id: &DocumentId) -> usize {
    usize::from(Sha256::digest(id.as_str())[0]) % BUCKETS
}

/// What is held of every document, folder by folder.
#[derive(Debug, Default)]
pub(crate) struct Index {
    folders: BTreeMap<String, Folder>,
    /// Documents with changes that were applied and aren't durable yet.
    undurable: BTreeSet<DocumentId>,
}

impl Index {
    pub(crate) fn document(&self, id: &DocumentId) -> Option<&Document> {
        self.folders.get(id.folder())?.documents.get(id)
    }

    fn document_mut(&mut self, id: &DocumentId) -> Option<&mut Document> {
        self.folders.get_mut(id.folder())?.documents.get_mut(id)
    }

    fn document_or_new(&mut self, id: &DocumentId, generation: Generation) -> &mut Document {
        let folder = self.folders.entry(id.folder().to_owned()).or_default();
        let new = || Document { generation, bucket: bucket_of(id), ..Document::default() };
        folder.documents.entry(id.clone()).or_insert_with(new)
    }

    /// Whether the change was handed out to be applied, or is durable.
    pub(crate) fn is_applied(&self, id: &DocumentId, dot: Dot) -> bool {
        self.document(id).is_some_and(|document| document.applied.includes(dot))
    }

    /// Whether a change may be taken: its document isn't frozen, its writer not blocked.
    pub(crate) fn takes(&self, id: &DocumentId, dot: Dot) -> bool {
        self.document(id).is_none_or(|document| document.takes(dot))
    }

    /// Why a change has no place here, whatever comes before it.
    pub(crate) fn has_no_place(&self, envelope: &Envelope) -> Option<&'static str> {
        match self.document(&envelope.document) {
            Some(document) if document.generation != envelope.generation => Some("it is of another generation"),
            Some(document) if document.applied.get(envelope.dot.writer) > 0 => None,
            Some(document) if document.applied.len() >= limits::WRITERS_PER_DOCUMENT => {
                Some("the document has as many writers as the limit allows")
            }
            None if self.folders.len() >= FOLDERS && !self.folders.contains_key(envelope.document.folder()) => {
                Some("the mesh has as many folders as the limit allows")
            }
            _ => None,
        }
    }

    /// The first of what the change builds on that isn't applied: its writer's change before, then its dependencies.
    /// `checked` dependencies are known to be applied; the second value says how many are now.
    pub(crate) fn unmet(&self, envelope: &Envelope, checked: usize) -> Option<(Dot, usize)> {
        let none = VersionVector::new();
        let applied = self.document(&envelope.document).map_or(&none, |document| &document.applied);
        let Dot { writer, sequence } = envelope.dot;
        if sequence > 1 && applied.get(writer) < sequence - 1 {
            return Some((Dot { writer, sequence: sequence - 1 }, checked));
        }
        let unchecked = envelope.dependencies.iter().enumerate().skip(checked);
        unchecked.into_iter().find(|(_, dot)| !applied.includes(**dot)).map(|(at, &dot)| (dot, at))
    }

    pub(crate) fn apply(&mut self, id: &DocumentId, generation: Generation, dot: Dot) {
        self.document_or_new(id, generation).applied.include(dot);
        self.undurable.insert(id.clone());
    }

    /// All of a document's changes in `reached` are on disk.
    pub(crate) fn set_durable(&mut self, id: &DocumentId, generation: Generation, reached: &VersionVector) {
        self.document_or_new(id, generation);
        let Some(folder) = self.folders.get_mut(id.folder()) else { return };
        folder.set_durable(id, reached);
        if folder.documents.get(id).is_some_and(|document| document.durable.covers(&document.applied)) {
            self.undurable.remove(id);
        }
    }

    /// Whether everything that was applied is durable.
    pub(crate) fn is_durable(&self) -> bool {
        self.undurable.is_empty()
    }

    pub(crate) fn freeze(&mut self, id: &DocumentId, generation: Generation) {
        self.document_or_new(id, generation).frozen = true;
    }

    pub(crate) fn thaw(&mut self, id: &DocumentId) {
        if let Some(document) = self.document_mut(id) {
            document.frozen = false;
        }
    }

    /// No change of the writer from this one on is taken in this run.
    pub(crate) fn block(&mut self, id: &DocumentId, generation: Generation, dot: Dot) {
        let document = self.document_or_new(id, generation);
        let first = document.blocked.entry(dot.writer).or_insert(dot.sequence);
        *first = dot.sequence.min(*first);
    }

    /// Undoes the applying of a change and of what follows of its writer, unless it is durable, and blocks it.
    pub(crate) fn withdraw(&mut self, id: &DocumentId, dot: Dot) {
        let Some(document) = self.document_mut(id) else { return };
        let generation = document.generation;
        let last = document.durable.get(dot.writer).max(dot.sequence - 1);
        let kept = document.applied.iter().filter_map(|(writer, sequence)| {
            let sequence = if writer == dot.writer { sequence.min(last) } else { sequence };
            (sequence > 0).then_some(Dot { writer, sequence })
        });
        document.applied = kept.collect();
        if document.durable.covers(&document.applied) {
            self.undurable.remove(id);
        }
        self.block(id, generation, dot);
    }

    /// The durable state of each folder that has any.
    pub(crate) fn folder_summaries(&self) -> BTreeMap<String, FolderSummary> {
        let folders = self.folders.iter().filter(|(_, folder)| folder.changes > 0);
        folders.map(|(name, folder)| (name.clone(), folder.summary())).take(FOLDERS).collect()
    }

    /// Whether a peer with this summary holds exactly what is durable here, in all folders that both keep.
    pub(crate) fn is_in_step(&self, summary: &Summary) -> bool {
        let listed = summary.folders.iter().all(|(name, theirs)| self.root(name) == theirs.root);
        let unlisted = || self.folders.iter().all(|(name, own)| summary.folders.contains_key(name) || own.changes == 0);
        listed && (summary.keeps_only_listed || unlisted())
    }

    /// At least how many durable changes a peer with this summary lacks: exactly, if it holds none that we don't.
    pub(crate) fn lag_of(&self, summary: &Summary) -> u64 {
        let kept = self.folders.iter().filter_map(|(name, own)| Some((own, summary.folder(name)?)));
        kept.map(|(own, theirs)| own.changes.saturating_sub(theirs.changes)).sum()
    }

    /// At least how many changes a peer with this summary holds that aren't durable here.
    pub(crate) fn lack_of(&self, summary: &Summary) -> u64 {
        let own = |name: &str| self.folders.get(name).map_or(0, |folder| folder.changes);
        summary.folders.iter().map(|(name, theirs)| theirs.changes.saturating_sub(own(name))).sum()
    }

    /// The folders in which a peer with this summary may hold what isn't held here.
    pub(crate) fn folders_to_pull(&self, summary: &Summary) -> VecDeque<String> {
        let had = |name: &str, root| self.folders.get(name).is_some_and(|own| own.had_root(root));
        let folders = summary.folders.iter().filter(|(name, theirs)| theirs.root != EMPTY && !had(name, theirs.root));
        folders.map(|(name, _)| name.clone()).collect()
    }

    fn root(&self, folder: &str) -> Hash {
        self.folders.get(folder).map_or(EMPTY, Folder::root)
    }

    /// The hashes of a folder's buckets.
    pub(crate) fn buckets(&self, folder: &str) -> Box<[Hash; BUCKETS]> {
        self.folders.get(folder).map_or_else(|| Box::new([EMPTY; BUCKETS]), |folder| folder.buckets.clone())
    }

    /// What is durable of the documents after `after` in those buckets of a folder that hash otherwise than `theirs`.
    pub(crate) fn differing<'a>(
        &'a self,
        folder: &str,
        after: &'a str,
        theirs: &'a [Hash; BUCKETS],
    ) -> impl Iterator<Item = DocumentVector> + 'a {
        let folder = self.folders.get(folder);
        let documents = folder.into_iter().flat_map(|folder| {
            folder.documents.iter().filter(|(_, document)| folder.buckets[document.bucket] != theirs[document.bucket])
        });
        let wanted = documents.filter(move |(id, document)| id.as_str() > after && !document.durable.is_empty());
        wanted.map(|(id, document)| DocumentVector {
            document: id.clone(),
            generation: document.generation,
            vector: document.durable.clone(),
        })
    }
}

impl Folder {
    fn summary(&self) -> FolderSummary {
        FolderSummary { root: self.root(), changes: self.changes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use murmurate_crdt::id::{ActorId, Lane};
    use proptest::prelude::*;

    fn dot(actor: u8, sequence: u64) -> Dot {
        Dot { writer: Writer { actor: ActorId([actor; 16]), lane: Lane::API }, sequence }
    }

    fn document(number: u8) -> DocumentId {
        DocumentId::new(&format!("folder{}/{number}", number % 2)).unwrap()
    }

    fn reach(index: &mut Index, changes: &[(u8, u8, u64)]) {
        for &(number, actor, sequence) in changes {
            let reached = VersionVector::from_iter([dot(actor, sequence)]);
            index.set_durable(&document(number), Generation::default(), &reached);
        }
    }

    fn summary(index: &Index) -> Summary {
        Summary { folders: index.folder_summaries(), ..Summary::default() }
    }

    fn changes() -> impl Strategy<Value = Vec<(u8, u8, u64)>> {
        proptest::collection::vec((0u8..6, 0u8..3, 1u64..5), 0..12)
    }

    proptest! {
        #[test]
        fn hashes_are_equal_exactly_when_what_is_durable_is(a in changes(), b in changes()) {
            let (mut left, mut right) = (Index::default(), Index::default());
            reach(&mut left, &a);
            reach(&mut right, &b);
            let vectors = |index: &Index| -> Vec<_> {
                (0..6).map(|number| index.document(&document(number)).map(|d| d.durable.clone())).collect()
            };
            prop_assert_eq!(left.is_in_step(&summary(&right)), vectors(&left) == vectors(&right));
            let state = |index: &Index| crate::summary::state_hash(&index.folder_summaries());
            prop_assert_eq!(state(&left) == state(&right), vectors(&left) == vectors(&right));
            reach(&mut left, &b);
            reach(&mut right, &a);
            prop_assert!(left.is_in_step(&summary(&right)), "whatever the order");
            prop_assert_eq!(left.lag_of(&summary(&right)), 0);
        }

        #[test]
        fn differing_buckets_hold_every_document_that_differs(a in changes(), b in changes()) {
            let (mut left, mut right) = (Index::default(), Index::default());
            reach(&mut left, &a);
            reach(&mut right, &b);
            for folder in ["folder0", "folder1"] {
                let theirs = right.buckets(folder);
                let listed: Vec<_> = left.differing(folder, "", &theirs).map(|entry| entry.document).collect();
                for number in 0..6 {
                    let document = document(number);
                    let of = |index: &Index| index.document(&document).map(|d| d.durable.clone()).unwrap_or_default();
                    let differs = document.folder() == folder && of(&left) != of(&right) && !of(&left).is_empty();
                    prop_assert!(!differs || listed.contains(&document));
                }
                prop_assert!(listed.is_sorted());
            }
        }
    }

    #[test]
    fn a_peer_at_a_former_state_has_nothing_for_us() {
        let mut index = Index::default();
        reach(&mut index, &[(0, 1, 1)]);
        let former = summary(&index);
        reach(&mut index, &[(0, 1, 2), (2, 1, 1)]);
        assert!(!index.is_in_step(&former) && index.folders_to_pull(&former).is_empty());
        assert_eq!(index.lag_of(&former), 2);
        let mut other = Index::default();
        reach(&mut other, &[(0, 2, 1)]);
        assert_eq!(index.folders_to_pull(&summary(&other)), ["folder0"]);
    }

    #[test]
    fn folders_that_a_peer_doesnt_keep_dont_count() {
        let mut index = Index::default();
        reach(&mut index, &[(0, 1, 1), (1, 1, 1)]);
        let mut theirs = summary(&index);
        theirs.folders.remove("folder1");
        assert!(!index.is_in_step(&theirs), "it keeps the folder, and has nothing in it");
        assert_eq!(index.lag_of(&theirs), 1);
        theirs.keeps_only_listed = true;
        assert!(index.is_in_step(&theirs));
        assert_eq!(index.lag_of(&theirs), 0);
    }

    #[test]
    fn withdrawing_takes_back_what_isnt_durable_and_blocks_it() {
        let (mut index, id, generation) = (Index::default(), document(0), Generation::default());
        reach(&mut index, &[(0, 1, 1)]);
        (2..5).for_each(|sequence| index.apply(&id, generation, dot(1, sequence)));
        index.apply(&id, generation, dot(2, 1));
        assert!(!index.is_durable());
        index.withdraw(&id, dot(1, 3));
        assert_eq!(index.document(&id).unwrap().applied, VersionVector::from_iter([dot(1, 2), dot(2, 1)]));
        assert!(index.takes(&id, dot(1, 2)) && !index.takes(&id, dot(1, 3)) && index.takes(&id, dot(2, 2)));
    }
}
