//! Whatever happens to process, machine and disk in a series of commits: what was acknowledged is there afterwards,
//! whole; what wasn't is there whole or not at all; and the store goes on.

use std::sync::Arc;

use proptest::prelude::*;

use super::fixtures::*;
use super::model::{BatchShape, Model, batch_shape};
use crate::daemon::store::{Batch, LogStore, Store, StoreError};
use crate::simulated::disk::{Fault, SimulatedDisk};

/// What happens between one opening and the next.
#[derive(Debug, Clone)]
struct Round {
    batches: Vec<BatchShape>,
    /// What goes wrong, after how many operations. It can be in the opening.
    fault: Option<(u64, Fault)>,
    restart: Restart,
}

#[derive(Debug, Clone, Copy)]
enum Restart {
    /// Only the process: kill -9, or stopped after an error.
    Process,
    /// The machine; each unsynced sector is there with this likelihood.
    Machine { percent: u32 },
}

fn round() -> impl Strategy<Value = Round> {
    let fault = prop_oneof![3 => Just(Fault::Crash), 1 => Just(Fault::InputOutput), 1 => Just(Fault::NoSpace)];
    let machine = prop_oneof![Just(0u32), Just(50), Just(90), Just(100)];
    let restart = prop_oneof![Just(Restart::Process), machine.prop_map(|percent| Restart::Machine { percent })];
    let batches = proptest::collection::vec(batch_shape(), 0..8);
    (batches, proptest::option::weighted(0.9, (0u64..60, fault)), restart).prop_map(|(batches, fault, restart)| Round {
        batches,
        fault,
        restart,
    })
}

/// Commits until something fails. Gives the batch that failed in a way that leaves open whether it is stored.
fn commit_all(store: &LogStore, batches: &[BatchShape], model: &mut Model) -> Option<Batch> {
    for shape in batches {
        let batch = model.batch(shape);
        match store.commit(&batch) {
            Ok(committed) => {
                model.commit(&batch);
                assert_eq!(committed.last_apply_index, model.applied.len() as u64);
                assert_eq!(&Model::of(store), model);
            }
            Err(StoreError::Full { .. }) => assert_eq!(&Model::of(store), model, "nothing changed"),
            Err(StoreError::Io { .. }) => {
                assert!(matches!(store.commit(&batch), Err(StoreError::Poisoned { .. })));
                assert_eq!(&Model::of(store), model, "reads go on, and show what was acknowledged");
                return Some(batch);
            }
            Err(other) => panic!("{other}"),
        }
    }
    None
}

fn check(seed: u64, rounds: &[Round]) {
    let disk = SimulatedDisk::new(random(seed));
    let open = || LogStore::open(Arc::new(disk.clone()), SMALL, &mut random(seed));
    let mut model = Model::default();
    let mut store_id = None;
    for round in rounds {
        let mut unknown = None;
        if let Some((operations, fault)) = round.fault {
            disk.fail_after(operations, fault);
        }
        match open() {
            Ok(store) => {
                assert_eq!(*store_id.get_or_insert(store.store_id()), store.store_id());
                assert_eq!(Model::of(&store), model);
                unknown = commit_all(&store, &round.batches, &mut model);
            }
            Err(StoreError::Io { .. } | StoreError::Full { .. }) => {}
            Err(other) => panic!("{other}"),
        }
        match round.restart {
            Restart::Process => disk.restart_process(),
            Restart::Machine { percent } => disk.restart_machine(percent),
        }
        let Some(batch) = unknown else { continue };
        let mut with_batch = model.clone();
        with_batch.commit(&batch);
        let reopened = Model::of(&open().unwrap());
        assert!(reopened == model || reopened == with_batch, "a batch is there in part");
        model = reopened;
    }
    let store = open().unwrap();
    assert_eq!(Model::of(&store), model);
    let (document, next) = (document("last"), dot(8, 1));
    let index = model.applied.len() as u64 + 1;
    assert_eq!(store.commit(&changes([change(&document, next, b"last")])).unwrap().last_apply_index, index);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_acknowledged_is_lost_and_nothing_is_there_in_part(
        seed: u64,
        rounds in proptest::collection::vec(round(), 1..8),
    ) {
        check(seed, &rounds);
    }
}

/// Commits of a series that fills several segments.
fn series() -> Vec<Batch> {
    let batch = |sequence| Batch {
        states: vec![("key".into(), Some(vec![1; 700]))],
        ..changes([change(&document("a"), dot(1, sequence), &vec![2; 2_500])])
    };
    (1..=9).map(batch).collect()
}

/// Runs the series with a fault after so many operations, restarts the process if that is wanted, then the machine.
/// Gives how many operations there were.
fn check_series(fault: Option<(u64, Fault)>, restarts_process: bool, percent: u32) -> u64 {
    let batches = series();
    let disk = SimulatedDisk::new(random(u64::from(percent)));
    if let Some((operations, fault)) = fault {
        disk.fail_after(operations, fault);
    }
    let open = || LogStore::open(Arc::new(disk.clone()), SMALL, &mut random(1));
    let stored = |store: &LogStore| usize::try_from(store.last_apply_index().unwrap()).unwrap();
    let acknowledge = |store: &LogStore, from: usize, count: usize| {
        let acknowledged = batches[from..].iter().take(count).take_while(|batch| store.commit(batch).is_ok()).count();
        from + acknowledged
    };
    let mut acknowledged = open().map_or(0, |store| acknowledge(&store, 0, batches.len()));
    let operations = disk.operations();
    let mut possible = acknowledged..=acknowledged + 1;
    if restarts_process {
        disk.restart_process();
        let store = open().unwrap();
        assert!(possible.contains(&stored(&store)));
        acknowledged = acknowledge(&store, stored(&store), 1);
        possible = acknowledged..=acknowledged;
    }
    disk.restart_machine(percent);
    let store = open().unwrap();
    assert!(possible.contains(&stored(&store)), "{} of {acknowledged}", stored(&store));
    assert_eq!(acknowledge(&store, stored(&store), batches.len()), batches.len());
    assert_eq!(store.load(&document("a")).unwrap().unwrap().changes.len(), batches.len());
    operations
}

#[test]
fn a_fault_of_each_single_operation_of_a_series_is_survived() {
    let operations = check_series(None, false, 100);
    assert!(operations > 30, "{operations} operations can't have filled several segments");
    for operation in 0..operations {
        for fault in [Fault::Crash, Fault::InputOutput] {
            for (restarts_process, percent) in [(false, 0), (false, 50), (false, 100), (true, 0), (true, 50)] {
                check_series(Some((operation, fault)), restarts_process, percent);
            }
        }
    }
}
