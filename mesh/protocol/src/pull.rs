//! One comparison with one peer, and the fetching of what it has and this node hasn't.
//!
//! ```text
//!  root differs ──▶ Buckets ──▶ Vectors (a page) ──▶ Want ──▶ Changes ─┐
//!                      ▲            ▲                  ▲───────────────┤ until nothing of the page is missing
//!                      │            └──────────────────────────────────┤ until no page is left
//!                      └───────────────────────────────────────────────┘ for each folder that differs
//! ```
//! One question is under way at a time, so a pull is bounded by a page at either end. A question without an answer is
//! asked again: answering twice is harmless.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use murmurate_crdt::clock::{Dot, Range, VersionVector};
use murmurate_crdt::id::{ActorId, DocumentId, Generation, Lane, Writer};

use crate::index::Index;
use crate::limits::{PULL_ATTEMPTS, PULL_RETRY};
use crate::message::{DocumentRanges, DocumentVector, Message, RANGES_PER_MESSAGE};
use crate::summary::FolderSummary;

type Name = (DocumentId, Writer);

#[derive(Debug)]
struct Wanted {
    generation: Generation,
    first: u64,
    last: u64,
}

#[derive(Debug)]
enum Asked {
    Nothing,
    Vectors,
    Changes(Vec<Name>),
}

/// One comparison with one peer.
#[derive(Debug)]
pub(crate) struct Pull {
    /// What the peer had said when the comparison began.
    pub(crate) of: BTreeMap<String, FolderSummary>,
    folders: VecDeque<String>,
    /// The first folder's documents up to this one were compared.
    after: String,
    wants: BTreeMap<Name, Wanted>,
    asked: Asked,
    id: u64,
    question: Arc<[u8]>,
    attempts: u32,
    pub(crate) retry_at: Duration,
    /// Changes that brought this node on. Those that only wait don't: a peer that holds what they wait for sends it in
    /// the same pull, and one that doesn't isn't to be asked over and over.
    pub(crate) brought: u64,
    /// Whether documents were left out because another pull fetches them.
    pub(crate) left_some_out: bool,
}

impl Pull {
    pub(crate) fn new(of: BTreeMap<String, FolderSummary>, folders: VecDeque<String>) -> Self {
        Self {
            of,
            folders,
            after: String::new(),
            wants: BTreeMap::new(),
            asked: Asked::Nothing,
            id: 0,
            question: Arc::from([]),
            attempts: 0,
            retry_at: Duration::ZERO,
            brought: 0,
            left_some_out: false,
        }
    }

    /// Whether its peer answers in time. A stuck pull keeps nobody else from fetching.
    pub(crate) fn is_answered(&self) -> bool {
        self.attempts <= 1
    }

    /// Whether it is about to fetch changes of the document.
    pub(crate) fn claims(&self, document: &DocumentId) -> bool {
        let lowest = Writer { actor: ActorId::default(), lane: Lane::API };
        let next = self.wants.range((document.clone(), lowest)..).next();
        self.is_answered() && next.is_some_and(|((wanted, _), _)| wanted == document)
    }

    /// The next question, named `id`; `None` when all was compared and fetched.
    pub(crate) fn ask(&mut self, index: &Index, id: u64, now: Duration) -> Option<Arc<[u8]>> {
        self.forget_what_came(index);
        let message = self.want(id).or_else(|| self.compare(index, id))?;
        (self.id, self.question) = (id, message.encode());
        (self.attempts, self.retry_at) = (1, now + PULL_RETRY);
        Some(self.question.clone())
    }

    /// The same question again, for the time after `retry_at`; `None` when it was asked often enough.
    pub(crate) fn ask_again(&mut self, now: Duration) -> Option<Arc<[u8]>> {
        if self.attempts >= PULL_ATTEMPTS {
            return None;
        }
        self.retry_at = now + PULL_RETRY * 2u32.pow(self.attempts);
        self.attempts += 1;
        Some(self.question.clone())
    }

    /// Drops from the wants what isn't to be fetched from this peer.
    pub(crate) fn leave_out(&mut self, is_left: impl Fn(&DocumentId, Writer) -> bool) {
        self.wants.retain(|(document, writer), _| !is_left(document, *writer));
    }

