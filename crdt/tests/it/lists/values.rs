//! Lists of plain values, and keys that stand several times, which are lists of their occurrences (MERGE rule 5).

use murmurate_crdt::conflict::Kind;
use murmurate_crdt::register::{Part, Register};

use super::written;
use crate::replica::{Replica, exchange, replicas};

/// How a format writes a file that is a list of values.
struct Shape {
    file: &'static str,
    /// Another value in the place of one is that one, edited; else it is another item.
    is_edited: bool,
    write: fn(&[&str]) -> String,
}

const SHAPES: [Shape; 6] = [
    Shape {
        file: "f/list.json",
        is_edited: false,
        write: |values| {
            let values: Vec<_> = values.iter().map(|value| format!("    \"{value}\"")).collect();
            format!("{{\n  \"item\": [\n{}\n  ]\n}}\n", values.join(",\n"))
        },
    },
    Shape { file: "f/list.yaml", is_edited: false, write: |values| format!("item:\n{}", lines("  - ", values, "")) },
    Shape { file: "f/.env", is_edited: true, write: |values| lines("ITEM=", values, "") },
    Shape { file: "f/a.service", is_edited: true, write: |values| format!("[Unit]\n{}", lines("After=", values, "")) },
    Shape { file: "f/nginx.conf", is_edited: true, write: |values| lines("include ", values, ";") },
    Shape { file: "f/motd", is_edited: true, write: |values| lines("", values, "") },
];

fn lines(before: &str, values: &[&str], behind: &str) -> String {
    values.iter().map(|value| format!("{before}{value}{behind}\n")).collect()
}

const BASE: [&str; 4] = ["alpha", "bravo", "carol", "delta"];

fn met(shape: &Shape, one: &[&str], other: &[&str]) -> Replica {
    let mut all = replicas(3, shape.file, &(shape.write)(&BASE));
    all[0].save((shape.write)(one).as_bytes()).unwrap();
    all[1].save((shape.write)(other).as_bytes()).unwrap();
    exchange(&mut all);
    all.remove(2)
}

/// Both edits must be there, in one of these ways, without a conflict.
fn merges_to_any(shape: &Shape, one: &[&str], other: &[&str], expected: &[&[&str]]) {
    let replica = met(shape, one, other);
    let text = replica.text();
    assert!(expected.iter().any(|values| (shape.write)(values) == text), "{}: {text}", shape.file);
    assert_eq!(replica.conflicts(), [], "{}", shape.file);
}

fn merges(one: &[&str], other: &[&str], expected: &[&str]) {
    SHAPES.iter().for_each(|shape| merges_to_any(shape, one, other, &[expected]));
}

#[test]
fn values_inserted_at_different_places() {
    let (one, other) = (["x", "alpha", "bravo", "carol", "delta"], ["alpha", "bravo", "carol", "y", "delta"]);
    merges(&one, &other, &["x", "alpha", "bravo", "carol", "y", "delta"]);
}

#[test]
fn a_value_deleted_and_another_inserted_or_deleted() {
    merges(&["alpha", "carol", "delta"], &["alpha", "bravo", "carol", "x", "delta"], &["alpha", "carol", "x", "delta"]);
    merges(&["alpha", "carol", "delta"], &["alpha", "bravo", "carol"], &["alpha", "carol"]);
    merges(&["alpha", "carol", "delta"], &["alpha", "carol", "delta"], &["alpha", "carol", "delta"]);
}

#[test]
fn a_value_moved_while_another_is_deleted_or_inserted() {
    let moved = ["delta", "alpha", "bravo", "carol"];
    merges(&moved, &["alpha", "carol", "delta"], &["delta", "alpha", "carol"]);
    merges(&moved, &["alpha", "x", "bravo", "carol", "delta"], &["delta", "alpha", "x", "bravo", "carol"]);
    // What is moved by one and deleted by another is gone.
    merges(&moved, &["alpha", "bravo", "carol"], &["alpha", "bravo", "carol"]);
}

