//! `export` and `import`: documents leave a mesh and enter another one, byte by byte.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value as Json, json};

use crate::harness::{APP_TOML, Host, Mesh, eventually, run};

const SCRIPT: &[u8] = b"#!/bin/sh\nexec true\n";

/// Documents of several kinds, in a mesh of one host.
fn full_mesh() -> Mesh {
    let mesh = Mesh::start(1);
    let one = &mesh.hosts[0];
    one.save("app.toml", APP_TOML);
    one.save("conf.d/crlf.json", "\u{feff}{\r\n \"a\": 1, // kept\r\n}");
    one.save("conf.d/od#d %41 name.txt", "no newline");
    one.save("image.bin", [0, 159, 146, 150]);
    one.save("run.sh", SCRIPT);
    fs::set_permissions(one.path("run.sh"), Permissions::from_mode(0o755)).unwrap();
    eventually(&mesh, "all files are documents, as they are", || {
        let found = files(one)?;
        let client = one.client();
        let is_taken = |(path, bytes, executable): &(String, Vec<u8>, bool)| {
            let address = murmurate_client::types::document_address(&format!("config/{path}"));
            client
                .ask(|mesh| mesh.read_file(&address))
                .is_ok_and(|it| it.bytes == *bytes && it.executable == *executable)
        };
        if found.len() == 5 && found.iter().all(is_taken) { Ok(()) } else { Err(format!("{found:?}")) }
    });
    mesh
}

/// Every file of the folder and what it holds, with its execute bit.
fn files(host: &Host) -> Result<Vec<(String, Vec<u8>, bool)>, String> {
    let documents = host.client().ask(|mesh| mesh.documents("")).unwrap().documents;
    let mut files = Vec::new();
    for document in documents {
        let name = murmurate_client::types::document_name(&document.doc);
        let path = name.strip_prefix("config/").unwrap().to_owned();
        let bytes = host.read(&path).ok_or_else(|| format!("{path} isn't there"))?;
        let mode = fs::metadata(host.path(&path)).map_err(|error| error.to_string())?.permissions().mode();
        files.push((path, bytes, mode & 0o100 != 0));
    }
    Ok(files)
}

/// What became of each file, by the JSON of `import`, which may have refused some.
fn results(output: &Output) -> Vec<(String, String)> {
    let imported: Json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let text = |file: &Json, name: &str| file[name].as_str().unwrap().to_owned();
    imported["files"].as_array().unwrap().iter().map(|file| (text(file, "path"), text(file, "result"))).collect()
}

fn pairs(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter().map(|(path, result)| ((*path).to_owned(), (*result).to_owned())).collect()
}

#[test]
fn what_is_exported_is_the_same_in_another_mesh() {
    let from = full_mesh();
    let one = &from.hosts[0];
    let expected = files(one).unwrap();
    let directory = from.directory.path().join("out");
    let archive = from.directory.path().join("out.tar");
    let [directory, archive] = [&directory, &archive].map(|path| path.to_str().unwrap().to_owned());
    one.does(&["export", "--to", &directory]);
    one.does(&["export", "config/", "--to", &archive]);
    let stream = one.run(&["export", "--to", "-"]).stdout;
    assert_eq!(stream, fs::read(&archive).unwrap(), "equal documents give equal archives");

    for source in [&directory, &archive] {
        let to = Mesh::start(2);
        let two = &to.hosts[0];
        let tried = two.run(&["import", source, "--dry-run", "-o", "json"]);
        let tried = results(&tried);
        assert!(tried.len() == 5 && tried.iter().all(|(_, result)| result == "created"), "{tried:?}");
        assert_eq!(two.client().ask(|mesh| mesh.documents("")).unwrap().documents, [], "only tried");
        two.does(&["import", source]);
        to.settle();
        for host in &to.hosts {
            eventually(&to, &format!("{} has all files of {source}", host.name), || match files(host)? {
                found if found == expected => Ok(()),
                found => Err(format!("{:?}", found.iter().filter(|file| !expected.contains(file)).collect::<Vec<_>>())),
            });
        }
        let again = results(&two.run(&["import", source, "-o", "json"]));
        assert!(again.len() == 5 && again.iter().all(|(_, result)| result == "same"), "{again:?}");
    }
}

#[test]
fn nothing_is_exported_over_another_file_unasked() {
    let mesh = full_mesh();
    let one = &mesh.hosts[0];
    let out = mesh.directory.path().join("out");
    fs::create_dir_all(out.join("config")).unwrap();
    fs::write(out.join("config/app.toml"), "mine").unwrap();
    let to = out.to_str().unwrap();
    let failure = one.fails(&["export", "--to", to]);
    assert!(failure.code == 4 && failure.lines[0].contains("E_EXISTS"), "{failure:?}");
    assert_eq!(fs::read(out.join("config/app.toml")).unwrap(), b"mine");
    assert_eq!(fs::read(out.join("config/run.sh")).unwrap(), SCRIPT, "the others are written");
    one.does(&["export", "--to", to, "--force"]);
    assert_eq!(fs::read(out.join("config/app.toml")).unwrap(), APP_TOML.as_bytes());
    let archive = out.join("a.tar");
    fs::write(&archive, "mine").unwrap();
    assert_eq!(one.fails(&["export", "--to", archive.to_str().unwrap()]).code, 4);
    assert_eq!(fs::read(&archive).unwrap(), b"mine");
}

