//! Connections: how many, for how long, and how they end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use murmurate_client::types::{ApiError, ErrorCode};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::caller;
use super::limits::{ACCEPT_PAUSE, CONNECTIONS, ENDING_DEADLINE, HEAD_BYTES, HEAD_DEADLINE};
use super::socket::ApiSocket;
use crate::daemon::metrics::ApiMeter;

/// Takes connections until `stop`, then ends them in order.
pub(super) async fn serve(socket: &ApiSocket, router: Router, meter: &ApiMeter, stop: impl Future<Output = ()>) {
    let (stopping, stopped) = watch::channel(false);
    let mut open = Open::default();
    let mut stop = std::pin::pin!(stop);
    loop {
        meter.connected(open.slots.len());
        tokio::select! {
            () = &mut stop => break,
            Some(ended) = open.tasks.join_next_with_id() => open.forget(ended.map_or_else(|error| error.id(), |(id, ())| id)),
            accepted = socket.listener.accept() => match accepted {
                Ok((stream, _)) => open.take(stream, &router, meter, &stopped),
                Err(error) => {
                    tracing::warn!(%error, "can't take a connection to the local API");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    let _ = stopping.send(true);
    let all = async { while open.tasks.join_next().await.is_some() {} };
    if timeout(ENDING_DEADLINE, all).await.is_err() {
        tracing::info!(connections = open.tasks.len(), "requests under way are cut off");
    }
}

/// The open connections. They are aborted when this is dropped.
#[derive(Default)]
struct Open {
    tasks: JoinSet<()>,
    /// In the order in which they came.
    slots: BTreeMap<u64, Slot>,
    next: u64,
}

struct Slot {
    task: AbortHandle,
    /// Whether it ever sent a request's whole head.
    asked: Arc<AtomicBool>,
}

impl Open {
    fn take(&mut self, stream: UnixStream, router: &Router, meter: &ApiMeter, stopped: &watch::Receiver<bool>) {
        if self.slots.len() >= CONNECTIONS && !self.make_room() {
            meter.refused();
            refuse(&stream);
            return;
        }
        let asked = Arc::new(AtomicBool::new(false));
        let task = self.tasks.spawn(connection(stream, router.clone(), Arc::clone(&asked), stopped.clone()));
        self.slots.insert(self.next, Slot { task, asked });
        self.next += 1;
    }

    /// Ends the connection that has been open for longest without asking anything.
    fn make_room(&mut self) -> bool {
        let silent = self.slots.iter().find(|(_, slot)| !slot.asked.load(Ordering::Relaxed)).map(|(&number, _)| number);
        let Some(slot) = silent.and_then(|number| self.slots.remove(&number)) else { return false };
        slot.task.abort();
        true
    }

    fn forget(&mut self, ended: tokio::task::Id) {
        self.slots.retain(|_, slot| slot.task.id() != ended);
    }
}

/// Says that there is no room, if that can be said without waiting.
fn refuse(stream: &UnixStream) {
    let error = ApiError::new(
        ErrorCode::Busy,
        "connect to the local API",
        format!("{CONNECTIONS} connections are open already"),
        "end some of the programs that use it",
    );
    let body = serde_json::to_string(&error.reply()).unwrap_or_default();
    let head =
        "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length";
    // Whoever went away needs no answer.
    let _ = stream.try_write(format!("{head}: {}\r\n\r\n{body}", body.len()).as_bytes());
}

async fn connection(stream: UnixStream, router: Router, asked: Arc<AtomicBool>, mut stopped: watch::Receiver<bool>) {
    let caller = match caller::of(&stream) {
        Ok(caller) => caller,
        Err(error) => {
            tracing::warn!(%error, "a connection to the local API without credentials is refused");
            return;
        }
    };
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        asked.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(caller.clone());
        tower_service::Service::call(&mut router.clone(), request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE).max_buf_size(HEAD_BYTES);
    let mut served = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut served => ended,
        () = async { drop(stopped.wait_for(|&stopped| stopped).await) } => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the local API ended early");
    }
}
