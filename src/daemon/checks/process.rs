//! Runs a command of this host's settings: no shell, nothing to read, little of an environment, and an end in any case.
//!
//! ```text
//!  spawn in a process group of its own ──▶ poll: has it ended? has it printed? ──▶ kill the group, reap, say how it ended
//!                                             └── timeout, or the daemon ends ──────▲
//! ```
//! The group is signalled only while its leader isn't reaped: until then nobody else can have its number.

use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use murmurate_net::environment::Clock;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::limits::TICK;
use super::output::Output;

/// What a command finds in its environment, where the daemon has it; besides these `MURMURATE_DOC` and `MURMURATE_FILE`.
const ENVIRONMENT: [&str; 9] =
    ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"];
/// Where the daemon has no `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Bytes read at once, and so many times before the clock is looked at.
const READ_BYTES: usize = 64 << 10;
const READS: usize = 16;

/// A command, ready to run.
pub(super) struct Run<'a> {
    pub(super) words: &'a [String],
    /// Variables besides [`ENVIRONMENT`].
    pub(super) variables: Vec<(&'static str, String)>,
    pub(super) timeout: Duration,
    /// Whether what it started ends with it. A reload may start a service; a check has nothing to leave behind.
    pub(super) is_alone: bool,
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) how: How,
    pub(super) output: String,
}

#[derive(Debug)]
pub(super) enum How {
    Exited(ExitStatus),
    TimedOut,
    /// The daemon is ending.
    Stopped,
    NotRun(io::Error),
}

impl Run<'_> {
    /// Runs it to its end. Blocks.
    pub(super) fn run(&self, clock: &dyn Clock, stop: &AtomicBool) -> Ended {
        let mut output = Output::default();
        let how = match self.start() {
            Ok((child, reader)) => self.follow(child, &reader, &mut output, clock, stop),
            Err(error) => How::NotRun(error),
        };
        Ended { how, output: output.text() }
    }

    fn start(&self) -> io::Result<(Child, PipeReader)> {
        let (program, arguments) = self.words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let (reader, writer) = io::pipe()?;
        fcntl_setfl(&reader, fcntl_getfl(&reader)? | OFlags::NONBLOCK)?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir("/").process_group(0);
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let kept = ENVIRONMENT.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        command.env_clear().env("PATH", PATH).envs(kept);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        Ok((command.spawn()?, reader))
    }

    fn follow(
        &self,
        mut child: Child,
        reader: &PipeReader,
        output: &mut Output,
        clock: &dyn Clock,
        stop: &AtomicBool,
    ) -> How {
        let pid = Pid::from_child(&child);
        let deadline = clock.monotonic() + self.timeout;
        let watched = pidfd_open(pid, PidfdFlags::empty()).map_err(io::Error::from).and_then(|process| {
            let mut is_open = true;
            loop {
                let has_ended = wait(&process, is_open.then_some(reader))?;
                is_open = is_open && read(reader, output);
                if has_ended || stop.load(Ordering::Relaxed) || clock.monotonic() >= deadline {
                    return Ok(has_ended);
                }
            }
        });
        if self.is_alone || !matches!(watched, Ok(true)) {
            // That nobody of it is left is no error.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let reaped = child.wait();
        read(reader, output);
        match (watched, reaped) {
            (Ok(true), Ok(status)) => How::Exited(status),
            (Ok(false), Ok(_)) if stop.load(Ordering::Relaxed) => How::Stopped,
            (Ok(false), Ok(_)) => How::TimedOut,
            (Err(error), _) | (_, Err(error)) => How::NotRun(error),
        }
    }
}

/// Waits until the process has ended, something can be read, or [`TICK`] is over. Says whether it has ended.
fn wait(process: &OwnedFd, reader: Option<&PipeReader>) -> io::Result<bool> {
    let mut watched = vec![PollFd::new(process, PollFlags::IN)];
    watched.extend(reader.map(|reader| PollFd::from_borrowed_fd(reader.as_fd(), PollFlags::IN)));
    let tick = Timespec { tv_sec: 0, tv_nsec: i64::from(TICK.subsec_nanos()) };
    match poll(&mut watched, Some(&tick)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(!watched[0].revents().is_empty()),
        Err(error) => Err(error.into()),
    }
}

