//! Stands in for inotify: hints about watched directories, of which some come late and some never. Those of one name come in
//! their order, as they do in the kernel's queue.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use murmurate::daemon::files::{HintAt, Hints, Watch};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use tokio::sync::mpsc;

/// Hints that may wait for the daemon, as in the kernel; with one more, all are told to be lost.
const WAITING_HINTS: usize = 1_024;

/// How unkind it is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Unkindness {
    /// Of 100 hints, how many never come.
    pub(crate) lost_percent: u32,
    /// How late a hint may come.
    pub(crate) delay_ms: u32,
}

/// What a program did to a name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Deed {
    /// Wrote, and has the file still open.
    Wrote,
    /// Closed a file that it wrote.
    Finished,
    /// Moved a file here: `late` if the word of it may come late.
    Moved { late: bool },
    /// Took it away.
    Removed,
}

/// The watches of one machine.
#[derive(Clone)]
pub(crate) struct Watches(Arc<Mutex<State>>);

struct State {
    directories: BTreeSet<PathBuf>,
    sender: Option<mpsc::Sender<HintAt>>,
    lost: Arc<AtomicBool>,
    /// When they come, in the order in which they were made.
    waiting: Vec<(Duration, PathBuf, HintAt)>,
    unkindness: Unkindness,
    now: Duration,
    random: ChaCha20Rng,
}

impl fmt::Debug for Watches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watches")
    }
}

impl Watches {
    pub(crate) fn new(random: ChaCha20Rng) -> Self {
        Self(Arc::new(Mutex::new(State {
            directories: BTreeSet::new(),
            sender: None,
            lost: Arc::default(),
            waiting: Vec::new(),
            unkindness: Unkindness::default(),
            now: Duration::ZERO,
            random,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// What a new daemon gets: nothing is watched yet.
    pub(crate) fn hints(&self) -> Hints {
        let (sender, receiver) = mpsc::channel(WAITING_HINTS);
        let lost = Arc::new(AtomicBool::new(false));
        let state = &mut *self.state();
        (state.sender, state.lost) = (Some(sender), Arc::clone(&lost));
        state.directories.clear();
        state.waiting.clear();
        Hints { watch: Arc::new(self.clone()), receiver, lost }
    }

    pub(crate) fn set_unkindness(&self, unkindness: Unkindness) {
        self.state().unkindness = unkindness;
    }

    /// A program did something to a name.
    pub(crate) fn tell(&self, path: &Path, deed: Deed) {
        let state = &mut *self.state();
        if !path.parent().is_some_and(|directory| state.directories.contains(directory)) {
            return;
        }
        let (lost, late) = (state.random.next_u32() % 100, state.random.next_u32());
        if lost < state.unkindness.lost_percent {
            return;
        }
        let name = path.to_owned();
        let hint = match deed {
            Deed::Wrote => HintAt::changed(name),
            Deed::Finished => HintAt::done(name),
            Deed::Moved { .. } => HintAt::moved(name),
            Deed::Removed => HintAt::touched(name),
        };
        // A late word that a file is whole would be a lie: by then somebody may be writing to it again. What the daemon itself
        // put there it knows.
        let at_once = matches!(deed, Deed::Finished | Deed::Moved { late: false });
        let delay_ms = u64::from(late.checked_rem(state.unkindness.delay_ms).unwrap_or(0));
        let mut at = state.now + if at_once { Duration::ZERO } else { Duration::from_millis(delay_ms) };
        for (before, _, _) in state.waiting.iter_mut().filter(|(_, other, _)| other == path) {
            if at_once {
                *before = (*before).min(at);
            } else {
                at = at.max(*before);
            }
        }
        state.waiting.push((at, path.to_owned(), hint));
    }

    /// Time goes on: hands over what is due, in the order in which it became so.
    pub(crate) fn advance(&self, now: Duration) {
        let state = &mut *self.state();
        state.now = now;
        state.waiting.sort_by_key(|(due, _, _)| *due);
        let due = state.waiting.partition_point(|(due, _, _)| *due <= now);
        for (_, _, hint) in state.waiting.drain(..due) {
            let Some(sender) = &state.sender else { continue };
            if sender.try_send(hint).is_err() {
                state.lost.store(true, Ordering::Release);
            }
        }
    }
}

impl Watch for Watches {
    fn watch(&self, directory: &Path) -> Result<(), String> {
        // A root is watched as `ROOT/`.
        self.state().directories.insert(directory.components().collect());
        Ok(())
    }

    fn unwatch(&self, directory: &Path) {
        self.state().directories.remove(&directory.components().collect::<PathBuf>());
    }
}
