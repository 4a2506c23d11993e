//! A throwaway mesh on this machine, for what can't be done to one that is in use.

use std::path::{Path, PathBuf};

use murmurate_client::types::{ApiError, ErrorCode};
use tempfile::TempDir;

use super::super::context::note;
use super::super::dev::daemons::Daemons;
use super::super::dev::host::{self, Host as LocalHost};
use super::super::dev::{Ends, ready};
use super::super::failure::{self, Stop};
use super::hosts::{Host, Hosts};
use super::load::Load;
use super::namespace::Namespace;
use super::report::{Report, Row};
use super::seen::wall_ms;
use super::{Bench, Name, catch_up, describe, heal, kill, loss, start};

/// When a mesh was started, in milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Started {
    pub(super) begun_ms: u64,
    /// When the last of its processes was begun.
    pub(super) spawned_ms: u64,
    pub(super) busy_cores: f64,
}

/// An own mesh. Its daemons end and its directory goes when this is dropped.
pub(super) struct LocalMesh {
    pub(super) daemons: Daemons,
    pub(super) hosts: Vec<LocalHost>,
    /// The network that can be cut, or why there is none.
    pub(super) namespace: Result<Namespace, String>,
    _dir: TempDir,
}

impl LocalMesh {
    /// Prepares this many hosts; none is started.
    pub(super) fn prepare(parent: &Path, count: u16) -> Result<Self, ApiError> {
        let dir = tempfile::Builder::new().prefix("murmurate-mesh-").tempdir_in(parent);
        let dir = dir.map_err(|error| failure::io(&format!("make a directory in {}", parent.display()), &error))?;
        let hosts = host::prepare_all(dir.path(), count)?;
        Ok(Self { daemons: Daemons::default(), hosts, namespace: Err("no cut was planned".into()), _dir: dir })
    }

    /// Starts the first hosts and waits until they are in step.
    pub(super) async fn start(&mut self, count: usize) -> Result<Started, Stop> {
        let load = Load::begin();
        let begun_ms = wall_ms();
        for index in 0..count {
            self.start_one(index)?;
        }
        let spawned_ms = wall_ms();
        self.wait_in_step(count).await?;
        Ok(Started { begun_ms, spawned_ms, busy_cores: load.busy_cores() })
    }

    pub(super) async fn wait_in_step(&mut self, count: usize) -> Result<(), Stop> {
        ready::wait_in_step(&self.hosts[..count], &mut self.daemons).await?;
        Ok(())
    }

    pub(super) fn start_one(&mut self, index: usize) -> Result<(), ApiError> {
        let namespace = self.namespace.as_ref().ok().map(Namespace::name);
        self.daemons.start_in(&self.hosts[index], namespace)
    }

    pub(super) fn socket(&self, index: usize) -> PathBuf {
        self.hosts[index].socket()
    }

    pub(super) async fn attach(&self, index: usize) -> Result<Host, ApiError> {
        Host::attach(&self.socket(index)).await
    }
}

/// Everything, on a mesh of its own; until a signal ends it.
pub(super) async fn measure(bench: &Bench, count: u16) -> Result<Report, Stop> {
    let mut ends = Ends::listen()?;
    tokio::select! {
        report = measure_all(bench, count) => report,
        () = ends.wait() => {
            let why = "it was told to end";
            Err(ApiError::new(ErrorCode::Interrupted, "measure a mesh of its own", why, "start it again").into())
        }
    }
}

async fn measure_all(bench: &Bench, count: u16) -> Result<Report, Stop> {
    let wants = |name| bench.wants(name, count.into());
    let begin = |name| wants(name).then(|| note(&format!("measuring: {}", describe(name)))).is_some();
    let mut mesh = LocalMesh::prepare(&bench.scratch, count)?;
    if wants(Name::Heal) || wants(Name::Loss) {
        mesh.namespace = Namespace::new();
    }
    let started = mesh.start(count.into()).await?;
    let sockets: Vec<_> = (1..count.into()).map(|index| mesh.socket(index)).collect();
    let bed = bench.bed(Hosts::find(&mesh.socket(0), &sockets).await?)?;
    let mut rows = Vec::new();
    if begin(Name::Start) {
        rows.push(start::measure(&bed, started).await?);
    }
    rows.extend(bench.measure(&bed, |name| !name.needs_own_mesh()).await?);
    if begin(Name::Kill) {
        rows.extend(kill::measure(&bed, &mut mesh).await?);
    }
    if begin(Name::Loss) {
        rows.extend(loss::measure(&bed, &mesh).await?);
    }
    if begin(Name::Heal) {
        rows.extend(heal::measure(&bed, &mesh).await?);
        bed.scratch.tidy(&bed.hosts).await;
    }
    mesh.daemons.end().await;
    if begin(Name::CatchUp) {
        rows.extend(catch_up::measure(&bed, &bench.scratch, count).await?);
    }
    Ok(bed.report(rows))
}

/// A row for what could not be measured.
pub(super) fn missing(measurement: &'static str, what: &str, why: &str) -> Row {
    Row::missing(measurement, what, why)
}
