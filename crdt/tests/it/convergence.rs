//! Random edits on several replicas, exchanged in random orders: the same bytes, valid, nothing lost, nothing invented.

use std::collections::{BTreeMap, BTreeSet};

use murmurate_crdt::value::Value;
use proptest::prelude::*;

use crate::replica::{Replica, deliverable, exchange, replicas, shuffle};

/// One step of a history. Numbers are taken modulo what there is.
#[derive(Debug, Clone)]
enum Step {
    Set { replica: usize, key: usize },
    Add { replica: usize, table: usize },
    Delete { replica: usize, key: usize },
    Line { replica: usize, line: usize },
    Deliver { from: usize, to: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0usize..4, 0usize..9).prop_map(|(replica, key)| Step::Set { replica, key }),
        2 => (0usize..4, 0usize..3).prop_map(|(replica, table)| Step::Add { replica, table }),
        1 => (0usize..4, 0usize..9).prop_map(|(replica, key)| Step::Delete { replica, key }),
        1 => (0usize..4, 0usize..9).prop_map(|(replica, line)| Step::Line { replica, line }),
        3 => (0usize..4, 0usize..4).prop_map(|(from, to)| Step::Deliver { from, to }),
    ];
    proptest::collection::vec(step, 1..24)
}

const TOML: &str = "# head\nk0 = 0\nk1 = 1\nk2 = 2\n\n# free\n\n[t0]\nk3 = 3\nk4 = 4 # note\n\n[t1]\nk5 = 5\nk6 = 6\n\n[t2]\nk7 = 7\nk8 = 8\n";
const KEYS: [&str; 9] = ["k0", "k1", "k2", "t0.k3", "t0.k4", "t1.k5", "t1.k6", "t2.k7", "t2.k8"];

fn json() -> String {
    "{\n  \"k0\": 0,\n  \"k1\": 1,\n  \"k2\": 2,\n  \"t0\": {\n    \"k3\": 3,\n    \"k4\": 4\n  },\n  \"t1\": {\"k5\": 5, \"k6\": 6},\n  \"t2\": {\n    \"k7\": 7,\n    \"k8\": 8\n  }\n}\n".into()
}

/// Carries out a history; returns every value that was ever written.
fn run(all: &mut [Replica], steps: &[Step]) -> BTreeSet<i128> {
    let mut written: BTreeSet<i128> = (0..9).collect();
    let mut next = 100;
    for step in steps {
        next += 1;
        match *step {
            Step::Set { replica, key } => {
                // A key that was deleted is put back, unless its table became something else.
                if all[replica].put(KEYS[key], &next.to_string()).is_ok() {
                    written.insert(next);
                }
            }
            Step::Add { replica, table } => {
                if all[replica].put(&format!("t{table}.new{next}"), &next.to_string()).is_ok() {
                    written.insert(next);
                }
            }
            Step::Delete { replica, key } => all[replica].delete(KEYS[key]),
            Step::Line { replica, line } => edit_line(&mut all[replica], line, next, &mut written),
            Step::Deliver { from, to } => {
                let known: Vec<_> = all[from].written.clone();
                let ready = deliverable(&all[to], &known);
                all[to].receive(&ready);
                all[to].sync_file();
            }
        }
    }
    written
}

/// Replaces the number on one line of the file, as an editor does, at what the file last held.
fn edit_line(replica: &mut Replica, line: usize, next: i128, written: &mut BTreeSet<i128>) {
    let Some(file) = replica.base.file() else { return };
    let text = String::from_utf8(file.bytes.clone()).unwrap();
    let numbered: Vec<usize> = text
        .lines()
        .enumerate()
        .filter(|(_, line)| {
            line.trim_start().starts_with(['k', '"'])
                && line.trim_end_matches(',').ends_with(|c: char| c.is_ascii_digit())
        })
        .map(|(index, _)| index)
        .collect();
    let Some(&chosen) = numbered.get(line % numbered.len().max(1)) else { return };
    let lines: Vec<String> = text
        .lines()
        .enumerate()
        .map(|(index, line)| {
            if index != chosen {
                return line.to_string();
            }
            let comma = if line.ends_with(',') { "," } else { "" };
            let stem = line.trim_end_matches(',').trim_end_matches(|c: char| c.is_ascii_digit());
            format!("{stem}{next}{comma}")
        })
        .collect();
    if replica.save(format!("{}\n", lines.join("\n")).as_bytes()).is_ok() {
        written.insert(next);
    }
}