#[test]
fn what_cannot_be_taken_keeps_nothing_else_back() {
    let mesh = full_mesh();
    let one = &mesh.hosts[0];
    let root = mesh.directory.path().join("in");
    fs::create_dir_all(root.join("conf.d")).unwrap();
    fs::write(root.join("app.toml"), APP_TOML.replace("8080", "9090")).unwrap();
    fs::write(root.join("broken.toml"), "a = = 1\n").unwrap();
    fs::write(root.join("new.toml"), "a = 1\n").unwrap();
    fs::write(root.join("run.sh"), SCRIPT).unwrap();
    File::create(root.join("large")).unwrap().set_len(32 << 20).unwrap();
    symlink("/etc/passwd", root.join("conf.d/link")).unwrap();
    let arguments = ["import", root.to_str().unwrap(), "--into", "config", "-o", "json"];
    let rows = [
        ("app.toml", "changed"),
        ("broken.toml", "refused"),
        ("conf.d/link", "refused"),
        ("large", "refused"),
        ("new.toml", "created"),
        ("run.sh", "changed"),
    ];
    let dry = one.run(&[&arguments[..], &["--dry-run"]].concat());
    assert_eq!((results(&dry), dry.status.code()), (pairs(&rows), Some(1)));
    one.has("app.toml", APP_TOML).unwrap();
    let done = one.run(&arguments);
    assert_eq!((results(&done), done.status.code()), (pairs(&rows), Some(1)));
    let error: Json = serde_json::from_slice(&done.stderr).unwrap();
    assert_eq!(error["error"]["code"], json!("E_SOME_REFUSED"));
    mesh.everywhere("app.toml", APP_TOML.replace("8080", "9090"));
    mesh.everywhere("new.toml", "a = 1\n");
    assert_eq!(one.fails(&["get", "config/broken.toml"]).code, 3);
    assert!(!one.client().ask(|mesh| mesh.read_file("config/run.sh")).unwrap().executable);
}

/// One entry of an archive, as no library would write it.
fn entry(kind: u8, path: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    header[..path.len()].copy_from_slice(path.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[108..124].copy_from_slice(b"0000000\x000000000\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    header[136..148].copy_from_slice(b"00000000000\0");
    header[148..156].copy_from_slice(b"        ");
    header[156] = kind;
    header[157..168].copy_from_slice(b"/etc/passwd");
    header[257..265].copy_from_slice(b"ustar  \0");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let padding = content.len().next_multiple_of(512) - content.len();
    [&header[..], content, &vec![0; padding]].concat()
}

#[test]
fn a_hostile_archive_writes_nothing_but_documents() {
    let mesh = Mesh::start(1);
    let one = &mesh.hosts[0];
    let entries = [
        entry(b'0', "../../outside", b"x"),
        entry(b'0', "/etc/murmurate-was-here", b"x"),
        entry(b'2', "config/link", b""),
        entry(b'0', "config/link/below", b"x"),
        entry(b'1', "config/hard", b""),
        entry(b'3', "config/device", b""),
        entry(b'L', "././@LongLink", &vec![b'a'; 1 << 20]),
        entry(b'0', "config/long", b"x"),
        entry(b'0', "config/.murmurate/../x", b"x"),
        entry(b'0', "config/twice.toml", b"a = 1\n"),
        entry(b'0', "config/twice.toml", b"a = 2\n"),
        vec![0; 1_024],
    ];
    let archive = mesh.directory.path().join("hostile.tar");
    fs::write(&archive, entries.concat()).unwrap();
    let mut command = one.command(&["import", "-", "-o", "json"]);
    command.stdin(Stdio::from(File::open(&archive).unwrap()));
    let output = run(command);
    let expected = [
        ("../../outside", "refused"),
        ("/etc/murmurate-was-here", "refused"),
        ("config/link", "refused"),
        ("config/link/below", "created"),
        ("config/hard", "refused"),
        ("config/device", "refused"),
        ("config/long", "refused"),
        ("config/.murmurate/../x", "refused"),
        ("config/twice.toml", "created"),
        ("config/twice.toml", "refused"),
    ];
    assert_eq!((results(&output), output.status.code()), (pairs(&expected), Some(1)));
    mesh.everywhere("twice.toml", "a = 1\n");
    mesh.everywhere("link/below", "x");
    assert!(!Path::new("/etc/murmurate-was-here").exists());

    let cut = entry(b'0', "config/cut.toml", &vec![b'#'; 2_000]);
    fs::write(&archive, [entry(b'0', "config/whole.toml", b"a = 1\n"), cut[..1_024].to_vec()].concat()).unwrap();
    let failure = one.fails(&["import", archive.to_str().unwrap()]);
    assert!(failure.code == 1 && failure.lines.iter().any(|line| line.contains("E_BAD_ARCHIVE")), "{failure:?}");
    mesh.everywhere("whole.toml", "a = 1\n");
    assert_eq!(one.fails(&["get", "config/cut.toml"]).code, 3);
}
