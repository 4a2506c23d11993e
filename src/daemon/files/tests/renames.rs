//! Files that get another name.

use std::fs;
use std::path::PathBuf;

use super::bench::Bench;
use crate::daemon::files::engine::Hint;
use crate::daemon::files::folder::Input;
use crate::daemon::files::message::{FileEvent, SaveKind};

/// The renames told since the last call, (from, to), and how many deletes were told or held.
fn renames(bench: &mut Bench) -> (Vec<(String, String)>, usize) {
    let (mut renames, mut deletes) = (Vec::new(), 0);
    for event in bench.take_events() {
        match event {
            FileEvent::Saved { path, kind: SaveKind::Renamed { from }, .. } => renames.push((from, path)),
            FileEvent::Deleted { .. } => deletes += 1,
            FileEvent::DeletesHeld { paths, .. } => deletes += paths.len(),
            _ => {}
        }
    }
    (renames, deletes)
}

fn renamed(from: &str, to: &str) -> (Vec<(String, String)>, usize) {
    (vec![(from.into(), to.into())], 0)
}

fn hints(paths: &[&str]) -> Vec<Input> {
    let hint = |path: &&str| Input::Hint { path: PathBuf::from(path), hint: Hint::Done };
    paths.iter().map(hint).collect()
}

#[test]
fn a_file_that_gets_another_name_is_no_delete_and_goes_on_under_it() {
    // By events in either order, and by a scan alone.
    for told in [&["a", "b"][..], &["b", "a"], &[]] {
        let mut bench = Bench::new();
        bench.put("a", "content");
        bench.run_ms(20_000);
        bench.take_events();
        fs::rename(bench.path("a"), bench.path("b")).unwrap();
        bench.step(hints(told));
        bench.run_ms(60_000);
        assert_eq!(renames(&mut bench), renamed("a", "b"), "{told:?}");
        bench.put("b", "next");
        bench.put("a", "another one");
    }
}

#[test]
fn a_rename_while_the_daemon_is_down_is_one_too() {
    let mut bench = Bench::new();
    bench.put("a", "content");
    bench.run_ms(20_000);
    fs::rename(bench.path("a"), bench.path("b")).unwrap();
    let mut again = bench.restart();
    again.run_ms(60_000);
    assert_eq!(renames(&mut again), renamed("a", "b"));
}

#[test]
fn a_directory_that_gets_another_name_holds_no_deletes() {
    let mut bench = Bench::new();
    for number in 0..200 {
        bench.put(&format!("conf.d/{number}.toml"), &format!("number = {number}\n"));
    }
    bench.run_ms(20_000);
    bench.take_events();
    fs::rename(bench.path("conf.d"), bench.path("config.d")).unwrap();
    bench.step(hints(&["conf.d", "config.d"]));
    bench.run_ms(60_000);
    let (renames, deletes) = renames(&mut bench);
    assert_eq!((renames.len(), deletes), (200, 0));
    for (from, to) in renames {
        assert_eq!(from.replace("conf.d", "config.d"), to);
    }
}

#[test]
fn a_copy_is_no_rename_and_neither_is_another_content() {
    let mut bench = Bench::new();
    bench.put("a", "content");
    bench.put("empty", "");
    bench.run_ms(20_000);
    bench.take_events();
    fs::copy(bench.path("a"), bench.path("b")).unwrap();
    bench.step(hints(&["b"]));
    fs::remove_file(bench.path("empty")).unwrap();
    fs::write(bench.path("also empty"), "").unwrap();
    bench.step(hints(&["also empty", "empty"]));
    bench.run_ms(60_000);
    assert_eq!(renames(&mut bench), (vec![], 1));
    // What stood under the new name before keeps its own history.
    fs::rename(bench.path("a"), bench.path("b")).unwrap();
    bench.run_ms(60_000);
    assert_eq!(renames(&mut bench), (vec![], 1));
}

#[test]
fn of_files_with_one_content_the_one_with_the_inode_was_renamed() {
    let mut bench = Bench::new();
    for path in ["a", "b", "c"] {
        bench.put(path, "same");
    }
    bench.run_ms(20_000);
    bench.take_events();
    fs::rename(bench.path("b"), bench.path("d")).unwrap();
    fs::remove_file(bench.path("a")).unwrap();
    bench.run_ms(60_000);
    assert_eq!(renames(&mut bench), (vec![("b".into(), "d".into())], 1));
}
