//! When the mesh is ready: all daemons up, all in step, all keep the folder.

use std::fs;
use std::future::Future;
use std::time::Duration;

use murmurate_client::Mesh;
use murmurate_client::types::{AddFolder, ApiError, ErrorCode};
use tokio::time::{Instant, sleep, timeout_at};

use super::super::context::note;
use super::super::failure::Stop;
use super::FOLDER;
use super::daemons::Daemons;
use super::host::Host;

/// How long it may take: a few seconds on an idle machine, more where many daemons share two cores.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// And for each host.
const READY_PER_HOST: Duration = Duration::from_secs(1);

/// How often a daemon that isn't there yet is asked again.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// How much of a daemon's log is shown when it isn't ready in time.
const LOG_LINES: usize = 20;

/// Waits until all are ready, and keep the folder.
pub(in crate::cli) async fn wait(hosts: &[Host], daemons: &mut Daemons) -> Result<(), Stop> {
    let meshes = wait_in_step(hosts, daemons).await?;
    for (host, mesh) in hosts.iter().zip(&meshes) {
        explained(host, keep_folder(host, mesh).await)?;
    }
    wait_in_step(hosts, daemons).await?;
    Ok(())
}

/// Waits until all see all and are in step; gives the way to each.
pub(in crate::cli) async fn wait_in_step(hosts: &[Host], daemons: &mut Daemons) -> Result<Vec<Mesh>, Stop> {
    let limit = READY_DEADLINE + READY_PER_HOST * u32::try_from(hosts.len()).unwrap_or(u32::MAX);
    let deadline = Instant::now() + limit;
    let mut meshes = Vec::new();
    for host in hosts {
        meshes.push(explained(host, until(deadline, daemons, || Mesh::attach_to(host.socket())).await)?);
    }
    for (host, mesh) in hosts.iter().zip(&meshes) {
        explained(host, until(deadline, daemons, || all_in_step(mesh, hosts.len())).await)?;
    }
    Ok(meshes)
}

/// Tries again until it succeeds, a daemon ends, or the time is over; then the last error is the reason.
async fn until<T, F>(deadline: Instant, daemons: &mut Daemons, attempt: impl Fn() -> F) -> Result<T, ApiError>
where
    F: Future<Output = Result<T, ApiError>>,
{
    loop {
        daemons.check()?;
        let error = match timeout_at(deadline, attempt()).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => error,
            Err(_) => not_ready("it doesn't answer".to_owned()),
        };
        if Instant::now() >= deadline {
            return Err(error);
        }
        sleep(ASK_EVERY).await;
    }
}

async fn all_in_step(mesh: &Mesh, hosts: usize) -> Result<(), ApiError> {
    let status = mesh.status().await?;
    let members = status.members;
    if status.in_step && members.alive == hosts as u64 {
        return Ok(());
    }
    let converged = if status.in_step { "in step" } else { "not in step" };
    Err(not_ready(format!("it sees {} of {hosts} hosts, {converged}", members.alive)))
}

/// A host that was here before may keep it already.
async fn keep_folder(host: &Host, mesh: &Mesh) -> Result<(), ApiError> {
    let folders = mesh.folders().await?;
    if folders.folders.iter().any(|folder| folder.name == FOLDER) {
        return Ok(());
    }
    let dir = host.folder().display().to_string();
    mesh.folder_add(&AddFolder { name: FOLDER.to_owned(), dir, adopt: false }).await?;
    Ok(())
}

fn not_ready(why: String) -> ApiError {
    ApiError::new(ErrorCode::NotConverged, "bring the mesh up in time", why, "look at the end of its log above")
}

/// Names the host, and shows the end of its log.
fn explained<T>(host: &Host, result: Result<T, ApiError>) -> Result<T, Stop> {
    result.map_err(|mut error| {
        note(&format!("the end of {}:\n{}\n", host.log().display(), log_end(host)));
        error.what = format!("{}: {}", host.name, error.what);
        error.into()
    })
}

fn log_end(host: &Host) -> String {
    let log = fs::read(host.log()).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}
