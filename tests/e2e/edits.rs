//! Files edited on one host, or on two at once, without trouble in between.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::sync::Barrier;

use crate::harness::{APP_TOML, Mesh, eventually};

/// The files of a kind in the corpus, by name.
fn corpus(kind: &str) -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("crdt/tests/corpus").join(kind);
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap());
    let mut files: Vec<_> =
        files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect();
    files.sort();
    files
}

/// How each document is merged, by its name.
fn format_of(mesh: &Mesh, doc: &str) -> String {
    let documents = mesh.hosts[2].client().ask(|mesh| mesh.documents(doc)).unwrap().documents;
    documents.into_iter().find(|document| document.doc == doc).unwrap().format
}

#[test]
fn real_files_saved_on_one_host_are_byte_identical_on_the_others() {
    let mesh = Mesh::start(3);
    let toml = corpus("toml");
    for (name, content) in toml.iter().chain(&corpus("text")) {
        mesh.hosts[0].save(&format!("corpus/{name}"), content);
    }
    let json = "\u{feff}{\r\n  \"a\": 1, // kept\r\n\t\"list\": [1,2 , 3],\r\n\r\n  \"z\": {\"deep\": null}\r\n}";
    mesh.hosts[1].save("crlf-bom.jsonc", json);
    for (name, content) in toml.iter().chain(&corpus("text")) {
        mesh.everywhere(&format!("corpus/{name}"), content);
    }
    mesh.everywhere("crlf-bom.jsonc", json);
    assert_eq!(format_of(&mesh, "config/corpus/superfly_corrosion__config.toml"), "toml");
    assert!(format_of(&mesh, "config/crlf-bom.jsonc").starts_with("json"));
}

#[test]
fn execute_bits_follow_and_a_deleted_file_goes_everywhere() {
    let mesh = Mesh::start(3);
    let script = "#!/bin/sh\nexec true\n";
    mesh.hosts[0].save("run.sh", script);
    mesh.hosts[0].save("stays.txt", "here\n");
    mesh.everywhere("run.sh", script);
    mesh.everywhere("stays.txt", "here\n");
    for mode in [0o755, 0o644] {
        fs::set_permissions(mesh.hosts[0].path("run.sh"), Permissions::from_mode(mode)).unwrap();
        for host in &mesh.hosts {
            eventually(&mesh, &format!("run.sh on {} has mode {mode:o}", host.name), || {
                let found = fs::metadata(host.path("run.sh")).map_err(|error| error.to_string())?.permissions().mode();
                if found & 0o111 == mode & 0o111 { Ok(()) } else { Err(format!("{found:o}")) }
            });
        }
    }
    fs::remove_file(mesh.hosts[1].path("run.sh")).unwrap();
    mesh.nowhere("run.sh");
    mesh.everywhere("stays.txt", "here\n");
}

/// Larger than what is merged key by key, and larger than any file may be.
#[test]
fn large_files_travel_whole_and_too_large_ones_stay_here_and_are_named() {
    let mesh = Mesh::start(3);
    let comment = format!("# {}\n", "x".repeat(77));
    let large = comment.repeat((5 << 20) / comment.len());
    mesh.hosts[0].save("large.toml", &large);
    mesh.hosts[0].save("too-large.toml", comment.repeat((9 << 20) / comment.len()));
    mesh.everywhere("large.toml", &large);
    let changed = format!("{large}a = 1\n");
    mesh.hosts[2].save("large.toml", &changed);
    mesh.everywhere("large.toml", &changed);
    assert_eq!(format_of(&mesh, "config/large.toml"), "binary");
    let status = mesh.hosts[0].does(&["folder", "status"]);
    assert!(status.lines().any(|line| line.contains("too-large.toml") && line.contains("larger")), "{status}");
    assert!(!mesh.hosts[1].path("too-large.toml").exists());
}

#[test]
fn a_new_directory_with_many_files_arrives_completely() {
    let mesh = Mesh::start(3);
    let files: Vec<(String, String)> =
        (0..50).map(|n| (format!("new/deep/er{}/file-{n}.toml", n % 3), format!("number = {n}\n"))).collect();
    for (path, content) in &files {
        mesh.hosts[0].save(path, content);
    }
    for (path, content) in &files {
        mesh.everywhere(path, content);
    }
}

#[test]
fn two_keys_edited_on_two_hosts_at_the_same_moment_are_both_everywhere() {
    let mesh = Mesh::start(3);
    mesh.hosts[0].save("app.toml", APP_TOML);
    mesh.everywhere("app.toml", APP_TOML);
    mesh.settle();
    // Opened before, so that each editor surely writes over what it read, even if the other's edit comes first.
    let editors: Vec<(File, String)> = [("8080", "9090"), ("200", "300")]
        .iter()
        .zip(&mesh.hosts)
        .map(|((from, to), host)| {
            let file = OpenOptions::new().write(true).open(host.path("app.toml")).unwrap();
            (file, APP_TOML.replace(from, to))
        })
        .collect();
    let barrier = Barrier::new(editors.len());
    std::thread::scope(|scope| {
        for (file, content) in editors {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                file.write_all_at(content.as_bytes(), 0).unwrap();
            });
        }
    });
    mesh.everywhere("app.toml", APP_TOML.replace("8080", "9090").replace("200", "300"));
}
