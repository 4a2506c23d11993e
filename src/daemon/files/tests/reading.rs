//! What is read, when, and what is left alone.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use murmurate_crdt::limits::FILE_BYTES;
use rustix::fs::{CWD, FileType, Mode};

use super::bench::{Bench, known};
use crate::daemon::files::engine::Hint;
use crate::daemon::files::folder::Input;
use crate::daemon::files::message::{FileEvent, SaveKind, SkipReason};

fn done(path: &str) -> Input {
    Input::Hint { path: path.into(), hint: Hint::Done }
}

fn edit(path: &str, content: &str) -> (String, String, SaveKind) {
    (path.into(), content.into(), SaveKind::Edit)
}

#[test]
fn what_is_there_at_joining_is_reported_so_once() {
    let mut bench = Bench::joining(|root| {
        fs::create_dir_all(root.join("conf.d/sub")).unwrap();
        fs::write(root.join("conf.d/sub/a"), "a").unwrap();
        fs::write(root.join("b"), "b").unwrap();
    });
    let joining = |path: &str, content: &str| (path.to_owned(), content.to_owned(), SaveKind::Joining);
    assert!(bench.events.contains(&FileEvent::Scanned { folder: "web".into() }));
    assert_eq!(bench.take_saves(), [joining("b", "b"), joining("conf.d/sub/a", "a")]);
    bench.put("b", "of the mesh");
    fs::write(bench.path("c"), "c").unwrap();
    bench.run_ms(20_000);
    assert_eq!(bench.take_saves(), [edit("c", "c")]);
}

#[test]
fn after_a_restart_only_what_changed_is_reported() {
    let mut bench = Bench::new();
    bench.put("same", "same");
    bench.put("changed", "old");
    bench.run_ms(20_000);
    fs::write(bench.path("changed"), "new").unwrap();
    fs::write(bench.path("made"), "made").unwrap();
    let mut again = bench.restart();
    again.run_ms(20_000);
    assert_eq!(again.take_saves(), [edit("made", "made"), edit("changed", "new")]);
}

#[test]
fn a_closed_file_is_read_at_once_and_others_after_quiet() {
    let mut bench = Bench::new();
    fs::write(bench.path("a"), "1").unwrap();
    bench.step(vec![done("a")]);
    assert_eq!(bench.take_saves(), [edit("a", "1")]);
    fs::write(bench.path("a"), "22").unwrap();
    bench.step(vec![Input::Hint { path: "a".into(), hint: Hint::Touched }]);
    bench.run_ms(299);
    assert_eq!(bench.take_saves(), []);
    bench.run_ms(1);
    assert_eq!(bench.take_saves(), [edit("a", "22")]);
}

#[test]
fn a_slow_writer_who_truncated_the_file_is_waited_for() {
    let mut bench = Bench::new();
    let (old, new) = ("a = 1\nb = 2\nc = 3\n", "a = 1\nb = 7\nc = 3\n");
    bench.put("app.toml", old);
    bench.run_ms(20_000);
    let mut file = OpenOptions::new().write(true).truncate(true).open(bench.path("app.toml")).unwrap();
    bench.step(vec![Input::Hint { path: "app.toml".into(), hint: Hint::Changed }]);
    bench.run_ms(1000);
    file.write_all(b"a = 1\n").unwrap();
    bench.step(vec![Input::Hint { path: "app.toml".into(), hint: Hint::Changed }]);
    bench.run_ms(1900);
    assert_eq!(bench.take_saves(), []);
    file.write_all(&new.as_bytes()[6..]).unwrap();
    drop(file);
    bench.step(vec![done("app.toml")]);
    assert_eq!(bench.take_saves(), [edit("app.toml", new)]);
    // Meant so: it is taken in the end.
    fs::write(bench.path("app.toml"), "").unwrap();
    bench.step(vec![done("app.toml")]);
    bench.run_ms(1999);
    assert_eq!(bench.take_saves(), []);
    bench.run_ms(1);
    assert_eq!(bench.take_saves(), [edit("app.toml", "")]);
}

