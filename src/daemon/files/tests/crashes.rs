//! The process ends at each step of a write or delete, with and without an editor in the way: after a restart nothing is
//! lost, nothing is half there, and nothing is left over.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::bench::{Act, Bench, Call, Scripted};
use crate::daemon::files::filesystem::Rename;
use crate::daemon::files::message::FileEvent;

const EDIT: &str = "an edit";

#[derive(Debug, Clone, Copy)]
enum Task {
    First,
    Replace,
    Delete,
}

/// When the process ends, and whether an editor saves just before the file is moved.
#[derive(Debug, Clone, Copy)]
struct Plan {
    task: Task,
    crash_at: usize,
    edited: bool,
    exchange: bool,
}

/// Runs the plan; returns the folder as the crash left it, and whether there was an edit.
fn crash(plan: Plan) -> (Bench, bool) {
    let armed = Arc::new(Mutex::new(None::<PathBuf>));
    let saved = Arc::new(Mutex::new(false));
    let (path, did_save) = (Arc::clone(&armed), Arc::clone(&saved));
    let mut calls = 0;
    let system = Scripted::system(move |call, _| {
        let path = path.lock().unwrap();
        let Some(path) = path.as_ref() else { return Act::Go };
        calls += 1;
        if calls > plan.crash_at {
            return Act::Crash;
        }
        let Call::Rename(how) = call else { return Act::Go };
        if plan.edited && !std::mem::replace(&mut *did_save.lock().unwrap(), true) {
            fs::write(path.with_file_name("a~"), EDIT).unwrap();
            fs::rename(path.with_file_name("a~"), path).unwrap();
        }
        if how == Rename::Exchange && !plan.exchange { Act::Unsupported } else { Act::Go }
    });
    let mut bench = Bench::on(system, |_| {});
    if !matches!(plan.task, Task::First) {
        bench.put("a", "old");
    }
    bench.run_ms(20_000);
    *armed.lock().unwrap() = Some(bench.path("a"));
    match plan.task {
        Task::First | Task::Replace => drop(bench.write("a", "new")),
        Task::Delete => drop(bench.delete("a")),
    }
    let saved = *saved.lock().unwrap();
    (bench, saved)
}

fn check(plan: Plan) {
    let (crashed, saved) = crash(plan);
    let there = fs::read_to_string(crashed.path("a")).ok();
    let allowed = [None, Some("old"), Some("new"), Some(EDIT)];
    assert!(allowed.contains(&there.as_deref()), "{plan:?}: {there:?}");
    let lost = there.is_none() && matches!(plan.task, Task::Replace);
    assert!(!lost, "{plan:?}: the file is gone");

    let mut bench = crashed.restart();
    bench.run_ms(20_000);
    let told = |event: &FileEvent| matches!(event, FileEvent::Saved { bytes, .. } if &bytes[..] == EDIT.as_bytes());
    let known_already = crashed.events.iter().any(told);
    assert_eq!(bench.events.iter().any(told) || known_already, saved, "{plan:?}: {:?}", bench.events);
    // Only what waits to be taken is left, and only in staging.
    let late = bench.take_late().len();
    assert_eq!(bench.staged().len(), 2 * late, "{plan:?}");
    assert!(bench.names().iter().all(|name| name == "a"), "{plan:?}: {:?}", bench.names());
    // The core goes on from what it is told.
    let content = format!("after {plan:?}");
    bench.put("a", &content);
}

#[test]
fn nothing_is_lost_or_half_done_whenever_the_process_ends() {
    for task in [Task::First, Task::Replace, Task::Delete] {
        for crash_at in 0..14 {
            for edited in [false, true] {
                for exchange in [true, false] {
                    check(Plan { task, crash_at, edited, exchange });
                }
            }
        }
    }
}

#[test]
fn a_crash_while_a_folder_is_set_up_is_no_obstacle() {
    for crash_at in 0..7 {
        let mut calls = 0;
        let system = Scripted::system(move |_, _| {
            calls += 1;
            if calls > crash_at { Act::Crash } else { Act::Go }
        });
        let crashed = Bench::on(system, |root| fs::write(root.join("a"), "a").unwrap());
        let mut bench = crashed.restart();
        bench.run_ms(20_000);
        assert_eq!(bench.known["a"], super::bench::known("a"), "{crash_at}");
        assert!(bench.content(".murmurate/folder").starts_with("web\n"), "{crash_at}");
    }
}
