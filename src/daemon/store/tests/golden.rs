//! A store as the first format wrote it: every later build must read it.

use std::sync::Arc;

use murmurate_crdt::clock::VersionVector;

use super::fixtures::*;
use crate::daemon::store::{Batch, LogOptions, LogStore, Store};
use crate::simulated::disk::SimulatedDisk;

const NAME: &str = "segment-0000000001.log";
const GOLDEN: &[u8] = include_bytes!("golden/segment-format-1.log");

fn batches() -> [Batch; 3] {
    let (a, b) = (document("a"), document("b"));
    let first = Batch {
        states: vec![("actor".into(), Some(b"0123456789abcdef".to_vec())), ("gone".into(), Some(b"soon".to_vec()))],
        ..changes([change(&a, dot(1, 1), b"one"), change_after(&a, dot(2, 1), &[dot(1, 1)], b"two")])
    };
    let second = Batch {
        states: vec![("gone".into(), None)],
        snapshots: vec![(a.clone(), VersionVector::from_iter([dot(1, 1), dot(2, 1)]), b"snapshot".to_vec())],
        quarantined: vec![change(&b, dot(3, 1), b"strange")],
        ..Batch::default()
    };
    [first, second, changes([change_after(&a, dot(1, 2), &[dot(2, 1)], b"three")])]
}

fn write_anew() -> Vec<u8> {
    let disk = SimulatedDisk::new(random(1));
    let options = LogOptions { segment_bytes: 1 << 20, allocation_bytes: 0 };
    let store = LogStore::open(Arc::new(disk.clone()), options, &mut random(1)).unwrap();
    batches().iter().for_each(|batch| assert!(store.commit(batch).is_ok()));
    disk.content(NAME)
}

#[test]
fn the_format_is_written_as_it_always_was() {
    let written = write_anew();
    let first_difference = written.iter().zip(GOLDEN).position(|(written, golden)| written != golden);
    assert_eq!((first_difference, written.len()), (None, GOLDEN.len()), "a change of format needs a new version");
}

#[test]
fn a_store_of_the_first_format_is_read() {
    let disk = SimulatedDisk::new(random(1));
    disk.put_file(NAME, GOLDEN);
    let store = open(Arc::new(disk));
    let [first, second, third] = batches();
    let loaded = store.load(&document("a")).unwrap().unwrap();
    assert_eq!(loaded.snapshot.unwrap().bytes, b"snapshot");
    assert_eq!(loaded.changes, third.changes);
    assert_eq!(store.change(&document("a"), dot(2, 1)).unwrap().as_ref(), Some(&first.changes[1]));
    assert_eq!(store.states("").unwrap(), [("actor".to_owned(), b"0123456789abcdef".to_vec())]);
    assert_eq!(store.quarantined_changes(&document("b"), dot(3, 1)).unwrap(), second.quarantined);
    assert_eq!(store.last_apply_index().unwrap(), 3);
    assert_eq!(store.store_id().to_string().len(), 32);
}