fn numbers(value: &Value, found: &mut BTreeSet<i128>) {
    match value {
        Value::Integer(number) => {
            found.insert(*number);
        }
        Value::List(items) => items.iter().for_each(|item| numbers(item, found)),
        Value::Table(entries) => entries.values().for_each(|entry| numbers(entry, found)),
        _ => {}
    }
}

fn check(name: &str, text: &str, history: &[Step]) {
    let mut all = replicas(4, name, text);
    let written = run(&mut all, history);
    exchange(&mut all);
    let rendered = all[0].document.render();
    let file = rendered.file().expect("nobody deletes the file");
    let mut shown = BTreeSet::new();
    numbers(&file.meaning().expect("the file means something"), &mut shown);
    assert!(shown.is_subset(&written), "invented: {:?} in\n{}", shown.difference(&written), all[0].text());
    // Whatever stands in no file and no conflict was overwritten by someone who had seen it, or deleted.
    let mut kept: BTreeSet<i128> = shown;
    for conflict in all[0].conflicts() {
        for value in &conflict.values {
            match &value.value {
                Some(value) => numbers(value, &mut kept),
                None => all_numbers(value.text.as_deref().unwrap_or_default(), &mut kept),
            }
        }
    }
    let concurrent_last = last_concurrent(&all);
    for (key, values) in concurrent_last {
        for value in values {
            assert!(
                kept.contains(&value),
                "{key} = {value} is lost from\n{}\n{:#?}",
                all[0].text(),
                all[0].conflicts()
            );
        }
    }
}

fn all_numbers(text: &str, found: &mut BTreeSet<i128>) {
    found.extend(text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse::<i128>().ok()));
}

/// The values that the registers of each key still hold: what nothing has superseded.
fn last_concurrent(all: &[Replica]) -> BTreeMap<String, Vec<i128>> {
    use murmurate_crdt::register::Cell;
    use murmurate_crdt::tree::Content;
    let state = all[0].document.state();
    let (id, _) = state.shown_epoch().unwrap();
    let fragments = &state.epoch(id).unwrap().fragments;
    let values = fragments.iter().map(|(path, fragment)| {
        let numbers = fragment.content.0.iter().filter_map(|candidate| match &candidate.cell {
            Cell::Content(Content::Scalar(text)) => text.parse().ok(),
            _ => None,
        });
        (path.encode(), numbers.collect())
    });
    values.collect()
}

proptest! {
    #![proptest_config(crate::testing::cases(96))]

    #[test]
    fn toml_converges(history in steps()) {
        check("f/app.toml", TOML, &history);
    }

    #[test]
    fn json_converges(history in steps()) {
        check("f/app.json", &json(), &history);
    }

    /// Any delivery order gives the same bytes; duplicates do nothing.
    #[test]
    fn the_order_of_delivery_does_not_matter(history in steps(), order in any::<u64>()) {
        let mut all = replicas(3, "f/app.toml", TOML);
        let history: Vec<Step> = history.into_iter().map(|step| match step {
            Step::Set { replica, key } => Step::Set { replica: replica % 3, key },
            Step::Add { replica, table } => Step::Add { replica: replica % 3, table },
            Step::Delete { replica, key } => Step::Delete { replica: replica % 3, key },
            Step::Line { replica, line } => Step::Line { replica: replica % 3, line },
            Step::Deliver { from, to } => Step::Deliver { from: from % 3, to: to % 3 },
        }).collect();
        run(&mut all, &history);
        let mut changes: Vec<_> = all.iter().flat_map(|replica| replica.written.clone()).collect();
        exchange(&mut all);
        shuffle(&mut changes, &mut order.clone());
        let mut late = Replica::new(9, "f/app.toml");
        late.receive(&changes);
        late.receive(&changes);
        prop_assert_eq!(late.text(), all[0].text());
        prop_assert_eq!(late.conflicts(), all[0].conflicts());
    }
}
