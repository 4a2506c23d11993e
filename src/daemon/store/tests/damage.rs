//! Damaged bytes are found and named. Nothing acknowledged is dropped silently, nothing damaged is given out.

use std::sync::Arc;

use proptest::prelude::*;

use super::fixtures::*;
use crate::daemon::store::{LogStore, Store, StoreError};
use crate::simulated::disk::SimulatedDisk;

const SEGMENTS: [&str; 3] = ["segment-0000000001.log", "segment-0000000002.log", "segment-0000000003.log"];

/// Twelve commits of one change each, in three segments.
fn filled() -> SimulatedDisk {
    filled_with_salt_of(1)
}

fn filled_with_salt_of(seed: u64) -> SimulatedDisk {
    let disk = SimulatedDisk::new(random(1));
    let store = LogStore::open(Arc::new(disk.clone()), SMALL, &mut random(seed)).unwrap();
    for sequence in 1..=12 {
        store.commit(&changes([change(&document("a"), dot(1, sequence), &[3; 1_500])])).unwrap();
    }
    assert!(!disk.content(SEGMENTS[2]).is_empty());
    disk
}

fn reopen(disk: &SimulatedDisk) -> Result<LogStore, StoreError> {
    LogStore::open(Arc::new(disk.clone()), SMALL, &mut random(1))
}

/// Where frames begin in a segment.
fn frames(bytes: &[u8]) -> Vec<usize> {
    (0..bytes.len()).filter(|&at| bytes[at..].starts_with(b"MuFr")).collect()
}

fn check_refused(disk: &SimulatedDisk, file: &str, at: usize) {
    let refusal = reopen(disk).err().expect("damage of acknowledged commits is refused");
    let StoreError::Corrupt { file: found, offset, .. } = &refusal else { panic!("{refusal}") };
    assert!(found.ends_with(file), "{refusal}");
    assert_eq!(*offset, at as u64, "{refusal}");
}

#[test]
fn a_damaged_commit_before_sound_ones_is_refused_by_file_and_offset() {
    for file in SEGMENTS {
        let content = filled().content(file);
        let frames = frames(&content);
        // All of a full segment, all but the last of the last one.
        let acknowledged = if file == SEGMENTS[2] { &frames[..frames.len() - 1] } else { &frames[..] };
        assert!(!acknowledged.is_empty());
        for &frame in acknowledged {
            for byte in [0, 5, 15, 30, 45] {
                let disk = filled();
                disk.damage(file, |bytes| bytes[frame + byte] ^= 1);
                check_refused(&disk, file, frame);
            }
        }
    }
}

#[test]
fn a_zeroed_page_a_cut_segment_and_a_missing_one_are_refused() {
    let disk = filled();
    let first = frames(&disk.content(SEGMENTS[2]))[0];
    disk.damage(SEGMENTS[2], |bytes| bytes[first..first + 512].fill(0));
    check_refused(&disk, SEGMENTS[2], first);

    let disk = filled();
    let last = *frames(&disk.content(SEGMENTS[0])).last().unwrap();
    disk.damage(SEGMENTS[0], |bytes| bytes.truncate(last + 10));
    check_refused(&disk, SEGMENTS[0], last);

    let disk = filled();
    crate::daemon::store::Disk::remove(&disk, SEGMENTS[1]).unwrap();
    assert!(matches!(reopen(&disk), Err(StoreError::Corrupt { .. })));
}

#[test]
fn a_damaged_envelope_is_never_given_out_and_the_others_are() {
    let disk = filled();
    let frame = frames(&disk.content(SEGMENTS[0]))[1];
    disk.damage(SEGMENTS[0], |bytes| bytes[frame + 800] ^= 1);
    let store = reopen(&disk).unwrap();
    let a = document("a");
    let damaged = store.change(&a, dot(1, 2)).unwrap_err().to_string();
    assert!(damaged.contains(SEGMENTS[0]) && damaged.contains("damaged"), "{damaged}");
    assert!(store.load(&a).is_err());
    assert!(store.change(&a, dot(1, 1)).unwrap().is_some());
    assert!(store.change(&a, dot(1, 3)).unwrap().is_some());
}

#[test]
fn a_segment_of_another_store_is_refused() {
    let (disk, other) = (filled(), filled_with_salt_of(2));
    disk.damage(SEGMENTS[1], |bytes| *bytes = other.content(SEGMENTS[1]));
    assert!(matches!(reopen(&disk), Err(StoreError::Corrupt { .. })));
}

#[test]
fn a_change_that_looks_like_a_commit_misleads_no_recovery() {
    let disk = SimulatedDisk::new(random(1));
    let store = open(Arc::new(disk.clone()));
    let donor = filled_with_salt_of(2).content(SEGMENTS[0]);
    let frame = frames(&donor)[1];
    // Sound frames of a store with another salt, and headers only, at each alignment.
    let hostile: Vec<u8> = donor[frame..].iter().copied().chain(b"MuFr\x10\0\0\0\x10\0\0\0".repeat(100)).collect();
    store.commit(&changes([change(&document("a"), dot(1, 1), b"one")])).unwrap();
    store.commit(&changes([change(&document("a"), dot(1, 2), &hostile)])).unwrap();
    drop(store);
    let last = frames(&disk.content(SEGMENTS[0]))[1];
    disk.damage(SEGMENTS[0], |bytes| bytes[last] ^= 1);
    let store = LogStore::open(Arc::new(disk), SMALL, &mut random(1)).unwrap();
    assert_eq!(store.last_apply_index().unwrap(), 1);
}

proptest! {
    #[test]
    fn whatever_is_on_disk_opening_and_reading_never_panic_nor_invent(
        damages in proptest::collection::vec((0usize..3, any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of((0usize..3, any::<prop::sample::Index>())),
    ) {
        let disk = filled();
        let is_single = damages.len() == 1 && cut.is_none();
        for (segment, at, byte) in damages {
            disk.damage(SEGMENTS[segment], |bytes| { let at = at.index(bytes.len()); bytes[at] = byte });
        }
        if let Some((segment, at)) = cut {
            disk.damage(SEGMENTS[segment], |bytes| bytes.truncate(at.index(bytes.len())));
        }
        let Ok(store) = reopen(&disk) else { return Ok(()) };
        let stored = store.last_apply_index().unwrap();
        prop_assert!(!is_single || stored >= 11, "only the last commit can pass for unfinished");
        for sequence in 1..=stored {
            if let Ok(read) = store.change(&document("a"), dot(1, sequence)) {
                prop_assert_eq!(read, Some(change(&document("a"), dot(1, sequence), &[3; 1_500])));
            }
        }
    }
}
