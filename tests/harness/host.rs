//! One host of a mesh: its command line, its files, its daemon.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};

use rustix::process::Signal;
use serde_json::Value as Json;

use super::process::{Process, clean, is_running, murmurate, run, signal};
use super::wait::poll;
use super::{Client, Namespace, copy_directory};

/// Characters of the actor at the beginning of a version.
const ACTOR_BYTES: usize = 32;
/// Lines of a daemon's log that a failure shows.
const LAST_LINES: usize = 25;

/// A command that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: i32,
    pub(crate) lines: Vec<String>,
}

impl Failure {
    /// How a command ended that should have failed.
    pub(crate) fn of(output: &Output) -> Self {
        let errors = String::from_utf8_lossy(&output.stderr);
        Self { code: output.status.code().unwrap_or(-1), lines: errors.lines().map(str::to_owned).collect() }
    }
}

/// A host, whether its daemon runs or not.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    /// Everything of it: `daemon.toml`, `data`, `daemon.log`, ...
    pub(crate) directory: PathBuf,
    /// The folder that is called `config` in the mesh.
    pub(crate) folder: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    /// The network namespace in which its daemon is started.
    pub(crate) namespace: Option<String>,
    /// A program, with arguments, that starts the daemon and becomes or leaves it as the test's own child.
    pub(crate) launcher: Vec<String>,
    /// What the daemon's environment holds besides.
    pub(crate) environment: Vec<(String, String)>,
    /// Where it is the test's own child.
    pub(crate) daemon: Option<Process>,
}

fn field<'a>(line: &'a Json, name: &str) -> &'a str {
    line[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}"))
}

impl Host {
    /// A host as `dev` describes it in one line.
    pub(super) fn of_line(line: &str) -> Self {
        let line: Json = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let directory = Path::new(field(&line, "socket")).parent().unwrap().to_owned();
        let pid = line["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).unwrap();
        let host = Self::in_directory(field(&line, "host"), directory, field(&line, "address").parse().unwrap());
        assert_eq!(
            (host.folder.to_str().unwrap(), host.socket.to_str().unwrap()),
            (field(&line, "folder"), field(&line, "socket"))
        );
        Self { pid, ..host }
    }

    /// A host that isn't running, laid out in a directory as `dev` does it.
    pub(crate) fn in_directory(name: &str, directory: PathBuf, address: SocketAddr) -> Self {
        Self {
            name: name.to_owned(),
            folder: directory.join("config"),
            socket: directory.join("murmurate.sock"),
            directory,
            address,
            pid: 0,
            namespace: None,
            launcher: Vec::new(),
            environment: Vec::new(),
            daemon: None,
        }
    }

    /// Copies its data while its daemon is down for a moment.
    pub(crate) fn back_up(&mut self, to: &Path) {
        self.stop();
        copy_directory(&self.data(), to);
        self.start();
    }

    /// Puts a copy in the place of its data, while it doesn't run.
    pub(crate) fn restore(&self, from: &Path) {
        fs::remove_dir_all(self.data()).unwrap();
        copy_directory(from, &self.data());
    }

    /// The actor that wrote what this host shows at a key.
    pub(crate) fn actor_of(&self, key: &str) -> String {
        self.json(&["get", key])["version"].as_str().unwrap()[..ACTOR_BYTES].to_owned()
    }

    // Its daemon.

    /// Starts the daemon and waits until it answers.
    pub(crate) fn start(&mut self) {
        if let Err(why) = self.try_start() {
            panic!("{} doesn't start: {why}\n{}", self.name, self.last_words());
        }
    }

    /// Starts the daemon and waits until it answers, or has ended by itself.
    pub(crate) fn try_start(&mut self) -> Result<(), String> {
        self.spawn();
        let end = "the daemon ended by itself";
        let answers = poll(|| match self.daemon.as_mut().and_then(Process::ended) {
            Some(status) => Ok(Err(format!("{end}: {status}"))),
            None => Client::attach(&self.socket).map(|_| Ok(())).map_err(|error| error.to_string()),
        });
        answers.and_then(|answer| answer)
    }

    /// Starts the daemon, and waits for nothing.
    pub(crate) fn spawn(&mut self) {
        let program = env!("CARGO_BIN_EXE_murmurate").to_owned();
        let words: Vec<String> = self.launcher.iter().cloned().chain([program]).collect();
        let mut command = match &self.namespace {
            Some(name) => Namespace::command(name, &words[0]),
            None => clean(Command::new(&words[0])),
        };
        command.args(&words[1..]).envs(self.environment.iter().cloned());
        command.arg("up").arg("--settings").arg(self.settings());
        command.arg("--die-with-parent").arg(std::process::id().to_string());
        let log = self.log();
        let daemon = Process::spawn(command, &log, &log);
        self.pid = daemon.pid();
        self.daemon = Some(daemon);
    }

    /// Kills the daemon without a warning.
    pub(crate) fn kill(&mut self) {
        self.end(Signal::KILL);
    }

    /// Waits until the daemon has ended without being asked to.
    pub(crate) fn ends_by_itself(&mut self) -> ExitStatus {
        let mut daemon = self.daemon.take().unwrap_or_else(|| panic!("{} isn't a child of the test", self.name));
        daemon.wait().unwrap_or_else(|seen| panic!("{}: {seen}\n{}", self.name, self.last_words()))
    }

    /// Lets the daemon listen somewhere else from its next start on.
    pub(crate) fn move_to(&mut self, address: SocketAddr) {
        let settings = fs::read_to_string(self.settings()).unwrap();
        let changed = settings.replace(&format!("listen = \"{}\"", self.address), &format!("listen = \"{address}\""));
        assert_ne!(changed, settings);
        fs::write(self.settings(), changed).unwrap();
        self.address = address;
    }

    /// Asks the daemon to end, and gives how it did.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.end(Signal::TERM)
    }

