//! The local API: HTTP/1.1 with JSON and server-sent events on a Unix socket.
//!
//! ```text
//!  socket ─▶ connections (limits, deadlines, who calls) ─▶ routes ─▶ Request ─▶ core
//!                                                             ◀──── reply / events / converged
//! ```
//!
//! There is no TCP: who may use the API is decided by the socket's file permissions, and what is written carries the
//! name of the user at the socket's other end.

mod answer;
mod caller;
mod connections;
mod diff;
mod events;
mod facts;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub(crate) mod limits;
mod membership;
mod metrics;
mod routes;
mod socket;
#[cfg(test)]
mod tests;
mod wait;

use std::path::Path;
use std::sync::Arc;

use murmurate_client::types::ApiError;
use tokio::sync::Semaphore;

use crate::daemon::Log;
use crate::daemon::metrics::Source;
use crate::daemon::request::CoreHandle;
pub use socket::ApiSocket;

/// Takes the socket, mode 0660, and its directory's place if it is missing. A socket that nobody listens on is
/// replaced.
///
/// # Errors
/// When another daemon listens there, or the path can't be used.
pub fn bind(path: &Path) -> Result<ApiSocket, ApiError> {
    ApiSocket::bind(path)
}

/// Answers requests until `stop` is ready; then takes no more, lets those under way end for a bounded time, and removes
/// the socket.
pub(crate) async fn serve(
    socket: ApiSocket,
    core: CoreHandle,
    log: Log,
    metrics: Source,
    stop: impl Future<Output = ()>,
) {
    let meter = Arc::clone(metrics.api());
    connections::serve(&socket, routes::router(Api::new(core, log, metrics)), &meter, stop).await;
}

/// What the routes need.
#[derive(Debug, Clone)]
struct Api {
    core: CoreHandle,
    log: Log,
    metrics: Source,
    watches: Arc<Semaphore>,
    measuring: Arc<Semaphore>,
}

impl Api {
    fn new(core: CoreHandle, log: Log, metrics: Source) -> Self {
        let places = |count| Arc::new(Semaphore::new(count));
        Self { core, log, metrics, watches: places(limits::WATCHES), measuring: places(1) }
    }
}
