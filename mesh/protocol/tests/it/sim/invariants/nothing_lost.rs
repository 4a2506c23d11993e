//! P3: every value that was written is shown, or was replaced by a write that had seen it; and nothing else is shown.

use std::collections::BTreeSet;

use murmurate_crdt::clock::Dot;
use murmurate_crdt::id::DocumentId;

use crate::sim::register::Write;
use crate::sim::world::{World, Written};

type Shown<'a> = (&'a DocumentId, u64, Dot, Vec<u8>);

/// What must be shown, by the history alone.
fn expected(world: &World) -> BTreeSet<Shown<'_>> {
    // Of a thief's writes those that a member took: which may be, `revocation` says.
    let is_held = |(document, dot): &(DocumentId, Dot)| world.hosts[0].disk.get(document, *dot).is_some();
    let is_in = |name, written: &Written| written.durable && (world.is_kept(written) || is_held(name));
    let history = world.history.iter().filter(|(name, written)| is_in(name, written));
    let writes: Vec<_> =
        history.map(|((document, dot), written)| (document, *dot, written, Write::decode(&written.change))).collect();
    let is_replaced = |document: &DocumentId, dot: Dot, key: u64| {
        writes
            .iter()
            .any(|(other, _, written, write)| *other == document && write.key == key && written.saw.includes(dot))
    };
    let shown = writes.iter().filter(|(document, dot, _, write)| !is_replaced(document, *dot, write.key));
    shown.map(|(document, dot, _, write)| (*document, write.key, *dot, write.value.clone())).collect()
}

pub(crate) fn check(world: &World) {
    let shown = world.hosts[0].documents.iter().flat_map(|(document, register)| {
        let values = register.keys.iter().flat_map(|(&key, values)| values.iter().map(move |value| (key, value)));
        values.map(move |(key, (&dot, value))| (document, key, dot, value.clone()))
    });
    assert_eq!(shown.collect::<BTreeSet<_>>(), expected(world));
}
