//! Programs that read or write a file while the mesh changes it (P8).

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::harness::{Host, Mesh, eventually, poll, report, seeded};

const CHANGES: u64 = 1_000;
const KEYS: u64 = 20;

/// A file whose keys fit together only within one version.
fn version(number: u64) -> String {
    let mut text = format!("# Version by version.\nversion = {number}\n\n[values]\n");
    for key in 0..KEYS {
        writeln!(text, "key_{key} = {}", number * (key + 1)).unwrap();
    }
    text + "\n[check]\nsum = " + &(number * KEYS * (KEYS + 1) / 2).to_string() + "\n"
}

/// Reads until told to stop, and gives how many versions were seen.
fn read_on(host: &Host, stop: &AtomicBool) -> usize {
    let mut seen = BTreeSet::new();
    while !stop.load(Ordering::Relaxed) {
        let text = host.text("v.toml");
        let table: toml::Table = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let number = u64::try_from(table["version"].as_integer().unwrap()).unwrap();
        assert_eq!(text, version(number));
        assert!(seen.last().is_none_or(|last| *last <= number), "{number} after {seen:?}");
        seen.insert(number);
    }
    seen.len()
}

#[test]
fn readers_never_see_a_partial_file() {
    let mesh = Mesh::start(3);
    mesh.hosts[1].save("v.toml", version(0));
    mesh.everywhere("v.toml", version(0));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers = [0, 2].map(|host| {
            let (host, stop) = (&mesh.hosts[host], &stop);
            scope.spawn(move || read_on(host, stop))
        });
        let _stop = StopOnDrop(&stop);
        let client = mesh.hosts[1].client();
        for number in 1..=CHANGES {
            client.write_file("config/v.toml", &version(number)).unwrap();
            assert!(!readers.iter().any(std::thread::ScopedJoinHandle::is_finished), "a reader gave up");
        }
        mesh.everywhere("v.toml", version(CHANGES));
        stop.store(true, Ordering::Relaxed);
        for seen in readers.map(|reader| reader.join().unwrap()) {
            report(&format!("a reader saw {seen} versions of {CHANGES}"));
            assert!(seen > 1);
        }
    });
}

/// Lets the other threads end when this one fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

const SAVES: usize = 100;

/// What an editor saved: the keys that were in the file each time.
type Saves = Vec<BTreeSet<String>>;

/// Reads the file, adds a line of its own, saves; again and again, each time after a remote change came in between.
fn edit_on(host: &Host, path: &str, seed: u64, save: impl Fn(&Path, &str, Duration) -> String) -> Saves {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut saves = Vec::new();
    let mut saved = String::new();
    for number in 0..SAVES {
        let text = || remote(&host.text(path)).map(str::to_owned);
        let changed = || if text().as_deref() == remote(&saved) { Err(String::new()) } else { Ok(()) };
        poll(changed).unwrap_or_else(|_| panic!("no remote change came to {path}:\n{saved}"));
        let pause = Duration::from_micros(u64::from(rng.next_u32() % 20_000));
        saved = save(&host.path(path), &format!("save_{number} = {number}\n"), pause);
        saves.push(keys(&saved));
    }
    saves
}

/// Saves as editors do that keep a file open: what they write over is surely what they read.
fn save_in_place(path: &Path, line: &str, pause: Duration) -> String {
    let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    std::thread::sleep(pause);
    text.push_str(line);
    file.set_len(0).unwrap();
    file.write_all_at(text.as_bytes(), 0).unwrap();
    text
}

/// Saves as editors do that write a new file and move it over.
fn save_by_rename(path: &Path, line: &str, pause: Duration) -> String {
    // Anywhere between two writes of the daemon, with as little as possible between reading and moving.
    std::thread::sleep(pause);
    let beside = path.parent().unwrap().with_file_name("beside");
    let text = fs::read_to_string(path).unwrap() + line;
    fs::write(&beside, &text).unwrap();
    fs::rename(beside, path).unwrap();
    text
}

fn remote(text: &str) -> Option<&str> {
    text.lines().find(|line| line.starts_with("remote"))
}

fn keys(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key.to_owned()).collect()
}

/// Every save's own key is there. Who moves a file over another may leave out what came to that since it was read: its
/// own former save too, if a write of the daemon came between.
fn check_saves(path: &str, text: &str, saves: &Saves) -> Result<(), String> {
    let present = keys(text);
    let left_out =
        |number: usize, key: &str| path == BY_RENAME && saves[number + 1..].iter().any(|later| !later.contains(key));
    let all = (0..SAVES).map(|number| (number, format!("save_{number}")));
    let lost: Vec<_> = all.filter(|(number, key)| !present.contains(key) && !left_out(*number, key)).collect();
    if lost.is_empty() { Ok(()) } else { Err(format!("lost {lost:?} in\n{text}")) }
}

const IN_PLACE: &str = "in-place.toml";
const BY_RENAME: &str = "by-rename.toml";

/// Changes both files by the API of another host until told to stop.
fn change_on(host: &Host, stop: &AtomicBool) {
    let client = host.client();
    for number in 1_u64.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        for path in [IN_PLACE, BY_RENAME] {
            client.put(&format!("config/{path}#remote"), &number.to_string()).unwrap();
        }
    }
}

#[test]
fn an_editor_never_loses_a_save_to_remote_changes() {
    let mut rng = seeded("an_editor_never_loses_a_save_to_remote_changes");
    let seeds = [rng.next_u64(), rng.next_u64()];
    let mesh = Mesh::start(3);
    for path in [IN_PLACE, BY_RENAME] {
        mesh.hosts[0].save(path, "remote = 0\n");
        mesh.everywhere(path, "remote = 0\n");
    }
    let stop = AtomicBool::new(false);
    let [in_place, by_rename] = std::thread::scope(|scope| {
        scope.spawn(|| change_on(&mesh.hosts[1], &stop));
        let _stop = StopOnDrop(&stop);
        let host = &mesh.hosts[0];
        let in_place = scope.spawn(|| edit_on(host, IN_PLACE, seeds[0], save_in_place));
        let by_rename = scope.spawn(|| edit_on(host, BY_RENAME, seeds[1], save_by_rename));
        [in_place, by_rename].map(|editor| editor.join().unwrap())
    });
    for (path, saves) in [(IN_PLACE, in_place), (BY_RENAME, by_rename)] {
        for host in &mesh.hosts {
            let check = || check_saves(path, &host.text(path), &saves);
            eventually(&mesh, &format!("{} has every save", host.name), check);
        }
        mesh.settle();
        let text = mesh.same_everywhere(path, |text| check_saves(path, text, &saves).is_ok());
        toml::from_str::<toml::Table>(&text).unwrap();
    }
}
