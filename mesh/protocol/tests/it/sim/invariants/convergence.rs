//! P2: hosts that hold the same changes show the same; and after healing all hold the same.

use std::collections::BTreeMap;

use crate::sim::world::World;

pub(crate) fn check(world: &World) {
    let render = |number: usize| -> BTreeMap<_, _> {
        let documents = world.hosts[number].documents.iter().filter(|(_, register)| !register.keys.is_empty());
        documents.map(|(document, register)| (document, register.render())).collect()
    };
    let first = render(0);
    for number in (1..world.hosts.len()).filter(|&number| !world.scenario.is_thief(number.try_into().unwrap())) {
        assert_eq!(first, render(number), "hosts 0 and {number} differ");
    }
}
