//! Files that are symlinks, and what they lead through.

use std::fs;
use std::os::unix::fs::symlink;

use super::bench::Bench;
use crate::daemon::files::engine::Hint;
use crate::daemon::files::folder::Input;
use crate::daemon::files::message::{FileEvent, SaveKind};

/// Brings a new generation of a volume into place, as the kubelet does.
fn swap(bench: &Bench, generation: &str, content: &str) {
    let directory = format!("..{generation}");
    fs::create_dir(bench.path(&directory)).unwrap();
    fs::write(bench.path(&format!("{directory}/app.toml")), content).unwrap();
    symlink(&directory, bench.path("..data_tmp")).unwrap();
    fs::rename(bench.path("..data_tmp"), bench.path("..data")).unwrap();
}

#[test]
fn a_swapped_volume_is_seen_at_once_and_by_a_scan_and_can_be_written() {
    let mut bench = Bench::joining(|root| {
        fs::create_dir(root.join("..1")).unwrap();
        fs::write(root.join("..1/app.toml"), "a = 1\n").unwrap();
        symlink("..1", root.join("..data")).unwrap();
        symlink("..data/app.toml", root.join("app.toml")).unwrap();
    });
    let saved = |content: &str, kind: SaveKind| ("app.toml".to_owned(), content.to_owned(), kind);
    assert_eq!(bench.take_saves(), [saved("a = 1\n", SaveKind::Joining)]);
    swap(&bench, "2", "a = 2\n");
    bench.step(vec![Input::Hint { path: "..data".into(), hint: Hint::Done }]);
    assert_eq!(bench.take_saves(), [saved("a = 2\n", SaveKind::Edit)]);
    swap(&bench, "3", "a = 3\n");
    bench.run_ms(20_000);
    assert_eq!(bench.take_saves(), [saved("a = 3\n", SaveKind::Edit)]);
    bench.put("app.toml", "a = 4\n");
    assert!(bench.path("app.toml").is_symlink() && bench.path("..data").is_symlink());
    assert_eq!(bench.content("..3/app.toml"), "a = 4\n");
    // What the volume has next is an edit of that.
    swap(&bench, "5", "a = 5\n");
    bench.step(vec![Input::Hint { path: "..data".into(), hint: Hint::Done }]);
    assert_eq!(bench.take_saves(), [saved("a = 5\n", SaveKind::Edit)]);
}

#[test]
fn a_file_that_becomes_a_link_out_of_the_folder_is_left_alone_and_not_deleted() {
    let mut bench = Bench::new();
    bench.put("a", "old");
    bench.take_events();
    fs::write(bench.outside("secret"), "secret").unwrap();
    fs::remove_file(bench.path("a")).unwrap();
    symlink("../secret", bench.path("a")).unwrap();
    bench.run_ms(60_000);
    let events = bench.take_events();
    assert!(matches!(&events[..], [FileEvent::Skipped { .. }]), "{events:?}");
    assert!(matches!(bench.write("a", "new"), Some(FileEvent::WriteFailed { .. })));
    assert_eq!(fs::read_to_string(bench.outside("secret")).unwrap(), "secret");
    assert!(bench.path("a").is_symlink());
}