    /// Drops from the wants what was applied meanwhile.
    fn forget_what_came(&mut self, index: &Index) {
        self.wants.retain(|(document, writer), wanted| {
            let applied = index.document(document).map_or(0, |document| document.applied().get(*writer));
            wanted.first = wanted.first.max(applied + 1);
            wanted.first <= wanted.last
        });
    }

    fn want(&mut self, id: u64) -> Option<Message> {
        let names: Vec<Name> = self.wants.keys().take(RANGES_PER_MESSAGE).cloned().collect();
        let mut wants: Vec<DocumentRanges> = Vec::new();
        for ((document, writer), &Wanted { generation, first, last }) in self.wants.iter().take(names.len()) {
            let range = Range { writer: *writer, first, last };
            match wants.last_mut().filter(|last| last.document == *document) {
                Some(last) => last.ranges.push(range),
                None => wants.push(DocumentRanges { document: document.clone(), generation, ranges: vec![range] }),
            }
        }
        self.asked = Asked::Changes(names);
        (!wants.is_empty()).then_some(Message::Want { request: id, wants })
    }

    fn compare(&mut self, index: &Index, id: u64) -> Option<Message> {
        let folder = self.folders.front()?.clone();
        self.asked = Asked::Vectors;
        Some(Message::Buckets { query: id, after: self.after.clone(), hashes: index.buckets(&folder), folder })
    }

    /// Takes in an answer to [`Message::Buckets`]; says whether it was the one waited for.
    pub(crate) fn vectors(
        &mut self,
        query: u64,
        complete: bool,
        documents: &[DocumentVector],
        index: &Index,
        claimed: impl Fn(&DocumentId) -> bool,
    ) -> bool {
        if query != self.id || !matches!(self.asked, Asked::Vectors) {
            return false;
        }
        for entry in documents {
            if claimed(&entry.document) {
                self.left_some_out = true;
            } else {
                self.want_missing(entry, index);
            }
        }
        match documents.last() {
            Some(last) if !complete => last.document.as_str().clone_into(&mut self.after),
            _ => {
                self.folders.pop_front();
                self.after.clear();
            }
        }
        true
    }

    fn want_missing(&mut self, theirs: &DocumentVector, index: &Index) {
        let own = index.document(&theirs.document);
        if own.is_some_and(|own| own.generation() != theirs.generation) {
            return;
        }
        let none = VersionVector::new();
        let missing = theirs.vector.missing_in(own.map_or(&none, |own| own.applied()));
        for Range { writer, first, last } in missing {
            if own.is_none_or(|own| own.takes(Dot { writer, sequence: first })) {
                let wanted = Wanted { generation: theirs.generation, first, last };
                self.wants.insert((theirs.document.clone(), writer), wanted);
            }
        }
    }

    /// Takes in an answer to [`Message::Want`] with these changes, `brought` of which brought this node on; says whether it was the
    /// one waited for. What an empty answer doesn't bring isn't asked for again.
    pub(crate) fn changes(&mut self, request: u64, dots: &[(DocumentId, Dot)], brought: u64) -> bool {
        if request != self.id || !matches!(self.asked, Asked::Changes(_)) {
            return false;
        }
        self.brought += brought;
        let came = dots.iter().filter(|(document, dot)| self.came(document, *dot)).count();
        if let Asked::Changes(names) = std::mem::replace(&mut self.asked, Asked::Nothing)
            && came == 0
        {
            self.wants.retain(|name, _| names.binary_search(name).is_err());
        }
        true
    }

    /// Takes a change out of the wants. One from inside a range takes what is before it along: it comes in order, so
    /// that was lost, and the next comparison finds it.
    fn came(&mut self, document: &DocumentId, dot: Dot) -> bool {
        let name = (document.clone(), dot.writer);
        let Some(wanted) = self.wants.get_mut(&name) else { return false };
        if !(wanted.first..=wanted.last).contains(&dot.sequence) {
            return false;
        }
        wanted.first = dot.sequence + 1;
        if wanted.first > wanted.last {
            self.wants.remove(&name);
        }
        true
    }
}