#[test]
fn a_value_that_two_people_move_is_there_once() {
    let (one, other) = (["bravo", "alpha", "carol", "delta"], ["alpha", "carol", "delta", "bravo"]);
    SHAPES.iter().for_each(|shape| merges_to_any(shape, &one, &other, &[&one, &other]));
}

/// Runs that two people insert at one place stand behind each other, whole.
#[test]
fn runs_inserted_at_one_place_do_not_interleave() {
    let with = |run: &[&'static str]| [&BASE[..1], run, &BASE[1..]].concat();
    let (one, other) = (["x1", "x2", "x3"], ["y1", "y2", "y3"]);
    let expected = [with(&[one, other].concat()), with(&[other, one].concat())];
    for shape in &SHAPES {
        merges_to_any(shape, &with(&one), &with(&other), &expected.each_ref().map(|values| &values[..]));
    }
}

/// Ids of what is added come from the change (MERGE rule 7): one value of two people stands there twice.
#[test]
fn what_both_add_is_there_from_both() {
    for shape in &SHAPES {
        let added = [&BASE[..], &["new"]].concat();
        merges_to_any(shape, &added, &added, &[&[&BASE[..], &["new", "new"]].concat()]);
    }
}

#[test]
fn a_value_changed_while_another_is_moved_inserted_or_deleted() {
    let changed = ["alpha", "bravo2", "carol", "delta"];
    merges(&changed, &["delta", "alpha", "bravo", "carol"], &["delta", "alpha", "bravo2", "carol"]);
    merges(&changed, &["alpha", "bravo", "carol", "delta", "x"], &["alpha", "bravo2", "carol", "delta", "x"]);
    merges(&changed, &["alpha", "bravo", "carol"], &["alpha", "bravo2", "carol"]);
}

/// Of a key or a line that is one edited, the edit outlives the deletion, and is flagged. Of values, the new one is
/// another item, which nobody deleted.
#[test]
fn a_value_changed_while_another_deletes_it() {
    let (changed, deleted) = (["alpha", "bravo2", "carol", "delta"], ["alpha", "carol", "delta"]);
    for shape in &SHAPES {
        let replica = met(shape, &changed, &deleted);
        assert_eq!(replica.text(), (shape.write)(&changed), "{}", shape.file);
        let kinds: Vec<Kind> = replica.conflicts().iter().map(|conflict| conflict.kind).collect();
        assert_eq!(kinds, if shape.is_edited { vec![Kind::Deleted] } else { vec![] }, "{}", shape.file);
    }
}

/// Two new values in the place of one: of a key or a line, a conflict with a winner; of values, two items.
#[test]
fn a_value_that_two_people_change() {
    let with = |values: &[&'static str]| [&BASE[..1], values, &BASE[2..]].concat();
    for shape in &SHAPES {
        let replica = met(shape, &with(&["bravo1"]), &with(&["bravo2"]));
        let expected: &[&[&str]] =
            if shape.is_edited { &[&["bravo1"], &["bravo2"]] } else { &[&["bravo1", "bravo2"], &["bravo2", "bravo1"]] };
        let text = replica.text();
        assert!(expected.iter().any(|values| (shape.write)(&with(values)) == text), "{}: {text}", shape.file);
        assert_eq!(replica.conflicts().len(), usize::from(shape.is_edited), "{}", shape.file);
    }
}

/// A move, however far, writes where the value stands and nothing else.
#[test]
fn a_move_is_one_register() {
    for shape in &SHAPES {
        let mut all = replicas(1, shape.file, &(shape.write)(&BASE));
        let before = all[0].document.state().clone();
        all[0].save((shape.write)(&["delta", "alpha", "bravo", "carol"]).as_bytes()).unwrap();
        let written = written(&before, &all[0].document);
        let is_placement = |it: &Register| matches!(it, Register::Fragment { part: Part::Placement, .. });
        assert!(written.len() == 1 && is_placement(&written[0]), "{}: {written:#?}", shape.file);
    }
}
