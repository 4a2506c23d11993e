//! Leaving the mesh for good: the others are told, then keys and history are put aside.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use murmurate_client::types::{ApiError, ErrorCode, Left, V1};
use murmurate_protocol::{Event, Member, MemberState};

use super::super::Core;
use crate::daemon::core::limits::LEAVE_WAIT;
use crate::daemon::request::Reply;

/// Why the core ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It was asked to.
    Asked,
    /// This host left the mesh: what belongs to it is to be put aside once nothing has it open any more, and then this is
    /// the answer to who asked for it.
    Left {
        /// Who asked.
        reply: Reply<Left>,
        /// How many others know.
        told: u64,
    },
}

/// A leave that is under way.
pub(super) struct Leaving {
    reply: Reply<Left>,
    until: Duration,
}

impl Core {
    /// Tells the others, and ends as soon as they know.
    pub(super) async fn leave(&mut self, reply: Reply<Left>) {
        if self.membership.leaving.is_some() {
            let try_ = "wait until it has ended";
            let error = ApiError::new(ErrorCode::Ending, "leave the mesh", "this host is leaving already", try_);
            drop(reply.send(Err(error)));
            return;
        }
        tracing::info!("leaving the mesh");
        let until = self.environment.monotonic() + LEAVE_WAIT;
        self.membership.leaving = Some(Leaving { reply, until });
        self.gossip_leaving();
        self.state_own(true).await;
    }

    /// Ends when all that are connected hold what this host holds, or after [`LEAVE_WAIT`].
    pub(super) fn leave_if_told(&mut self) {
        let now = self.environment.monotonic();
        let Some(leaving) = &self.membership.leaving else { return };
        let members = self.engine.members(now);
        let connected = members.iter().filter(|member| member.state == MemberState::Alive && member.connected);
        let knows = |member: &Member| member.in_step && member.has_roster;
        let all_know = connected.clone().all(knows) && self.commits.is_idle();
        if !all_know && now < leaving.until {
            return;
        }
        let told = connected.filter(|member| knows(member)).count() as u64;
        if let Some(Leaving { reply, .. }) = self.membership.leaving.take() {
            self.ended = Some(Ended::Left { reply, told });
        }
    }

    /// Says goodbye to the others for this run.
    pub(in crate::daemon::core) async fn say_goodbye(&mut self) {
        if matches!(self.ended, Some(Ended::Left { .. })) {
            self.tell(Event::Leave).await;
        }
    }
}

/// Puts keys and history aside, and says where: what this host did in the mesh isn't lost, and a new start is possible.
pub(crate) fn set_aside(data_dir: &Path, now_ms: u64) -> io::Result<PathBuf> {
    let aside = data_dir.join(format!("left-{now_ms}"));
    std::fs::create_dir(&aside)?;
    for part in ["identity", "store", "kept"] {
        match std::fs::rename(data_dir.join(part), aside.join(part)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    std::fs::File::open(data_dir)?.sync_all()?;
    Ok(aside)
}

/// The answer to who asked for it.
pub(crate) fn left(aside: io::Result<PathBuf>, told: u64) -> Result<Left, ApiError> {
    let aside = aside.map_err(|error| {
        let what = "put this host's keys and history aside";
        let why = format!("{error}; the others know that this host left");
        ApiError::new(ErrorCode::Io, what, why, "move `identity` and `store` out of the data directory by hand")
    })?;
    Ok(Left { v: V1, aside: aside.display().to_string(), told })
}
