//! What must be so: one file per promise of the design, and one for progress.

pub(crate) mod p1_local_first;
pub(crate) mod p2_convergence;
pub(crate) mod p3_nothing_lost;
pub(crate) mod p4_causality;
pub(crate) mod p5_lossless;
pub(crate) mod p6_valid;
pub(crate) mod p7_durable;
pub(crate) mod p8_safe_files;
pub(crate) mod progress;

use std::collections::BTreeSet;

use murmurate::daemon::request::Request;
use murmurate_client::types::ConflictPart;

use crate::machine::ROOT;
use crate::template::TEMPLATES;
use crate::world::World;

/// Those that can be looked at while things go wrong.
pub(crate) fn check_all_along(world: &World) {
    p3_nothing_lost::check_all_along(world);
    p5_lossless::check(world);
    p8_safe_files::check(world);
}

/// What the mesh shows of each key in the end: the value in the file, and those in conflict.
pub(crate) struct Shown {
    /// By document and key.
    values: Vec<Vec<BTreeSet<u64>>>,
}

impl Shown {
    /// What the first machine shows; all show the same by then.
    pub(crate) fn of(world: &mut World) -> Self {
        let ask = |reply| Request::Conflicts { prefix: String::new(), reply };
        let conflicts = world.ask(0, ask).unwrap().conflicts;
        let values = TEMPLATES.iter().map(|template| {
            let file = world.machines[0].files.content(&format!("{ROOT}/{}", template.path)).unwrap();
            let values = template.read(&file).unwrap();
            let keys = template.keys.iter().zip(values).map(|(key, value)| {
                let about_key = conflicts.iter().filter(|conflict| {
                    conflict.doc == template.document() && conflict.key == *key && conflict.part == ConflictPart::Value
                });
                let in_conflict = about_key.flat_map(|conflict| &conflict.values);
                let in_conflict = in_conflict.map(|value| value.value.text.parse::<u64>().unwrap());
                in_conflict.chain([value]).collect()
            });
            keys.collect()
        });
        Self { values: values.collect() }
    }

    /// All values of one key that can be seen.
    pub(crate) fn of_key(&self, document: usize, key: usize) -> &BTreeSet<u64> {
        &self.values[document][key]
    }
}
