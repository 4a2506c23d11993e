//! Watches, and what happens to the mesh, as server-sent events; the event id is the resume token.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use murmurate_client::types::{ApiError, ErrorCode, MeshEvent, MeshEvents, StreamEvent};
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, watch as signal};

use super::Api;
use super::answer::{Answer, Failure, Parameters};
use super::limits::{KEEP_ALIVE, WATCHES};
use crate::daemon::event_log::EventLog;
use crate::daemon::request::Request;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Watch {
    #[serde(default)]
    prefix: String,
    resume: Option<String>,
    #[serde(default)]
    init: bool,
}

/// Events from now on, or after the token in `resume` or in the `Last-Event-ID` that browsers and SSE libraries send.
pub(super) async fn watch(
    State(api): State<Api>,
    headers: HeaderMap,
    Parameters(watch): Parameters<Watch>,
) -> Result<Response, Failure> {
    let permit = api.watches.clone().try_acquire_owned().map_err(|_| too_many())?;
    let resume = token(watch.resume, &headers);
    let Watch { prefix, init, .. } = watch;
    let events = api.core.ask(|reply| Request::Watch { prefix, resume, init, reply }).await?;
    let frames = stream::unfold((events, permit), |(mut events, permit)| async {
        let event = events.recv().await?;
        Some((Ok::<_, Infallible>(frame(&event)), (events, permit)))
    });
    Ok(Sse::new(frames).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// The token from the parameters, else from the header.
fn token(resume: Option<String>, headers: &HeaderMap) -> Option<String> {
    let last_id = || headers.get("last-event-id")?.to_str().ok().map(str::to_owned);
    resume.or_else(last_id).filter(|token| !token.is_empty())
}

/// What is kept of what happened.
pub(super) async fn events(State(api): State<Api>) -> Answer<MeshEvents> {
    Answer(api.core.events().borrow().all())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Follow {
    resume: Option<String>,
}

/// A place in the events, and what was taken from there.
struct Reader {
    log: signal::Receiver<EventLog>,
    token: String,
    taken: VecDeque<MeshEvent>,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    /// The next event, once there is one; nothing when the core ended.
    async fn next(&mut self) -> Option<MeshEvent> {
        loop {
            if let Some(event) = self.taken.pop_front() {
                self.token.clone_from(&event.resume);
                return Some(event);
            }
            self.taken = self.log.borrow_and_update().after(&self.token).into();
            if self.taken.is_empty() {
                self.log.changed().await.ok()?;
            }
        }
    }
}

/// What happens to the mesh, from now on or after a token.
pub(super) async fn follow(
    State(api): State<Api>,
    headers: HeaderMap,
    Parameters(follow): Parameters<Follow>,
) -> Result<Response, Failure> {
    let permit = api.watches.clone().try_acquire_owned().map_err(|_| too_many())?;
    let log = api.core.events();
    let token = token(follow.resume, &headers).unwrap_or_else(|| log.borrow().end());
    let reader = Reader { log, token, taken: VecDeque::new(), _permit: permit };
    let frames = stream::unfold(reader, |mut reader| async {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(frame(&event)), reader))
    });
    Ok(Sse::new(frames).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn frame<E: StreamEvent + Serialize>(event: &E) -> sse::Event {
    let frame = sse::Event::default().event(event.kind_name());
    // An id with a line end or a NUL isn't one; the token is in the data as well.
    let is_plain = !event.resume().contains(['\n', '\r', '\0']);
    let frame = if is_plain && !event.resume().is_empty() { frame.id(event.resume()) } else { frame };
    frame.data(serde_json::to_string(event).unwrap_or_default())
}

fn too_many() -> Failure {
    Failure(ApiError::new(
        ErrorCode::Busy,
        "begin a watch",
        format!("{WATCHES} watches are open already"),
        "end some of the programs that watch",
    ))
}
