//! Editors that save at the worst moment: every step of a write, by rename and in place. No save may be lost.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::bench::{Act, Bench, Call, Scripted};
use crate::daemon::files::filesystem::Rename;
use crate::daemon::files::folder::Input;
use crate::daemon::files::message::{ContentHash, FileEvent, SaveKind};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Editor {
    ByRename,
    InPlace,
    ByDelete,
}

fn save(editor: Editor, path: &Path, content: &str) {
    match editor {
        Editor::InPlace => fs::write(path, content).unwrap(),
        Editor::ByRename => {
            let temporary = path.with_file_name("a~");
            fs::write(&temporary, content).unwrap();
            fs::rename(temporary, path).unwrap();
        }
        Editor::ByDelete => {
            let _ = fs::remove_file(path);
            fs::write(path, content).unwrap();
        }
    }
}

/// A folder in which an editor saves just before the n-th change that the daemon makes after `armed` is set.
fn raced(editor: Editor, step: usize) -> (Bench, Arc<Mutex<Option<PathBuf>>>) {
    let armed = Arc::new(Mutex::new(None::<PathBuf>));
    let path = Arc::clone(&armed);
    let mut calls = 0;
    let system = Scripted::system(move |_, _| {
        let mut path = path.lock().unwrap();
        if path.is_some() {
            calls += 1;
        }
        if calls > step
            && let Some(path) = path.take()
        {
            save(editor, &path, "the edit, which is longer");
        }
        Act::Go
    });
    (Bench::on(system, |_| {}), armed)
}

#[test]
fn a_save_before_any_step_of_a_write_is_reported() {
    for editor in [Editor::ByRename, Editor::InPlace, Editor::ByDelete] {
        for step in 0..8 {
            let (mut bench, armed) = raced(editor, step);
            bench.put("a", "old");
            bench.run_ms(20_000);
            bench.take_events();
            *armed.lock().unwrap() = Some(bench.path("a"));
            bench.write("a", "new");
            bench.run_ms(20_000);
            let raced = armed.lock().unwrap().is_none();
            let saves = bench.take_saves();
            assert_eq!(saves.len(), usize::from(raced), "{editor:?} {step}: {saves:?}");
            assert!(raced || step > 3, "{editor:?} {step}");
            assert!(saves.iter().all(|(path, content, _)| path == "a" && content == "the edit, which is longer"));
            let late = saves.iter().any(|(_, _, kind)| matches!(kind, SaveKind::Late { .. }));
            assert_eq!(bench.content("a") == "new", late || !raced, "{editor:?} {step}");
        }
    }
}

#[test]
fn a_save_before_any_step_of_a_first_write_is_reported() {
    for step in 0..6 {
        let (mut bench, armed) = raced(Editor::ByRename, step);
        *armed.lock().unwrap() = Some(bench.path("a"));
        bench.write("a", "new");
        bench.run_ms(20_000);
        let saves = bench.take_saves();
        assert_eq!(saves.len(), usize::from(armed.lock().unwrap().is_none()), "{step}: {saves:?}");
    }
}

#[test]
fn a_save_before_any_step_of_a_delete_is_reported() {
    for editor in [Editor::ByRename, Editor::InPlace, Editor::ByDelete] {
        for step in 0..4 {
            let (mut bench, armed) = raced(editor, step);
            bench.put("a", "old");
            bench.run_ms(20_000);
            bench.take_events();
            *armed.lock().unwrap() = Some(bench.path("a"));
            bench.delete("a");
            bench.run_ms(20_000);
            let saves = bench.take_saves();
            assert_eq!(saves.len(), usize::from(armed.lock().unwrap().is_none()), "{editor:?} {step}: {saves:?}");
        }
    }
}

fn open(bench: &Bench) -> File {
    OpenOptions::new().write(true).open(bench.path("a")).unwrap()
}

fn rewrite(mut file: &File, content: &str) {
    file.set_len(0).unwrap();
    file.rewind().unwrap();
    file.write_all(content.as_bytes()).unwrap();
}

#[test]
fn a_writer_that_had_the_file_open_is_heard_for_two_seconds() {
    for after_ms in [0, 30, 49, 51, 500, 1999] {
        let mut bench = Bench::new();
        bench.put("a", "old content");
        let file = open(&bench);
        bench.put("a", "new content");
        bench.run_ms(after_ms);
        rewrite(&file, "an edit in place");
        bench.run_ms(20_000);
        assert_eq!(bench.take_late(), ["an edit in place"], "after {after_ms} ms");
        assert_eq!(bench.content("a"), "new content");
    }
}

#[test]
fn a_writer_that_is_seen_to_have_the_file_open_is_heard_long_after() {
    let mut bench = Bench::new();
    bench.put("a", "old content");
    let file = open(&bench);
    bench.put("a", "new content");
    bench.run_ms(30_000);
    rewrite(&file, "an edit in place");
    drop(file);
    bench.run_ms(20_000);
    assert_eq!(bench.take_late(), ["an edit in place"]);
    // Once nobody has it open any more, it goes.
    bench.put("a", "newer content");
    bench.run_ms(20_000);
    assert_eq!(bench.staged().len(), 2, "only the late edit waits to be taken");
}

