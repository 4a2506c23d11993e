//! Deletes, and all that only looks like them.

use std::fs;

use super::bench::Bench;
use crate::daemon::files::folder::Input;
use crate::daemon::files::message::{FileEvent, FolderTrouble, HeldReason, WriteFailure};

fn deleted(bench: &mut Bench) -> Vec<String> {
    let deleted = |event| match event {
        FileEvent::Deleted { path, .. } => Some(path),
        _ => None,
    };
    bench.take_events().into_iter().filter_map(deleted).collect()
}

/// The last list of held deletes.
fn held(bench: &mut Bench) -> Option<(usize, HeldReason)> {
    let held = |event| match event {
        FileEvent::DeletesHeld { paths, why, .. } => Some((paths.len(), why)),
        _ => None,
    };
    bench.take_events().into_iter().filter_map(held).next_back()
}

fn troubles(bench: &mut Bench) -> Vec<Option<FolderTrouble>> {
    let trouble = |event| match event {
        FileEvent::FolderTrouble { why, .. } => Some(Some(why)),
        FileEvent::FolderRecovered { .. } => Some(None),
        FileEvent::Deleted { path, .. } => panic!("{path} counts as deleted"),
        FileEvent::DeletesHeld { paths, .. } => panic!("{paths:?} are held"),
        _ => None,
    };
    bench.take_events().into_iter().filter_map(trouble).collect()
}

/// A folder with this many files, `conf.d/00` and on.
fn filled(files: usize) -> Bench {
    let mut bench = Bench::new();
    for index in 0..files {
        bench.put(&format!("conf.d/{index:02}"), &format!("{index}"));
    }
    bench.run_ms(20_000);
    bench.take_events();
    bench
}

fn remove(bench: &Bench, files: usize) {
    for index in 0..files {
        fs::remove_file(bench.path(&format!("conf.d/{index:02}"))).unwrap();
    }
}

#[test]
fn a_removed_file_counts_after_two_seconds() {
    let mut bench = filled(1);
    remove(&bench, 1);
    bench.step(vec![Input::Rescan]);
    bench.run_ms(1999);
    assert_eq!(deleted(&mut bench), Vec::<String>::new());
    bench.run_ms(1);
    assert_eq!(deleted(&mut bench), ["conf.d/00"]);
}

#[test]
fn a_save_by_delete_and_create_is_no_delete() {
    let mut bench = filled(1);
    remove(&bench, 1);
    bench.step(vec![Input::Rescan]);
    bench.run_ms(1000);
    fs::write(bench.path("conf.d/00"), "saved").unwrap();
    // No event tells: the check before the verdict sees it.
    bench.run_ms(1000);
    bench.run_ms(300);
    let saves = bench.take_saves();
    assert_eq!((saves.len(), saves[0].1.as_str()), (1, "saved"));
    bench.run_ms(60_000);
    assert_eq!(deleted(&mut bench), Vec::<String>::new());
}

#[test]
fn a_write_to_a_missing_file_waits_for_the_verdict() {
    let mut bench = filled(1);
    remove(&bench, 1);
    assert_eq!(bench.write("conf.d/00", "of the mesh"), None);
    bench.run_ms(1999);
    assert_eq!(bench.last_answer(), None);
    bench.run_ms(1);
    let events = bench.take_events();
    let raced = |event: &FileEvent| matches!(event, FileEvent::WriteFailed { why: WriteFailure::Raced, .. });
    assert!(matches!(&events[..], [FileEvent::Deleted { .. }, last] if raced(last)), "{events:?}");
    // The core knows now that there is none, and may write again.
    bench.put("conf.d/00", "of the mesh");
}

#[test]
fn many_deletes_wait_for_a_confirmation() {
    let mut bench = filled(20);
    remove(&bench, 11);
    bench.run_ms(60_000);
    assert_eq!(held(&mut bench), Some((11, HeldReason::Many)));
    let refused = bench.write("conf.d/00", "new");
    assert!(matches!(refused, Some(FileEvent::WriteFailed { why: WriteFailure::DeleteHeld, .. })), "{refused:?}");
    bench.take_events();
    bench.step(vec![Input::Confirm]);
    assert_eq!(deleted(&mut bench).len(), 11);
    bench.run_ms(60_000);
    assert_eq!(bench.take_events(), []);
}

