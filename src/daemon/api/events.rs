//! Watches as server-sent events; the event id is the resume token.

use std::convert::Infallible;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use murmurate_client::types::{ApiError, ErrorCode, Event};
use serde::Deserialize;

use super::Api;
use super::answer::{Failure, Parameters};
use super::limits::{KEEP_ALIVE, WATCHES};
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
    let last_id = || headers.get("last-event-id")?.to_str().ok().map(str::to_owned);
    let resume = watch.resume.or_else(last_id).filter(|token| !token.is_empty());
    let Watch { prefix, init, .. } = watch;
    let events = api.core.ask(|reply| Request::Watch { prefix, resume, init, reply }).await?;
    let frames = stream::unfold((events, permit), |(mut events, permit)| async {
        let event = events.recv().await?;
        Some((Ok::<_, Infallible>(frame(&event)), (events, permit)))
    });
    Ok(Sse::new(frames).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn frame(event: &Event) -> sse::Event {
    let frame = sse::Event::default().event(event.kind.name());
    // An id with a line end or a NUL isn't one; the token is in the data as well.
    let plain = !event.resume.contains(['\n', '\r', '\0']);
    let frame = if plain && !event.resume.is_empty() { frame.id(&event.resume) } else { frame };
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
