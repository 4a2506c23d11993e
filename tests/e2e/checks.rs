//! Checks and reloads of one host's own settings: what fails stays there, is named, and touches nothing else.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value as Json, json};

use crate::harness::{Host, Mesh, Process, eventually};

/// Fails with a line on the file when it holds `bad`, and never ends when it holds `hang`.
const SCRIPT: &str =
    "grep -q hang \"$1\" && sleep 1000; grep -q bad \"$1\" && { echo \"$1:1: bad word\" >&2; exit 1; }; exit 0";

/// A mesh of which the first host has these tables in its settings.
fn mesh(count: usize, tables: &str) -> Mesh {
    let mut mesh = Mesh::start_apart(count);
    configure(&mut mesh.hosts[0], tables);
    mesh.hosts[0].start();
    mesh.settle();
    mesh
}

/// Adds tables to a host's settings, and ends its daemon.
fn configure(host: &mut Host, tables: &str) {
    assert!(host.stop().success());
    let settings = fs::read_to_string(host.settings()).unwrap();
    fs::write(host.settings(), format!("{settings}\n{tables}")).unwrap();
    fs::set_permissions(host.settings(), fs::Permissions::from_mode(0o644)).unwrap();
}

fn check(files: &str, script: &str, timeout_seconds: u32) -> String {
    let command = json!(["sh", "-c", script, "check", "{file}", "{doc}"]);
    format!("[[check]]\nfiles = {files:?}\ncommand = {command}\ntimeout_seconds = {timeout_seconds}\n")
}

fn reload(files: &str, script: &str, debounce_ms: u32) -> String {
    let command = json!(["sh", "-c", script]);
    format!("[[reload]]\nfiles = {files:?}\ncommand = {command}\ndebounce_ms = {debounce_ms}\nmax_wait_seconds = 60\n")
}

/// What `folder status` says of a file.
fn file_status(host: &Host, path: &str) -> Json {
    let folders = host.json(&["folder", "status"]);
    let entries = folders["folders"][0]["entries"].as_array().unwrap();
    entries.iter().find(|entry| entry["path"] == path).cloned().unwrap_or_default()
}

