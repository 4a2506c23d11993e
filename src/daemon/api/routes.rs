//! Which path is which operation.

use std::sync::Arc;

use axum::body::HttpBody;
use axum::extract::{Extension, Request as HttpRequest, State};
use axum::http::header::{CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Method, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, extract::DefaultBodyLimit};
use murmurate_client::types::{
    AddFolder, ApiError, Conflicts, Counters, Deleted, Documents, Entry, ErrorCode, Explanation, File, FolderAdded,
    FolderConfirmed, FolderRemoved, FolderStatus, Folders, Keys, LogFilter, LogLines, Members, PutResult, PutValue,
    ResolveConflict, Resolved, SetLogFilter, Status, V1, Version, WriteOptions,
};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::answer::{Answer, Document, Failure, Parameters, Raw, Result};
use super::diff::diff;
use super::events::{events, follow, watch};
use super::facts::facts;
use super::limits::{BODY_BYTES, BODY_DEADLINE, LARGE_BODIES_BYTES, SMALL_BODY_BYTES};
use super::metrics::{count_request, metrics};
use super::wait::wait;
use super::{Api, membership};
use crate::daemon::request::{Caller, Request};

/// The API's description, for people and generators.
const OPENAPI: &str = include_str!("../../../docs/openapi.json");

/// All operations. A request that no route fits is answered in JSON too.
pub(super) fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/version", get(version))
        .route("/v1/openapi.json", get(openapi))
        .route("/v1/status", get(status))
        .route("/v1/counters", get(counters))
        .route("/v1/metrics", get(metrics))
        .route("/v1/members", get(members))
        .route("/v1/folders", get(folder_list).post(folder_add))
        .route("/v1/folder", axum::routing::delete(folder_remove))
        .route("/v1/folder/confirm", post(folder_confirm))
        .route("/v1/folder-status", get(folder_status))
        .route("/v1/documents", get(documents))
        .route("/v1/keys", get(keys))
        .route("/v1/value", get(get_value).put(put_value).delete(delete))
        .route("/v1/explain", get(explain))
        .route("/v1/file", get(read_file).put(write_file))
        .route("/v1/diff", get(diff))
        .route("/v1/conflicts", get(conflicts))
        .route("/v1/resolve", post(resolve))
        .route("/v1/watch", get(watch))
        .route("/v1/events", get(events))
        .route("/v1/events/follow", get(follow))
        .route("/v1/wait", get(wait))
        .route("/v1/facts", get(facts))
        .route("/v1/log", get(log_filter).put(set_log_filter))
        .route("/v1/log/lines", get(log_lines))
        .merge(membership::routes())
        .route_layer(middleware::from_fn_with_state(Arc::clone(api.metrics.api()), count_request))
        .fallback(no_route)
        .method_not_allowed_fallback(no_route)
        .layer(middleware::from_fn_with_state(Arc::new(Semaphore::new(LARGE_BODIES_BYTES)), bound_bodies))
        .layer(middleware::from_fn(refuse_browsers))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(api)
}

/// The host that requests to the socket are for, as the client library and `curl --unix-socket` name it.
const HOST_NAME: &str = "localhost";

/// A web page has no business here, whatever carried its request to the socket.
async fn refuse_browsers(request: HttpRequest, next: Next) -> Response {
    let Some(why) = sign_of_a_web_page(request.headers()) else { return next.run(request).await };
    let error = ApiError::new(
        ErrorCode::Denied,
        format!("{} {}", request.method(), request.uri().path()),
        why,
        "use the command line, the client library or `curl --unix-socket PATH http://localhost/...`",
    );
    Failure(error).into_response()
}

/// What gives a request away as one that a browser was made to send.
fn sign_of_a_web_page(headers: &HeaderMap) -> Option<&'static str> {
    if headers.contains_key(ORIGIN) {
        return Some("it has an Origin header, so it comes from a web page");
    }
    let host = headers.get(HOST)?.as_bytes();
    let name = host.split(|byte| *byte == b':').next().unwrap_or_default();
    (!name.eq_ignore_ascii_case(HOST_NAME.as_bytes()))
        .then_some("its Host header isn't `localhost`, so it is meant for another host")
}