#[test]
fn a_writer_that_truncated_the_file_before_it_was_swapped_out_may_finish() {
    let armed = Arc::new(Mutex::new(None::<File>));
    let file = Arc::clone(&armed);
    let system = Scripted::system(move |call, _| {
        if let (Call::Rename(Rename::Exchange), Some(file)) = (call, file.lock().unwrap().as_ref()) {
            file.set_len(0).unwrap();
        }
        Act::Go
    });
    let mut bench = Bench::on(system, |_| {});
    bench.put("a", "one\ntwo\n");
    let writer = open(&bench);
    *armed.lock().unwrap() = Some(writer.try_clone().unwrap());
    bench.put("a", "of the mesh");
    *armed.lock().unwrap() = None;
    bench.run_ms(1000);
    assert_eq!(bench.take_late(), Vec::<String>::new());
    rewrite(&writer, "one\ntwo\nthree\n");
    bench.run_ms(20_000);
    assert_eq!(bench.take_late(), ["one\ntwo\nthree\n"]);
}

/// What was seen open for writing a moment ago tells nothing of a file that was opened, and swapped out, since.
#[test]
fn a_writer_that_opened_the_file_just_before_it_was_swapped_out_may_finish() {
    let armed = Arc::new(Mutex::new(None::<(PathBuf, Option<File>)>));
    let editor = Arc::clone(&armed);
    let system = Scripted::seeing(move |call, _| {
        if let (Call::Rename(Rename::Exchange), Some((path, file @ None))) = (call, editor.lock().unwrap().as_mut()) {
            let opened = OpenOptions::new().write(true).open(path).unwrap();
            rewrite(&opened, "half");
            *file = Some(opened);
        }
        Act::Go
    });
    let mut bench = Bench::on(system, |_| {});
    for path in ["a", "b"] {
        bench.put(path, "old content");
    }
    // An edit of another file, for which it is looked who has files open.
    let other = OpenOptions::new().write(true).open(bench.path("b")).unwrap();
    bench.put("b", "new content");
    rewrite(&other, "an edit");
    bench.run_ms(50);
    *armed.lock().unwrap() = Some((bench.path("a"), None));
    bench.write("a", "new content");
    drop(other);
    bench.run_ms(500);
    let late_of_a = |saves: Vec<(String, String, SaveKind)>| -> Vec<String> {
        saves.into_iter().filter(|(path, _, _)| path == "a").map(|(_, content, _)| content).collect()
    };
    assert_eq!(late_of_a(bench.take_saves()), Vec::<String>::new());
    let writer = armed.lock().unwrap().take().unwrap().1.unwrap();
    rewrite(&writer, "half and whole");
    drop(writer);
    bench.run_ms(20_000);
    assert_eq!(late_of_a(bench.take_saves()), ["half and whole"]);
    assert_eq!(bench.content("a"), "new content");
}

#[test]
fn a_writer_that_goes_on_is_reported_again_from_what_it_had() {
    let mut bench = Bench::new();
    bench.put("a", "old content");
    let file = open(&bench);
    bench.put("a", "new content");
    rewrite(&file, "first");
    bench.run_ms(2100);
    rewrite(&file, "second, more");
    let mut saves = bench.take_saves();
    bench.run_ms(20_000);
    saves.extend(bench.take_saves());
    let late: Vec<&str> = saves.iter().map(|(_, content, _)| content.as_str()).collect();
    // Whether the second save is heard depends on the looks; the first one always is.
    assert_eq!(late[0], "first");
    assert!(matches!(&saves[0].2, SaveKind::Late { replaced: Some(_), .. }));
}

#[test]
fn a_late_edit_stays_in_staging_until_it_is_taken() {
    let mut bench = Bench::new();
    bench.put("a", "old content");
    let file = open(&bench);
    bench.put("a", "new content");
    rewrite(&file, "an edit in place");
    drop(file);
    bench.run_ms(20_000);
    let (_, _, SaveKind::Late { receipt, .. }) = bench.take_saves().remove(0) else { panic!("not late") };
    assert_eq!(bench.staged().len(), 2);
    // The core went down before it had it on disk: it is told again.
    let mut again = bench.restart();
    again.run_ms(20_000);
    let (_, content, SaveKind::Late { .. }) = again.take_saves().remove(0) else { panic!("not late") };
    assert_eq!(content, "an edit in place");
    again.step(vec![Input::Taken(receipt)]);
    assert!(again.staged().is_empty());
    let mut third = again.restart();
    third.run_ms(20_000);
    assert_eq!(third.take_saves(), []);
}

#[test]
fn an_editor_that_has_a_swapped_out_file_open_over_a_restart_is_heard() {
    let mut bench = Bench::new();
    bench.put("a", "old content");
    let file = open(&bench);
    bench.put("a", "new content");
    let mut again = bench.restart();
    again.run_ms(100);
    rewrite(&file, "an edit in place");
    again.run_ms(20_000);
    let (_, content, SaveKind::Late { replaced, .. }) = again.take_saves().remove(0) else { panic!("not late") };
    assert_eq!((content.as_str(), replaced), ("an edit in place", Some(ContentHash::of(b"old content"))));
}

#[test]
fn the_same_bytes_saved_by_an_editor_are_no_edit() {
    let mut bench = Bench::new();
    bench.put("a", "old");
    fs::write(bench.path("a"), "new!").unwrap();
    let answer = bench.write("a", "new!");
    assert!(matches!(answer, Some(FileEvent::Written { .. })), "{answer:?}");
    bench.run_ms(20_000);
    assert_eq!(bench.take_saves(), []);
}
