//! An editor reads a file, the daemon replaces it, and the editor saves: what it read can't be seen from outside, and
//! whatever it saves, what it didn't see must stay.

use std::time::Duration;

use murmurate::daemon::request::{Caller, Request};

use crate::machine::ROOT;
use crate::people::rename_over;
use crate::template::TEMPLATES;
use crate::world::{Standing, World};

/// The document of these tests has six keys, that begin with these values.
const FIRST: [u64; 6] = [100_000_000, 100_000_001, 100_000_002, 100_000_003, 100_000_004, 100_000_005];
/// The key that an editor changes.
const OWN: usize = 1;
/// What it writes.
const EDIT: u64 = 100_000_999;

/// Two machines that have the first content, and nothing happens.
fn calm() -> World {
    let mut world = World::new(1, 2, Duration::from_millis(2));
    world.set_up();
    world.run_for(Duration::from_secs(5));
    assert_eq!(read(&world, 0), FIRST);
    world
}

fn path() -> String {
    format!("{ROOT}/{}", TEMPLATES[0].path)
}

/// The values in the file of a machine.
fn read(world: &World, machine: usize) -> Vec<u64> {
    let file = world.machines[machine].files.content(&path());
    file.and_then(|bytes| TEMPLATES[0].read(&bytes)).expect("the file is whole")
}

/// Somebody saves the file with these values on the first machine.
fn save(world: &World, values: &[u64]) {
    rename_over(&world.machines[0].files, &path(), &TEMPLATES[0].print(values));
}

fn put(world: &mut World, key: usize, value: u64) {
    let address = format!("{}#{}", TEMPLATES[0].document(), TEMPLATES[0].keys[key]);
    let (value, caller) = (value.to_string(), Caller { user: "tester".into(), uid: 0 });
    world.ask(1, |reply| Request::Put { address, value, kind: None, expect: None, at: None, caller, reply }).unwrap();
}

/// Somebody puts a value on the other machine, and it comes into the file of the first.
fn put_and_see(world: &mut World, key: usize, value: u64) {
    put(world, key, value);
    let end = world.now() + Duration::from_secs(10);
    while read(world, 0)[key] != value {
        assert!(world.now() < end, "{value} doesn't come");
        world.step();
    }
}

/// What both files hold in the end. No value is in conflict with another.
fn end(world: &mut World) -> Vec<u64> {
    world.run_for(Duration::from_secs(20));
    assert_eq!(world.machines[0].shown_files(), world.machines[1].shown_files());
    let conflicts = world.ask(0, |reply| Request::Conflicts { prefix: String::new(), reply }).unwrap();
    assert!(conflicts.conflicts.is_empty(), "{conflicts:?}");
    read(world, 1)
}

fn with(values: &[u64], changes: &[(usize, u64)]) -> Vec<u64> {
    let mut values = values.to_vec();
    changes.iter().for_each(|(key, value)| values[*key] = *value);
    values
}

#[test]
fn a_save_of_what_was_read_before_a_write_takes_nothing_back() {
    for pause_ms in [1, 400, 1_500] {
        let mut world = calm();
        put_and_see(&mut world, 4, 100_000_104);
        world.run_for(Duration::from_millis(pause_ms));
        save(&world, &with(&FIRST, &[(OWN, EDIT)]));
        assert_eq!(end(&mut world), with(&FIRST, &[(4, 100_000_104), (OWN, EDIT)]), "{pause_ms} ms");
    }
}

#[test]
fn of_several_writes_that_its_editor_had_not_seen_a_save_takes_none_back() {
    for (keys, unseen) in
        [([4, 4, 4], 3), ([4, 4, 4], 2), ([4, 5, 0], 3), ([4, 5, 0], 2), ([4, 5, 4], 3), ([4, 5, 4], 1)]
    {
        let mut world = calm();
        let mut seen = FIRST.to_vec();
        let mut expected = FIRST.to_vec();
        for (number, key) in keys.into_iter().enumerate() {
            let value = 100_000_100 + number as u64;
            put_and_see(&mut world, key, value);
            expected[key] = value;
            if number + unseen < keys.len() {
                seen[key] = value;
            }
        }
        save(&world, &with(&seen, &[(OWN, EDIT)]));
        assert_eq!(end(&mut world), with(&expected, &[(OWN, EDIT)]), "{keys:?} {unseen}");
    }
}

/// The next write swaps it out, at once.
#[test]
fn nor_does_a_save_that_another_write_takes_the_place_of() {
    let mut world = calm();
    put_and_see(&mut world, 4, 100_000_104);
    let files = world.machines[0].files.clone();
    let bytes = TEMPLATES[0].print(&with(&FIRST, &[(OWN, EDIT)]));
    let target = path();
    world.machines[0].files.before_move(&path(), move || rename_over(&files, &target, &bytes));
    put_and_see(&mut world, 5, 100_000_105);
    let expected = with(&FIRST, &[(4, 100_000_104), (5, 100_000_105), (OWN, EDIT)]);
    assert_eq!(end(&mut world), expected);
}

#[test]
fn who_puts_the_former_content_back_or_edits_what_was_written_is_heard() {
    let put = with(&FIRST, &[(4, 100_000_104), (5, 100_000_105)]);
    for (saved, pause_ms) in [
        (FIRST.to_vec(), 1),
        (with(&FIRST, &[(5, EDIT)]), 2_500),
        (with(&put, &[(4, EDIT)]), 1),
        (with(&put, &[(4, EDIT), (5, 100_000_998)]), 1),
        (with(&put, &[(4, FIRST[4]), (OWN, EDIT)]), 1),
    ] {
        let mut world = calm();
        put_and_see(&mut world, 4, 100_000_104);
        put_and_see(&mut world, 5, 100_000_105);
        world.run_for(Duration::from_millis(pause_ms));
        save(&world, &saved);
        assert_eq!(end(&mut world), saved, "after {pause_ms} ms");
    }
}

/// The daemon ends before it could look at what was saved.
#[test]
fn nor_does_a_save_that_the_daemon_looks_at_after_its_next_start() {
    let mut world = calm();
    put_and_see(&mut world, 4, 100_000_104);
    world.stop(0, Standing::NoDaemon, 100);
    world.run_for(Duration::from_millis(10));
    save(&world, &with(&FIRST, &[(OWN, EDIT)]));
    world.start(0);
    assert_eq!(end(&mut world), with(&FIRST, &[(4, 100_000_104), (OWN, EDIT)]));
}
