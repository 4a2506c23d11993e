//! Files that are left alone, and those that no longer are.

use std::fs;

use super::bench::Bench;
use crate::daemon::files::PATTERNS;
use crate::daemon::files::engine::Hint;
use crate::daemon::files::folder::Input;
use crate::daemon::files::message::{FileEvent, FolderTrouble, SaveKind, SkipReason, WriteFailure};

fn skipped(path: &str) -> FileEvent {
    FileEvent::Skipped { folder: "web".into(), path: path.into(), why: SkipReason::Ignored }
}

fn skip_ended(path: &str) -> FileEvent {
    FileEvent::SkipEnded { folder: "web".into(), path: path.into() }
}

fn paths(bench: &mut Bench) -> Vec<String> {
    bench.take_saves().into_iter().map(|(path, _, _)| path).collect()
}

#[test]
fn what_is_covered_is_not_even_mentioned() {
    let mut bench = Bench::joining(|root| {
        fs::create_dir_all(root.join("cache/deep")).unwrap();
        fs::write(root.join(PATTERNS), "*.log\ncache/\n").unwrap();
        for path in ["a.toml", "a.log", "cache/deep/b", "a.toml~", ".a.toml.swp", "4913"] {
            fs::write(root.join(path), "x").unwrap();
        }
    });
    assert_eq!(paths(&mut bench), [PATTERNS, "a.toml"]);
    for path in ["b.log", "cache/c", "cache/deep/b"] {
        fs::write(bench.path(path), "x").unwrap();
        bench.step(vec![Input::Hint { path: path.into(), hint: Hint::Done }]);
    }
    bench.run_ms(60_000);
    assert_eq!(bench.take_events(), []);
}

#[test]
fn a_file_that_comes_to_be_covered_stays_as_it_is_and_goes_on_from_there_later() {
    let mut bench = Bench::new();
    for path in ["a.log", "edited.log", "removed.log", "b.toml"] {
        bench.put(path, "old");
    }
    bench.run_ms(20_000);
    bench.take_events();
    bench.put(PATTERNS, "*.log\n");
    let events = bench.take_events();
    for path in ["a.log", "edited.log", "removed.log"] {
        assert!(events.contains(&skipped(path)), "{events:?}");
    }
    let refused = bench.write("a.log", "new");
    assert!(
        matches!(refused, Some(FileEvent::WriteFailed { why: WriteFailure::Skipped(SkipReason::Ignored), .. })),
        "{refused:?}"
    );
    fs::write(bench.path("edited.log"), "edited").unwrap();
    fs::remove_file(bench.path("removed.log")).unwrap();
    bench.take_events();
    bench.run_ms(60_000);
    assert_eq!(bench.take_events(), []);
    assert_eq!(bench.content("a.log"), "old");

    bench.put(PATTERNS, "# none\n");
    bench.run_ms(20_000);
    let events = bench.take_events();
    for path in ["a.log", "edited.log", "removed.log"] {
        assert!(events.contains(&skip_ended(path)), "{events:?}");
    }
    let is_edit = |event: &&FileEvent| matches!(event, FileEvent::Saved { kind: SaveKind::Edit, .. });
    assert_eq!(events.iter().filter(is_edit).count(), 1, "{events:?}");
    assert!(events.contains(&FileEvent::Deleted { folder: "web".into(), path: "removed.log".into() }), "{events:?}");
    bench.put("a.log", "new");
}

#[test]
fn many_files_that_come_to_be_covered_are_no_deletes_also_after_a_restart() {
    let mut bench = Bench::new();
    for number in 0..20 {
        bench.put(&format!("logs/{number}.log"), "x");
    }
    fs::write(bench.path(PATTERNS), "logs/\n").unwrap();
    bench.run_ms(20_000);
    fs::remove_dir_all(bench.path("logs")).unwrap();
    let mut again = bench.restart();
    for bench in [&mut bench, &mut again] {
        bench.run_ms(60_000);
        let events = bench.take_events();
        let deletes = |event: &&FileEvent| {
            matches!(event, FileEvent::Deleted { .. } | FileEvent::DeletesHeld { .. } | FileEvent::WriteFailed { .. })
        };
        assert_eq!(events.iter().filter(deletes).count(), 0, "{events:?}");
    }
}

#[test]
fn a_new_document_that_is_covered_isnt_written_until_it_no_longer_is() {
    let mut bench = Bench::new();
    bench.put(PATTERNS, "*.log\n");
    bench.take_events();
    assert!(matches!(bench.write("a.log", "x"), Some(FileEvent::WriteFailed { .. })));
    assert!(bench.events.contains(&skipped("a.log")));
    assert!(matches!(bench.delete(PATTERNS), Some(FileEvent::Removed { .. })));
    assert!(bench.events.contains(&skip_ended("a.log")));
    bench.put("a.log", "x");
}

#[test]
fn the_meshs_patterns_count_until_the_folder_has_its_own() {
    let fill = |root: &std::path::Path| {
        fs::write(root.join("a.log"), "x").unwrap();
        fs::write(root.join("a.toml"), "x").unwrap();
    };
    let mut bench = Bench::joining_with("*.log\n", fill);
    assert_eq!(paths(&mut bench), ["a.toml"]);
    let mut bench = Bench::joining_with("*.log\n", |root| {
        fill(root);
        fs::write(root.join(PATTERNS), "*.toml\n").unwrap();
    });
    assert_eq!(paths(&mut bench), [PATTERNS, "a.log"]);
}

#[test]
fn a_wrong_line_is_told_until_it_is_right() {
    let mut bench = Bench::new();
    bench.put(PATTERNS, "*.log\n[z-a]\n");
    let trouble = |event: &FileEvent| matches!(event, FileEvent::FolderTrouble { why: FolderTrouble::Patterns(why), .. } if why.contains("line 2"));
    assert!(bench.take_events().iter().any(trouble));
    bench.put(PATTERNS, "*.log\n");
    assert!(bench.take_events().contains(&FileEvent::FolderRecovered { folder: "web".into() }));
}