/// Truncates the file and writes only its first lines, and keeps it open.
fn begin(path: &std::path::Path, lines: &[&str]) -> fs::File {
    let mut file = OpenOptions::new().write(true).truncate(true).open(path).unwrap();
    file.write_all(lines.concat().as_bytes()).unwrap();
    file
}

#[test]
fn a_file_cut_off_at_any_line_is_never_taken_while_its_writer_has_it_open() {
    let old = "# The service.\n[server]\nhost = \"127.0.0.1\"\nport = 8080\n\n[limits]\nrps = 200\n";
    let new = old.replace("127.0.0.1", "0.0.0.0").replace("200", "300");
    let lines: Vec<&str> = new.split_inclusive('\n').collect();
    // Seen by the hints alone, for as long as they tell; and in /proc, even if no hint came, for as long as it is open.
    for (hints_are_told, is_seen, pause_ms) in [(true, false, 14_000), (true, true, 120_000), (false, true, 120_000)] {
        for whole in 0..lines.len() {
            let mut bench = if is_seen { Bench::new() } else { Bench::unseeing() };
            bench.put("app.toml", old);
            bench.run_ms(20_000);
            let tell = |bench: &mut Bench, hint| {
                let input = hints_are_told.then(|| Input::Hint { path: "app.toml".into(), hint });
                bench.step(input.into_iter().collect());
            };
            let mut file = begin(&bench.path("app.toml"), &lines[..whole]);
            tell(&mut bench, Hint::Changed);
            bench.run_ms(pause_ms);
            assert_eq!(bench.take_saves(), [], "{whole} lines, {is_seen}");
            // The mesh doesn't write over it meanwhile either.
            assert_eq!(bench.write("app.toml", "of = \"the mesh\"\n"), None);
            file.write_all(lines[whole..].concat().as_bytes()).unwrap();
            drop(file);
            tell(&mut bench, Hint::Done);
            bench.run_ms(20_000);
            assert_eq!(bench.take_saves(), [edit("app.toml", &new)], "{whole} lines, {is_seen}");
        }
    }
}

#[test]
fn lines_that_are_added_to_a_file_that_stays_open_are_taken() {
    let mut bench = Bench::new();
    bench.put("a.list", "one\n");
    bench.run_ms(20_000);
    bench.take_events();
    let mut file = OpenOptions::new().append(true).open(bench.path("a.list")).unwrap();
    file.write_all(b"two\n").unwrap();
    bench.step(vec![Input::Hint { path: "a.list".into(), hint: Hint::Changed }]);
    bench.run_ms(400);
    assert_eq!(bench.take_saves(), [edit("a.list", "one\ntwo\n")]);
}

#[test]
fn a_write_waits_until_a_truncated_file_is_whole_again() {
    let mut bench = Bench::new();
    bench.put("a", "one\ntwo\n");
    fs::write(bench.path("a"), "one\n").unwrap();
    assert_eq!(bench.write("a", "of the mesh"), None);
    bench.run_ms(500);
    assert_eq!(bench.last_answer(), None);
    fs::write(bench.path("a"), "one\ntwo\n").unwrap();
    bench.step(vec![done("a")]);
    assert!(matches!(bench.last_answer(), Some(FileEvent::Written { .. })), "{:?}", bench.last_answer());
    assert_eq!((bench.content("a").as_str(), bench.take_saves()), ("of the mesh", vec![]));
}

