//! Real files for tests: `tests/corpus`, and with the environment variable `MURMURATE_CORPUS` another folder like it too.

use super::{Format, ParseError, parse, print, read};
use crate::tree::Tree;
use std::path::{Path, PathBuf};

/// The files of one folder of the corpus, with their names.
pub(super) fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = roots().iter().flat_map(|root| files_in(&root.join(folder))).collect();
    files.sort();
    assert!(!files.is_empty(), "no files in {folder}");
    files
}

fn roots() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    std::iter::once(own).chain(std::env::var_os("MURMURATE_CORPUS").map(PathBuf::from)).collect()
}

fn files_in(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    paths.map(|path| (path.display().to_string(), std::fs::read(&path).unwrap())).collect()
}

/// A file as it is, and in every other style: with CRLF, with a byte order mark, without a final newline.
pub(super) fn variants(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut variants = vec![bytes.to_vec()];
    let Ok(text) = std::str::from_utf8(bytes) else { return variants };
    let text = text.trim_start_matches('\u{feff}');
    let lf = text.replace("\r\n", "\n");
    for line_end in ["\n", "\r\n"] {
        for mark in ["", "\u{feff}"] {
            let whole = mark.to_owned() + &lf.replace('\n', line_end);
            variants.push(whole.trim_end().into());
            variants.push(whole.into());
        }
    }
    variants
}

#[test]
fn every_real_file_comes_back_as_text() {
    let mut counts = (0, 0, 0);
    let folders: Vec<_> = roots().iter().flat_map(|root| std::fs::read_dir(root).unwrap()).collect();
    let mut names: Vec<_> =
        folders.into_iter().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    names.sort();
    for (name, bytes) in names.iter().flat_map(|folder| files_in(folder)) {
        counts.0 += 1;
        for bytes in variants(&bytes) {
            match parse(Format::Text, &bytes) {
                Ok(tree) => check(&name, &tree, &bytes, &mut counts.1),
                Err(ParseError::Untileable { line, why }) => {
                    counts.2 += 1;
                    println!("{name} is no text: line {line}: {why}");
                }
                Err(ParseError::Syntax(error)) => assert!(std::str::from_utf8(&bytes).is_err(), "{name}: {error}"),
            }
            let binary = parse(Format::Binary, &bytes).unwrap();
            assert!(print(&binary) == bytes, "{name}");
        }
    }
    println!("{} files: {} variants tiled, {} untileable", counts.0, counts.1, counts.2);
    assert!(counts.1 > counts.0);
}

fn check(name: &str, tree: &Tree, bytes: &[u8], tiled: &mut usize) {
    assert!(print(tree) == bytes, "{name}");
    assert!(read(Format::Text, bytes).is_ok(), "{name}");
    *tiled += 1;
}

/// Which format each real file has by its name and content, as a file in a watched folder.
#[test]
fn real_files_have_the_format_of_their_folder() {
    for (folder, format) in [
        ("toml", Format::Toml),
        ("json", Format::Json),
        ("env", Format::Env),
        ("ini", Format::Ini),
        ("blocks", Format::Blocks),
    ] {
        let (mut structured, files) = (0, files(folder));
        for (path, bytes) in &files {
            let name = path.rsplit('/').next().unwrap();
            // The corpus puts the repository before the name.
            let (repository, name) = name.rsplit_once("__").unwrap_or(("", name));
            let path =
                if repository.contains("nginx") && folder == "blocks" { format!("nginx/{name}") } else { name.into() };
            let found = super::detect(&path, bytes);
            match parse(found, bytes) {
                Ok(_) if found.is_structured() => structured += 1,
                Ok(_) => println!("{path} is {}", found.name()),
                Err(error) => println!("{path} is no {}: {error}", found.name()),
            }
            assert!(found == format || name == "haproxy.cfg", "{path} is {}", found.name());
        }
        println!("{folder}: {structured} of {} files are merged by key", files.len());
        assert!(structured * 10 >= files.len() * 9);
    }
}
