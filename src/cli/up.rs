use std::path::PathBuf;

use clap::Args;
use murmurate_client::types::ApiError;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use super::failure;
use super::host_flags::HostFlags;
use crate::daemon;
use crate::settings::{Settings, Surroundings};

#[derive(Debug, Args)]
pub(super) struct Up {
    #[command(flatten)]
    host: HostFlags,
    /// End when the process with this number, the parent, ends
    #[arg(long, hide = true, value_name = "PID")]
    die_with_parent: Option<i32>,
}

impl Up {
    pub(super) fn run(self, socket: Option<PathBuf>) -> Result<(), ApiError> {
        if let Some(parent) = self.die_with_parent {
            die_with(parent)?;
        }
        let flags = self.host.with_socket(socket);
        daemon::run(|| Settings::load(&flags, &Surroundings::of_this_process()))
    }
}

/// Asks the system for SIGTERM when the parent ends; it may have ended before that.
fn die_with(parent: i32) -> Result<(), ApiError> {
    let what = "end with the parent";
    set_parent_process_death_signal(Some(Signal::TERM)).map_err(|error| failure::io(what, &error.into()))?;
    match getppid().map(Pid::as_raw_nonzero) {
        Some(now) if now.get() == parent => Ok(()),
        _ => Err(ApiError::internal(what, "it has ended already")),
    }
}