    fn end(&mut self, with: Signal) -> ExitStatus {
        let mut daemon = self.daemon.take().unwrap_or_else(|| panic!("{} isn't a child of the test", self.name));
        daemon.end(with).unwrap_or_else(|seen| panic!("{}: {seen}\n{}", self.name, self.last_words()))
    }

    /// Ends the daemon in any case, whoever started it.
    pub(super) fn end_surely(&mut self) {
        if self.daemon.take().is_none() && is_running(self.pid) {
            signal(self.pid, Signal::KILL);
        }
    }

    pub(crate) fn is_up(&self) -> bool {
        self.daemon.is_some()
    }

    pub(crate) fn settings(&self) -> PathBuf {
        self.directory.join("daemon.toml")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.directory.join("daemon.log")
    }

    /// All that the daemon has logged, over all its runs.
    pub(crate) fn logged(&self) -> String {
        fs::read(self.log()).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    pub(crate) fn last_words(&self) -> String {
        let log = self.logged();
        let skipped = log.lines().count().saturating_sub(LAST_LINES);
        let lines: Vec<&str> = log.lines().skip(skipped).collect();
        format!("--- {} ---\n{}\n", self.name, lines.join("\n"))
    }

    // Its command line.

    /// A command for this host's daemon.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = murmurate();
        command.args(arguments).arg("--socket").arg(&self.socket);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        run(self.command(arguments))
    }

    /// Runs a command that must succeed, and gives its standard output.
    #[track_caller]
    pub(crate) fn does(&self, arguments: &[&str]) -> String {
        self.tries(arguments).unwrap_or_else(|failure| panic!("{}: {arguments:?}: {failure:?}", self.name))
    }

    /// Runs a command, and gives its standard output, or how it failed.
    pub(crate) fn tries(&self, arguments: &[&str]) -> Result<String, Failure> {
        let output = self.run(arguments);
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout).unwrap());
        }
        Err(Failure::of(&output))
    }

    /// Runs a command that must succeed with `-o json`, and gives what it printed.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Json {
        let text = self.does(&[arguments, &["-o", "json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    }

    /// Runs a command that must succeed with `-o jsonl`, and gives its lines.
    #[track_caller]
    pub(crate) fn json_lines(&self, arguments: &[&str]) -> Vec<Json> {
        let text = self.does(&[arguments, &["-o", "jsonl"]].concat());
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    /// Runs a command that must fail.
    #[track_caller]
    pub(crate) fn fails(&self, arguments: &[&str]) -> Failure {
        match self.tries(arguments) {
            Ok(text) => panic!("{}: {arguments:?} should have failed and said: {text}", self.name),
            Err(failure) => failure,
        }
    }

    #[track_caller]
    pub(crate) fn put(&self, address: &str, value: &str) {
        self.does(&["put", address, value]);
    }

    /// A client of the library.
    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        Client::attach(&self.socket).unwrap_or_else(|error| panic!("{}: {error}\n{}", self.name, self.last_words()))
    }

    // Its files.

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// Saves a file as most programs do: cut off and written anew.
    pub(crate) fn save(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Saves a file as careful editors do: written beside, outside of the folder, and moved over.
    pub(crate) fn save_by_rename(&self, path: &str, content: impl AsRef<[u8]>) {
        let beside = self.directory.join("beside");
        fs::write(&beside, content).unwrap();
        fs::rename(beside, self.path(path)).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.path(path)).ok()
    }

    /// A text file's content; empty when there is none.
    pub(crate) fn text(&self, path: &str) -> String {
        String::from_utf8(self.read(path).unwrap_or_default()).unwrap()
    }

    /// Whether the file has exactly these bytes.
    pub(crate) fn has(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Result<(), String> {
        let path = path.as_ref();
        match fs::read(self.folder.join(path)) {
            Ok(found) if found == content.as_ref() => Ok(()),
            Ok(found) => Err(format!("{}: {}: {}", self.name, path.display(), String::from_utf8_lossy(&found))),
            Err(error) => Err(format!("{}: {}: {error}", self.name, path.display())),
        }
    }
}
