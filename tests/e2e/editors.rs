//! Real editors and tools save files of a watched folder while remote changes to the same files come in. Nothing is lost,
//! nothing is taken in half, and no write of the daemon comes back as an edit. Tools that aren't there are named.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::harness::{Host, Mesh, eventually, report, run, seeded};

/// How a line gets to the end of a file.
#[derive(Clone, Copy)]
struct Tool {
    name: &'static str,
    /// The program it needs.
    program: &'static str,
    /// Given the file, the line, and an empty directory outside of the folder.
    save: fn(&Path, &str, &Path),
}

const TOOLS: &[Tool] = &[
    Tool { name: "vim", program: "vim", save: |file, line, aside| vim(file, line, aside, "") },
    Tool { name: "vim-copy", program: "vim", save: |file, line, aside| vim(file, line, aside, "set backupcopy=yes\n") },
    Tool {
        name: "vim-rename",
        program: "vim",
        save: |file, line, aside| vim(file, line, aside, "set backupcopy=no backup\n"),
    },
    Tool {
        name: "vim-undo",
        program: "vim",
        save: |file, line, aside| vim(file, line, aside, "silent! set undofile undodir=.\n"),
    },
    Tool { name: "emacs", program: "emacs", save: |file, line, aside| emacs(file, line, aside, "nil") },
    Tool { name: "emacs-copy", program: "emacs", save: |file, line, aside| emacs(file, line, aside, "t") },
    Tool { name: "nano", program: "nano", save: nano },
    Tool { name: "sed", program: "sed", save: |file, line, _| shell("sed -i \"\\$ a $2\" \"$1\"", file, line) },
    Tool { name: "mv", program: "mv", save: |file, line, aside| with_copy("mv \"$3\" \"$1\"", file, line, aside) },
    Tool { name: "cp", program: "cp", save: |file, line, aside| with_copy("cp \"$3\" \"$1\"", file, line, aside) },
    Tool {
        name: "truncate",
        program: "sh",
        save: |file, line, aside| with_copy("cat \"$3\" > \"$1\"", file, line, aside),
    },
    Tool { name: "slow", program: "sh", save: |file, line, aside| with_copy(SLOW, file, line, aside) },
    Tool { name: "append", program: "sh", save: |file, line, _| shell("echo \"$2\" >> \"$1\"", file, line) },
    Tool { name: "mmap", program: "python3", save: mmap },
    Tool {
        name: "rsync",
        program: "rsync",
        save: |file, line, aside| with_copy("rsync \"$3\" \"$1\"", file, line, aside),
    },
    Tool {
        name: "rsync-in-place",
        program: "rsync",
        save: |file, line, aside| with_copy(RSYNC_IN_PLACE, file, line, aside),
    },
    Tool { name: "tar", program: "tar", save: tar },
    Tool { name: "configmap", program: "sh", save: config_map },
];

/// How often vim is asked to save: the file changes all the time.
const VIM_TRIES: usize = 1_000;
/// Line by line, with pauses that are longer than what counts as quiet.
const SLOW: &str = "{ while IFS= read -r line; do echo \"$line\"; sleep 0.4; done < \"$3\"; } > \"$1\"";
const RSYNC_IN_PLACE: &str = "rsync --inplace --ignore-times \"$3\" \"$1\"";
const MMAP: &str = "
import mmap, sys
line = (sys.argv[2] + '\\n').encode()
with open(sys.argv[1], 'r+b') as file:
    end = file.seek(0, 2)
    file.truncate(end + len(line))
    view = mmap.mmap(file.fileno(), 0)
    view[end:] = line
    view.flush()
    view.close()
";

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).exists())
}

#[track_caller]
fn succeeds(command: Command) {
    let shown = format!("{command:?}");
    let output = run(command);
    assert!(output.status.success(), "{shown}: {}", String::from_utf8_lossy(&output.stderr));
}

/// `$1` is the file, `$2` the line.
fn shell(script: &str, file: &Path, line: &str) {
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(file).arg(line);
    succeeds(command);
}

/// The same, and `$3` is a copy of the file with the line added.
fn with_copy(script: &str, file: &Path, line: &str, aside: &Path) {
    let copy = aside.join("copy");
    fs::write(&copy, format!("{}{line}\n", fs::read_to_string(file).unwrap())).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(file).arg(line).arg(&copy);
    succeeds(command);
}

