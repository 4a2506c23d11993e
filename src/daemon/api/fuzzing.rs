//! Any request to the router, over a core that is about to end: an answer in JSON, with a code that clients know.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use murmurate_client::types::{Converged, ErrorCode, ErrorReply};
use tower_service::Service;

use super::{Api, routes};
use crate::daemon::Log;
use crate::daemon::metrics::Source;
use crate::daemon::request::{Caller, door};

/// What stands between a request's head and its body.
const SEPARATOR: u8 = 0xff;

/// A method, a space, a path with its query; then, after [`SEPARATOR`], a body.
pub fn request(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == SEPARATOR);
    let (head, body) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Some((method, uri)) = std::str::from_utf8(head).ok().and_then(|head| head.split_once(' ')) else { return };
    let caller = Caller { user: "ann".to_owned(), uid: 1_000 };
    let request = Request::builder().method(method).uri(uri).extension(caller).body(Body::from(body.to_vec()));
    let Ok(request) = request else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let (status, is_stream, body) = runtime.block_on(answer(request));
    // What comes as events is no document.
    if !is_stream {
        check(status, &body);
    }
}

async fn answer(request: Request<Body>) -> (StatusCode, bool, Vec<u8>) {
    let (core, mut end) = door(Converged::of(Vec::new()));
    let api = Api::new(core.clone(), Log::detached("off"), Source::new(core));
    // Each request is dropped, which is how one ends that a core can't answer any more.
    let core = tokio::spawn(async move { while end.requests.recv().await.is_some() {} });
    let Ok(response) = routes::router(api).call(request).await;
    core.abort();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("a body that is there").to_bytes();
    let is_stream =
        parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    (parts.status, is_stream, body.to_vec())
}

fn check(status: StatusCode, body: &[u8]) {
    // An answer to HEAD has none.
    if body.is_empty() {
        return;
    }
    let json: serde_json::Value = serde_json::from_slice(body).expect("an answer in JSON");
    if status.is_success() {
        return;
    }
    let reply: ErrorReply = serde_json::from_value(json).expect("an error as it is documented");
    let error = reply.error;
    assert!(ErrorCode::ALL.contains(&error.code) && error.code != ErrorCode::Unknown, "{error}");
    assert!(!error.what.is_empty() && !error.why.is_empty() && !error.try_.is_empty(), "{error:?}");
    assert!(status != StatusCode::INTERNAL_SERVER_ERROR && error.code != ErrorCode::Internal, "{error}");
}
