//! Hints from the kernel: something may have changed. Never more than hints; correctness comes from rescans.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{Config, EventKind, INotifyWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::engine::Hint;
use super::limits::HINTS;

/// An absolute path at which something happened, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HintAt {
    pub(crate) path: PathBuf,
    pub(crate) hint: Hint,
}

impl HintAt {
    /// Something may have happened at this absolute path; this and the others are for watchers of simulations.
    #[must_use]
    pub fn touched(path: PathBuf) -> Self {
        Self { path, hint: Hint::Touched }
    }

    /// Something was written at this absolute path.
    #[must_use]
    pub fn changed(path: PathBuf) -> Self {
        Self { path, hint: Hint::Changed }
    }

    /// What is at this absolute path is whole: its writer closed it.
    #[must_use]
    pub fn done(path: PathBuf) -> Self {
        Self { path, hint: Hint::Done }
    }

    /// Something was moved to this absolute path.
    #[must_use]
    pub fn moved(path: PathBuf) -> Self {
        Self { path, hint: Hint::Moved }
    }
}

/// Asks for hints about directories, one by one: a scan watches each directory before it lists it.
pub trait Watch: fmt::Debug + Send + Sync + 'static {
    /// Wants hints about the names in this directory; again is fine.
    ///
    /// # Errors
    /// When there will be none, with the reason: the daemon then looks often instead.
    fn watch(&self, directory: &Path) -> Result<(), String>;

    /// Wants no more of them.
    fn unwatch(&self, directory: &Path);
}

/// Where hints come from.
#[derive(Debug)]
pub struct Hints {
    /// Takes the wishes.
    pub watch: Arc<dyn Watch>,
    /// Gives the hints.
    pub receiver: mpsc::Receiver<HintAt>,
    /// Set when hints were lost: then all folders are scanned.
    pub lost: Arc<AtomicBool>,
}

impl Hints {
    /// Hints from the kernel, by one inotify instance for the whole daemon (a user has 128). Without one, every wish is
    /// refused with the reason.
    #[must_use]
    pub fn from_kernel() -> Self {
        let (sender, receiver) = mpsc::channel(HINTS);
        let lost = Arc::new(AtomicBool::new(false));
        let handler = Handler { sender, lost: Arc::clone(&lost) };
        let config = Config::default().with_follow_symlinks(false);
        let inotify = INotifyWatcher::new(move |event| handler.take(event), config);
        let inotify = inotify.map_err(|error| error.to_string());
        Self { watch: Arc::new(KernelWatch { inotify: Mutex::new(inotify) }), receiver, lost }
    }
}

struct KernelWatch {
    inotify: Mutex<Result<INotifyWatcher, String>>,
}

impl fmt::Debug for KernelWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KernelWatch")
    }
}

impl Watch for KernelWatch {
    fn watch(&self, directory: &Path) -> Result<(), String> {
        let mut inotify = self.inotify.lock().unwrap_or_else(PoisonError::into_inner);
        let inotify = inotify.as_mut().map_err(|why| why.clone())?;
        inotify.watch(directory, RecursiveMode::NonRecursive).map_err(|error| error.to_string())
    }

    fn unwatch(&self, directory: &Path) {
        if let Ok(inotify) = self.inotify.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            // It fails where the kernel already let go of a removed directory.
            let _ = inotify.unwatch(directory);
        }
    }
}

/// Runs on the watcher's thread: must not wait.
struct Handler {
    sender: mpsc::Sender<HintAt>,
    lost: Arc<AtomicBool>,
}

impl Handler {
    fn take(&self, event: notify::Result<notify::Event>) {
        let Ok(event) = event else { return self.lose() };
        if event.need_rescan() {
            return self.lose();
        }
        let Some(hint) = hint_of(event.kind) else { return };
        for path in event.paths {
            if self.sender.try_send(HintAt { path, hint }).is_err() {
                self.lose();
            }
        }
    }

    fn lose(&self) {
        self.lost.store(true, Ordering::Release);
    }
}

/// What an event means for the file it names; nothing for reads, our own among them.
fn hint_of(kind: EventKind) -> Option<Hint> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Hint::Done),
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Some(Hint::Moved),
        EventKind::Create(CreateKind::Folder) => Some(Hint::Done),
        // The two halves of a rename come by themselves.
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => None,
        EventKind::Modify(ModifyKind::Data(_)) => Some(Hint::Changed),
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => {
            Some(Hint::Touched)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{DataChange, Flag, MetadataKind, RemoveKind};

    #[test]
    fn events_become_hints() {
        for (kind, hint) in [
            (EventKind::Access(AccessKind::Close(AccessMode::Write)), Some(Hint::Done)),
            (EventKind::Access(AccessKind::Open(AccessMode::Any)), None),
            (EventKind::Modify(ModifyKind::Name(RenameMode::To)), Some(Hint::Moved)),
            (EventKind::Modify(ModifyKind::Name(RenameMode::From)), Some(Hint::Touched)),
            (EventKind::Modify(ModifyKind::Name(RenameMode::Both)), None),
            (EventKind::Modify(ModifyKind::Data(DataChange::Any)), Some(Hint::Changed)),
            (EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any)), Some(Hint::Touched)),
            (EventKind::Create(CreateKind::File), Some(Hint::Touched)),
            (EventKind::Remove(RemoveKind::File), Some(Hint::Touched)),
        ] {
            assert_eq!(hint_of(kind), hint, "{kind:?}");
        }
    }

    #[test]
    fn lost_events_are_told() {
        let (sender, mut receiver) = mpsc::channel(1);
        let handler = Handler { sender, lost: Arc::default() };
        let created = || Ok(notify::Event::new(EventKind::Create(CreateKind::File)).add_path("/a".into()));
        handler.take(created());
        assert!(!handler.lost.load(Ordering::Acquire));
        handler.take(created());
        assert!(handler.lost.swap(false, Ordering::AcqRel));
        assert_eq!(receiver.try_recv().unwrap().hint, Hint::Touched);
        handler.take(Ok(notify::Event::new(EventKind::Other).set_flag(Flag::Rescan)));
        assert!(handler.lost.load(Ordering::Acquire));
    }
}