/// vim gives up, mostly without a word, when the file changed since it was read: then a person does it again. It calls those who
/// wait for the end of a write also when it failed; but then the buffer is still modified.
fn vim(file: &Path, line: &str, aside: &Path, set: &str) {
    let (script, written) = (aside.join("script"), aside.join("written"));
    let note = "autocmd BufWritePost * if !&modified | silent execute '!touch ";
    let note = format!("set backupskip=\n{note}{}' | endif\n", written.display());
    fs::write(&script, format!("{note}{set}$append\n{line}\n.\nwq!\n")).unwrap();
    let has_saved = (0..VIM_TRIES).any(|_| {
        let mut command = Command::new("vim");
        command.args(["-N", "-u", "NONE", "-i", "NONE", "-es"]).arg(file);
        command.stdin(fs::File::open(&script).unwrap());
        run(command);
        written.exists()
    });
    assert!(has_saved, "vim doesn't save {}", file.display());
    fs::remove_file(written).unwrap();
}

/// What changed since the file was read is edited and saved all the same.
fn emacs(file: &Path, line: &str, aside: &Path, by_copying: &str) {
    let answers = aside.join("answers");
    fs::write(&answers, "yes\n".repeat(20)).unwrap();
    let steps = format!(
        "(progn (load \"userlock\" nil t) (fset 'ask-user-about-supersession-threat 'ignore) \
         (setq backup-by-copying {by_copying} make-backup-files t) (find-file \"{}\") (goto-char (point-max)) \
         (insert \"{line}\\n\") (save-buffer))",
        file.display()
    );
    let mut command = Command::new("emacs");
    command.args(["-Q", "--batch", "--eval", &steps]).stdin(fs::File::open(answers).unwrap());
    succeeds(command);
}

/// Typed at a terminal, at the end of the file: the line, save and leave; and yes, over what changed meanwhile.
fn nano(file: &Path, line: &str, aside: &Path) {
    let keys = aside.join("keys");
    fs::write(&keys, format!("{line}\u{18}y")).unwrap();
    let mut command = Command::new("script");
    command.args(["-qec", &format!("nano -I -t +99999 '{}'", file.display()), "/dev/null"]);
    command.env("TERM", "xterm").stdin(fs::File::open(keys).unwrap());
    succeeds(command);
}

fn mmap(file: &Path, line: &str, _: &Path) {
    let mut command = Command::new("python3");
    command.args(["-c", MMAP]).arg(file).arg(line);
    succeeds(command);
}

fn tar(file: &Path, line: &str, aside: &Path) {
    let name = file.file_name().unwrap();
    let text = fs::read_to_string(file).unwrap();
    fs::write(aside.join(name), format!("{text}{line}\n")).unwrap();
    let archive = aside.join("archive.tar");
    let mut pack = Command::new("tar");
    pack.arg("-cf").arg(&archive).arg("-C").arg(aside).arg(name);
    succeeds(pack);
    let mut unpack = Command::new("tar");
    unpack.arg("-xf").arg(&archive).arg("-C").arg(file.parent().unwrap());
    succeeds(unpack);
}

/// As the kubelet does: a new directory with all files, then one symlink to it is swapped.
fn config_map(file: &Path, line: &str, _: &Path) {
    static GENERATION: AtomicU64 = AtomicU64::new(0);
    let folder = file.parent().unwrap();
    let name = file.file_name().unwrap();
    let text = fs::read_to_string(file).unwrap();
    let generation = format!("..{}", GENERATION.fetch_add(1, Ordering::Relaxed));
    fs::create_dir(folder.join(&generation)).unwrap();
    fs::write(folder.join(&generation).join(name), format!("{text}{line}\n")).unwrap();
    symlink(&generation, folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    if !file.is_symlink() {
        let beside = folder.join("..link");
        symlink(Path::new("..data").join(name), &beside).unwrap();
        fs::rename(beside, file).unwrap();
    }
}

fn present() -> Vec<Tool> {
    let (present, absent): (Vec<Tool>, Vec<Tool>) =
        TOOLS.iter().partition(|tool| is_there(tool.program) && (tool.program != "nano" || is_there("script")));
    for tool in absent {
        report(&format!("skipped: {}: {} isn't installed", tool.name, tool.program));
    }
    present
}

fn keys(text: &str) -> BTreeSet<String> {
    let table: toml::Table = toml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    table.keys().cloned().collect()
}

/// What a tool's saves look like on a host that only reads.
#[derive(Default)]
struct Confirmed(Mutex<BTreeSet<String>>);

impl Confirmed {
    fn check(&self, host: &Host, path: &str) {
        let before = self.0.lock().unwrap().clone();
        let found = keys(&host.text(path));
        assert!(before.is_subset(&found), "{path}: {before:?} were there, and now {found:?}");
    }
}

/// Lets the other threads end when this one fails.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn aside(mesh: &Mesh, name: &str) -> PathBuf {
    let aside = mesh.directory.path().join(format!("aside-{name}"));
    fs::create_dir_all(&aside).unwrap();
    aside
}

