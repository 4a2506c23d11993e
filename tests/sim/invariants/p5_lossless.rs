//! P5: bytes that nobody edited stay as they were. People only ever change numbers, so all else is as in the template.

use crate::machine::ROOT;
use crate::template::TEMPLATES;
use crate::world::{Standing, World};

pub(crate) fn check(world: &World) {
    for (index, machine) in world.machines.iter().enumerate() {
        if world.standings[index] == Standing::Off {
            continue;
        }
        for template in &TEMPLATES {
            // Who is saving may have half a file there, or none.
            if world.is_saving(index, template.path) {
                continue;
            }
            let file = machine.files.content(&format!("{ROOT}/{}", template.path));
            let Some(file) = file else { panic!("P5: {} lost {}", machine.name, template.path) };
            let text = String::from_utf8_lossy(&file);
            assert!(template.read(&file).is_some(), "P5: {} has {}:\n{text}", machine.name, template.path);
        }
    }
}