/// Waits until a file has this state, and gives what is said of it.
#[track_caller]
fn has_state(mesh: &Mesh, host: &Host, path: &str, state: &str) -> Json {
    eventually(mesh, &format!("{path} is {state} on {}", host.name), || {
        let status = file_status(host, path);
        if status["state"] == state { Ok(status) } else { Err(status.to_string()) }
    })
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[track_caller]
fn eventually_lines(mesh: &Mesh, path: &Path, good: impl Fn(&[String]) -> bool) -> Vec<String> {
    eventually(mesh, &format!("{} is as wanted", path.display()), || {
        let lines = lines(path);
        if good(&lines) { Ok(lines) } else { Err(format!("{lines:?}")) }
    })
}

/// A file of a host, outside of its folders, that a command may write to.
fn beside(host: &Host, name: &str) -> PathBuf {
    host.directory.join(name)
}

#[test]
fn an_edit_that_fails_its_check_is_held_where_it_was_saved() {
    let mesh = mesh(2, &check("config/*.conf", SCRIPT, 10));
    let [one, two] = &mesh.hosts[..] else { panic!() };
    one.save("web.conf", "good 1\n");
    mesh.everywhere("web.conf", "good 1\n");

    one.save("web.conf", "bad 2\n");
    let held = has_state(&mesh, one, "web.conf", "held");
    assert_eq!(held["cause"], "check", "{held}");
    assert_eq!(held["output"], format!("{}:1: bad word", one.path("web.conf").display()), "{held}");
    assert!(held["reason"].as_str().unwrap().contains("exit code 1"), "{held}");
    assert!(one.does(&["status"]).contains("bad word"));
    // Nothing of it travels, and nothing is written over it; another file doesn't wait.
    two.put("config/other.toml#a", "1");
    mesh.everywhere("other.toml", "a = 1\n");
    two.has("web.conf", "good 1\n").unwrap();
    two.save("web.conf", "good 1\nmore\n");
    eventually(&mesh, "the change is known", || match &*one.does(&["get", "config/web.conf"]) {
        text if text.contains("more") => Ok(()),
        text => Err(text.to_owned()),
    });
    one.has("web.conf", "bad 2\n").unwrap();

    one.save("web.conf", "good 3\n");
    mesh.same_everywhere("web.conf", |text| text.contains("good 3") && text.contains("more"));
    has_state(&mesh, one, "web.conf", "in-step");
    // Nothing is left of what was staged.
    let staged = fs::read_dir(one.path(".murmurate/checks")).unwrap().map(Result::unwrap);
    assert!(staged.into_iter().all(|place| fs::read_dir(place.path()).unwrap().next().is_none()));
}

/// What is checked is the file of this host, whichever of the documents that it is made of changes.
#[test]
fn a_check_sees_the_values_that_are_this_hosts_own() {
    const WORD: &str = "config/app.toml#word";
    let of = |word: &str| format!("word = \"{word}\"\nport = 1\n");
    let mesh = mesh(2, &check("config/*.toml", SCRIPT, 10));
    let [one, two] = &mesh.hosts[..] else { panic!() };
    one.save("app.toml", of("good"));
    mesh.everywhere("app.toml", of("good"));

    let refused = one.fails(&["put", WORD, "bad", "--host", "host-1"]);
    assert!(refused.code == 1 && refused.lines.concat().contains("bad word"), "{refused:?}");
    assert_eq!(one.fails(&["get", WORD, "--host", "host-1"]).code, 3);
    // Put where nothing is checked, it doesn't come into the file.
    two.does(&["put", WORD, "bad", "--host", "host-1"]);
    let kept = has_state(&mesh, one, "app.toml", "kept-back");
    assert_eq!(kept["cause"], "check", "{kept}");
    one.has("app.toml", of("good")).unwrap();
    one.does(&["put", WORD, "fine", "--host", "host-1"]);
    eventually(&mesh, "the value is there", || one.has("app.toml", of("fine")));
    let status = has_state(&mesh, one, "app.toml", "in-step");
    assert_eq!(status["overlays"], json!(["host=host-1"]));

    one.save("app.toml", of("bad"));
    has_state(&mesh, one, "app.toml", "held");
    assert_eq!(two.does(&["get", WORD, "--host", "host-1"]).trim(), "fine");
    one.save("app.toml", of("better"));
    has_state(&mesh, one, "app.toml", "in-step");
    mesh.settle();
    assert_eq!(two.does(&["get", WORD, "--host", "host-1"]).trim(), "better");
    // What the overlay covers is no matter here.
    one.does(&["put", WORD, "bad"]);
    eventually(&mesh, "the other host has it", || two.has("app.toml", of("bad")));
    mesh.settle();
    one.has("app.toml", of("better")).unwrap();
    has_state(&mesh, one, "app.toml", "in-step");
    // Its end would show what the check refuses.
    assert_eq!(one.fails(&["del", WORD, "--host", "host-1"]).code, 1);
    one.has("app.toml", of("better")).unwrap();
}

#[test]
fn a_change_that_fails_a_hosts_check_is_kept_back_there_and_nowhere_else() {
    let mut mesh = mesh(3, &check("config/*.conf", SCRIPT, 10));
    mesh.hosts[0].save("web.conf", "good 1\n");
    mesh.everywhere("web.conf", "good 1\n");
    mesh.hosts[1].save("web.conf", "bad 2\n");
    {
        let [one, _, three] = &mesh.hosts[..] else { panic!() };
        eventually(&mesh, "the change is on host-3", || three.has("web.conf", "bad 2\n"));
        let kept = has_state(&mesh, one, "web.conf", "kept-back");
        assert_eq!(kept["cause"], "check", "{kept}");
        one.has("web.conf", "good 1\n").unwrap();
        assert_eq!(one.does(&["get", "config/web.conf"]), "bad 2\n");
        let status = one.json(&["status"]);
        assert_eq!((&status["held"][0]["state"], &status["folders"][0]["kept_back"]), (&json!("kept-back"), &json!(1)));
        // The mesh has converged all the same, and `doctor` has a word on it.
        one.does(&["wait", "--converged"]);
        assert!(one.run(&["doctor"]).stdout.windows(8).any(|word| word == b"web.conf"));
    }
    // A restart finds it again, by running the check.
    assert!(mesh.hosts[0].stop().success());
    mesh.hosts[0].start();
    let [one, two, _] = &mesh.hosts[..] else { panic!() };
    has_state(&mesh, one, "web.conf", "kept-back");
    one.has("web.conf", "good 1\n").unwrap();

    two.save("web.conf", "good 3\n");
    mesh.everywhere("web.conf", "good 3\n");
    has_state(&mesh, one, "web.conf", "in-step");
}

#[test]
fn a_check_that_hangs_ends_at_its_timeout_and_keeps_nobody_waiting() {
    let mesh = mesh(2, &check("config/*.conf", SCRIPT, 5));
    let [one, two] = &mesh.hosts[..] else { panic!() };
    one.save("a.conf", "good\n");
    mesh.everywhere("a.conf", "good\n");
    one.save("a.conf", "hang\n");
    one.save("b.conf", "good\n");
    one.save("c.toml", "a = 1\n");
    mesh.everywhere("b.conf", "good\n");
    mesh.everywhere("c.toml", "a = 1\n");
    let held = has_state(&mesh, one, "a.conf", "held");
    assert!(held["reason"].as_str().unwrap().contains("longer than 5 s"), "{held}");
    two.has("a.conf", "good\n").unwrap();
    // A new save doesn't wait for a check of the former one.
    one.save("a.conf", "hang again\n");
    one.save("a.conf", "good again\n");
    mesh.everywhere("a.conf", "good again\n");
}

#[test]
fn a_check_that_isnt_there_and_one_that_never_stops_talking_are_told() {
    let missing = "[[check]]\nfiles = \"config/missing.conf\"\ncommand = [\"/nonexistent/check\", \"{file}\"]\n";
    let chatty =
        check("config/chatty.conf", "head -c 100000000 /dev/zero | tr '\\0' x; echo; echo the end; exit 7", 100);
    let mesh = mesh(2, &format!("{missing}{chatty}"));
    let one = &mesh.hosts[0];
    one.save("missing.conf", "a\n");
    one.save("chatty.conf", "a\n");
    one.save("free.conf", "a\n");
    mesh.everywhere("free.conf", "a\n");
    let held = has_state(&mesh, one, "missing.conf", "held");
    assert!(held["reason"].as_str().unwrap().contains("can't be run: No such file"), "{held}");
    let held = has_state(&mesh, one, "chatty.conf", "held");
    assert!(held["reason"].as_str().unwrap().ends_with("exit code 7: the end"), "{held}");
    assert!(held["output"].as_str().unwrap().len() < 10_000);
    assert!(mesh.hosts[1].read("chatty.conf").is_none());
}

#[test]
fn a_schema_names_the_place_and_refuses_puts_too() {
    let mut mesh = Mesh::start_apart(2);
    let schema = json!({ "properties": { "server": { "properties": { "port": { "maximum": 65_535 } } } } });
    fs::write(beside(&mesh.hosts[0], "app.json"), schema.to_string()).unwrap();
    configure(&mut mesh.hosts[0], "[[schema]]\nfiles = \"config/*.toml\"\nschema = \"app.json\"\n");
    mesh.hosts[0].start();
    mesh.settle();
    let [one, two] = &mesh.hosts[..] else { panic!() };
    one.save("app.toml", "[server]\nport = 8080\n");
    mesh.everywhere("app.toml", "[server]\nport = 8080\n");

    one.save("app.toml", "[server]\nport = 99999\n");
    let held = has_state(&mesh, one, "app.toml", "held");
    assert_eq!(held["cause"], "schema", "{held}");
    assert!(held["reason"].as_str().unwrap().starts_with("/server/port: 99999"), "{held}");
    one.save("app.toml", "[server]\nport = 8081\n");
    mesh.everywhere("app.toml", "[server]\nport = 8081\n");

    let refused = one.fails(&["put", "config/app.toml#server.port", "70000"]);
    let text = refused.lines.join("\n");
    assert!(text.contains("E_CHECK_FAILED") && text.contains("/server/port"), "{text}");
    assert_eq!(one.does(&["get", "config/app.toml#server.port"]).trim(), "8081");
    one.put("config/app.toml#server.port", "8082");
    mesh.everywhere("app.toml", "[server]\nport = 8082\n");
    // Elsewhere nobody minds; here it is kept back.
    two.put("config/app.toml#server.port", "70000");
    let kept = has_state(&mesh, one, "app.toml", "kept-back");
    assert_eq!(kept["cause"], "schema", "{kept}");
    one.has("app.toml", "[server]\nport = 8082\n").unwrap();
    one.put("config/app.toml#server.port", "443");
    mesh.everywhere("app.toml", "[server]\nport = 443\n");
}

#[test]
fn puts_of_one_document_are_checked_one_after_the_other() {
    let mesh = mesh(2, &check("config/app.toml", SCRIPT, 10));
    let one = &mesh.hosts[0];
    one.put("config/app.toml#a", "1");
    let (good, bad) = std::thread::scope(|scope| {
        let putting: Vec<_> = (0..20)
            .map(|number| {
                let value = if number % 2 == 0 { format!("good{number}") } else { format!("bad{number}") };
                scope.spawn(move || one.tries(&["put", &format!("config/app.toml#k{number}"), &value]).is_ok())
            })
            .collect();
        let done: Vec<bool> = putting.into_iter().map(|put| put.join().unwrap()).collect();
        (done.iter().step_by(2).all(|done| *done), done.iter().skip(1).step_by(2).any(|done| *done))
    });
    assert!(good && !bad);
    let text = mesh.same_everywhere("app.toml", |text| (0..20).step_by(2).all(|n| text.contains(&format!("good{n}"))));
    assert!(!text.contains("bad"), "{text}");
    let refused = one.fails(&["put", "config/app.toml#a", "bad"]);
    assert!(refused.lines.join("\n").contains("bad word"), "{refused:?}");
}

#[test]
fn a_burst_of_changes_is_one_reload() {
    const DEBOUNCE: Duration = Duration::from_secs(5);
    let mut mesh = Mesh::start_apart(2);
    let count = beside(&mesh.hosts[0], "reloads");
    let script =
        format!("cat {}/app.toml | tr '\\n' ' ' >> {}; echo >> {1}", mesh.hosts[0].folder.display(), count.display());
    configure(&mut mesh.hosts[0], &reload("config", &script, 5_000));
    mesh.hosts[0].start();
    mesh.settle();
    let [one, two] = &mesh.hosts[..] else { panic!() };
    let began = Instant::now();
    for value in 1..=20 {
        two.put("config/app.toml#a", &value.to_string());
    }
    mesh.everywhere("app.toml", "a = 20\n");
    let is_one_burst = began.elapsed() < DEBOUNCE - Duration::from_secs(1);
    let reloads = eventually_lines(&mesh, &count, |lines| lines.last().is_some_and(|line| line == "a = 20 "));
    // On a machine so slow that the burst had pauses there may be more.
    assert!(reloads.len() == 1 || !is_one_burst, "{reloads:?}");
    // The mode alone is no change of bytes, and what is saved here is reloaded like anything else.
    fs::set_permissions(one.path("app.toml"), fs::Permissions::from_mode(0o755)).unwrap();
    one.save("other.toml", "b = 1\n");
    let again = eventually_lines(&mesh, &count, |lines| lines.len() > reloads.len());
    assert_eq!(again.len(), reloads.len() + 1, "{again:?}");
}

#[test]
fn a_failed_reload_brings_the_last_good_file_back_until_the_next_change() {
    let mut mesh = Mesh::start_apart(2);
    let (file, log) = (mesh.hosts[0].path("app.toml"), beside(&mesh.hosts[0], "reloads"));
    // One look at the file: it may have its next content a moment later.
    let script = format!(
        "text=$(cat {}); echo \"$text\" >> {}; case $text in *bad*) exit 1;; esac",
        file.display(),
        log.display()
    );
    configure(&mut mesh.hosts[0], &reload("config", &script, 200));
    mesh.hosts[0].start();
    mesh.settle();
    mesh.hosts[1].save("app.toml", "a = \"good 1\"\n");
    mesh.everywhere("app.toml", "a = \"good 1\"\n");
    eventually_lines(&mesh, &log, |lines| lines.last().is_some_and(|line| line.contains("good 1")));

    mesh.hosts[1].save("app.toml", "a = \"bad 2\"\n");
    {
        let [one, two] = &mesh.hosts[..] else { panic!() };
        let kept = has_state(&mesh, one, "app.toml", "kept-back");
        assert_eq!(kept["cause"], "reload", "{kept}");
        eventually(&mesh, "the last good file is back", || one.has("app.toml", "a = \"good 1\"\n"));
        // What had failed, and then what is there again.
        eventually_lines(&mesh, &log, |lines| lines.len() == 3 && lines[2].contains("good 1"));
        // Nobody takes it for an edit.
        one.does(&["wait", "--converged"]);
        two.has("app.toml", "a = \"bad 2\"\n").unwrap();
    }
    // A restart remembers it, and runs nothing again.
    assert!(mesh.hosts[0].stop().success());
    mesh.hosts[0].start();
    let [one, two] = &mesh.hosts[..] else { panic!() };
    has_state(&mesh, one, "app.toml", "kept-back");
    one.put("config/other.toml#b", "1");
    two.put("config/other.toml#c", "1");
    mesh.same_everywhere("other.toml", |text| text.contains('b') && text.contains('c'));
    one.has("app.toml", "a = \"good 1\"\n").unwrap();
    assert!(lines(&log).iter().skip(3).all(|line| line.contains("good 1")), "{:?}", lines(&log));

    two.save("app.toml", "a = \"good 3\"\n");
    mesh.everywhere("app.toml", "a = \"good 3\"\n");
    has_state(&mesh, one, "app.toml", "in-step");
    eventually_lines(&mesh, &log, |lines| lines.last().is_some_and(|line| line.contains("good 3")));

    // What is saved on this host goes the same way.
    one.save("app.toml", "a = \"bad 4\"\n");
    eventually(&mesh, "the edit is on host-2", || two.has("app.toml", "a = \"bad 4\"\n"));
    eventually(&mesh, "the last good file is back", || one.has("app.toml", "a = \"good 3\"\n"));
    has_state(&mesh, one, "app.toml", "kept-back");
    two.save("app.toml", "a = \"good 5\"\n");
    mesh.everywhere("app.toml", "a = \"good 5\"\n");
}

#[test]
fn a_reload_that_a_crash_cut_off_is_run_again() {
    let mut mesh = Mesh::start_apart(2);
    let (file, log, gate) =
        (mesh.hosts[0].path("app.toml"), beside(&mesh.hosts[0], "reloads"), beside(&mesh.hosts[0], "gate"));
    let mut script = String::new();
    write!(script, "echo began >> {0}; until [ -e {1} ]; do sleep 0.1; done; ", log.display(), gate.display()).unwrap();
    write!(script, "cat {} >> {}", file.display(), log.display()).unwrap();
    configure(&mut mesh.hosts[0], &reload("config", &script, 200));
    mesh.hosts[0].start();
    mesh.settle();
    mesh.hosts[1].save("app.toml", "a = 1\n");
    eventually_lines(&mesh, &log, |lines| lines == ["began"]);
    mesh.hosts[0].kill();
    fs::write(&gate, "").unwrap();
    // Of the one that the daemon left behind.
    eventually_lines(&mesh, &log, |lines| lines.len() == 2);
    mesh.hosts[0].start();
    eventually_lines(&mesh, &log, |lines| lines == ["began", "a = 1", "began", "a = 1"]);

    // And so is one that hadn't begun, or of which nobody knows whether it had.
    for value in 2..6 {
        mesh.hosts[1].put("config/app.toml#a", &value.to_string());
        eventually(&mesh, "the change is on host-1", || mesh.hosts[0].has("app.toml", format!("a = {value}\n")));
        mesh.hosts[0].kill();
        mesh.hosts[0].start();
        let line = format!("a = {value}");
        eventually_lines(&mesh, &log, |lines| lines.last() == Some(&line));
    }
    mesh.settle();
}

#[test]
fn commands_are_taken_from_a_file_that_nobody_else_may_write() {
    let mut mesh = Mesh::start_apart(1);
    let one = &mut mesh.hosts[0];
    configure(one, &check("config", SCRIPT, 10));
    fs::set_permissions(one.settings(), fs::Permissions::from_mode(0o666)).unwrap();
    let failure = one.try_start().unwrap_err();
    assert!(failure.contains("E_BAD_SETTING") || one.logged().contains("E_BAD_SETTING"), "{failure}\n{}", one.logged());
    assert!(one.logged().contains("chmod go-w"), "{}", one.logged());
    fs::set_permissions(one.settings(), fs::Permissions::from_mode(0o644)).unwrap();
    one.start();
}

#[test]
fn a_signal_goes_to_the_process_of_the_pid_file() {
    let mut mesh = Mesh::start_apart(1);
    let (pid_file, log) = (beside(&mesh.hosts[0], "service.pid"), beside(&mesh.hosts[0], "reloads"));
    let rule =
        format!("[[reload]]\nfiles = \"config\"\nsignal = \"USR1\"\npid_file = {pid_file:?}\ndebounce_ms = 100\n");
    configure(&mut mesh.hosts[0], &rule);
    let mut service = Command::new("sh");
    let script = format!(
        "trap 'echo reload >> {}' USR1; echo $$ > {}; while :; do sleep 0.1; done",
        log.display(),
        pid_file.display()
    );
    service.args(["-c", &script]);
    let mut service = Process::spawn(service, &beside(&mesh.hosts[0], "out"), &beside(&mesh.hosts[0], "err"));
    mesh.hosts[0].start();
    let one = &mesh.hosts[0];
    eventually_lines(&mesh, &pid_file, |lines| lines.len() == 1);
    one.save("app.toml", "a = 1\n");
    eventually_lines(&mesh, &log, |lines| lines == ["reload"]);
    assert!(service.end(Signal::KILL).is_ok());
    one.save("app.toml", "a = 2\n");
    let kept = has_state(&mesh, one, "app.toml", "kept-back");
    assert!(kept["reason"].as_str().unwrap().contains("SIGUSR1 to the process in"), "{kept}");
    eventually(&mesh, "the last good file is back", || one.has("app.toml", "a = 1\n"));
    let problems = one.json(&["status"])["problems"].clone();
    assert!(problems.as_array().unwrap().iter().any(|problem| problem["code"] == "E_RELOAD_FAILED"), "{problems}");
}

#[test]
fn watchers_are_told_and_a_restart_finds_a_held_edit_again() {
    let mut mesh = mesh(2, &check("config/*.conf", SCRIPT, 10));
    let (out, err) = (beside(&mesh.hosts[0], "watched"), beside(&mesh.hosts[0], "watch.err"));
    let told = |kind: &'static str| {
        let kind = format!("\"kind\":\"{kind}\"");
        move |lines: &[String]| lines.iter().any(|line| line.contains(&kind) && line.contains("config/web.conf"))
    };
    {
        let [one, two] = &mesh.hosts[..] else { panic!() };
        let mut watch = Process::spawn(one.command(&["watch", "config/", "-o", "jsonl"]), &out, &err);
        // Only what comes after its beginning is told.
        eventually(&mesh, "the watch has begun", || {
            two.does(&["put", "config/begun.toml#a", "1"]);
            two.does(&["del", "config/begun.toml"]);
            if lines(&out).is_empty() { Err("nothing yet".to_owned()) } else { Ok(()) }
        });
        two.save("web.conf", "bad 1\n");
        eventually_lines(&mesh, &out, told("check-failed"));
        two.save("web.conf", "good 2\n");
        eventually_lines(&mesh, &out, told("recovered"));
        mesh.everywhere("web.conf", "good 2\n");
        assert!(watch.end(Signal::KILL).is_ok());
        one.save("web.conf", "bad 3\n");
        has_state(&mesh, one, "web.conf", "held");
    }
    mesh.hosts[0].kill();
    mesh.hosts[0].start();
    let [one, two] = &mesh.hosts[..] else { panic!() };
    has_state(&mesh, one, "web.conf", "held");
    two.has("web.conf", "good 2\n").unwrap();
    one.save("web.conf", "good 4\n");
    mesh.everywhere("web.conf", "good 4\n");
}

