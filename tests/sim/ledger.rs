//! What the stores hold in the end: every change, what it builds on, and which values are written in it.
//!
//! Causality is taken from the changes' signed envelopes alone, so that what the documents make of them is checked against
//! something else.

use std::collections::{BTreeMap, BTreeSet};

use murmurate::daemon::store::Store;
use murmurate_crdt::clock::{Dot, Range, VersionVector};
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::DocumentId;

use crate::machine::WALL_MS;
use crate::template::TEMPLATES;
use crate::world::World;

/// One change.
pub(crate) struct Change {
    /// It, and all that it builds on.
    past: VersionVector,
    values: BTreeSet<u64>,
}

/// All changes of one machine's store.
type Stored = BTreeMap<(DocumentId, Dot), SignedEnvelope>;

/// All changes, by document.
pub(crate) struct Ledger {
    /// Of each machine.
    pub(crate) stored: Vec<Stored>,
    documents: Vec<BTreeMap<Dot, Change>>,
}

impl Ledger {
    /// Reads the stores; all daemons are down.
    pub(crate) fn read(world: &World) -> Self {
        let stored: Vec<Stored> = world.machines.iter().map(|machine| read_store(&machine.store())).collect();
        let documents = TEMPLATES.iter().map(|template| {
            let document = DocumentId::new(&template.document()).unwrap();
            let of_document = |((id, dot), envelope): (&(DocumentId, Dot), &SignedEnvelope)| {
                (*id == document).then(|| (*dot, envelope.clone()))
            };
            changes(&stored[0].iter().filter_map(of_document).collect())
        });
        let documents = documents.collect();
        Self { stored, documents }
    }

    /// The changes in which a value is written.
    pub(crate) fn dots(&self, document: usize, value: u64) -> Vec<Dot> {
        let changes = self.documents[document].iter();
        changes.filter(|(_, change)| change.values.contains(&value)).map(|(dot, _)| *dot).collect()
    }

    /// The changes in which any of these values is written, for people.
    pub(crate) fn describe(&self, document: usize, values: &[u64]) -> String {
        let name = DocumentId::new(&TEMPLATES[document].document()).unwrap();
        let changes = self.documents[document].iter();
        let about = changes.filter(|(_, change)| values.iter().any(|value| change.values.contains(value)));
        let lines = about.map(|(dot, change)| {
            let envelope = &self.stored[0][&(name.clone(), *dot)];
            let builds_on: Vec<String> = envelope.dependencies.iter().map(ToString::to_string).collect();
            let author = &envelope.author.to_string()[..4];
            let at_s = (i128::from(envelope.time_ms) - i128::from(WALL_MS)) as f64 / 1_000.0;
            format!("{at_s:>10.3} {author} {dot} writes {:?} on {}", change.values, builds_on.join(", "))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Whether the second change builds on the first.
    pub(crate) fn is_before(&self, document: usize, first: Dot, second: Dot) -> bool {
        first != second && self.documents[document][&second].past.includes(first)
    }
}

fn read_store(store: &impl Store) -> Stored {
    let mut stored = Stored::new();
    for record in store.documents().unwrap() {
        let ranges: Vec<Range> = record.vector.missing_in(&VersionVector::new());
        for envelope in store.changes(&record.document, &ranges, usize::MAX).unwrap() {
            stored.insert((record.document.clone(), envelope.dot), envelope);
        }
    }
    stored
}

fn changes(envelopes: &BTreeMap<Dot, SignedEnvelope>) -> BTreeMap<Dot, Change> {
    let mut changes = BTreeMap::new();
    for dot in envelopes.keys() {
        add(*dot, envelopes, &mut changes);
    }
    changes
}

fn add(dot: Dot, envelopes: &BTreeMap<Dot, SignedEnvelope>, changes: &mut BTreeMap<Dot, Change>) {
    if changes.contains_key(&dot) {
        return;
    }
    let envelope = envelopes.get(&dot).unwrap_or_else(|| panic!("{dot} is missing in the store"));
    let mut past = VersionVector::new();
    past.include(dot);
    for dependency in &envelope.dependencies {
        add(*dependency, envelopes, changes);
        past.merge(&changes[dependency].past);
    }
    changes.insert(dot, Change { past, values: values_in(&envelope.change) });
}

/// All numbers of nine digits in a change: literals are stored as text.
fn values_in(change: &[u8]) -> BTreeSet<u64> {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let mut values = BTreeSet::new();
    for run in change.split(|byte| !is_digit(byte)) {
        // Numbers that stand one behind the other have no gap between them.
        for at in 0..run.len().saturating_sub(8) {
            values.extend(std::str::from_utf8(&run[at..at + 9]).ok().and_then(|text| text.parse::<u64>().ok()));
        }
    }
    values
}
