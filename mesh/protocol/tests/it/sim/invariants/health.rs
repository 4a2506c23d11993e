//! After healing every member comes to know of every other that it is there, in which life, whether they have a link or not.

use std::time::Duration;

use murmurate_protocol::MemberState;

use crate::common;
use crate::sim::world::World;

/// What is told goes round within a second or two.
const BOUND: Duration = Duration::from_secs(5);
/// Where single frames were lost, only comparisons with random peers find it: hosts have up to 20, and each takes 5 s.
const BOUND_HARSH: Duration = Duration::from_secs(120);

/// Who is wrong about whom.
fn wrong(world: &World) -> Option<String> {
    for host in world.members() {
        let engine = host.engine.as_ref()?;
        for other in world.members().filter(|other| other.number != host.number) {
            let (node, truth) = (common::node(other.number), other.engine.as_ref()?.generation());
            let members = engine.members(world.now);
            let known =
                members.iter().find(|member| member.node == node).map(|member| (member.state, member.generation));
            if known != Some((MemberState::Alive, truth)) {
                let history: Vec<_> = engine.history(node).map(|seen| (seen.at, seen.state)).collect();
                return Some(format!("host {} of {}: {known:?}, {history:?}", host.number, other.number));
            }
        }
    }
    None
}

pub(crate) fn check(world: &mut World) {
    let until = world.now + if world.scenario.harsh { BOUND_HARSH } else { BOUND };
    while let Some(wrong) = wrong(world) {
        assert!(world.now < until, "{wrong}; {}", world.scenario);
        let looked = world.now;
        while world.now < looked + Duration::from_millis(200) {
            world.step();
        }
    }
}
