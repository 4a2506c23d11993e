//! `bench`: what this mesh does, in figures. One measurement per file; over the local API and `/proc` only.
//!
//! ```text
//!  mesh that runs, or one of its own (--local) ─▶ measurements ─▶ rows: what │ aim │ reached │ bound by
//! ```
//! What is written goes to documents and folders of its own, which are deleted at the end, also after a failure.

mod catch_up;
mod file_to_file;
mod heal;
mod hosts;
mod idle;
mod kill;
mod latency;
mod load;
mod local;
mod loss;
mod machine;
mod memory;
mod namespace;
mod process;
mod puts;
mod report;
mod scratch;
mod seen;
mod start;
mod visible;
mod watching;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use murmurate_client::types::{ApiError, ErrorCode};

use super::context::Context;
use super::failure::Stop;
use crate::settings::parse_duration;
use hosts::Hosts;
use machine::Machine;
use report::{Report, Row};
use scratch::Scratch;

/// The shortest and the longest time that one measurement may be given.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(15);
/// Of a put's value, in bytes.
const VALUE_BYTES: u16 = 64;
/// The largest value: larger ones measure the disk, not the mesh.
const LARGEST_VALUE: i64 = 16 << 10;
/// The most hosts of its own: each is a process with some 25 MiB.
const MOST_LOCAL_HOSTS: i64 = 300;
/// Above this many hosts the daemons have the machine to themselves: only what tells of a large mesh is measured unasked.
const FEW_HOSTS: usize = 16;

#[derive(Debug, Args)]
pub(super) struct Bench {
    /// Start a throwaway mesh of N hosts on this machine, and measure that one; only here all measurements are made.
    /// Of more than 16 hosts: start, idle, spread and kill, unless others are named
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true,
        default_missing_value = "3", value_parser = clap::value_parser!(u16).range(1..=MOST_LOCAL_HOSTS))]
    local: Option<u16>,
    /// The socket of another host's daemon on this machine; give it again for more. Those of `dev` are found
    #[arg(long = "peer-socket", value_name = "PATH", conflicts_with = "local")]
    peer_sockets: Vec<PathBuf>,
    /// Only this measurement; give it again for more
    #[arg(long, value_name = "NAME")]
    only: Vec<Name>,
    /// How long one measurement takes
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    seconds: Duration,
    /// How long a value is, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = VALUE_BYTES,
        value_parser = clap::value_parser!(u16).range(16..=LARGEST_VALUE))]
    value_bytes: u16,
    /// Where its own folders and its own mesh are put, and the disk's sync is timed
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    scratch: PathBuf,
    /// Also on a mesh that keeps folders of its own: it is put under load, and what is deleted leaves its history behind
    #[arg(long)]
    yes: bool,
}

/// The measurements, in the order in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Start of all hosts -> all see all alive (--local)
    Start,
    /// CPU, memory and traffic of a daemon that has nothing to do
    Idle,
    /// Put -> acknowledged, and put -> visible on all others
    Visible,
    /// Put -> visible on all others, one put a second
    Spread,
    /// Put -> event at a watcher on the same host
    Watch,
    /// File saved -> file replaced on the others
    File,
    /// Durable puts a second with 1, 16 and 64 clients, and the bytes written for each
    Puts,
    /// Memory by number of documents and keys
    Memory,
    /// A fresh host with 10,000 keys in step (--local)
    CatchUp,
    /// kill -9 -> seen dead by all others; started again -> seen alive (--local)
    Kill,
    /// Members taken for dead while a fifth of all datagrams is lost (--local, as root; only if it is named)
    Loss,
    /// In step after a cut between two halves (--local, as root)
    Heal,
}

/// What every measurement works with.
struct Bed {
    hosts: Hosts,
    scratch: Scratch,
    time: Duration,
    value_bytes: usize,
    machine: Machine,
}

