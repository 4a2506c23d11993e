//! A full disk is waited out; a failing one ends all writing until the store is opened again.

use std::sync::Arc;

use super::fixtures::*;
use crate::daemon::store::{Batch, Store, StoreError};
use crate::simulated::disk::{Fault, SimulatedDisk};

fn batch(sequence: u64) -> Batch {
    changes([change(&document("a"), dot(1, sequence), &[1; 3_000])])
}

#[test]
fn a_full_disk_refuses_commits_until_there_is_space() {
    // The space may end at any write of a commit: of the frame, of the zeros ahead of it, of a new segment.
    for operations in 0..40 {
        let disk = SimulatedDisk::new(random(operations));
        let store = open(Arc::new(disk.clone()));
        disk.fail_after(operations, Fault::NoSpace);
        let mut refusals = 0;
        for sequence in 1..=8 {
            while let Err(error) = store.commit(&batch(sequence)) {
                // Naming a segment needs space in the directory. That can't be told from a failing disk.
                assert!(matches!(error, StoreError::Full { .. } | StoreError::Io { attempted: "name", .. }), "{error}");
                if !matches!(error, StoreError::Full { .. }) {
                    return;
                }
                refusals += 1;
                assert_eq!(store.last_apply_index().unwrap(), sequence - 1);
            }
        }
        assert!(refusals <= 1);
        drop(store);
        disk.restart_machine(0);
        assert_eq!(open(Arc::new(disk)).load(&document("a")).unwrap().unwrap().changes.len(), 8);
    }
}

#[test]
fn a_commit_begun_without_enough_space_and_given_up_leaves_no_trace() {
    // A part of its frame may stay at the end of a segment, when the next commit is so large that it begins another.
    let mut refusals = 0;
    for seed in 0..60 {
        let disk = SimulatedDisk::new(random(seed));
        let store = open(Arc::new(disk.clone()));
        store.commit(&batch(1)).unwrap();
        disk.fail_after(seed % 3, Fault::NoSpace);
        let given_up = changes([change(&document("b"), dot(1, 1), &[2; 600])]);
        if store.commit(&given_up).is_ok() {
            continue;
        }
        refusals += 1;
        store.commit(&changes([change(&document("a"), dot(1, 2), &[3; 7_000])])).unwrap();
        drop(store);
        let stored = open(Arc::new(disk)).documents().unwrap();
        assert_eq!((stored.len(), stored[0].changes), (1, 2));
    }
    assert!(refusals >= 20, "{refusals}");
}

#[test]
fn after_a_failed_sync_all_writing_ends_and_no_sync_is_tried_again() {
    let disk = SimulatedDisk::new(random(1));
    let store = open(Arc::new(disk.clone()));
    store.commit(&batch(1)).unwrap();
    // The second commit's frame fits into the zeros after the first: one write, then the sync.
    let small = changes([change(&document("a"), dot(1, 2), b"two")]);
    disk.fail_after(1, Fault::InputOutput);
    let failed = store.commit(&small).unwrap_err();
    assert!(matches!(failed, StoreError::Io { attempted: "sync", .. }), "{failed}");
    let operations = disk.operations();
    for _ in 0..3 {
        let refused = store.commit(&small).unwrap_err().to_string();
        assert!(refused.contains("takes no writes") && refused.contains("sync"), "{refused}");
    }
    assert_eq!(disk.operations(), operations);
    assert_eq!(store.last_apply_index().unwrap(), 1);
    assert!(store.change(&document("a"), dot(1, 1)).unwrap().is_some(), "reads go on");
    drop(store);
    let reopened = open(Arc::new(disk));
    reopened.commit(&small).unwrap();
    assert_eq!(reopened.last_apply_index().unwrap(), 2);
}

#[test]
fn a_store_of_a_newer_format_is_refused_and_left_alone() {
    let disk = SimulatedDisk::new(random(1));
    open(Arc::new(disk.clone())).commit(&batch(1)).unwrap();
    let name = "segment-0000000001.log";
    disk.damage(name, |bytes| bytes[8] = 2);
    let before = disk.content(name);
    let refusal = crate::daemon::store::LogStore::open(Arc::new(disk.clone()), SMALL, &mut random(1)).err().unwrap();
    assert!(matches!(refusal, StoreError::NewerFormat { found: 2, supported: 1, .. }), "{refusal}");
    assert!(refusal.to_string().contains(name), "{refusal}");
    assert_eq!(disk.content(name), before);
}