fn line(tool: &Tool, round: usize) -> (String, String) {
    let key = format!("{}_{round}", tool.name.replace('-', "_"));
    (key.clone(), format!("{key} = {round}"))
}

/// One tool's saves, each after the one before was everywhere: then whatever it leaves out, it left out itself.
fn use_tool(mesh: &Mesh, tool: &Tool, rounds: usize, confirmed: &Confirmed) {
    let path = format!("{}.toml", tool.name);
    let aside = aside(mesh, tool.name);
    for round in 0..rounds {
        let (key, line) = line(tool, round);
        (tool.save)(&mesh.hosts[0].path(&path), &line, &aside);
        for host in &mesh.hosts {
            eventually(mesh, &format!("{key} is on {}", host.name), || {
                let text = host.text(&path);
                if keys(&text).contains(&key) { Ok(()) } else { Err(text) }
            });
        }
        confirmed.0.lock().unwrap().insert(key);
    }
}

fn stage(mesh: &Mesh, tools: &[Tool]) {
    for tool in tools {
        mesh.hosts[0].save(&format!("{}.toml", tool.name), "remote = 0\n");
    }
    for tool in tools {
        mesh.everywhere(&format!("{}.toml", tool.name), "remote = 0\n");
    }
    mesh.settle();
}

/// Changes a tool's file on another host until told to stop; gives how often.
fn put_on(host: &Host, tool: &Tool, stop: &AtomicBool) -> u64 {
    let (client, address) = (host.client(), format!("config/{}.toml#remote", tool.name));
    for number in 1.. {
        client.put(&address, &number.to_string()).unwrap();
        if stop.load(Ordering::Relaxed) {
            return number;
        }
    }
    0
}

#[test]
fn saves_of_real_tools_meet_remote_changes_and_none_is_lost_or_taken_in_half() {
    const ROUNDS: usize = 3;
    let tools = present();
    let mesh = Mesh::start(2);
    stage(&mesh, &tools);
    let stop = AtomicBool::new(false);
    let confirmed: Vec<Confirmed> = tools.iter().map(|_| Confirmed::default()).collect();
    let puts = std::thread::scope(|scope| {
        let puts: Vec<_> = tools.iter().map(|tool| scope.spawn(|| put_on(&mesh.hosts[1], tool, &stop))).collect();
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for (tool, confirmed) in tools.iter().zip(&confirmed) {
                    confirmed.check(&mesh.hosts[1], &format!("{}.toml", tool.name));
                }
            }
        });
        let _stop = StopOnDrop(&stop);
        std::thread::scope(|scope| {
            for (tool, confirmed) in tools.iter().zip(&confirmed) {
                let mesh = &mesh;
                scope.spawn(move || use_tool(mesh, tool, ROUNDS, confirmed));
            }
        });
        stop.store(true, Ordering::Relaxed);
        puts.into_iter().map(|puts| puts.join().unwrap()).sum::<u64>()
    });
    mesh.settle();
    for tool in &tools {
        let path = format!("{}.toml", tool.name);
        let expected: BTreeSet<String> =
            (0..ROUNDS).map(|round| line(tool, round).0).chain(["remote".to_owned()]).collect();
        mesh.same_everywhere(&path, |text| keys(text) == expected);
    }
    only_files(&mesh, &tools);
    report(&format!("{} tools saved {ROUNDS} times each during {puts} remote changes", tools.len()));
}

/// What the tools left beside the files came to no other host.
fn only_files(mesh: &Mesh, tools: &[Tool]) {
    let documents = mesh.hosts[1].json(&["ls", "--documents"]);
    let found: BTreeSet<&str> =
        documents["documents"].as_array().unwrap().iter().map(|document| document["doc"].as_str().unwrap()).collect();
    let expected: Vec<String> = tools.iter().map(|tool| format!("config/{}.toml", tool.name)).collect();
    assert_eq!(found, expected.iter().map(String::as_str).collect());
}

