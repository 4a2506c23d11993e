//! P3: nothing lost, nothing invented. Every value in a file was written by someone, to that key; of the writes that no
//! later one knew of, one is shown and all others are in conflict.

use std::collections::BTreeSet;

use super::Shown;
use crate::history::Fate;
use crate::ledger::Ledger;
use crate::machine::ROOT;
use crate::template::TEMPLATES;
use crate::world::World;

/// No file holds a value that nobody wrote.
pub(crate) fn check_all_along(world: &World) {
    for machine in &world.machines {
        for (document, template) in TEMPLATES.iter().enumerate() {
            let file = machine.files.content(&format!("{ROOT}/{}", template.path));
            let values = file.and_then(|bytes| template.read(&bytes)).unwrap_or_default();
            for (key, value) in values.into_iter().enumerate() {
                check_written(world, document, key, value);
            }
        }
    }
}

fn check_written(world: &World, document: usize, key: usize, value: u64) {
    let write = world.history.get(value).unwrap_or_else(|| panic!("P3: nobody wrote {value}"));
    assert_eq!((write.document, write.key), (document, key), "P3: {value} was written to another key");
    assert_ne!(write.fate, Fate::Refused, "P3: {value} was refused");
}

pub(crate) fn check(world: &World, shown: &Shown, ledger: &Ledger) {
    check_all_along(world);
    for (document, template) in TEMPLATES.iter().enumerate() {
        for key in 0..template.keys.len() {
            let shown = shown.of_key(document, key);
            shown.iter().for_each(|value| check_written(world, document, key, *value));
            let expected = unsurpassed(world, ledger, document, key);
            assert_eq!(*shown, expected, "P3: {}#{}", template.path, template.keys[key]);
        }
    }
}

/// The values of a key that no change with another value of it builds on.
fn unsurpassed(world: &World, ledger: &Ledger, document: usize, key: usize) -> BTreeSet<u64> {
    let writes: Vec<_> = world
        .history
        .of(document, key)
        .flat_map(|write| ledger.dots(document, write.value).into_iter().map(|dot| (write.value, dot)))
        .collect();
    let is_surpassed = |(value, dot): &(u64, _)| {
        writes.iter().any(|(other, later)| other != value && ledger.is_before(document, *dot, *later))
    };
    writes.iter().filter(|write| !is_surpassed(write)).map(|(value, _)| *value).collect()
}
