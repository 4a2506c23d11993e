//! P7: acknowledged means on disk. Every acknowledged put and every complete save is in the stores of all machines, as a
//! change; all stores hold the same changes, and no (writer, sequence) names two.

use crate::history::Fate;
use crate::ledger::Ledger;
use crate::world::World;

pub(crate) fn check(world: &World, ledger: &Ledger) {
    for (machine, stored) in world.machines.iter().zip(&ledger.stored) {
        // The bytes are compared, too: a dot that was given out twice shows as a difference.
        let is_same = stored.len() == ledger.stored[0].len()
            && stored
                .iter()
                .zip(&ledger.stored[0])
                .all(|(one, other)| one.0 == other.0 && one.1.bytes() == other.1.bytes());
        assert!(is_same, "P7: {} holds other changes than the first machine", machine.name);
        assert!(machine.store_has_nothing_aside(), "P7: {} keeps changes aside", machine.name);
    }
    for write in world.history.all().iter().filter(|write| write.fate == Fate::Done) {
        let is_there = !ledger.dots(write.document, write.value).is_empty();
        // Whoever saved over it before the daemon looked took it away knowingly.
        let is_replaced = || world.history.of(write.document, write.key).any(|other| other.saw == Some(write.value));
        assert!(is_there || is_replaced(), "P7: {write:?} is in no store");
    }
}
