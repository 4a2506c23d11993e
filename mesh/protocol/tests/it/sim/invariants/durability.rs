//! P7: what was acknowledged is on every disk in the end.

use crate::sim::world::World;

pub(crate) fn check(world: &World) {
    for ((document, dot), written) in
        world.history.iter().filter(|(_, written)| written.acknowledged && world.is_kept(written))
    {
        for host in world.members() {
            let stored = host.disk.get(document, *dot).map(|envelope| &envelope.change);
            assert_eq!(stored, Some(&written.change), "host {} lacks {document} {dot}", host.number);
        }
    }
}