/// Reads what there is, within limits. Says whether more may come.
fn read(mut reader: &PipeReader, output: &mut Output) -> bool {
    let mut bytes = vec![0; READ_BYTES];
    for _ in 0..READS {
        match reader.read(&mut bytes) {
            Ok(0) => return false,
            Ok(count) => output.take(&bytes[..count]),
            Err(error) => return matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
        }
    }
    true
}

/// Reads a small file; `None` when it is longer than `at_most`.
pub(super) fn read_small(path: &std::path::Path, at_most: usize) -> io::Result<Option<String>> {
    let mut text = String::new();
    File::open(path)?.take(at_most as u64 + 1).read_to_string(&mut text)?;
    Ok((text.len() <= at_most).then_some(text))
}

#[cfg(test)]
mod tests {
    use murmurate_net::environment::SystemClock;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str, timeout: Duration) -> Ended {
        let words = ["sh", "-c", script].map(str::to_owned);
        let variables = vec![("MURMURATE_DOC", "web/a.conf".to_owned())];
        let run = Run { words: &words, variables, timeout, is_alone: true };
        run.run(&SystemClock::new(), &AtomicBool::new(false))
    }

    #[test]
    fn status_and_output_come_back_in_order() {
        let ended =
            shell("echo one; echo two >&2; echo $MURMURATE_DOC $CARGO_PKG_NAME.; read x || echo eof; exit 3", LONG);
        assert!(matches!(ended.how, How::Exited(status) if status.code() == Some(3)), "{ended:?}");
        assert_eq!(ended.output, "one\ntwo\nweb/a.conf .\neof");
    }

    #[test]
    fn a_hundred_megabytes_of_output_are_no_burden() {
        let ended = shell("echo begin; head -c 100000000 /dev/zero | tr '\\0' x; echo end", LONG);
        assert!(matches!(ended.how, How::Exited(status) if status.success()), "{:?}", ended.how);
        assert!(ended.output.starts_with("begin\nxxx") && ended.output.ends_with("xxxend"), "{}", ended.output);
    }

    #[test]
    fn the_whole_group_ends_at_the_timeout() {
        let directory = tempfile::tempdir().unwrap();
        let pid_file = directory.path().join("pid");
        let script = format!("sleep 1000 & echo $! > {}; echo started; wait", pid_file.display());
        let ended = shell(&script, Duration::from_millis(500));
        assert!(matches!(ended.how, How::TimedOut), "{ended:?}");
        // Slow machines may not have come so far; then nothing was left behind either.
        if let Some(pid) = read_small(&pid_file, 64).ok().flatten().and_then(|text| text.trim().parse().ok()) {
            let stat = format!("/proc/{}/stat", Pid::from_raw(pid).unwrap().as_raw_nonzero());
            let gone = || {
                std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z ") || !stat.contains("(sleep)"))
            };
            let end = std::time::Instant::now() + LONG;
            while !gone() {
                assert!(std::time::Instant::now() < end, "{stat} is still there");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }

    #[test]
    fn what_stays_behind_doesnt_keep_a_command_from_ending() {
        let words = ["sh", "-c", "sleep 1000 & echo $!"].map(str::to_owned);
        let run = Run { words: &words, variables: Vec::new(), timeout: LONG, is_alone: false };
        let ended = run.run(&SystemClock::new(), &AtomicBool::new(false));
        assert!(matches!(ended.how, How::Exited(status) if status.success()), "{ended:?}");
        let left = Pid::from_raw(ended.output.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(left, Signal::KILL).unwrap();
    }

    #[test]
    fn a_command_that_isnt_there_is_told() {
        let words = ["/nonexistent/check".to_owned()];
        let run = Run { words: &words, variables: Vec::new(), timeout: LONG, is_alone: true };
        let ended = run.run(&SystemClock::new(), &AtomicBool::new(false));
        assert!(matches!(ended.how, How::NotRun(error) if error.kind() == io::ErrorKind::NotFound));
    }

    #[test]
    fn an_ending_daemon_waits_for_no_command() {
        let words = ["sleep", "1000"].map(str::to_owned);
        let run = Run { words: &words, variables: Vec::new(), timeout: LONG, is_alone: true };
        let ended = run.run(&SystemClock::new(), &AtomicBool::new(true));
        assert!(matches!(ended.how, How::Stopped), "{ended:?}");
    }
}