fn changes(host: &Host) -> u64 {
    host.json(&["status"])["store"]["changes"].as_u64().unwrap()
}

#[test]
fn a_save_is_one_change_and_no_write_comes_back() {
    const ROUNDS: usize = 2;
    let tools = present();
    let mesh = Mesh::start(2);
    stage(&mesh, &tools);
    let before = changes(&mesh.hosts[0]);
    let confirmed = Confirmed::default();
    for tool in &tools {
        use_tool(&mesh, tool, ROUNDS, &confirmed);
        // Written here by the daemon while nobody edits.
        mesh.hosts[1].put(&format!("config/{}.toml#remote", tool.name), "1");
        eventually(&mesh, "the remote change is in the file", || {
            let text = mesh.hosts[0].text(&format!("{}.toml", tool.name));
            if text.starts_with("remote = 1\n") { Ok(()) } else { Err(text) }
        });
    }
    // A scan that begins after all this has seen all of it.
    mesh.settle();
    let expected = before + (tools.len() * (ROUNDS + 1)) as u64;
    for host in &mesh.hosts {
        assert_eq!(changes(host), expected, "{}", host.name);
    }
}

fn git(directory: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.arg("-C").arg(directory).args(["-c", "user.name=Test", "-c", "user.email=test@example.org"]);
    command.args(arguments).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    succeeds(command);
}

#[test]
fn a_checkout_is_taken_in_whole_and_the_repository_stays_here() {
    const FILES: usize = 20;
    if !is_there("git") {
        return report("skipped: git isn't installed");
    }
    let mesh = Mesh::start(2);
    let folder = &mesh.hosts[0].folder;
    let save_all = |branch: &str| {
        for number in 0..FILES {
            mesh.hosts[0].save(&format!("conf.d/{number}.toml"), format!("branch = \"{branch}\"\nnumber = {number}\n"));
        }
    };
    git(folder, &["init", "-q", "-b", "one"]);
    fs::write(folder.join(".git/info/exclude"), ".murmurate/\n").unwrap();
    save_all("one");
    git(folder, &["add", "."]);
    git(folder, &["commit", "-q", "-m", "one"]);
    git(folder, &["checkout", "-q", "-b", "two"]);
    save_all("two");
    git(folder, &["commit", "-q", "-a", "-m", "two"]);
    for round in 0..4 {
        let branch = ["one", "two"][round % 2];
        git(folder, &["checkout", "-q", "-f", branch]);
        for number in 0..FILES {
            mesh.everywhere(&format!("conf.d/{number}.toml"), format!("branch = \"{branch}\"\nnumber = {number}\n"));
        }
    }
    let conflicts = mesh.hosts[1].json(&["conflicts"]);
    assert_eq!(conflicts["conflicts"], serde_json::json!([]));
    assert!(!mesh.hosts[1].path(".git").exists());
}

const ROUND_SAVES: usize = 300;
const LONGEST_PAUSE_US: u32 = 2_000;

/// One save of the hostile editor: the keys that were in the file after it.
type Saves = Vec<BTreeSet<String>>;

/// Adds a line to the file again and again, without a look at whether the one before was noticed.
fn hostile(host: &Host, path: &str, in_place: bool, rng: &mut ChaCha20Rng) -> Saves {
    let (path, beside) = (host.path(path), host.directory.join(format!("beside-{in_place}")));
    (0..ROUND_SAVES)
        .map(|number| {
            std::thread::sleep(Duration::from_micros(u64::from(rng.next_u32() % LONGEST_PAUSE_US)));
            let line = format!("save_{number} = {number}\n");
            let text = if in_place { save_in_place(&path, &line) } else { save_by_rename(&path, &line, &beside) };
            text.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key.to_owned()).collect()
        })
        .collect()
}

fn save_in_place(path: &Path, line: &str) -> String {
    let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text.push_str(line);
    file.set_len(0).unwrap();
    file.write_all_at(text.as_bytes(), 0).unwrap();
    text
}

fn save_by_rename(path: &Path, line: &str, beside: &Path) -> String {
    let text = fs::read_to_string(path).unwrap() + line;
    fs::write(beside, &text).unwrap();
    fs::rename(beside, path).unwrap();
    text
}