#[test]
fn many_deletes_end_when_the_files_come_back() {
    let mut bench = filled(20);
    fs::rename(bench.path("conf.d"), bench.outside("away")).unwrap();
    bench.run_ms(60_000);
    assert_eq!(held(&mut bench), Some((20, HeldReason::Many)));
    fs::rename(bench.outside("away"), bench.path("conf.d")).unwrap();
    bench.run_ms(60_000);
    assert_eq!(held(&mut bench), Some((0, HeldReason::Many)));
    bench.step(vec![Input::Confirm]);
    assert_eq!(bench.take_events(), []);
}

#[test]
fn a_directory_that_goes_with_its_file_waits_too() {
    let mut bench = filled(1);
    fs::remove_dir_all(bench.path("conf.d")).unwrap();
    bench.run_ms(60_000);
    assert_eq!(held(&mut bench), Some((1, HeldReason::DirectoryGone)));
}

#[test]
fn files_missing_at_the_start_are_held_too() {
    let mut bench = filled(20);
    remove(&bench, 11);
    let mut again = bench.restart();
    again.run_ms(60_000);
    assert_eq!(held(&mut again), Some((11, HeldReason::Many)));
    bench = filled(20);
    remove(&bench, 2);
    again = bench.restart();
    again.run_ms(60_000);
    assert_eq!(deleted(&mut again), ["conf.d/00", "conf.d/01"]);
}

#[test]
fn a_root_that_is_away_deletes_nothing() {
    let mut bench = filled(3);
    let away = bench.outside("away");
    fs::rename(bench.root(), &away).unwrap();
    bench.run_ms(60_000);
    assert!(matches!(&troubles(&mut bench)[..], [Some(FolderTrouble::Root(_))]));
    // An empty mount point in its place.
    fs::create_dir(bench.root()).unwrap();
    bench.run_ms(60_000);
    assert_eq!(troubles(&mut bench), [Some(FolderTrouble::MarkerMissing)]);
    let refused = bench.write("conf.d/00", "new");
    assert!(matches!(refused, Some(FileEvent::WriteFailed { why: WriteFailure::FolderStopped, .. })), "{refused:?}");
    assert!(bench.root().read_dir().unwrap().next().is_none());
    bench.take_events();
    fs::remove_dir(bench.root()).unwrap();
    fs::rename(&away, bench.root()).unwrap();
    bench.run_ms(60_000);
    assert_eq!(troubles(&mut bench), [None]);
    bench.put("conf.d/00", "new");
}

#[test]
fn a_root_that_goes_while_deletes_are_judged_deletes_nothing() {
    let mut bench = filled(3);
    remove(&bench, 1);
    bench.step(vec![Input::Rescan]);
    bench.run_ms(1500);
    fs::rename(bench.root(), bench.outside("away")).unwrap();
    bench.run_ms(60_000);
    assert_eq!(troubles(&mut bench).len(), 1);
    fs::rename(bench.outside("away"), bench.root()).unwrap();
    bench.run_ms(60_000);
    assert_eq!(deleted(&mut bench), ["conf.d/00"]);
}

#[test]
fn an_emptied_root_deletes_nothing_even_after_a_restart() {
    let mut bench = filled(3);
    fs::remove_dir_all(bench.root()).unwrap();
    fs::create_dir(bench.root()).unwrap();
    for mut bench in [bench.restart(), {
        bench.run_ms(0);
        bench
    }] {
        bench.run_ms(60_000);
        assert_eq!(troubles(&mut bench), [Some(FolderTrouble::MarkerMissing)]);
    }
}

#[test]
fn another_folders_directory_is_refused() {
    let mut bench = filled(3);
    fs::write(bench.path(".murmurate/folder"), "other\n00000000000000000000000000000001\n").unwrap();
    let mut again = bench.restart();
    again.run_ms(60_000);
    assert_eq!(troubles(&mut again), [Some(FolderTrouble::OtherMarker("other".into()))]);
    bench.run_ms(0);
}
