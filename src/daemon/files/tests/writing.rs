//! What a write keeps, and what it refuses.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use rustix::fs::XattrFlags;

use super::bench::{Act, Bench, Call, Scripted};
use crate::daemon::files::filesystem::Rename;
use crate::daemon::files::message::{FileEvent, FolderTrouble, SaveKind, SkipReason, WriteFailure};

fn failure(answer: Option<FileEvent>) -> WriteFailure {
    match answer {
        Some(FileEvent::WriteFailed { why, .. }) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_file_is_made_replaced_and_removed_and_nothing_is_left() {
    let mut bench = Bench::new();
    bench.put("conf.d/sub/app.toml", "a = 1\n");
    bench.put("conf.d/sub/app.toml", "a = 2\n");
    bench.put("conf.d/sub/app.toml", "");
    bench.run_ms(20_000);
    assert!(matches!(bench.delete("conf.d/sub/app.toml"), Some(FileEvent::Removed { .. })));
    bench.run_ms(20_000);
    assert_eq!(bench.names(), ["conf.d".to_owned(), "conf.d/sub".to_owned()].into());
    assert!(bench.staged().is_empty());
    // Own writes are no edits.
    assert_eq!(bench.take_saves(), []);
}

#[test]
fn our_own_directory_is_private() {
    let bench = Bench::new();
    for path in [".murmurate", ".murmurate/staging"] {
        assert_eq!(fs::metadata(bench.path(path)).unwrap().mode() & 0o7777, 0o700, "{path}");
    }
    assert!(bench.content(".murmurate/folder").starts_with("web\n07070707"));
}

#[test]
fn mode_owner_and_attributes_are_kept() {
    let mut bench = Bench::new();
    bench.put("a", "old");
    let path = bench.path("a");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    // Older kernels have no such attributes on tmpfs.
    let has_attributes = rustix::fs::setxattr(&path, "user.note", b"kept", XattrFlags::empty()).is_ok();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(1234), Some(4321)).unwrap();
    }
    let before = fs::metadata(&path).unwrap();
    bench.run_ms(1000);
    bench.put("a", "new");
    let after = fs::metadata(&path).unwrap();
    assert_ne!(before.ino(), after.ino());
    assert_eq!((before.mode(), before.uid(), before.gid()), (after.mode(), after.uid(), after.gid()));
    let mut value = [0; 16];
    let length = rustix::fs::getxattr(&path, "user.note", &mut value[..]).unwrap_or(0);
    assert_eq!(&value[..length], if has_attributes { &b"kept"[..] } else { b"" });
}

#[test]
fn execute_bits_follow_the_command_and_setuid_never_comes_along() {
    let mut bench = Bench::new();
    bench.put("a", "old");
    let path = bench.path("a");
    for (before, executable, after) in [(0o640, true, 0o750), (0o755, false, 0o644), (0o6755, true, 0o755)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(before)).unwrap();
        bench.run_ms(20_000);
        let content = format!("{before:o}");
        assert!(matches!(bench.write_executable("a", &content, executable), Some(FileEvent::Written { .. })));
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, after, "{before:o}");
    }
}

#[test]
fn a_change_of_the_execute_bit_is_an_edit() {
    let mut bench = Bench::new();
    bench.put("a", "same");
    bench.run_ms(20_000);
    fs::set_permissions(bench.path("a"), fs::Permissions::from_mode(0o755)).unwrap();
    bench.run_ms(20_000);
    assert!(bench.events.iter().any(|event| matches!(event, FileEvent::Saved { executable: true, .. })));
    assert!(bench.known["a"].executable);
}

#[test]
fn names_that_lead_out_or_are_ours_are_refused() {
    let mut bench = Bench::new();
    for path in ["../a", "a/../../b", "/etc/passwd", ".murmurate/folder"] {
        assert!(matches!(failure(bench.write(path, "x")), WriteFailure::Name(_)), "{path}");
    }
}

#[test]
fn symlinks_are_followed_inside_the_folder_only() {
    let mut bench = Bench::new();
    fs::write(bench.outside("secret"), "secret").unwrap();
    fs::create_dir(bench.outside("elsewhere")).unwrap();
    bench.put("real/a", "old");
    symlink("real/a", bench.path("inside")).unwrap();
    symlink("../secret", bench.path("outside")).unwrap();
    symlink("../elsewhere", bench.path("directory")).unwrap();
    symlink(bench.outside("secret"), bench.path("absolute")).unwrap();
    bench.run_ms(20_000);
    assert_eq!(bench.take_saves(), [("inside".into(), "old".into(), SaveKind::Edit)]);
    bench.put("inside", "new");
    assert!(bench.path("inside").is_symlink());
    assert_eq!(bench.content("real/a"), "new");
    for path in ["outside", "absolute"] {
        let why = failure(bench.write(path, "x"));
        assert_eq!(why, WriteFailure::Skipped(SkipReason::LinkOutside), "{path}");
    }
    failure(bench.write("directory/x", "x"));
    assert_eq!(fs::read_to_string(bench.outside("secret")).unwrap(), "secret");
    assert_eq!(fs::read_dir(bench.outside("elsewhere")).unwrap().count(), 0);
}