/// Keeps large bodies waiting while others take up the room for them: half-open requests must not fill the memory.
async fn bound_bodies(State(room): State<Arc<Semaphore>>, request: HttpRequest, next: Next) -> Response {
    let largest =
        request.body().size_hint().upper().map_or(BODY_BYTES, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    if largest <= SMALL_BODY_BYTES {
        return next.run(request).await;
    }
    let bytes = u32::try_from(largest.min(BODY_BYTES)).unwrap_or(u32::MAX);
    let Ok(Ok(_room)) = timeout(BODY_DEADLINE, room.acquire_many(bytes)).await else {
        let what = format!("{} {}", request.method(), request.uri().path());
        let why = format!("{} MiB of large requests are under way already", LARGE_BODIES_BYTES >> 20);
        return Failure(ApiError::new(ErrorCode::Busy, what, why, "try again in a while")).into_response();
    };
    next.run(request).await
}

async fn no_route(method: Method, uri: Uri) -> Failure {
    Failure(ApiError::new(
        ErrorCode::NoRoute,
        format!("{method} {}", uri.path()),
        "the API has no such operation",
        "GET /v1/openapi.json lists them; compare `murmurate version` with the daemon's",
    ))
}

async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

async fn version() -> Answer<Version> {
    Answer(Version { v: V1, version: env!("CARGO_PKG_VERSION").to_owned(), api: V1::NUMBER })
}

async fn status(State(api): State<Api>) -> Result<Status> {
    Ok(Answer(api.core.ask(|reply| Request::Status { reply }).await?))
}

async fn counters(State(api): State<Api>) -> Result<Counters> {
    Ok(Answer(api.core.ask(|reply| Request::Counters { reply }).await?))
}

async fn members(State(api): State<Api>) -> Result<Members> {
    Ok(Answer(api.core.ask(|reply| Request::Members { reply }).await?))
}

async fn folder_list(State(api): State<Api>) -> Result<Folders> {
    Ok(Answer(api.core.ask(|reply| Request::FolderList { reply }).await?))
}

async fn folder_add(State(api): State<Api>, Document(folder): Document<AddFolder>) -> Result<FolderAdded> {
    Ok(Answer(api.core.ask(|reply| Request::FolderAdd { folder, reply }).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    name: String,
}

async fn folder_remove(State(api): State<Api>, Parameters(Name { name }): Parameters<Name>) -> Result<FolderRemoved> {
    Ok(Answer(api.core.ask(|reply| Request::FolderRemove { name, reply }).await?))
}

async fn folder_confirm(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Parameters(Name { name }): Parameters<Name>,
) -> Result<FolderConfirmed> {
    Ok(Answer(api.core.ask(|reply| Request::FolderConfirm { name, caller, reply }).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FilePage {
    name: Option<String>,
    after: Option<String>,
}

async fn folder_status(
    State(api): State<Api>,
    Parameters(FilePage { name, after }): Parameters<FilePage>,
) -> Result<FolderStatus> {
    Ok(Answer(api.core.ask(|reply| Request::FolderStatus { name, after, reply }).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Prefix {
    #[serde(default)]
    prefix: String,
}

async fn documents(State(api): State<Api>, Parameters(Page { prefix, after }): Parameters<Page>) -> Result<Documents> {
    Ok(Answer(api.core.ask(|reply| Request::Documents { prefix, after, reply }).await?))
}

async fn conflicts(State(api): State<Api>, Parameters(Prefix { prefix }): Parameters<Prefix>) -> Result<Conflicts> {
    Ok(Answer(api.core.ask(|reply| Request::Conflicts { prefix, reply }).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    prefix: String,
    after: Option<String>,
}

async fn keys(State(api): State<Api>, Parameters(Page { prefix, after }): Parameters<Page>) -> Result<Keys> {
    Ok(Answer(api.core.ask(|reply| Request::Keys { prefix, after, reply }).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Address {
    address: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    address: String,
    #[serde(default)]
    base: bool,
}

async fn get_value(State(api): State<Api>, Parameters(Read { address, base }): Parameters<Read>) -> Result<Entry> {
    Ok(Answer(api.core.ask(|reply| Request::Get { address, base, reply }).await?))
}

async fn explain(State(api): State<Api>, Parameters(Address { address }): Parameters<Address>) -> Result<Explanation> {
    Ok(Answer(api.core.ask(|reply| Request::Explain { address, reply }).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutAddress {
    address: String,
    at: Option<String>,
}

async fn put_value(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Parameters(PutAddress { address, at }): Parameters<PutAddress>,
    Document(PutValue { value, kind, expect }): Document<PutValue>,
) -> Result<PutResult> {
    Ok(Answer(api.core.ask(|reply| Request::Put { address, value, kind, expect, at, caller, reply }).await?))
}

async fn delete(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Parameters(Address { address }): Parameters<Address>,
) -> Result<Deleted> {
    Ok(Answer(api.core.ask(|reply| Request::Delete { address, caller, reply }).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Doc {
    doc: String,
    #[serde(default)]
    base: bool,
}

async fn read_file(
    State(api): State<Api>,
    Parameters(Doc { doc, base }): Parameters<Doc>,
) -> std::result::Result<Response, Failure> {
    let file = api.core.ask(|reply| Request::ReadFile { doc, base, reply }).await?;
    let headers = file_headers(&file)?;
    Ok((headers, file.bytes).into_response())
}

fn file_headers(file: &File) -> std::result::Result<HeaderMap, ApiError> {
    let fields = [
        ("content-type", "application/octet-stream"),
        ("murmurate-format", &file.format),
        ("murmurate-version", &file.version),
        ("murmurate-heads", &file.heads),
        ("murmurate-executable", &file.executable.to_string()),
        ("murmurate-conflicts", &file.conflicts.to_string()),
    ];
    let mut headers = HeaderMap::new();
    for (name, text) in fields {
        let value = HeaderValue::from_str(text);
        let value = value.map_err(|error| ApiError::internal(format!("describe {}", file.doc), error.to_string()))?;
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Write {
    doc: String,
    at: Option<String>,
    executable: Option<bool>,
    #[serde(default)]
    dry_run: bool,
}

async fn write_file(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Parameters(Write { doc, at, executable, dry_run }): Parameters<Write>,
    Raw(bytes): Raw,
) -> Result<PutResult> {
    let bytes = bytes.to_vec();
    let options = WriteOptions { at, executable, dry_run };
    Ok(Answer(api.core.ask(|reply| Request::WriteFile { doc, bytes, options, caller, reply }).await?))
}

async fn resolve(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Document(ResolveConflict { address, part, choice }): Document<ResolveConflict>,
) -> Result<Resolved> {
    Ok(Answer(api.core.ask(|reply| Request::Resolve { address, part, choice, caller, reply }).await?))
}

async fn log_filter(State(api): State<Api>) -> Answer<LogFilter> {
    Answer(api.log.filter())
}

async fn set_log_filter(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Document(SetLogFilter { filter }): Document<SetLogFilter>,
) -> Result<LogFilter> {
    let set = api.log.set(&filter)?;
    tracing::info!(%filter, user = %caller.user, "the log filter was changed");
    Ok(Answer(set))
}

async fn log_lines(State(api): State<Api>) -> Answer<LogLines> {
    Answer(api.log.lines())
}