impl Bench {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let report = match self.local {
            Some(count) => local::measure(&self, count).await?,
            None => self.measure_running(context).await?,
        };
        context.print(report::render(&report, &context.view()))
    }

    /// The mesh that this host's daemon belongs to.
    async fn measure_running(&self, context: &Context) -> Result<Report, Stop> {
        let hosts = Hosts::find(&context.settings.socket.value, &self.peer_sockets).await?;
        if !self.yes {
            hosts.refuse_real_folders().await?;
        }
        let bed = self.bed(hosts)?;
        let rows = self.measure(&bed, |name| !name.needs_own_mesh()).await;
        Ok(bed.report(rows?))
    }

    fn bed(&self, hosts: Hosts) -> Result<Bed, Stop> {
        let machine = Machine::look(&self.scratch)?;
        let scratch = Scratch::new(&self.scratch)?;
        Ok(Bed { hosts, scratch, time: self.seconds, value_bytes: self.value_bytes.into(), machine })
    }

    /// Whether this is to be measured in a mesh of so many hosts.
    fn wants(&self, name: Name, hosts: usize) -> bool {
        let is_fit = name != Name::Loss && (hosts <= FEW_HOSTS || name.is_of_large_meshes());
        if self.only.is_empty() { is_fit } else { self.only.contains(&name) }
    }

    /// Makes the measurements that are wanted and that this bed is fit for, and tidies up.
    async fn measure(&self, bed: &Bed, fit: impl Fn(Name) -> bool) -> Result<Vec<Row>, Stop> {
        let mut rows = Vec::new();
        let mut result = Ok(());
        for &name in Name::value_variants().iter().filter(|name| self.wants(**name, bed.hosts.len()) && fit(**name)) {
            super::context::note(&format!("measuring: {}", describe(name)));
            result = one(name, bed).await.map(|measured| rows.extend(measured));
            bed.scratch.tidy(&bed.hosts).await;
            if result.is_err() {
                break;
            }
        }
        result?;
        Ok(rows)
    }
}

async fn one(name: Name, bed: &Bed) -> Result<Vec<Row>, Stop> {
    match name {
        Name::Idle => idle::measure(bed).await,
        Name::Visible => visible::measure(bed).await,
        Name::Spread => visible::measure_spread(bed).await,
        Name::Watch => watching::measure(bed).await,
        Name::File => file_to_file::measure(bed).await,
        Name::Puts => puts::measure(bed).await,
        Name::Memory => memory::measure(bed).await,
        // These need daemons of their own.
        Name::Start | Name::CatchUp | Name::Kill | Name::Loss | Name::Heal => Ok(Vec::new()),
    }
}

impl Name {
    /// Whether its daemons are started, stopped or cut off.
    fn needs_own_mesh(self) -> bool {
        matches!(self, Self::Start | Self::CatchUp | Self::Kill | Self::Loss | Self::Heal)
    }

    fn is_of_large_meshes(self) -> bool {
        matches!(self, Self::Start | Self::Idle | Self::Spread | Self::Kill)
    }
}

impl Bed {
    fn report(&self, rows: Vec<Row>) -> Report {
        Report::new(&self.machine, &self.hosts, rows)
    }
}

/// A measurement, as the help text has it.
fn describe(name: Name) -> String {
    let value = name.to_possible_value();
    let help = value.as_ref().and_then(|value| value.get_help()).map(ToString::to_string);
    help.unwrap_or_default()
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if (SHORTEST..=LONGEST).contains(&duration) {
        Ok(duration)
    } else {
        Err(format!("it is between {} s and {} s", SHORTEST.as_secs(), LONGEST.as_secs()))
    }
}

/// Something that should have happened within its time.
fn too_late(what: &str, limit: Duration) -> ApiError {
    let why = format!("it didn't come about within {} s", limit.as_secs());
    ApiError::new(ErrorCode::Timeout, what, why, "look at `murmurate status`, and at what else runs on this machine")
}