#[test]
fn what_failed_is_checked_again_when_another_file_of_its_folder_changes() {
    let mut mesh = Mesh::start_apart(2);
    let script = format!(
        "test -e {} || {{ echo needed.toml is missing; exit 1; }}",
        mesh.hosts[0].path("needed.toml").display()
    );
    configure(&mut mesh.hosts[0], &check("config/*.conf", &script, 10));
    mesh.hosts[0].start();
    mesh.settle();
    let [one, two] = &mesh.hosts[..] else { panic!() };
    one.save("here.conf", "a\n");
    two.save("there.conf", "b\n");
    has_state(&mesh, one, "here.conf", "held");
    has_state(&mesh, one, "there.conf", "kept-back");
    two.put("config/needed.toml#a", "1");
    for (path, content) in [("needed.toml", "a = 1\n"), ("here.conf", "a\n"), ("there.conf", "b\n")] {
        mesh.everywhere(path, content);
    }
}

#[test]
fn files_that_a_folder_brings_are_checked_like_any_edit() {
    let mesh = mesh(2, &check("more/*.conf", SCRIPT, 10));
    let [one, two] = &mesh.hosts[..] else { panic!() };
    for host in [one, two] {
        fs::create_dir(beside(host, "more")).unwrap();
    }
    fs::write(beside(one, "more").join("good.conf"), "good\n").unwrap();
    fs::write(beside(one, "more").join("wrong.conf"), "bad\n").unwrap();
    for host in [one, two] {
        host.does(&["folder", "add", "more", beside(host, "more").to_str().unwrap()]);
    }
    let there = beside(two, "more");
    eventually(&mesh, "the good one is on host-2", || match fs::read_to_string(there.join("good.conf")) {
        Ok(text) if text == "good\n" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    eventually(&mesh, "the other one is held", || {
        let held = one.json(&["status"])["held"].clone();
        if held[0]["doc"] == "more/wrong.conf" { Ok(()) } else { Err(held.to_string()) }
    });
    assert!(!there.join("wrong.conf").exists());
}
