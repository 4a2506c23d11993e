//! The metrics on a port of this host: one path, one request a connection, loopback only.
//!
//! Whoever has an account on this host may read them there. They name the members and say how the mesh fares; of what is in
//! it they tell nothing.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use murmurate_client::types::{ApiError, ErrorCode};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::exposition::Format;
use super::limits::{ACCEPT_PAUSE, CONNECTION_DEADLINE, CONNECTIONS, HEAD_BYTES, HEAD_DEADLINE};
use super::source::Source;

/// The one path.
const PATH: &str = "/metrics";

/// The port.
#[derive(Debug)]
pub(crate) struct Listener(TcpListener);

type Answer = Response<Full<Bytes>>;

impl Listener {
    /// Takes the port.
    ///
    /// # Errors
    /// When the address isn't this host's own only, or another program has it.
    pub(crate) async fn bind(address: SocketAddr) -> Result<Self, ApiError> {
        let what = || format!("listen for metrics on {address}");
        if !address.ip().is_loopback() {
            let why = "other hosts could read them there";
            let try_ = "take a loopback address like `127.0.0.1:9464`, and a proxy where others should read them";
            return Err(ApiError::new(ErrorCode::BadSetting, what(), why, try_));
        }
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let code = match error.kind() {
                io::ErrorKind::AddrInUse => ErrorCode::AlreadyRunning,
                _ => ErrorCode::Io,
            };
            let try_ = "end what listens there, or choose another port with `listen` in `[metrics]` of daemon.toml";
            ApiError::new(code, what(), error.to_string(), try_)
        })?;
        Ok(Self(listener))
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(self, source: Source) {
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                // First, so that who is done takes no place away.
                biased;
                Some(_) = open.join_next() => {}
                accepted = self.0.accept() => match accepted {
                    Ok((stream, _)) if open.len() < CONNECTIONS => drop(open.spawn(connection(stream, source.clone()))),
                    Ok((stream, _)) => refuse(&stream),
                    Err(error) => {
                        tracing::warn!(%error, "can't take a connection to the port for metrics");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }
}

/// Says that there is no room, if that can be said without waiting.
fn refuse(stream: &TcpStream) {
    // Whoever went away needs no answer.
    let _ = stream.try_write(
        b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 21\r\n\r\ntoo many connections\n",
    );
}

async fn connection(stream: TcpStream, source: Source) {
    let service = service_fn(move |request| {
        let source = source.clone();
        async move { Ok::<_, Infallible>(answer(&request, &source).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE).max_buf_size(HEAD_BYTES).keep_alive(false);
    match timeout(CONNECTION_DEADLINE, http.serve_connection(TokioIo::new(stream), service)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection to the port for metrics ended early"),
        Err(_) => tracing::debug!("a connection to the port for metrics took too long"),
    }
}

async fn answer(request: &Request<Incoming>, source: &Source) -> Answer {
    if let Some(why) = sign_of_a_web_page(request.headers()) {
        return plain(StatusCode::FORBIDDEN, why);
    }
    if request.uri().path() != PATH {
        return plain(StatusCode::NOT_FOUND, "there is /metrics here, and nothing else");
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "metrics can only be read");
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = Format::accepted(accept);
    match source.text(format).await {
        Ok(text) => with_type(StatusCode::OK, text, format.content_type()),
        Err(error) => plain(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

/// What gives a request away as one that a browser was made to send: a name of a foreign site may lead to a loopback address.
fn sign_of_a_web_page(headers: &HeaderMap) -> Option<&'static str> {
    if headers.contains_key(ORIGIN) {
        return Some("it has an Origin header, so it comes from a web page");
    }
    let host = headers.get(HOST)?.to_str().unwrap_or_default();
    let is_own = host.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback())
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        || host.split(':').next().is_some_and(|name| name.eq_ignore_ascii_case("localhost"));
    (!is_own).then_some("its Host header names neither `localhost` nor a loopback address")
}

fn plain(status: StatusCode, text: &str) -> Answer {
    with_type(status, format!("{text}\n"), "text/plain; charset=utf-8")
}

fn with_type(status: StatusCode, text: String, content_type: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