/// The saves that are neither in the text nor left out by a later save of the same editor: who moves a file over another
/// takes away what that had, and what came to it after it was read.
fn lost(text: &str, saves: &Saves, in_place: bool) -> Vec<usize> {
    let present: BTreeSet<&str> = text.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key).collect();
    let left_out = |number: usize, key: &str| !in_place && saves[number + 1..].iter().any(|later| !later.contains(key));
    let is_lost = |number: &usize| {
        let key = format!("save_{number}");
        !present.contains(key.as_str()) && !left_out(*number, &key)
    };
    (0..saves.len()).filter(is_lost).collect()
}

/// Rounds of saves by one editor until the time is over; gives how many saves there were.
fn hostile_rounds(mesh: &Mesh, in_place: bool, until: Instant, seed: u64) -> usize {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut count = 0;
    for round in 0.. {
        let path = format!("hostile-{in_place}-{round}.toml");
        mesh.hosts[0].save(&path, "remote = 0\n");
        mesh.everywhere(&path, "remote = 0\n");
        let stop = AtomicBool::new(false);
        let saves = std::thread::scope(|scope| {
            scope.spawn(|| {
                let client = mesh.hosts[1].client();
                for number in 1_u64.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    client.put(&format!("config/{path}#remote"), &number.to_string()).unwrap();
                }
            });
            let _stop = StopOnDrop(&stop);
            hostile(&mesh.hosts[0], &path, in_place, &mut rng)
        });
        for host in &mesh.hosts {
            eventually(mesh, &format!("no save is lost on {}", host.name), || {
                let text = host.text(&path);
                let lost = lost(&text, &saves, in_place);
                if lost.is_empty() { Ok(()) } else { Err(format!("lost {lost:?} of {path}:\n{text}")) }
            });
        }
        count += saves.len();
        if Instant::now() > until {
            break;
        }
    }
    count
}

/// `MURMURATE_EDITOR_SECONDS` makes it long.
#[test]
fn an_editor_that_saves_every_two_milliseconds_loses_nothing_to_remote_changes() {
    let mut rng = seeded("an_editor_that_saves_every_two_milliseconds_loses_nothing_to_remote_changes");
    let seconds = std::env::var("MURMURATE_EDITOR_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(5);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mesh = Mesh::start(2);
    let seeds = [rng.next_u64(), rng.next_u64()];
    let counts = std::thread::scope(|scope| {
        let mesh = &mesh;
        let editors = [true, false].map(|in_place| {
            let seed = seeds[usize::from(in_place)];
            scope.spawn(move || hostile_rounds(mesh, in_place, until, seed))
        });
        editors.map(|editor| editor.join().unwrap())
    });
    mesh.settle();
    report(&format!("{} saves in place and {} by rename within {seconds} s: 0 lost", counts[0], counts[1]));
}

#[test]
fn what_a_slow_writer_has_not_finished_is_on_no_other_host() {
    let mesh = Mesh::start(2);
    let old: String = (0..8).map(|key| format!("key_{key} = 1\n")).collect();
    let new = old.replace("= 1", "= 2");
    let lines: Vec<&str> = new.split_inclusive('\n').collect();
    mesh.hosts[0].save("app.toml", &old);
    mesh.everywhere("app.toml", &old);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = StopOnDrop(&stop);
        let reader = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let text = mesh.hosts[1].text("app.toml");
                assert!(text == old || text == new, "half of it came over:\n{text}");
            }
        });
        for whole in 0..lines.len() {
            let file = OpenOptions::new().write(true).truncate(true).open(mesh.hosts[0].path("app.toml")).unwrap();
            file.write_all_at(lines[..whole].concat().as_bytes(), 0).unwrap();
            // Another file goes all the way meanwhile, even one that looks cut off, which takes two seconds.
            for text in [format!("line = {whole}\n"), String::new()] {
                mesh.hosts[0].save("mark.toml", &text);
                mesh.everywhere("mark.toml", &text);
            }
            file.write_all_at(new.as_bytes(), 0).unwrap();
            drop(file);
            mesh.everywhere("app.toml", &new);
            mesh.hosts[0].save_by_rename("app.toml", &old);
            mesh.everywhere("app.toml", &old);
            assert!(!reader.is_finished(), "the reader gave up");
        }
        stop.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
}
