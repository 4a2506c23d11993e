//! Long random histories over real files: every kind of edit, partial deliveries, late file syncs, restarts.
//!
//! ```text
//!  replica 0  ──edit──put──────────▶ sync ──edit──┐
//!  replica 1  ──edit── deliver some ──────────────┼── exchange in any order ──▶ all checks ──▶ resolve all
//!  replica 2  ──delete file──reload── resolve ────┘
//! ```

mod checks;
mod edits;

use proptest::prelude::*;

pub(crate) use self::checks::{Ledger, invalid};
pub(crate) use self::edits::{EDITS, Edit};
use crate::corpus::corpus;
use crate::replica::{Replica, deliverable};

/// Larger files say nothing that smaller ones don't, and take longer.
const FILE_BYTES: usize = 1_700;

#[derive(Debug, Clone)]
enum Step {
    /// Saves an edit of the file as it was last synced.
    Save {
        replica: usize,
        edits: Vec<(Edit, usize)>,
    },
    Put {
        replica: usize,
        at: usize,
    },
    DeleteKey {
        replica: usize,
        at: usize,
    },
    RemoveFile {
        replica: usize,
    },
    Resolve {
        replica: usize,
        at: usize,
    },
    /// Hands over some of what the other lacks.
    Deliver {
        from: usize,
        to: usize,
        percent: usize,
    },
    /// The render is written to the file.
    Sync {
        replica: usize,
    },
    /// Saves the document and loads it again.
    Reload {
        replica: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let replica = || 0usize..4;
    let edit = || (proptest::sample::select(&EDITS[..]), any::<u16>().prop_map(usize::from));
    let step = prop_oneof![
        12 => (replica(), proptest::collection::vec(edit(), 1..4)).prop_map(|(replica, edits)| Step::Save { replica, edits }),
        3 => (replica(), any::<u16>()).prop_map(|(replica, at)| Step::Put { replica, at: at.into() }),
        2 => (replica(), any::<u16>()).prop_map(|(replica, at)| Step::DeleteKey { replica, at: at.into() }),
        1 => replica().prop_map(|replica| Step::RemoveFile { replica }),
        2 => (replica(), any::<u16>()).prop_map(|(replica, at)| Step::Resolve { replica, at: at.into() }),
        5 => (replica(), replica(), 1usize..=100).prop_map(|(from, to, percent)| Step::Deliver { from, to, percent }),
        4 => replica().prop_map(|replica| Step::Sync { replica }),
        1 => replica().prop_map(|replica| Step::Reload { replica }),
    ];
    proptest::collection::vec(step, 1..20)
}

/// A history: its file, how many replicas, what they do, and in which order changes arrive at the end.
#[derive(Debug, Clone)]
struct History {
    file: usize,
    replicas: usize,
    steps: Vec<Step>,
    order: u64,
}

fn histories() -> impl Strategy<Value = History> {
    (any::<u16>(), 2usize..=4, steps(), any::<u64>()).prop_map(|(file, replicas, steps, order)| History {
        file: file.into(),
        replicas,
        steps,
        order,
    })
}

fn check(folder: &str, history: &History) {
    let files: Vec<_> = corpus(folder).into_iter().filter(|(_, bytes)| bytes.len() <= FILE_BYTES).collect();
    let (name, bytes) = &files[history.file % files.len()];
    let mut all: Vec<Replica> =
        (0..history.replicas).map(|number| Replica::new(u8::try_from(number).unwrap(), &format!("f/{name}"))).collect();
    let mut ledger = Ledger::new(bytes);
    all[0].save(bytes).unwrap();
    let first = all[0].written.clone();
    for replica in &mut all[1..] {
        replica.receive(&first);
        replica.sync_file();
    }
    for step in &history.steps {
        run(&mut all, step, &mut ledger);
    }
    ledger.check_exchanged(&mut all, history.order);
    ledger.check_resolved(&mut all, history.order);
}

fn run(all: &mut [Replica], step: &Step, ledger: &mut Ledger) {
    let count = all.len();
    match step {
        Step::Save { replica, edits } => ledger.save(&mut all[replica % count], edits),
        Step::Put { replica, at } => ledger.put(&mut all[replica % count], *at),
        Step::DeleteKey { replica, at } => ledger.delete_key(&mut all[replica % count], *at),
        Step::RemoveFile { replica } => ledger.remove_file(&mut all[replica % count]),
        Step::Resolve { replica, at } => ledger.resolve(&mut all[replica % count], *at),
        Step::Deliver { from, to, percent } => {
            let known = all[from % count].known.clone();
            let to = &mut all[to % count];
            let mut ready = deliverable(to, &known);
            ready.truncate((ready.len() * percent).div_ceil(100));
            to.receive(&ready);
        }
        Step::Sync { replica } => all[replica % count].sync_file(),
        Step::Reload { replica } => checks::reload(&mut all[replica % count]),
    }
}

proptest! {
    #![proptest_config(crate::testing::cases(24))]

    #[test]
    fn toml_files_merge(history in histories()) {
        check("toml", &history);
    }

    #[test]
    fn json_files_merge(history in histories()) {
        check("json", &history);
    }

    #[test]
    fn yaml_files_merge(history in histories()) {
        check("yaml", &history);
    }

    #[test]
    fn env_files_merge(history in histories()) {
        check("env", &history);
    }

    #[test]
    fn ini_files_merge(history in histories()) {
        check("ini", &history);
    }

    #[test]
    fn block_files_merge(history in histories()) {
        check("blocks", &history);
    }

    #[test]
    fn text_files_merge(history in histories()) {
        check("text", &history);
    }
}