#[test]
fn what_cant_be_a_document_is_named_with_its_reason() {
    let mut bench = Bench::joining(|root| {
        rustix::fs::mknodat(CWD, root.join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        drop(UnixListener::bind(root.join("socket")).unwrap());
        symlink("/dev/null", root.join("device")).unwrap();
        symlink("nowhere", root.join("broken")).unwrap();
        symlink("circle", root.join("circle")).unwrap();
        fs::create_dir(root.join("directory")).unwrap();
        symlink("directory", root.join("linked")).unwrap();
        fs::write(root.join(OsStr::from_bytes(b"caf\xe9")), "latin-1").unwrap();
        fs::write(root.join("back\\slash"), "x").unwrap();
        fs::write(root.join("e\u{301}"), "one").unwrap();
        fs::write(root.join("\u{e9}"), "two").unwrap();
        fs::File::create(root.join("large")).unwrap().set_len(FILE_BYTES as u64 + 1).unwrap();
        for ignored in [".a.swp", "a~", "4913", "..data"] {
            fs::write(root.join(ignored), "x").unwrap();
        }
        // Only root can make devices.
        let null = rustix::fs::makedev(1, 3);
        let _ =
            rustix::fs::mknodat(CWD, root.join("null"), FileType::CharacterDevice, Mode::from_raw_mode(0o600), null);
    });
    let has_device = bench.path("null").exists();
    let mut skipped: Vec<(String, SkipReason)> = Vec::new();
    for event in bench.take_events() {
        match event {
            FileEvent::Skipped { path, why, .. } => skipped.push((path, why)),
            FileEvent::Saved { path, bytes, .. } => assert_eq!((path.as_str(), &bytes[..]), ("\u{e9}", &b"two"[..])),
            FileEvent::Scanned { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    skipped.sort_by(|left, right| left.0.cmp(&right.0));
    let name = |skip: &(String, SkipReason)| matches!(skip.1, SkipReason::Name(_));
    assert!(name(&skipped.remove(0)), "a backslash");
    let mut expected = vec![
        ("broken", SkipReason::LinkBroken),
        ("caf\u{fffd}", SkipReason::NotUtf8),
        ("circle", SkipReason::LinkBroken),
        ("device", SkipReason::LinkOutside),
        ("e\u{301}", SkipReason::SameName),
        ("fifo", SkipReason::Special),
        ("large", SkipReason::TooLarge),
        ("linked", SkipReason::LinkToDirectory),
        ("null", SkipReason::Special),
        ("socket", SkipReason::Special),
    ];
    expected.retain(|(path, _)| *path != "null" || has_device);
    let expected: Vec<_> = expected.into_iter().map(|(path, why)| (path.to_owned(), why)).collect();
    assert_eq!(skipped, expected);
    // Nothing is said twice, and what goes is told.
    bench.run_ms(60_000);
    assert_eq!(bench.take_events(), []);
    fs::remove_file(bench.path("fifo")).unwrap();
    fs::write(bench.path("large"), "small").unwrap();
    bench.run_ms(60_000);
    let ended = |path: &str| FileEvent::SkipEnded { folder: "web".into(), path: path.into() };
    let events = bench.take_events();
    assert!(events.contains(&ended("fifo")) && events.contains(&ended("large")), "{events:?}");
    assert_eq!(events.len(), 3, "{events:?}");
}

#[test]
fn a_moved_directory_is_seen_whole() {
    let mut bench = Bench::new();
    fs::create_dir_all(bench.outside("new/deep/deeper")).unwrap();
    fs::write(bench.outside("new/deep/deeper/a"), "a").unwrap();
    fs::rename(bench.outside("new"), bench.path("new")).unwrap();
    bench.step(vec![done("new")]);
    bench.run_ms(300);
    assert_eq!(bench.take_saves(), [edit("new/deep/deeper/a", "a")]);
}

#[test]
fn the_target_of_a_link_is_read_again_with_any_hint() {
    let mut bench = Bench::new();
    bench.put("real", "old");
    symlink("real", bench.path("link")).unwrap();
    bench.run_ms(20_000);
    bench.take_events();
    fs::write(bench.path("real"), "new!").unwrap();
    bench.step(vec![done("real")]);
    assert_eq!(bench.take_saves(), [edit("link", "new!"), edit("real", "new!")]);
}

#[test]
fn the_core_and_the_folder_agree_on_what_is_known() {
    let mut bench = Bench::new();
    fs::write(bench.path("a"), "edit").unwrap();
    bench.step(vec![done("a")]);
    assert_eq!(bench.known["a"], known("edit"));
    // The core hasn't seen the next edit yet when it writes: that edit is told first, then that it raced.
    fs::write(bench.path("a"), "next edit").unwrap();
    assert_eq!(bench.write("a", "merged without it"), None);
    bench.take_events();
    bench.step(vec![done("a")]);
    let events = bench.take_events();
    assert!(matches!(&events[..], [FileEvent::Saved { .. }, FileEvent::WriteFailed { .. }]), "{events:?}");
    assert_eq!(bench.content("a"), "next edit");
    bench.put("a", "merged with it");
}
