//! The daemons' processes: started, watched, ended.

use std::env;
use std::fs::{File, OpenOptions};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures_util::future::select_all;
use murmurate_client::types::{ApiError, ErrorCode};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::super::failure;
use super::host::Host;

/// How long a daemon may take to end: it brings its queues to the disk and says goodbye.
const END_DEADLINE: Duration = Duration::from_secs(5);

/// The running daemons. Those still there when this is dropped are killed.
#[derive(Debug, Default)]
pub(in crate::cli) struct Daemons {
    running: Vec<Daemon>,
}

#[derive(Debug)]
struct Daemon {
    name: String,
    process: Child,
}

impl Daemons {
    /// Starts a host's daemon, this very program.
    pub(in crate::cli) fn start(&mut self, host: &Host) -> Result<(), ApiError> {
        self.start_in(host, None)
    }

    /// The same in a network namespace.
    pub(in crate::cli) fn start_in(&mut self, host: &Host, namespace: Option<&str>) -> Result<(), ApiError> {
        let what = format!("start the daemon of {}", host.name);
        let process = spawn(host, namespace).map_err(|error| failure::io(&what, &error))?;
        self.running.push(Daemon { name: host.name.clone(), process });
        Ok(())
    }

    /// Ends a host's daemon as a power cut would, without a word, and waits until it is gone.
    pub(in crate::cli) async fn kill(&mut self, host: &Host) -> Result<(), ApiError> {
        let Some(index) = self.running.iter().position(|daemon| daemon.name == host.name) else { return Ok(()) };
        let mut daemon = self.running.swap_remove(index);
        let killed = daemon.process.kill().await;
        killed.map_err(|error| failure::io(&format!("kill the daemon of {}", host.name), &error))
    }

    pub(in crate::cli) fn pid(&self, name: &str) -> Option<u32> {
        self.running.iter().find(|daemon| daemon.name == name)?.process.id()
    }

    /// Fails if any daemon has ended.
    pub(in crate::cli) fn check(&mut self) -> Result<(), ApiError> {
        for daemon in &mut self.running {
            if let Ok(Some(status)) = daemon.process.try_wait() {
                return Err(ended(&daemon.name, status));
            }
        }
        Ok(())
    }

    /// Waits until one ends, and says so. `None` when none is left.
    pub(in crate::cli) async fn next_end(&mut self) -> Option<String> {
        if self.running.is_empty() {
            return None;
        }
        let ends = self.running.iter_mut().map(|daemon| Box::pin(daemon.process.wait()));
        let (status, index, _) = select_all(ends).await;
        let daemon = self.running.swap_remove(index);
        let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
        Some(format!("the daemon of {} has ended ({how}); the others go on", daemon.name))
    }

    /// Ends all: asked first, killed if they don't.
    pub(in crate::cli) async fn end(&mut self) {
        for daemon in &self.running {
            let pid = daemon.process.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
            // One that has just ended needs no signal.
            let _ = pid.map(|pid| kill_process(pid, Signal::TERM));
        }
        for mut daemon in self.running.drain(..) {
            if timeout(END_DEADLINE, daemon.process.wait()).await.is_err() {
                let _ = daemon.process.kill().await;
            }
        }
    }
}

fn spawn(host: &Host, namespace: Option<&str>) -> std::io::Result<Child> {
    let log: File = OpenOptions::new().create(true).append(true).open(host.log())?;
    let mut command = match namespace {
        // `ip` becomes the daemon: it stays this process's child.
        Some(namespace) => {
            let mut command = Command::new("ip");
            command.args(["netns", "exec", namespace]).arg(env::current_exe()?);
            command
        }
        None => Command::new(env::current_exe()?),
    };
    command.arg("up").arg("--settings").arg(host.settings());
    command.arg("--die-with-parent").arg(std::process::id().to_string());
    // Variables that set something for this command would set it for all daemons alike. And a service manager waits for
    // this command, not for its daemons.
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("MURMURATE_") {
            command.env_remove(name);
        }
    }
    command.env_remove("NOTIFY_SOCKET").env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
    // A process group of its own: Ctrl-C reaches it through this command, which ends all in order.
    command.process_group(0).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()
}

fn ended(name: &str, status: ExitStatus) -> ApiError {
    let what = format!("keep the daemon of {name} up");
    ApiError::new(ErrorCode::DaemonEnded, what, format!("it has ended ({status})"), "look into its log")
}
