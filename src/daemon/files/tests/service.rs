//! The service with the kernel's hints: what only shows with real time, threads and editors.
//!
//! Everything is waited for by condition, with a deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use murmurate_net::environment::Environment;
use tokio::sync::mpsc;

use crate::daemon::files::filesystem::FileSystem;
use crate::daemon::files::message::{
    ContentHash, FileCommand, FileEvent, FolderTrouble, SaveKind, Ticket, WriteFailure,
};
use crate::daemon::files::{FileService, Hints, HostFileSystem, Watch};

/// Far above what anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

struct Daemon {
    directory: tempfile::TempDir,
    commands: mpsc::Sender<FileCommand>,
    events: mpsc::Receiver<FileEvent>,
}

impl Daemon {
    /// A daemon with one empty folder, after its first scan.
    async fn start() -> Self {
        let (commands, events) = FileService::start(Environment::system());
        Self { directory: tempfile::tempdir().unwrap(), commands, events }.with_folder().await
    }

    async fn with_folder(mut self) -> Self {
        let (root, known, recent) = (self.root(), BTreeMap::new(), BTreeSet::new());
        self.send(FileCommand::AddFolder { folder: "web".into(), root, known, recent, joining: true, patterns: None })
            .await;
        self.until(|event| matches!(event, FileEvent::Scanned { .. })).await;
        self
    }

    fn root(&self) -> PathBuf {
        self.directory.path().to_path_buf()
    }

    async fn send(&self, command: FileCommand) {
        self.commands.send(command).await.unwrap();
    }

    async fn next(&mut self) -> FileEvent {
        tokio::time::timeout(DEADLINE, self.events.recv()).await.expect("an event in time").expect("the service lives")
    }

    /// All events up to the first that `is_last`.
    async fn until(&mut self, mut is_last: impl FnMut(&FileEvent) -> bool) -> Vec<FileEvent> {
        let mut events = Vec::new();
        loop {
            events.push(self.next().await);
            if events.last().is_some_and(&mut is_last) {
                return events;
            }
        }
    }

