//! Below the stated loss (three of ten frames, and two connections break each second) no host is taken for dead that is there.

use murmurate_protocol::MemberState;

use crate::common;
use crate::sim::world::World;

pub(crate) fn check(world: &World) {
    if !world.scenario.all_stay {
        return;
    }
    for host in world.members() {
        let engine = host.engine.as_ref().expect("all hosts are up");
        for other in world.members().filter(|other| other.number != host.number) {
            let (number, about) = (host.number, other.number);
            let history: Vec<_> = engine.history(common::node(about)).collect();
            let was_dead = history.iter().any(|transition| transition.state == MemberState::Dead);
            assert!(!was_dead, "host {number} took {about} for dead: {history:?}");
        }
    }
}
