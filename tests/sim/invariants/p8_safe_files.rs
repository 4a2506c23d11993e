//! P8: no reader ever sees half a file, and no save is overwritten unseen. The file system itself looks at each change of
//! a name; that saves aren't lost is P7's and P3's.

use crate::world::World;

pub(crate) fn check(world: &World) {
    for machine in &world.machines {
        let seen = machine.files.violations();
        assert!(seen.is_empty(), "P8: {}: {seen:#?}", machine.name);
    }
}
