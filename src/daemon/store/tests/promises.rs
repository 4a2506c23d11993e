//! What a commit writes and what reads give, also after the store was dropped and opened again.

use std::sync::{Arc, Mutex};

use murmurate_crdt::clock::{Range, VersionVector};
use murmurate_crdt::id::Generation;

use super::fixtures::*;
use crate::daemon::store::{Batch, LogStore, Store, StoreError};
use crate::simulated::disk::SimulatedDisk;

/// A store in a directory of its own, and that store opened again after it was dropped.
fn check_before_and_after_reopening(write: impl Fn(&LogStore), read: impl Fn(&LogStore)) {
    let directory = tempfile::tempdir().unwrap();
    let store = open_directory(directory.path());
    write(&store);
    read(&store);
    let id = store.store_id();
    drop(store);
    let reopened = open_directory(directory.path());
    assert_eq!(reopened.store_id(), id);
    read(&reopened);
}

#[test]
fn changes_are_read_back_as_they_came_in_apply_order() {
    let (a, b) = (document("a"), document("b"));
    let written = [
        change(&a, dot(1, 1), b"one"),
        change(&b, dot(1, 1), b"two"),
        change_after(&a, dot(2, 1), &[dot(1, 1)], b"three"),
        change_after(&a, dot(1, 2), &[dot(2, 1)], &[7; 40_000]),
    ];
    check_before_and_after_reopening(
        |store| {
            let committed = store.commit(&changes(written[..2].to_vec())).unwrap();
            assert_eq!(committed.changes.iter().map(|change| change.apply_index).collect::<Vec<_>>(), [1, 2]);
            let committed = store.commit(&changes(written[2..].to_vec())).unwrap();
            assert_eq!((committed.changes[1].apply_index, committed.last_apply_index), (4, 4));
        },
        |store| {
            let of_a = [&written[0], &written[2], &written[3]].map(Clone::clone);
            let loaded = store.load(&a).unwrap().unwrap();
            assert_eq!(loaded.changes, of_a);
            assert_eq!(loaded.vector, VersionVector::from_iter([dot(1, 2), dot(2, 1)]));
            assert_eq!(store.change(&b, dot(1, 1)).unwrap().as_ref(), Some(&written[1]));
            assert_eq!(store.change(&b, dot(1, 2)).unwrap(), None);
            assert_eq!(store.load(&document("c")).unwrap(), None);
            let documents = store.documents().unwrap();
            let bytes = of_a.iter().map(|envelope| envelope.bytes().len() as u64).sum::<u64>();
            assert_eq!((&documents[0].document, documents[0].changes, documents[0].bytes), (&a, 3, bytes));
            assert_eq!((&documents[1].document, documents[1].changes), (&b, 1));
        },
    );
}

#[test]
fn ranges_are_read_within_the_budget_and_at_least_one_change_is() {
    let a = document("a");
    let written: Vec<_> = (1..=5).map(|sequence| change(&a, dot(1, sequence), &[0; 100])).collect();
    let size = written[0].bytes().len();
    let range = |first, last| Range { writer: dot(1, 1).writer, first, last };
    check_before_and_after_reopening(
        |store| {
            store.commit(&changes(written.clone())).unwrap();
        },
        |store| {
            let read = |ranges: &[Range], budget| store.changes(&a, ranges, budget).unwrap();
            assert_eq!(read(&[range(2, 9)], usize::MAX), written[1..]);
            assert_eq!(read(&[range(4, 5), range(1, 4)], usize::MAX), written);
            assert_eq!(read(&[range(1, 5)], 2 * size), written[..2]);
            assert_eq!(read(&[range(3, 5)], 0), written[2..3]);
            assert_eq!(read(&[range(6, 7)], usize::MAX), []);
        },
    );
}

#[test]
fn the_same_bytes_again_are_already_stored_and_others_are_refused() {
    let a = document("a");
    let (first, second) = (change(&a, dot(1, 1), b"one"), change(&a, dot(1, 2), b"two"));
    check_before_and_after_reopening(
        |store| {
            store.commit(&changes([first.clone()])).unwrap();
            let again = store.commit(&changes([first.clone(), second.clone(), second.clone()])).unwrap();
            let outcome =
                |position: usize| (again.changes[position].apply_index, again.changes[position].already_stored);
            assert_eq!([outcome(0), outcome(1), outcome(2)], [(1, true), (2, false), (2, true)]);
        },
        |store| {
            let other = Batch {
                states: vec![("key".into(), Some(b"value".to_vec()))],
                ..changes([change(&a, dot(1, 3), b"three"), change(&a, dot(1, 2), b"not two")])
            };
            assert!(
                matches!(store.commit(&other), Err(StoreError::TwoChangesWithOneDot { dot: it, .. }) if it == dot(1, 2))
            );
            assert_eq!(store.last_apply_index().unwrap(), 2);
            assert_eq!(store.state("key").unwrap(), None);
            assert_eq!(store.load(&a).unwrap().unwrap().changes, [first.clone(), second.clone()]);
        },
    );
}

