//! HTTP/1.1 over the daemon's Unix socket, with a few connections kept for the next request.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::{Duration, Instant, timeout};

use crate::limits::{ANSWER_BYTES, IDLE_CONNECTIONS, IDLE_TIME};
use crate::types::{ApiError, ErrorCode, ErrorReply};

type Sender = SendRequest<Full<Bytes>>;

/// A request, before it is known on which connection it goes.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Bytes,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The way to one daemon.
#[derive(Debug)]
pub(crate) struct Connections {
    socket: PathBuf,
    idle: Mutex<Vec<(Sender, Instant)>>,
}

impl Connections {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket, idle: Mutex::default() }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn call(&self, call: Call, deadline: Duration) -> Result<Answer, ApiError> {
        timeout(deadline, self.call_without_deadline(&call)).await.unwrap_or_else(|_| Err(too_late(&call, deadline)))
    }

    async fn call_without_deadline(&self, call: &Call) -> Result<Answer, ApiError> {
        let (sender, response) = self.send(call).await?;
        let (parts, body) = response.into_parts();
        let limited = Limited::new(body, ANSWER_BYTES).collect().await;
        let body = limited.map_err(|error| interrupted(call, &error.to_string()))?.to_bytes();
        self.keep(sender);
        if parts.status.is_success() {
            Ok(Answer { headers: parts.headers, body })
        } else {
            Err(refused(call, parts.status, &body))
        }
    }

    /// Sends a request and gives the answer's body as it comes, on a connection of its own.
    pub(crate) async fn stream(&self, call: Call, deadline: Duration) -> Result<Incoming, ApiError> {
        let begin = async {
            let mut sender = self.connect().await?;
            let response = sender.send_request(request(&call)).await;
            let response = response.map_err(|error| interrupted(&call, &error.to_string()))?;
            let status = response.status();
            if status.is_success() {
                return Ok(response.into_body());
            }
            let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| interrupted(&call, &error.to_string()))?.to_bytes();
            Err(refused(&call, status, &body))
        };
        timeout(deadline, begin).await.unwrap_or_else(|_| Err(too_late(&call, deadline)))
    }

    /// On a kept connection if one is usable. A request that surely wasn't sent is sent again on a new one; any other
    /// failure is the caller's to judge.
    async fn send(&self, call: &Call) -> Result<(Sender, Response<Incoming>), ApiError> {
        while let Some(mut sender) = self.take() {
            if sender.ready().await.is_err() {
                continue;
            }
            match sender.send_request(request(call)).await {
                Ok(response) => return Ok((sender, response)),
                Err(error) if error.is_canceled() => {}
                Err(error) => return Err(interrupted(call, &error.to_string())),
            }
        }
        let mut sender = self.connect().await?;
        let response = sender.send_request(request(call)).await;
        Ok((sender, response.map_err(|error| interrupted(call, &error.to_string()))?))
    }

    async fn connect(&self) -> Result<Sender, ApiError> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| self.unreachable(&error))?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| self.unreachable(&io::Error::other(error)))?;
        // It ends with its sender or its socket; its errors reach the sender.
        tokio::spawn(connection);
        Ok(sender)
    }

    fn take(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < IDLE_TIME);
        idle.pop().map(|(sender, _)| sender)
    }

    fn keep(&self, sender: Sender) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !sender.is_closed() && idle.len() < IDLE_CONNECTIONS {
            idle.push((sender, Instant::now()));
        }
    }

    fn unreachable(&self, error: &io::Error) -> ApiError {
        let socket = self.socket.display();
        let what = format!("reach the daemon at {socket}");
        let (code, try_) = match error.kind() {
            io::ErrorKind::PermissionDenied => (
                ErrorCode::Denied,
                "run it as the daemon's user, as root, or as a member of the socket's group".to_owned(),
            ),
            _ => (
                ErrorCode::Unreachable,
                "start it with `murmurate up`, or name another socket with --socket or MURMURATE_SOCKET".to_owned(),
            ),
        };
        let why = match error.kind() {
            io::ErrorKind::NotFound => "there is no such socket".to_owned(),
            io::ErrorKind::ConnectionRefused => "the socket is there, but no daemon listens on it".to_owned(),
            _ => error.to_string(),
        };
        ApiError::new(code, what, why, try_)
    }
}

fn request(call: &Call) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(call.body.clone()));
    *request.method_mut() = call.method.clone();
    // Paths are made by this crate from constants and percent-encoded parameters, so they always parse.
    *request.uri_mut() = call.path.parse().unwrap_or_default();
    let headers = request.headers_mut();
    headers.insert(HOST, hyper::header::HeaderValue::from_static("localhost"));
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    request
}

fn interrupted(call: &Call, why: &str) -> ApiError {
    ApiError::new(
        ErrorCode::Interrupted,
        format!("{} {}", call.method, call.path),
        format!("the connection broke before the answer was there ({why}); whether it was carried out isn't known"),
        "look whether the daemon is up with `murmurate status`; asking again is safe for reads and for puts",
    )
}

fn too_late(call: &Call, deadline: Duration) -> ApiError {
    ApiError::new(
        ErrorCode::Timeout,
        format!("{} {}", call.method, call.path),
        format!("no answer within {} s; whether it was carried out isn't known", deadline.as_secs()),
        "look at `murmurate status` and into the daemon's log",
    )
}

fn refused(call: &Call, status: StatusCode, body: &[u8]) -> ApiError {
    match serde_json::from_slice::<ErrorReply>(body) {
        Ok(reply) => reply.error,
        Err(_) => bad_answer(call, &format!("HTTP status {status} without an error in JSON")),
    }
}

pub(crate) fn bad_answer(call: &Call, why: &str) -> ApiError {
    ApiError::new(
        ErrorCode::BadAnswer,
        format!("understand the answer to {} {}", call.method, call.path),
        why,
        "compare `murmurate version` with the daemon's: both should be of one release",
    )
}
