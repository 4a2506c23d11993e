//! Lists: who an item is, and what comes of concurrent inserts, moves, edits and deletes. The same in every format that has
//! lists of tables: each test writes its items in each of them. Lists of plain values are in the module `values`.

mod values;

use murmurate_crdt::conflict::Kind;
use murmurate_crdt::document::Document;
use murmurate_crdt::register::{Part, Register};
use murmurate_crdt::state::State;

use crate::replica::{Replica, exchange, replicas};

/// An item as tests write it: its name, and a number in it.
type Item = (&'static str, u32);

/// How a format writes a file that is a list of items with a name and a number.
struct Shape {
    file: &'static str,
    /// Whether the name stands in a field that says who an item is.
    is_named: bool,
    write: fn(&[Item]) -> String,
}

const SHAPES: [Shape; 7] = [
    Shape { file: "f/list.toml", is_named: true, write: |items| toml("name", items) },
    Shape { file: "f/plain.toml", is_named: false, write: |items| toml("host", items) },
    Shape { file: "f/list.json", is_named: true, write: |items| json("name", items) },
    Shape { file: "f/plain.json", is_named: false, write: |items| json("host", items) },
    Shape { file: "f/list.yaml", is_named: true, write: |items| yaml("name", items) },
    Shape { file: "f/plain.yaml", is_named: false, write: |items| yaml("host", items) },
    // Who an item is, the block's name doesn't say: it may stand several times.
    Shape {
        file: "f/nginx.conf",
        is_named: false,
        write: |items| items.iter().map(|(name, n)| format!("server {{\n  host {name};\n  n {n};\n}}\n")).collect(),
    },
];

fn toml(field: &str, items: &[Item]) -> String {
    items.iter().map(|(name, n)| format!("[[item]]\n{field} = \"{name}\"\nn = {n}\n")).collect()
}

fn json(field: &str, items: &[Item]) -> String {
    let item = |(name, n): &Item| format!("    {{ \"{field}\": \"{name}\", \"n\": {n} }}");
    format!("{{\n  \"item\": [\n{}\n  ]\n}}\n", items.iter().map(item).collect::<Vec<_>>().join(",\n"))
}

fn yaml(field: &str, items: &[Item]) -> String {
    let items = items.iter().map(|(name, n)| format!("  - {field}: {name}\n    n: {n}\n"));
    format!("item:\n{}", items.collect::<String>())
}

const BASE: [Item; 3] = [("a", 1), ("b", 2), ("c", 3)];

/// Two people make of the base what each gives, and exchange.
fn met(shape: &Shape, one: &[Item], other: &[Item]) -> Replica {
    let mut all = replicas(3, shape.file, &(shape.write)(&BASE));
    all[0].save((shape.write)(one).as_bytes()).unwrap();
    all[1].save((shape.write)(other).as_bytes()).unwrap();
    exchange(&mut all);
    all.remove(2)
}

/// Both edits must be there, without a conflict.
fn merges(one: &[Item], other: &[Item], expected: &[Item]) {
    for shape in &SHAPES {
        let replica = met(shape, one, other);
        assert_eq!(replica.text(), (shape.write)(expected), "{}", shape.file);
        assert_eq!(replica.conflicts(), [], "{}", shape.file);
    }
}

#[test]
fn an_item_edited_and_another_deleted() {
    merges(&[("a", 9), ("b", 2), ("c", 3)], &[("a", 1), ("c", 3)], &[("a", 9), ("c", 3)]);
}

#[test]
fn an_item_moved_while_it_is_edited_goes_along_with_the_edit() {
    merges(&[("c", 3), ("a", 1), ("b", 2)], &[("a", 1), ("b", 2), ("c", 9)], &[("c", 9), ("a", 1), ("b", 2)]);
}

#[test]
fn two_items_moved_apart() {
    merges(&[("b", 2), ("a", 1), ("c", 3)], &[("a", 1), ("b", 9), ("c", 3)], &[("b", 9), ("a", 1), ("c", 3)]);
}

#[test]
fn an_item_deleted_while_it_is_moved_is_gone() {
    merges(&[("a", 1), ("b", 2)], &[("c", 3), ("a", 1), ("b", 2)], &[("a", 1), ("b", 2)]);
}

#[test]
fn items_inserted_at_different_places() {
    let expected = [("x", 7), ("a", 1), ("b", 2), ("c", 3), ("y", 8)];
    merges(&[("x", 7), ("a", 1), ("b", 2), ("c", 3)], &[("a", 1), ("b", 2), ("c", 3), ("y", 8)], &expected);
}

/// Runs that two people insert at one place stand behind each other, whole.
#[test]
fn runs_inserted_at_one_place_do_not_interleave() {
    for shape in &SHAPES {
        let one = [("a", 1), ("x", 7), ("y", 7), ("z", 7), ("b", 2), ("c", 3)];
        let other = [("a", 1), ("p", 8), ("q", 8), ("r", 8), ("b", 2), ("c", 3)];
        let text = met(shape, &one, &other).text();
        let first = [("a", 1), ("x", 7), ("y", 7), ("z", 7), ("p", 8), ("q", 8), ("r", 8), ("b", 2), ("c", 3)];
        let second = [("a", 1), ("p", 8), ("q", 8), ("r", 8), ("x", 7), ("y", 7), ("z", 7), ("b", 2), ("c", 3)];
        assert!([first, second].iter().any(|items| (shape.write)(items) == text), "{text}");
    }
}

#[test]
fn an_item_edited_while_another_deletes_it_lives_and_is_flagged() {
    for shape in &SHAPES {
        let replica = met(shape, &[("a", 1), ("b", 9), ("c", 3)], &[("a", 1), ("c", 3)]);
        let conflicts = replica.conflicts();
        assert!(!conflicts.is_empty() && conflicts.iter().all(|it| it.kind == Kind::Deleted), "{conflicts:#?}");
        assert!(replica.text().contains('9'), "{}", replica.text());
    }
}

#[test]
fn two_edits_of_one_field_are_a_conflict_in_one_item() {
    for shape in &SHAPES {
        let replica = met(shape, &[("a", 1), ("b", 8), ("c", 3)], &[("a", 1), ("b", 9), ("c", 3)]);
        assert_eq!(replica.conflicts().len(), 1, "{}", replica.text());
        let expected = [8, 9].map(|n| (shape.write)(&[("a", 1), ("b", n), ("c", 3)]));
        assert!(expected.contains(&replica.text()), "{}", replica.text());
    }
}

/// Two people add an item of one name: it is one item, and what differs in it is flagged.
#[test]
fn two_items_of_one_name_are_one() {
    for shape in SHAPES.iter().filter(|shape| shape.is_named) {
        let one = [("a", 1), ("b", 2), ("c", 3), ("new", 7)];
        let other = [("a", 1), ("b", 2), ("c", 3), ("new", 8)];
        let replica = met(shape, &one, &other);
        assert!([one, other].iter().any(|items| (shape.write)(items) == replica.text()), "{}", replica.text());
        assert_eq!(replica.conflicts().len(), 1);
    }
}

/// Both move one item: it is there once.
#[test]
fn an_item_that_two_people_move_is_there_once() {
    for shape in &SHAPES {
        let (one, other) = ([("b", 2), ("a", 1), ("c", 3)], [("a", 1), ("c", 3), ("b", 2)]);
        let text = met(shape, &one, &other).text();
        assert!([one, other].iter().any(|items| (shape.write)(items) == text), "{text}");
    }
}

/// A move, however far, writes where the item stands and nothing else.
#[test]
fn a_move_is_one_register() {
    for shape in &SHAPES {
        let items: Vec<Item> = ["a", "b", "c", "d", "e", "f"].into_iter().zip(1..).collect();
        let mut all = replicas(1, shape.file, &(shape.write)(&items));
        let before = all[0].document.state().clone();
        let mut moved = items.clone();
        moved.rotate_right(1);
        all[0].save((shape.write)(&moved).as_bytes()).unwrap();
        let written = written(&before, &all[0].document);
        let is_placement = |it: &Register| matches!(it, Register::Fragment { part: Part::Placement, .. });
        assert!(written.len() == 1 && is_placement(&written[0]), "{}: {written:#?}", shape.file);
    }
}

/// The registers of a document that differ from what they were.
fn written(before: &State, document: &Document) -> Vec<Register> {
    let after = document.state();
    let (id, _) = after.shown_epoch().unwrap();
    let registers = after.epoch(id).unwrap().fragments.keys().flat_map(|path| {
        [Part::Content, Part::Placement, Part::Decor].map(|part| Register::Fragment {
            epoch: id.clone(),
            path: path.clone(),
            part,
        })
    });
    registers.filter(|register| before.get(register) != after.get(register)).collect()
}

/// Items that nothing names are told apart by what is in them: what two people add is two items.
#[test]
fn two_items_without_a_name_are_two() {
    for shape in SHAPES.iter().filter(|shape| !shape.is_named) {
        let (one, other) = ([("a", 1), ("b", 2), ("c", 3), ("x", 7)], [("a", 1), ("b", 2), ("c", 3), ("x", 8)]);
        let replica = met(shape, &one, &other);
        let orders = [[("x", 7), ("x", 8)], [("x", 8), ("x", 7)]];
        let expected = orders.map(|added| (shape.write)(&[&BASE[..], &added].concat()));
        assert!(expected.contains(&replica.text()), "{}", replica.text());
        assert_eq!(replica.conflicts(), [], "{}", shape.file);
    }
}

/// Who gives an item another name means the same item: what others edit in it meanwhile goes along.
#[test]
fn an_item_renamed_while_it_is_edited() {
    merges(&[("a", 1), ("new", 2), ("c", 3)], &[("a", 1), ("b", 9), ("c", 3)], &[("a", 1), ("new", 9), ("c", 3)]);
}

#[test]
fn an_order_that_one_turns_round_while_another_edits_inserts_and_deletes() {
    let one = [("c", 3), ("b", 2), ("a", 1)];
    merges(&one, &[("a", 1), ("b", 9), ("c", 3)], &[("c", 3), ("b", 9), ("a", 1)]);
    merges(&one, &[("a", 1), ("c", 3)], &[("c", 3), ("a", 1)]);
    for shape in &SHAPES {
        let replica = met(shape, &one, &[("a", 1), ("b", 2), ("x", 7), ("c", 3)]);
        let text = replica.text();
        let numbers = |text: &str| -> String { text.chars().filter(|c| c.is_ascii_digit()).collect() };
        assert_eq!(numbers(&text).replace('7', ""), numbers(&(shape.write)(&one)), "{text}");
        assert_eq!((numbers(&text).matches('7').count(), replica.conflicts()), (1, vec![]), "{text}");
    }
}