#[test]
fn what_is_out_of_order_is_refused_whole() {
    let a = document("a");
    let directory = tempfile::tempdir().unwrap();
    let store = open_directory(directory.path());
    let refused = |envelopes: Vec<_>| store.commit(&changes(envelopes)).unwrap_err();
    let first = change(&a, dot(1, 1), b"one");
    let gap = refused(vec![first.clone(), change(&a, dot(1, 3), b"three")]);
    assert!(matches!(gap, StoreError::SequenceGap { expected: 2, .. }), "{gap}");
    let early = refused(vec![first.clone(), change_after(&a, dot(2, 1), &[dot(3, 1)], b"early")]);
    assert!(matches!(early, StoreError::DependencyMissing { missing, .. } if missing == dot(3, 1)), "{early}");
    let mut second = envelope(&a, dot(2, 1), &[], b"of a later life");
    second.generation = Generation { number: 1, cut: [1; 32] };
    let other = refused(vec![first.clone(), second.sign(murmurate_crdt::id::MeshId([1; 16]), &key())]);
    assert!(matches!(other, StoreError::OtherGeneration { found: 1, stored: 0, .. }), "{other}");
    let ahead = Batch {
        snapshots: vec![(a.clone(), VersionVector::from_iter([dot(1, 2)]), b"snapshot".to_vec())],
        ..changes([first.clone()])
    };
    assert!(matches!(store.commit(&ahead), Err(StoreError::SnapshotAhead { .. })));
    assert_eq!(store.documents().unwrap(), []);
    assert_eq!(store.commit(&changes([first])).unwrap().last_apply_index, 1);
}

#[test]
fn a_snapshot_stands_for_the_changes_it_includes() {
    let a = document("a");
    let written: Vec<_> = (1..=4).map(|sequence| change(&a, dot(1, sequence), b"change")).collect();
    let snapshot = |last, bytes: &[u8]| (a.clone(), VersionVector::from_iter([dot(1, last)]), bytes.to_vec());
    check_before_and_after_reopening(
        |store| {
            let with_snapshot = |from: usize, to: usize, bytes: &[u8]| Batch {
                snapshots: vec![snapshot(to as u64, bytes)],
                ..changes(written[from..to].to_vec())
            };
            store.commit(&with_snapshot(0, 2, b"older")).unwrap();
            store.commit(&with_snapshot(2, 3, b"newer")).unwrap();
            store.commit(&changes([written[3].clone()])).unwrap();
        },
        |store| {
            let loaded = store.load(&a).unwrap().unwrap();
            let snapshot = loaded.snapshot.unwrap();
            assert_eq!((snapshot.bytes.as_slice(), snapshot.vector.get(dot(1, 1).writer)), (&b"newer"[..], 3));
            assert_eq!(loaded.changes, written[3..]);
            assert_eq!(store.change(&a, dot(1, 1)).unwrap().as_ref(), Some(&written[0]), "the raw log is kept");
        },
    );
}

#[test]
fn states_are_replaced_removed_and_listed_by_prefix() {
    let set = |key: &str, value: &[u8]| (key.to_owned(), Some(value.to_vec()));
    check_before_and_after_reopening(
        |store| {
            let first = vec![set("base/a", b"1"), set("base/b", &[9; 5000]), set("based", b"3"), set("bas", b"")];
            store.commit(&Batch { states: first, ..Batch::default() }).unwrap();
            let second =
                vec![set("base/a", b"5"), ("base/b".into(), None), set("base/c", b"old"), set("base/c", b"new")];
            store.commit(&Batch { states: second, ..Batch::default() }).unwrap();
        },
        |store| {
            let expected = vec![("base/a".to_owned(), b"5".to_vec()), ("base/c".to_owned(), b"new".to_vec())];
            assert_eq!(store.states("base/").unwrap(), expected);
            assert_eq!(store.states("").unwrap().len(), 4);
            assert_eq!(store.state("bas").unwrap(), Some(Vec::new()));
            assert_eq!(store.state("base/b").unwrap(), None);
        },
    );
}

