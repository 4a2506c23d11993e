//! Requests in, answers out: JSON both ways, errors included.

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use murmurate_client::types::{ApiError, ErrorCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::limits::{BODY_BYTES, BODY_DEADLINE};

/// An error as an answer.
pub(super) struct Failure(pub(super) ApiError);

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (status_of(self.0.code), Answer(self.0.reply())).into_response()
    }
}

/// A document as an answer.
pub(super) struct Answer<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
            // Only maps with keys that aren't text can't be written, and no document has one.
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

/// What a handler gives.
pub(super) type Result<T> = std::result::Result<Answer<T>, Failure>;

/// The HTTP status that goes with a code.
fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::BadRequest | ErrorCode::BadAddress | ErrorCode::BadSetting | ErrorCode::NotConfirmed => {
            StatusCode::BAD_REQUEST
        }
        ErrorCode::Denied => StatusCode::FORBIDDEN,
        ErrorCode::NotFound | ErrorCode::NoRoute => StatusCode::NOT_FOUND,
        ErrorCode::VersionDiffers | ErrorCode::Exists | ErrorCode::Held | ErrorCode::Frozen => StatusCode::CONFLICT,
        ErrorCode::AlreadyRunning => StatusCode::CONFLICT,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::BadValue | ErrorCode::BadEdit | ErrorCode::Limit | ErrorCode::BadFolder | ErrorCode::CheckFailed => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        ErrorCode::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        ErrorCode::Timeout | ErrorCode::NotConverged => StatusCode::GATEWAY_TIMEOUT,
        ErrorCode::Busy | ErrorCode::Ending | ErrorCode::NoQuorum => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Parameters behind the `?`.
pub(super) struct Parameters<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> std::result::Result<Self, Failure> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(error) => Err(bad_request(parts.uri.path(), "the parameters", &error.body_text())),
        }
    }
}

/// A body in JSON, within the size and time that bodies have. What content type is said doesn't matter.
pub(super) struct Document<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Document<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &S) -> std::result::Result<Self, Failure> {
        let path = request.uri().path().to_owned();
        let Raw(body) = Raw::from_request(request, state).await?;
        match serde_json::from_slice(&body) {
            Ok(document) => Ok(Self(document)),
            Err(error) => Err(bad_request(&path, "the body", &error.to_string())),
        }
    }
}

/// A body's bytes, within the size and time that bodies have.
pub(super) struct Raw(pub(super) Bytes);

impl<S: Sync> FromRequest<S> for Raw {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> std::result::Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        read(body, parts.uri.path()).await.map(Self).map_err(Failure)
    }
}

async fn read(body: Body, path: &str) -> std::result::Result<Bytes, ApiError> {
    let what = format!("read the request to {path}");
    if body.size_hint().lower() > BODY_BYTES as u64 {
        return Err(too_large(what));
    }
    match timeout(BODY_DEADLINE, axum::body::to_bytes(body, BODY_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if is_too_large(&error) => Err(too_large(what)),
        Ok(Err(error)) => Err(ApiError::new(ErrorCode::BadRequest, what, error.to_string(), "send the whole body")),
        Err(_) => {
            let why = format!("its body wasn't there within {} s", BODY_DEADLINE.as_secs());
            Err(ApiError::new(ErrorCode::Timeout, what, why, "send it faster"))
        }
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>())
}

fn too_large(what: String) -> ApiError {
    let why = format!("it is larger than {BODY_BYTES} bytes");
    ApiError::new(ErrorCode::TooLarge, what, why, "split what you write: a file may have 8 MiB, a value 1 MiB")
}

/// A request that makes no sense.
pub(super) fn bad_request(path: &str, part: &str, why: &str) -> Failure {
    Failure(ApiError::new(
        ErrorCode::BadRequest,
        format!("understand {part} of the request to {path}"),
        why,
        "the API is described at /v1/openapi.json",
    ))
}
