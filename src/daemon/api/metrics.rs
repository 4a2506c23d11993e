//! Metrics on the local API, and what the API counts of itself.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use super::Api;
use super::answer::Failure;
use crate::daemon::metrics::{ApiMeter, Format};

/// All metrics, in the form that is asked for.
pub(super) async fn metrics(State(api): State<Api>, headers: HeaderMap) -> Result<Response, Failure> {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = Format::accepted(accept);
    let text = api.metrics.text(format).await?;
    Ok(([(CONTENT_TYPE, format.content_type())], text).into_response())
}

/// Counts a request to an operation that there is. No operation has a name in its path, so there are few paths.
pub(super) async fn count_request(State(meter): State<Arc<ApiMeter>>, request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let begun = Instant::now();
    let response = next.run(request).await;
    meter.answered(method.as_str(), uri.path(), response.status().as_u16(), begun.elapsed());
    response
}
