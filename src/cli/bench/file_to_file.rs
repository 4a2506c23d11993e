//! File saved -> file replaced on the other hosts.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use murmurate_client::types::{ApiError, ErrorCode};
use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::super::failure::{self, Stop};
use super::latency::Latency;
use super::load::Load;
use super::report::{Aim, Row};
use super::scratch::{toml_file, value};
use super::{Bed, too_late};

const NAME: &str = "file";
/// Keys of the file: about 500 bytes with short values, like the file that Syncthing was measured with.
const KEYS: usize = 20;
const VALUE_BYTES: usize = 16;
const FILE: &str = "app.toml";
const DEADLINE: Duration = Duration::from_secs(30);
/// Saves are this far apart, so that the daemon's later looks at what it replaced don't fall on the next one.
const PAUSE: Duration = Duration::from_millis(60);
/// Changes in the folders that wait to be looked at.
const NOTICES: usize = 1_024;

pub(super) async fn measure(bed: &Bed) -> Result<Vec<Row>, Stop> {
    let what = format!("file saved -> file replaced on {}", bed.hosts.others_text());
    if bed.hosts.others.is_empty() {
        let why = "no other host's socket is known here; name one with --peer-socket";
        return Ok(vec![Row::missing(NAME, "file saved -> file replaced on the others", why)]);
    }
    let mut dirs = Vec::new();
    for host in bed.hosts.all() {
        dirs.push(bed.scratch.keep(host).await?);
    }
    let (sender, mut notices) = mpsc::channel(NOTICES);
    let notice = move |event: notify::Result<notify::Event>| {
        // Looking at a file is an event too; to look at it again for that would never end.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            // Where so many wait already, the folders are looked at anyway.
            let _ = sender.try_send(());
        }
    };
    let mut watcher = notify::recommended_watcher(notice).map_err(|error| watch_error(&error))?;
    for dir in &dirs[1..] {
        watcher.watch(dir, RecursiveMode::NonRecursive).map_err(|error| watch_error(&error))?;
    }
    let base = toml_file(KEYS, VALUE_BYTES);
    save(&dirs[0], &base)?;
    arrived(&dirs[1..], base.as_bytes(), &mut notices).await?;
    let load = Load::begin();
    let mut times = Vec::new();
    let begin = Instant::now();
    for number in 1.. {
        if begin.elapsed() >= bed.time {
            break;
        }
        tokio::time::sleep(PAUSE + Duration::from_micros(number * 7_919 % 5_000)).await;
        let text = base.replacen(&value(0, VALUE_BYTES), &value(number, VALUE_BYTES), 1);
        let start = Instant::now();
        save(&dirs[0], &text)?;
        times.push(arrived(&dirs[1..], text.as_bytes(), &mut notices).await?.saturating_duration_since(start));
    }
    let latency = Latency::of(times);
    let aim = latency.as_ref().map(|latency| Aim::latency(latency, 10.0, 50.0));
    // The change here; there the change with the intent to write, then the staged file.
    let bound = latency.map(|latency| load.bound(&bed.machine, latency.p50_ms, 3)).unwrap_or_default();
    Ok(vec![Row::latency(NAME, what, latency).aim(aim).bound_by(bound)])
}

/// As editors do it: a new file in the place of the old one.
fn save(dir: &Path, text: &str) -> Result<(), ApiError> {
    let staged = dir.join(".app.toml.swp");
    let saved = std::fs::write(&staged, text).and_then(|()| std::fs::rename(&staged, dir.join(FILE)));
    saved.map_err(|error| failure::io(&format!("save {}", dir.join(FILE).display()), &error))
}

/// When the last of the directories had the file with these bytes.
async fn arrived(dirs: &[PathBuf], bytes: &[u8], notices: &mut mpsc::Receiver<()>) -> Result<Instant, ApiError> {
    let mut missing: Vec<&PathBuf> = dirs.iter().collect();
    let all = async {
        loop {
            missing.retain(|dir| std::fs::read(dir.join(FILE)).ok().as_deref() != Some(bytes));
            if missing.is_empty() {
                return Some(Instant::now());
            }
            notices.recv().await?;
        }
    };
    timeout(DEADLINE, all).await.ok().flatten().ok_or_else(|| too_late("see a saved file on all hosts", DEADLINE))
}

fn watch_error(error: &notify::Error) -> ApiError {
    ApiError::new(ErrorCode::Io, "watch the folders", error.to_string(), "look at fs.inotify.max_user_instances")
}