#[test]
fn a_directory_swapped_for_a_symlink_at_any_moment_leads_nowhere() {
    for step in 0..12 {
        let armed = std::sync::Arc::new(std::sync::Mutex::new(None::<std::path::PathBuf>));
        let base = std::sync::Arc::clone(&armed);
        let mut calls = 0;
        let system = Scripted::system(move |_, _| {
            if let Some(directory) = base.lock().unwrap().as_ref() {
                if calls == step {
                    fs::rename(directory.join("root/conf.d"), directory.join("root/moved")).unwrap();
                    symlink("../elsewhere", directory.join("root/conf.d")).unwrap();
                }
                calls += 1;
            }
            Act::Go
        });
        let mut bench = Bench::on(system, |_| {});
        fs::create_dir(bench.outside("elsewhere")).unwrap();
        fs::write(bench.outside("elsewhere/a"), "theirs").unwrap();
        bench.put("conf.d/a", "old");
        bench.run_ms(20_000);
        *armed.lock().unwrap() = Some(bench.outside(""));
        bench.write("conf.d/a", "new");
        bench.write("conf.d/b", "new");
        bench.run_ms(20_000);
        assert_eq!(fs::read_to_string(bench.outside("elsewhere/a")).unwrap(), "theirs", "step {step}");
        assert_eq!(fs::read_dir(bench.outside("elsewhere")).unwrap().count(), 1, "step {step}");
    }
}

#[test]
fn a_file_with_hard_links_is_read_but_not_written() {
    let mut bench = Bench::new();
    bench.put("a", "old");
    fs::hard_link(bench.path("a"), bench.outside("b")).unwrap();
    bench.run_ms(20_000);
    assert_eq!(failure(bench.write("a", "new")), WriteFailure::HardLinked);
    fs::write(bench.path("a"), "edit").unwrap();
    bench.run_ms(20_000);
    assert_eq!(bench.take_saves(), [("a".into(), "edit".into(), SaveKind::Edit)]);
}

#[test]
fn without_exchange_the_old_file_is_linked_and_renamed_over() {
    let system = Scripted::system(|call, _| match call {
        Call::Rename(Rename::Exchange | Rename::New) => Act::Unsupported,
        _ => Act::Go,
    });
    let mut bench = Bench::on(system, |_| {});
    bench.put("a", "one");
    bench.put("a", "two");
    let open = fs::OpenOptions::new().write(true).open(bench.path("a")).unwrap();
    bench.put("a", "three");
    std::io::Write::write_all(&mut &open, b"TWO").unwrap();
    bench.run_ms(20_000);
    let troubles = bench.events.iter().filter(|event| matches!(event, FileEvent::FolderTrouble { .. }));
    let expected = FileEvent::FolderTrouble { folder: "web".into(), why: FolderTrouble::NoExchange };
    assert_eq!(troubles.collect::<Vec<_>>(), [&expected]);
    assert_eq!(bench.take_late(), ["TWO"]);
    assert!(matches!(bench.delete("a"), Some(FileEvent::Removed { .. })));
    assert!(bench.names().is_empty());
}

#[test]
fn where_nothing_works_nothing_is_written() {
    let system = Scripted::system(|call, path| match call {
        Call::Rename(_) | Call::LinkHard if !path.ends_with("folder.new") => Act::Unsupported,
        _ => Act::Go,
    });
    let mut bench = Bench::on(system, |root| fs::write(root.join("a"), "old").unwrap());
    assert_eq!(failure(bench.write("a", "new")), WriteFailure::Unsupported);
    assert_eq!(failure(bench.write("b", "new")), WriteFailure::Unsupported);
    assert_eq!((bench.content("a"), bench.names()), ("old".into(), ["a".to_owned()].into()));
    assert!(bench.staged().is_empty());
}

#[test]
fn a_decomposed_name_keeps_its_spelling_on_disk() {
    let (composed, decomposed) = ("caf\u{e9}/\u{e9}.toml", "cafe\u{301}/e\u{301}.toml");
    let mut bench = Bench::joining(|root| {
        fs::create_dir(root.join("cafe\u{301}")).unwrap();
        fs::write(root.join(decomposed), "old").unwrap();
    });
    assert_eq!(bench.take_saves(), [(composed.into(), "old".into(), SaveKind::Joining)]);
    assert!(matches!(bench.write(composed, "new"), Some(FileEvent::Written { .. })));
    assert_eq!(bench.content(decomposed), "new");
    assert!(matches!(bench.write("caf\u{e9}/b", "b"), Some(FileEvent::Written { .. })));
    assert_eq!(bench.content("cafe\u{301}/b"), "b");
    assert_eq!(bench.names().len(), 3);
}

#[test]
fn a_directory_that_came_in_the_way_goes_back() {
    let target = std::sync::Arc::new(std::sync::Mutex::new(None::<std::path::PathBuf>));
    let path = std::sync::Arc::clone(&target);
    let system = Scripted::system(move |call, _| {
        if call == Call::Rename(Rename::Exchange)
            && let Some(path) = path.lock().unwrap().take()
        {
            fs::remove_file(&path).unwrap();
            fs::create_dir(&path).unwrap();
            fs::write(path.join("inner"), "theirs").unwrap();
        }
        Act::Go
    });
    let mut bench = Bench::on(system, |_| {});
    bench.put("a", "old");
    *target.lock().unwrap() = Some(bench.path("a"));
    failure(bench.write("a", "new"));
    assert_eq!(bench.content("a/inner"), "theirs");
    bench.run_ms(20_000);
    assert!(bench.staged().is_empty());
}
