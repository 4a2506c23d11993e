//! A fresh host: from its start until it is in step.

use std::path::Path;
use std::time::{Duration, Instant};

use murmurate_client::Mesh;
use murmurate_client::types::ApiError;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::failure::Stop;
use super::hosts::Host;
use super::load::Load;
use super::local::LocalMesh;
use super::report::{Aim, Row};
use super::scratch::{key_of, toml_file, value};
use super::visible::put_value;
use super::{Bed, too_late};

const NAME: &str = "catch-up";
/// Together 10,000 keys.
const DOCUMENTS: usize = 100;
const KEYS: usize = 100;
/// Who writes the keys one by one.
const CLIENTS: usize = 32;
const DEADLINE: Duration = Duration::from_secs(120);
/// How often the fresh host is asked whether it is there and in step.
const ASK_EVERY: Duration = Duration::from_millis(5);

/// How the keys were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// As whole files: a change each.
    Files,
    /// Key by key: a change each.
    Puts,
}

pub(super) async fn measure(bed: &Bed, parent: &Path, count: u16) -> Result<Vec<Row>, Stop> {
    let mut rows = Vec::new();
    for written in [Written::Files, Written::Puts] {
        let mut mesh = LocalMesh::prepare(parent, count + 1)?;
        let row = one(bed, &mut mesh, count.into(), written).await;
        mesh.daemons.end().await;
        rows.push(row?);
    }
    Ok(rows)
}

async fn one(bed: &Bed, mesh: &mut LocalMesh, count: usize, written: Written) -> Result<Row, Stop> {
    mesh.start(count).await?;
    let first = mesh.attach(0).await?;
    write(&first, bed, written).await?;
    first.mesh.wait_converged(DEADLINE).await?;
    let expected = first.mesh.status().await?.store.changes;
    let load = Load::begin();
    let begin = Instant::now();
    mesh.start_one(count)?;
    let seconds = until_in_step(&mesh.socket(count), expected, begin).await?;
    let bound = load.bound(&bed.machine, seconds * 1e3, 1);
    let how = match written {
        Written::Files => format!("{DOCUMENTS} files, a change each"),
        Written::Puts => format!("{DOCUMENTS} files, a change for each key"),
    };
    let what = format!("fresh host with {} keys in step ({how})", DOCUMENTS * KEYS);
    Ok(Row::value(NAME, what, seconds, "s").aim(Some(Aim::at_most(seconds, 0.5, "s"))).bound_by(bound))
}

async fn write(host: &Host, bed: &Bed, written: Written) -> Result<(), ApiError> {
    let name = |document: usize| bed.scratch.document(&format!("catch-up-{document}.toml"));
    for document in 0..DOCUMENTS {
        host.mesh.write_file(&name(document), toml_file(KEYS, bed.value_bytes)).await?;
    }
    if written == Written::Files {
        return Ok(());
    }
    let mut writers = JoinSet::new();
    for client in 0..CLIENTS {
        let mesh = host.client().await?;
        let addresses: Vec<_> = (client..DOCUMENTS)
            .step_by(CLIENTS)
            .flat_map(|document| (0..KEYS).map(move |key| (document, key)))
            .map(|(document, key)| key_of(&name(document), key))
            .collect();
        let text = value(1, bed.value_bytes);
        writers.spawn(async move {
            for address in addresses {
                mesh.put(&address, &put_value(&text)).await?;
            }
            Ok::<_, ApiError>(())
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer.map_err(|error| ApiError::internal("put as a client", error.to_string()))??;
    }
    Ok(())
}

/// Seconds until the host at the socket holds so many changes and is in step with all.
async fn until_in_step(socket: &Path, expected: u64, begin: Instant) -> Result<f64, ApiError> {
    loop {
        if begin.elapsed() >= DEADLINE {
            return Err(too_late("bring a fresh host in step", DEADLINE));
        }
        if let Ok(mesh) = Mesh::attach_to(socket).await
            && let Ok(status) = mesh.status().await
            && status.store.changes >= expected
            && status.in_step
        {
            return Ok(begin.elapsed().as_secs_f64());
        }
        sleep(ASK_EVERY).await;
    }
}
