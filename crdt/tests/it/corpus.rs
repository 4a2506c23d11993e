//! Real files: what is saved is what is rendered elsewhere, byte for byte.

use std::path::Path;

use crate::replica::{Replica, exchange};

/// The files of one folder of the corpus, each with a path such as it has where it is used.
pub(crate) fn corpus(folder: &str) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path_in_use(&path.file_name().unwrap().to_string_lossy()), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() > 5, "the corpus of {folder} is there");
    files
}

/// The corpus puts the repository before the name. nginx's files are known by their directory.
fn path_in_use(name: &str) -> String {
    match name.rsplit_once("__") {
        Some((repository, name)) if repository.contains("nginx") => format!("{repository}/nginx/{name}"),
        Some((repository, name)) => format!("{repository}/{name}"),
        None => name.into(),
    }
}

/// A file as it is, with CRLF, with a byte order mark, and without its final newline.
pub(crate) fn variants(bytes: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let crlf = text.replace("\r\n", "\n").replace('\n', "\r\n");
    let bom = format!("\u{feff}{text}");
    let bare = text.trim_end_matches('\n').to_string();
    vec![bytes.to_vec(), crlf.into_bytes(), bom.into_bytes(), bare.into_bytes()]
}

fn check(folder: &str) {
    for (name, bytes) in corpus(folder) {
        for variant in variants(&bytes) {
            let mut all: Vec<Replica> = (0..2).map(|number| Replica::new(number, &format!("f/{name}"))).collect();
            all[0].save(&variant).unwrap();
            exchange(&mut all);
            let rendered = all[1].document.render();
            assert!(rendered.file().unwrap().bytes == variant, "{folder}/{name} differs elsewhere");
            // Saved back, it is no edit.
            all[1].save(&variant).unwrap();
            assert!(all[1].written.is_empty(), "{folder}/{name}");
        }
    }
}

#[test]
fn toml_files_are_byte_identical_elsewhere() {
    check("toml");
}

#[test]
fn json_files_are_byte_identical_elsewhere() {
    check("json");
}

#[test]
fn yaml_files_are_byte_identical_elsewhere() {
    check("yaml");
}

#[test]
fn env_files_are_byte_identical_elsewhere() {
    check("env");
}

#[test]
fn ini_files_are_byte_identical_elsewhere() {
    check("ini");
}

#[test]
fn block_files_are_byte_identical_elsewhere() {
    check("blocks");
}

#[test]
fn text_files_are_byte_identical_elsewhere() {
    check("text");
}
