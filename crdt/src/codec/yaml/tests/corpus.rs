//! Real files.

use super::*;
use crate::codec::corpus::{files, variants};
use crate::codec::outer::take_off;
use crate::tree::Format;

/// The real files that are valid YAML.
fn valid_files() -> Vec<(String, Vec<u8>)> {
    let mut files = files("yaml");
    files.retain(|(name, bytes)| match crate::codec::parse(Format::Yaml, bytes) {
        Err(ParseError::Syntax(error)) => {
            println!("{name} is no YAML: {error}");
            false
        }
        _ => true,
    });
    files
}

/// The same, as a codec gets them: LF text that ends with a newline.
fn texts() -> Vec<(String, String)> {
    let text = |bytes: Vec<u8>| take_off(&bytes).expect("UTF-8").1.replace("\r\n", "\n");
    valid_files().into_iter().map(|(name, bytes)| (name, text(bytes))).collect()
}

#[test]
fn real_files_tile_and_mean_what_the_second_reader_reads() {
    let (mut tiled, mut refused) = (0, Vec::new());
    for (name, text) in texts() {
        match Yaml.parse(&text) {
            Ok(_) => {
                check_tiles(&text);
                check_tiles(&text.replace('\n', "\r\n").replacen("\r\n", "\n", 1));
                tiled += 1;
            }
            Err(error) => refused.push(format!("{name}: {error}")),
        }
    }
    println!("{tiled} tiled; text: {refused:#?}");
    assert!(refused.is_empty() && tiled >= 40, "{refused:#?}");
}

#[test]
fn real_files_come_back_in_every_style() {
    for (name, bytes) in valid_files() {
        for variant in variants(&bytes) {
            let tree = crate::codec::parse(Format::Yaml, &variant).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(crate::codec::print(&tree) == variant, "{name}");
            let read = crate::codec::read(Format::Yaml, &variant).ok();
            assert_eq!(read, meaning(&Yaml, &tree.root), "{name}");
        }
    }
}

#[test]
fn every_value_of_real_files_can_be_replaced_alone() {
    let mut replaced = 0;
    for (_, text) in texts() {
        let root = parse(&text);
        for index in 0..scalar_count(&root) {
            check_replaced(&root, &text, index);
            replaced += 1;
        }
    }
    println!("{replaced} values replaced");
}
