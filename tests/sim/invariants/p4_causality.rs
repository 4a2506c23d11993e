//! P4: an edit made after seeing another supersedes it.

use super::Shown;
use crate::ledger::Ledger;
use crate::world::World;

pub(crate) fn check(world: &World, shown: &Shown, ledger: &Ledger) {
    for write in world.history.all() {
        let Some(saw) = write.saw else { continue };
        let (document, value) = (write.document, write.value);
        let dots = ledger.dots(document, value);
        let seen = ledger.dots(document, saw);
        if dots.is_empty() || seen.is_empty() {
            // The write came to nothing, or took the place of a save before the daemon looked. P7 says whether it may.
            continue;
        }
        let knows = |dot| seen.iter().any(|seen| ledger.is_before(document, *seen, dot));
        let changes = ledger.describe(document, &[saw, value]);
        assert!(dots.iter().any(|dot| knows(*dot)), "P4: {write:?} doesn't build on what it saw\n{changes}");
        let remains = shown.of_key(document, write.key).contains(&saw);
        assert!(!remains, "P4: {saw} is there still, although {write:?} saw it\n{changes}");
    }
}