    async fn write(&self, ticket: u64, content: &str, replaces: Option<ContentHash>) {
        let bytes = Bytes::copy_from_slice(content.as_bytes());
        let (folder, path, ticket) = ("web".into(), "app.toml".into(), Ticket(ticket));
        self.send(FileCommand::Write { ticket, folder, path, bytes, executable: false, replaces }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_save_is_told_a_write_is_done_and_own_writes_are_no_saves() {
    let mut daemon = Daemon::start().await;
    let path = daemon.root().join("app.toml");
    fs::write(&path, "a = 1\n").unwrap();
    let saved = daemon.next().await;
    let FileEvent::Saved { hash, kind: SaveKind::Edit, .. } = &saved else { panic!("{saved:?}") };
    assert_eq!(*hash, ContentHash::of(b"a = 1\n"));
    daemon.write(1, "a = 2\n", Some(*hash)).await;
    let new = ContentHash::of(b"a = 2\n");
    assert_eq!(daemon.next().await, FileEvent::Written { ticket: Ticket(1), hash: new });
    assert_eq!(fs::read(&path).unwrap(), b"a = 2\n");
    // Whatever the write's own events were, a scan is over after them, and then the delete is the next thing told.
    daemon.send(FileCommand::Rescan { folder: "web".into() }).await;
    assert_eq!(daemon.next().await, FileEvent::Scanned { folder: "web".into() });
    fs::remove_file(&path).unwrap();
    assert_eq!(daemon.next().await, FileEvent::Deleted { folder: "web".into(), path: "app.toml".into() });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_files_in_a_brand_new_tree_are_all_seen() {
    let mut daemon = Daemon::start().await;
    let mut expected = BTreeSet::new();
    for index in 0..1000 {
        let path = format!("new/{}/{}/{index}.toml", index % 7, index % 11);
        let on_disk = daemon.root().join(&path);
        fs::create_dir_all(on_disk.parent().unwrap()).unwrap();
        fs::write(on_disk, format!("n = {index}\n")).unwrap();
        expected.insert(path);
    }
    while !expected.is_empty() {
        if let FileEvent::Saved { path, bytes, .. } = daemon.next().await {
            assert_eq!(bytes, fs::read(daemon.root().join(&path)).unwrap());
            expected.remove(&path);
        }
    }
}

/// What editors have saved, and which of it was told.
#[derive(Debug, Default)]
struct Saves {
    told: Mutex<BTreeSet<String>>,
    stop: AtomicBool,
    made: AtomicUsize,
}

/// Saves unique contents, each after the one before was told. The pacing is the editor's own.
fn edit(path: PathBuf, in_place: bool, saves: Arc<Saves>) {
    let temporary = path.with_file_name(format!(".{in_place}.swp"));
    let mut number = 0;
    while !saves.stop.load(Ordering::Relaxed) {
        number += 1;
        let content = format!("edit in place {in_place}, number {number}\n");
        if in_place {
            fs::write(&path, &content).unwrap();
        } else {
            fs::write(&temporary, &content).unwrap();
            fs::rename(&temporary, &path).unwrap();
        }
        saves.made.fetch_add(1, Ordering::Relaxed);
        let mut waited = Duration::ZERO;
        while !saves.told.lock().unwrap().contains(&content) {
            assert!(waited < DEADLINE, "{content:?} was never told");
            std::thread::sleep(Duration::from_millis(1));
            waited += Duration::from_millis(1);
        }
    }
}

/// Polls the file as a program would. Returns how many different contents it saw.
fn poll(path: PathBuf, saves: Arc<Saves>) -> usize {
    let mut seen = BTreeSet::new();
    while !saves.stop.load(Ordering::Relaxed) {
        let content = fs::read_to_string(&path).unwrap();
        let whole = content.starts_with("edit") || content.starts_with("merged");
        assert!(whole && content.ends_with('\n'), "half a file: {:?}", &content[..content.len().min(80)]);
        assert!(content.starts_with("edit") || content.len() == MERGED_BYTES, "{} bytes", content.len());
        seen.insert(content);
    }
    seen.len()
}

const MERGED_BYTES: usize = 20_000;

fn merged(number: u64) -> String {
    let head = format!("merged {number}\n");
    let body = "x".repeat(MERGED_BYTES - head.len() - 1);
    format!("{head}{body}\n")
}

/// Writes 1,000 times while an editor saves, and on until it saved often enough; every save must be told. A save into a
/// file that was just swapped out is told up to two seconds later, and 1,000 writes can be over before that.
async fn race(in_place: bool, with_reader: bool) {
    const WRITES: u64 = 1000;
    const SAVES: usize = 4;
    const MOST_WRITES: u64 = 200 * WRITES;
    let mut daemon = Daemon::start().await;
    let path = daemon.root().join("app.toml");
    daemon.write(0, &merged(0), None).await;
    let FileEvent::Written { mut hash, .. } = daemon.next().await else { panic!("not written") };
    let saves = Arc::new(Saves::default());
    let (editor_path, editor_saves) = (path.clone(), Arc::clone(&saves));
    let editor = tokio::task::spawn_blocking(move || edit(editor_path, in_place, editor_saves));
    let reader_saves = Arc::clone(&saves);
    let reader = with_reader.then(|| tokio::task::spawn_blocking(move || poll(path, reader_saves)));
    let mut written = 0;
    while written < WRITES || saves.made.load(Ordering::Relaxed) < SAVES {
        assert!(!editor.is_finished(), "the editor gave up");
        assert!(written < MOST_WRITES, "the editor saved only {} times", saves.made.load(Ordering::Relaxed));
        daemon.write(written + 1, &merged(written + 1), Some(hash)).await;
        loop {
            match daemon.next().await {
                FileEvent::Saved { bytes, hash: saved, kind, .. } => {
                    assert!(bytes.starts_with(b"edit") && bytes.ends_with(b"\n"), "nobody saved {bytes:?}");
                    saves.told.lock().unwrap().insert(String::from_utf8(bytes.to_vec()).unwrap());
                    match kind {
                        SaveKind::Late { receipt, .. } => {
                            daemon.send(FileCommand::Taken { folder: "web".into(), receipt }).await;
                        }
                        _ => hash = saved,
                    }
                }
                FileEvent::Written { hash: new, .. } => {
                    hash = new;
                    written += 1;
                    break;
                }
                FileEvent::WriteFailed { why: WriteFailure::Raced, .. } => break,
                other => panic!("{other:?}"),
            }
        }
    }
    saves.stop.store(true, Ordering::Relaxed);
    // The last save may still be on its way.
    while !editor.is_finished() {
        if let Ok(Some(FileEvent::Saved { bytes, .. })) =
            tokio::time::timeout(Duration::from_millis(10), daemon.events.recv()).await
        {
            saves.told.lock().unwrap().insert(String::from_utf8(bytes.to_vec()).unwrap());
        }
    }
    editor.await.unwrap();
    if let Some(reader) = reader {
        assert!(reader.await.unwrap() > 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_save_by_rename_is_lost_to_a_thousand_writes_and_no_reader_sees_half_a_file() {
    race(false, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_save_in_place_is_lost_to_a_thousand_writes() {
    race(true, false).await;
}

/// A kernel without watches left.
#[derive(Debug)]
struct NoWatches;

impl Watch for NoWatches {
    fn watch(&self, _: &std::path::Path) -> Result<(), String> {
        Err("no watches left".into())
    }

    fn unwatch(&self, _: &std::path::Path) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_watches_folders_are_polled_and_that_is_told() {
    let (_sender, receiver) = mpsc::channel(1);
    let hints = Hints { watch: Arc::new(NoWatches), receiver, lost: Arc::default() };
    let system: Arc<dyn FileSystem> = Arc::new(HostFileSystem);
    let (commands, events) = FileService::start_with(Environment::system(), system, hints);
    let mut daemon = Daemon { directory: tempfile::tempdir().unwrap(), commands, events };
    let (root, known, recent) = (daemon.root(), BTreeMap::new(), BTreeSet::new());
    daemon
        .send(FileCommand::AddFolder { folder: "web".into(), root, known, recent, joining: true, patterns: None })
        .await;
    let events = daemon.until(|event| matches!(event, FileEvent::Scanned { .. })).await;
    let polling = |event: &FileEvent| matches!(event, FileEvent::FolderTrouble { why: FolderTrouble::Polling(_), .. });
    assert!(events.iter().any(polling), "{events:?}");
    fs::write(daemon.root().join("a"), "a").unwrap();
    assert!(matches!(daemon.next().await, FileEvent::Saved { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_within_folders_and_unknown_ones_are_refused_and_each_command_is_answered() {
    let mut daemon = Daemon::start().await;
    for root in [daemon.root().join("below"), daemon.root(), PathBuf::from("relative")] {
        let (known, recent) = (BTreeMap::new(), BTreeSet::new());
        daemon
            .send(FileCommand::AddFolder { folder: "other".into(), root, known, recent, joining: true, patterns: None })
            .await;
        let answer = daemon.next().await;
        assert!(matches!(answer, FileEvent::FolderTrouble { why: FolderTrouble::Refused(_), .. }), "{answer:?}");
    }
    daemon.send(FileCommand::RemoveFolder { folder: "web".into() }).await;
    daemon.write(9, "x", None).await;
    assert_eq!(daemon.next().await, FileEvent::WriteFailed { ticket: Ticket(9), why: WriteFailure::UnknownFolder });
    drop(daemon.commands);
    assert_eq!(tokio::time::timeout(DEADLINE, daemon.events.recv()).await, Ok(None));
}
