//! `edit`: what is saved in an editor is merged, checked, and never lost.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::harness::{APP_TOML, Failure, Host, Mesh, eventually};

const DOC: &str = "config/app.toml";

/// An editor that does what a shell script says; `$1` is the file.
fn editor(mesh: &Mesh, name: &str, script: &str) -> String {
    let path = mesh.directory.path().join(name);
    fs::write(&path, format!("#!/bin/sh\nset -e\n{script}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A mesh of two whose hosts have the file.
fn mesh() -> Mesh {
    let mesh = Mesh::start(2);
    mesh.hosts[0].save("app.toml", APP_TOML);
    mesh.everywhere("app.toml", APP_TOML);
    mesh.settle();
    mesh
}

/// Where a failed edit's text is, by the words of the failure.
fn kept(failure: &Failure) -> PathBuf {
    let text = failure.lines[2].rsplit_once(" @").unwrap_or_else(|| panic!("{failure:?}")).1;
    text.trim_end_matches('`').into()
}

/// A command line that writes to the same daemon.
fn put_on(host: &Host, address: &str, value: &str) -> String {
    let program = env!("CARGO_BIN_EXE_murmurate");
    format!("{program} --socket {} put '{address}' '{value}' > /dev/null", host.socket.display())
}

#[test]
fn an_edit_and_a_remote_change_of_another_key_are_both_there() {
    let mesh = mesh();
    let [one, two] = &mesh.hosts[..] else { panic!() };
    // While the editor is open a key is put on each host, and the first has heard of the second's.
    let script = format!(
        "{}\n{}\nuntil {} | grep -q 90; do sleep 0.05; done\nsed -i s/8080/9090/ \"$1\"",
        put_on(one, "config/app.toml#limits.rps", "300"),
        put_on(two, "config/app.toml#limits.burst", "90"),
        format_args!("{} --socket {} get {DOC}#limits.burst", env!("CARGO_BIN_EXE_murmurate"), one.socket.display()),
    );
    one.does(&["edit", DOC, "--editor", &editor(&mesh, "editor", &script)]);
    let merged = APP_TOML.replace("8080", "9090").replace("200", "300").replace("burst = 80", "burst = 90");
    mesh.everywhere("app.toml", merged);
    assert_eq!(one.json(&["conflicts"])["conflicts"], json!([]));
}

#[test]
fn an_edit_of_a_key_that_was_changed_meanwhile_is_a_conflict() {
    let mesh = mesh();
    let one = &mesh.hosts[0];
    for (index, address) in [DOC, "config/app.toml#server.port"].into_iter().enumerate() {
        let (theirs, mine) = (format!("7{index}00"), format!("9{index}00"));
        let put = put_on(one, "config/app.toml#server.port", &theirs);
        let script = format!("{put}\nsed -i 's/[0-9][0-9][0-9][0-9]/{mine}/' \"$1\"");
        one.does(&["edit", address, "--editor", &editor(&mesh, &format!("editor-{index}"), &script)]);
        let conflicts = one.json(&["conflicts", "config/app.toml#server.port"]);
        let values = conflicts["conflicts"][0]["values"].as_array().unwrap_or_else(|| panic!("{conflicts}"));
        let mut values: Vec<&str> = values.iter().map(|value| value["text"].as_str().unwrap()).collect();
        values.sort_unstable();
        assert_eq!(values, [theirs.as_str(), mine.as_str()], "{conflicts}");
        one.does(&["resolve", "config/app.toml#server.port", "--value", "8080"]);
    }
    mesh.settle();
    mesh.same_everywhere("app.toml", |text| text == APP_TOML);
}

#[test]
fn text_that_is_not_valid_can_be_mended_and_is_never_lost() {
    let mesh = mesh();
    let one = &mesh.hosts[0];
    let broken = "grep -q '= 8081' \"$1\" && exit 1; sed -i 's/port = 8080/port = = 8081/' \"$1\"";
    let failure = one.fails(&["edit", DOC, "--editor", &editor(&mesh, "breaks", broken)]);
    assert_eq!((failure.code, failure.lines.len()), (1, 3), "{failure:?}");
    assert!(failure.lines[0].contains("E_BAD_EDIT") && failure.lines[1].contains("line 7, column 8"), "{failure:?}");
    let text = kept(&failure);
    assert_eq!(fs::read_to_string(&text).unwrap(), APP_TOML.replace("8080", "= 8081"));
    assert_eq!(fs::metadata(text.parent().unwrap()).unwrap().permissions().mode() & 0o77, 0, "it may be a secret");
    assert!(text.ends_with("app.toml"), "editors go by the name");
    fs::remove_dir_all(text.parent().unwrap()).unwrap();
    one.has("app.toml", APP_TOML).unwrap();

    // The second time it finds what it wrote, and mends it.
    let mends = "if grep -q '= = ' \"$1\"; then sed -i 's/= =/=/' \"$1\"; else sed -i 's/= 8080/= = 8081/' \"$1\"; fi";
    one.does(&["edit", DOC, "--yes", "--editor", &editor(&mesh, "mends", mends)]);
    mesh.everywhere("app.toml", APP_TOML.replace("8080", "8081"));

    // One that leaves it as it is isn't opened for ever.
    let stubborn = "echo once >> \"$(dirname \"$0\")/opened\"; echo '= 1' > \"$1\"";
    let failure = one.fails(&["edit", DOC, "--yes", "--editor", &editor(&mesh, "stubborn", stubborn)]);
    fs::remove_dir_all(kept(&failure).parent().unwrap()).unwrap();
    assert_eq!(fs::read_to_string(mesh.directory.path().join("opened")).unwrap(), "once\nonce\n");
}

#[test]
fn an_editor_that_fails_or_changes_nothing_writes_nothing() {
    let mesh = mesh();
    let one = &mesh.hosts[0];
    let version = || one.json(&["get", DOC])["version"].clone();
    let before = version();
    let failure = one.fails(&["edit", DOC, "--editor", &editor(&mesh, "gives-up", "exit 3")]);
    assert!(failure.code == 1 && failure.lines[0].contains("E_EDITOR"), "{failure:?}");
    assert!(!failure.lines[2].contains('@'), "there is nothing to keep: {failure:?}");
    let failure = one.fails(&["edit", DOC, "--editor", &editor(&mesh, "crashes", "echo 'a = 1' > \"$1\"; exit 3")]);
    assert_eq!(fs::read_to_string(kept(&failure)).unwrap(), "a = 1\n");
    fs::remove_dir_all(kept(&failure).parent().unwrap()).unwrap();
    assert_eq!(one.does(&["edit", DOC, "--editor", "true"]), "");
    assert_eq!(one.does(&["edit", "config/app.toml#title", "--editor", "true"]), "");
    assert_eq!(version(), before);
    // Without a terminal no editor is opened unasked.
    let failure = one.fails(&["edit", DOC]);
    assert!(failure.code == 2 && failure.lines[0].contains("E_NO_TERMINAL"), "{failure:?}");
    assert!(failure.lines[2].contains("--editor"), "{failure:?}");
    assert_eq!(one.fails(&["edit", "config/app.toml#limits", "--editor", "true"]).code, 1, "a table is no value");
}

#[test]
fn new_documents_and_values_of_every_type_can_be_edited() {
    let mesh = mesh();
    let [one, two] = &mesh.hosts[..] else { panic!() };
    one.does(&["edit", "config/new.toml", "--editor", &editor(&mesh, "writes", "echo 'a = 1' > \"$1\"")]);
    mesh.everywhere("new.toml", "a = 1\n");
    // Somebody else makes it meanwhile.
    let put = put_on(one, "config/other.toml#theirs", "1");
    let script = format!("{put}\necho 'mine = 1' > \"$1\"");
    let failure = one.fails(&["edit", "config/other.toml", "--editor", &editor(&mesh, "late", &script)]);
    assert!(failure.code == 4 && failure.lines[0].contains("E_EXISTS"), "{failure:?}");
    fs::remove_dir_all(kept(&failure).parent().unwrap()).unwrap();
    one.does(&["put", "config/new.toml#text", "42", "--type", "string"]);
    let script = editor(&mesh, "adds", "echo 43 > \"$1\"");
    one.does(&["edit", "config/new.toml#text", "--editor", &script]);
    one.does(&["edit", "config/new.toml#a", "--editor", &script]);
    mesh.everywhere("new.toml", "a = 43\ntext = \"43\"\n");
    let failure = one.fails(&["edit", "config/new.toml#none", "--editor", &script]);
    assert_eq!(failure.code, 3, "{failure:?}");
    // On a terminal, the user's editor is asked for.
    let Some(shown) =
        on_a_terminal(&mesh, two, &["edit", "config/new.toml#a"], &editor(&mesh, "x", "echo 44 > \"$1\""))
    else {
        return;
    };
    eventually(&mesh, &format!("the value is 44 after {shown}"), || match one.does(&["get", "config/new.toml#a"]) {
        value if value.trim() == "44" => Ok(()),
        value => Err(value),
    });
}

/// Runs a command with a terminal; `None`, and says so, where no program is there that makes one.
fn on_a_terminal(mesh: &Mesh, host: &Host, arguments: &[&str], visual: &str) -> Option<String> {
    if !Path::new("/usr/bin/script").exists() {
        eprintln!("skipped: there is no `script`, which makes a terminal");
        return None;
    }
    let quoted: Vec<String> = arguments.iter().map(|argument| format!("'{argument}'")).collect();
    let program = env!("CARGO_BIN_EXE_murmurate");
    let line = format!("{program} --socket {} {}", host.socket.display(), quoted.join(" "));
    let mut command = std::process::Command::new("/usr/bin/script");
    command.args(["-qec", &line, "/dev/null"]).env("VISUAL", visual).current_dir(mesh.directory.path());
    let output = crate::harness::run(command);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown}");
    Some(shown)
}