#[test]
fn quarantined_envelopes_are_kept_apart_until_they_are_applied() {
    let a = document("a");
    let (one, other) = (change(&a, dot(1, 1), b"one"), change(&a, dot(1, 1), b"another"));
    let quarantine = |envelopes: &[_]| Batch { quarantined: envelopes.to_vec(), ..Batch::default() };
    check_before_and_after_reopening(
        |store| {
            store.commit(&quarantine(&[one.clone(), one.clone()])).unwrap();
            let again = store.commit(&quarantine(&[other.clone(), one.clone()])).unwrap();
            assert_eq!(again.last_apply_index, 0);
            assert_eq!(store.quarantined_changes(&a, dot(1, 1)).unwrap(), [one.clone(), other.clone()]);
            assert_eq!(store.documents().unwrap(), []);
            store.commit(&changes([one.clone()])).unwrap();
        },
        |store| {
            let kept = store.quarantined().unwrap();
            assert_eq!((kept.len(), &kept[0].document, kept[0].dot), (1, &a, dot(1, 1)));
            assert_eq!(store.quarantined_changes(&a, dot(1, 1)).unwrap(), std::slice::from_ref(&other));
            assert_eq!(store.quarantined_changes(&a, dot(1, 2)).unwrap(), []);
            assert_eq!(store.load(&a).unwrap().unwrap().changes, std::slice::from_ref(&one));
        },
    );
}

#[test]
fn a_reader_resumes_after_any_apply_index() {
    let (a, b) = (document("a"), document("b"));
    check_before_and_after_reopening(
        |store| {
            for sequence in 1..=20 {
                let both = [change(&a, dot(1, sequence), b"change"), change(&b, dot(2, sequence), b"change")];
                store.commit(&changes(both)).unwrap();
            }
        },
        |store| {
            let since = |apply_index, limit| store.applied_since(apply_index, limit).unwrap();
            let all = since(0, usize::MAX);
            assert!(all.iter().zip(1..).all(|(applied, index)| applied.apply_index == index));
            assert_eq!((all.len(), &all[39].document, all[39].dot), (40, &b, dot(2, 20)));
            assert_eq!(since(7, 3), all[7..10]);
            assert_eq!(since(40, 1), []);
            assert_eq!(since(u64::MAX, 1), []);
        },
    );
}

#[test]
fn a_batch_beyond_the_limit_is_refused_and_an_empty_one_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open_directory(directory.path());
    let huge = Batch { states: vec![("huge".into(), Some(vec![0; (64 << 20) + 1]))], ..Batch::default() };
    assert!(matches!(store.commit(&huge), Err(StoreError::BatchTooLarge { .. })));
    let just_too_large = Batch { states: vec![("huge".into(), Some(vec![0; 64 << 20]))], ..Batch::default() };
    assert!(matches!(store.commit(&just_too_large), Err(StoreError::BatchTooLarge { .. })));
    let long_key = Batch { states: vec![("k".repeat(5000), None)], ..Batch::default() };
    assert!(matches!(store.commit(&long_key), Err(StoreError::BatchTooLarge { .. })));
    assert_eq!(store.commit(&Batch::default()).unwrap().last_apply_index, 0);
    assert_eq!(store.commit(&changes([change(&document("a"), dot(1, 1), b"one")])).unwrap().last_apply_index, 1);
}

#[test]
fn reads_wait_for_no_sync_and_see_nothing_before_it_ends() {
    let disk = SimulatedDisk::new(random(1));
    let store = Arc::new(open(Arc::new(disk.clone())));
    let a = document("a");
    let (one, two) = (change(&a, dot(1, 1), b"one"), change(&a, dot(1, 2), b"two"));
    store.commit(&changes([one.clone()])).unwrap();
    let seen = Arc::new(Mutex::new(None));
    // The reads run within the sync: if one waited for the commit, neither would ever end.
    disk.during_next_sync({
        let (store, seen) = (Arc::clone(&store), Arc::clone(&seen));
        move || *seen.lock().unwrap() = Some((store.load(&document("a")), store.last_apply_index()))
    });
    store.commit(&changes([two.clone()])).unwrap();
    let (loaded, last_apply_index) = seen.lock().unwrap().take().unwrap();
    assert_eq!((loaded.unwrap().unwrap().changes, last_apply_index.unwrap()), (vec![one.clone()], 1));
    assert_eq!(store.load(&a).unwrap().unwrap().changes, [one, two]);
}
