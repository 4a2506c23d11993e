//! Two hosts edit one file at the same time: all who hold both edits see the same, whatever the order, and it is valid.

use std::collections::BTreeSet;

use super::SEPARATOR;
use super::host::Host;
use crate::codec;
use crate::conflict;
use crate::document::Document;
use crate::edit::EditError;
use crate::path::Segment;
use crate::tree::{Content, Format, Tree};

/// Larger inputs find nothing that smaller ones don't, and take longer.
const INPUT_BYTES: usize = 8 << 10;
/// Conflicts of one merge that are resolved, one after the other.
const RESOLUTIONS: usize = 64;

/// A file of each format, by its number in an input.
const NAMES: [&str; 7] = ["f/a.toml", "f/a.json", "f/a.txt", "f/.env", "f/a.ini", "f/nginx.conf", "f/a.yaml"];
/// The formats that a value may have been written in.
const FORMATS: [Format; 7] =
    [Format::Toml, Format::Json, Format::Yaml, Format::Text, Format::Env, Format::Ini, Format::Blocks];

/// The input is a format's number, then three files with [`SEPARATOR`] between: what both had, and what each made of it.
pub fn merge(data: &[u8]) {
    let Some((format, texts)) = data.split_first().filter(|_| data.len() <= INPUT_BYTES) else { return };
    let texts: Vec<&[u8]> = texts.split(|byte| *byte == SEPARATOR).collect();
    let &[base, ours, theirs] = &texts[..] else { return };
    let name = NAMES[usize::from(*format) % NAMES.len()];
    Merge::new(name, base).run(&texts, ours, theirs);
}

struct Merge {
    name: &'static str,
    one: Host,
    other: Host,
    changes: Vec<crate::envelope::SignedEnvelope>,
}

impl Merge {
    fn new(name: &'static str, base: &[u8]) -> Self {
        let (mut one, mut other) = (Host::new(1, name), Host::new(2, name));
        let first = one.save(&one.document.render(), base);
        other.receive(&first.iter().collect::<Vec<_>>());
        Self { name, one, other, changes: first.into_iter().collect() }
    }

    fn run(mut self, texts: &[&[u8]], ours: &[u8], theirs: &[u8]) {
        let (base_one, base_other) = (self.one.document.render(), self.other.document.render());
        assert_eq!(base_one, base_other);
        let ours = edit(&mut self.one, &base_one, ours);
        let theirs = edit(&mut self.other, &base_other, theirs);
        self.one.receive(&theirs.iter().collect::<Vec<_>>());
        self.other.receive(&ours.iter().collect::<Vec<_>>());
        let in_order: Vec<_> = self.changes.iter().chain(&ours).chain(&theirs).collect();
        let in_other_order: Vec<_> = self.changes.iter().chain(&theirs).chain(&ours).collect();
        let (mut third, mut fourth) = (Host::new(3, self.name), Host::new(4, self.name));
        third.receive(&in_order);
        fourth.receive(&in_other_order);
        fourth.receive(&in_order);
        let file = self.one.file();
        for host in [&mut self.other, &mut third, &mut fourth] {
            assert_eq!(host.file(), file, "hosts differ");
            assert_eq!(host.document.state(), self.one.document.state());
        }
        let saved = self.one.document.save().unwrap();
        let loaded = Document::load(self.one.document.id().clone(), &saved).unwrap();
        assert_eq!(loaded.render(), self.one.document.render(), "a restart changes the file");
        self.check_invented(texts);
        resolve_all(&mut third);
    }

    /// Every value of the merged file was written by someone.
    fn check_invented(&self, texts: &[&[u8]]) {
        let rendered = self.one.document.render();
        let Some(file) = rendered.file() else { return };
        let parsed = texts.iter().flat_map(|text| FORMATS.map(|format| codec::parse(format, text)));
        let written: BTreeSet<_> = parsed.flatten().flat_map(|tree| values(&tree)).collect();
        let invented: Vec<_> = values(&file.tree).difference(&written).cloned().collect();
        assert!(invented.is_empty(), "nobody wrote {invented:?}");
    }
}

fn edit(host: &mut Host, base: &crate::render::Rendered, bytes: &[u8]) -> Option<crate::envelope::SignedEnvelope> {
    let change = host.save(base, bytes)?;
    assert_eq!(host.file(), bytes, "what was saved isn't what is rendered");
    Some(change)
}

/// The scalars of a tree, each with its keys; items count as one.
fn values(tree: &Tree) -> BTreeSet<(Vec<String>, String)> {
    let mut found = BTreeSet::new();
    tree.root.walk(&mut |node| {
        if let Content::Scalar(text) = &node.content {
            let keys = node.path.0.iter().map(|segment| match segment {
                Segment::Key(name) => name.clone(),
                Segment::Item(_) | Segment::Trivia(_) => String::new(),
            });
            found.insert((keys.collect(), text.clone()));
        }
    });
    found
}

/// Each conflict can be resolved, and none is left at the end.
fn resolve_all(host: &mut Host) {
    let editor = host.editor();
    for round in 0..RESOLUTIONS {
        let rendered = host.document.render();
        let conflicts = conflict::conflicts(&host.document, &rendered);
        let Some(conflict) = conflicts.first() else { return };
        let chosen = &conflict.values[round % conflict.values.len()];
        match host.document.resolve(chosen, &rendered, &editor) {
            Ok(written) => {
                written.map(|written| host.wrote(written));
                host.file();
            }
            // A side that isn't valid alone: the next round takes another.
            Err(EditError::NoPlace(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
