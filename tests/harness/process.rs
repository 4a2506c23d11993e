//! Processes that end with the test.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::wait::poll;

/// Longest run of one command, whatever it does.
const COMMAND_DEADLINE: Duration = Duration::from_secs(120);

/// The program under test, with nothing of the caller's environment that it obeys.
pub(crate) fn murmurate() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_murmurate")))
}

pub(super) fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MURMURATE_")) {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// Sends a signal to one process; that it is gone already is no error.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).unwrap();
    let _ = kill_process(pid, signal);
}

/// Whether the process runs: a zombie doesn't.
pub(crate) fn is_running(pid: u32) -> bool {
    // `pid (name) state ..`; the name may hold anything.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Runs a command to its end and gives what it printed.
pub(crate) fn run(mut command: Command) -> Output {
    let shown = format!("{command:?}");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    receiver.recv_timeout(COMMAND_DEADLINE).map_or_else(
        |_| {
            signal(pid, Signal::KILL);
            panic!("not through after {COMMAND_DEADLINE:?}: {shown}");
        },
        Result::unwrap,
    )
}

/// A process in the background; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts it with its output appended to files.
    pub(crate) fn spawn(mut command: Command, stdout: &Path, stderr: &Path) -> Self {
        Self { child: command.stdout(append(stdout)).stderr(append(stderr)).spawn().unwrap() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end(&mut self, with: Signal) -> Result<ExitStatus, String> {
        signal(self.pid(), with);
        self.wait()
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus, String> {
        let pid = self.pid();
        poll(|| self.child.try_wait().unwrap().ok_or_else(|| format!("process {pid} goes on")))
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn append(path: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(path).unwrap()
}
