//! P2: hosts that hold the same changes render byte-identical files, and list the same conflicts.

use murmurate::daemon::request::Request;

use crate::world::World;

pub(crate) fn check(world: &mut World) {
    for machine in 1..world.machines.len() {
        let name = world.machines[machine].name.clone();
        assert_eq!(world.machines[0].shown_files(), world.machines[machine].shown_files(), "P2: files of {name}");
        let ask = |reply| Request::Conflicts { prefix: String::new(), reply };
        assert_eq!(world.ask(0, ask).unwrap(), world.ask(machine, ask).unwrap(), "P2: conflicts of {name}");
        let ask = |reply| Request::Keys { prefix: String::new(), after: None, reply };
        assert_eq!(world.ask(0, ask).unwrap(), world.ask(machine, ask).unwrap(), "P2: keys of {name}");
    }
}
