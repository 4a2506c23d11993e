//! A watch: events as they come, going on where it was after the connection broke.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Method;
use hyper::body::{Frame, Incoming};
use tokio::time::sleep;

use crate::connection::Connections;
use crate::limits::{ANSWER_DEADLINE, RECONNECT_FIRST, RECONNECT_LONGEST};
use crate::mesh::call;
use crate::sse::Parser;
use crate::types::{ApiError, ErrorCode, Event, StreamEvent};

/// What to watch, and how: keys, or with [`MeshEvent`](crate::types::MeshEvent) what happens to the mesh.
#[derive(Debug)]
pub struct WatchRequest<E = Event> {
    connections: Arc<Connections>,
    path: &'static str,
    prefix: Option<String>,
    resume: Option<String>,
    init: bool,
    reconnect: bool,
    events: PhantomData<fn() -> E>,
}

impl WatchRequest {
    /// Begins with an `init` event for each key that is there now.
    #[must_use]
    pub fn init(mut self, init: bool) -> Self {
        self.init = init;
        self
    }
}

impl<E: StreamEvent> WatchRequest<E> {
    pub(crate) fn new(connections: Arc<Connections>, path: &'static str, prefix: Option<&str>) -> Self {
        let (prefix, events) = (prefix.map(str::to_owned), PhantomData);
        Self { connections, path, prefix, resume: None, init: false, reconnect: true, events }
    }

    /// Goes on after the event with this token, instead of beginning now.
    #[must_use]
    pub fn resume(mut self, token: Option<String>) -> Self {
        self.resume = token.filter(|token| !token.is_empty());
        self
    }

    /// Whether to connect again when the connection breaks, which is the default. Without it the watch ends with an
    /// error then.
    #[must_use]
    pub fn reconnect(mut self, reconnect: bool) -> Self {
        self.reconnect = reconnect;
        self
    }

    /// Begins: no event after this returns is missed.
    ///
    /// # Errors
    /// When the daemon can't be reached or refuses.
    pub async fn start(self) -> Result<Watch<E>, ApiError> {
        let mut watch = Watch { request: self, body: None, parser: Parser::default(), ended: false };
        watch.connect().await?;
        Ok(watch)
    }
}

/// Events as they come.
#[derive(Debug)]
pub struct Watch<E = Event> {
    request: WatchRequest<E>,
    body: Option<Incoming>,
    parser: Parser,
    ended: bool,
}

/// What happened while the next event was waited for.
enum Step<E> {
    Frame(Option<Result<Frame<Bytes>, hyper::Error>>),
    Connected(Result<Option<E>, ApiError>),
}

impl<E: StreamEvent> Watch<E> {
    /// The next event. `None` is the end, which comes only without reconnecting and after an error.
    ///
    /// Where events were lost there is a `reset` in their place. Safe to drop while it waits: the next call goes on.
    pub async fn next(&mut self) -> Option<Result<E, ApiError>> {
        loop {
            if let Some(data) = self.parser.next() {
                return Some(self.event(&data));
            }
            let step = match &mut self.body {
                _ if self.ended => return None,
                Some(body) => Step::Frame(body.frame().await),
                None => Step::Connected(self.connect_again().await),
            };
            match self.take(step) {
                Ok(None) => {}
                Ok(Some(reset)) => return Some(Ok(reset)),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// The token of the last event seen.
    #[must_use]
    pub fn resume_token(&self) -> Option<&str> {
        self.request.resume.as_deref()
    }

    fn event(&mut self, data: &[u8]) -> Result<E, ApiError> {
        let event: E = serde_json::from_slice(data).map_err(|error| self.broken(&error.to_string()))?;
        if event.is_place() {
            self.request.resume = Some(event.resume().to_owned()).filter(|token| !token.is_empty());
        }
        Ok(event)
    }

    fn take(&mut self, step: Step<E>) -> Result<Option<E>, ApiError> {
        let why = match step {
            Step::Connected(result) => {
                self.ended = result.is_err();
                return result;
            }
            Step::Frame(None) => "the daemon ended the stream".to_owned(),
            Step::Frame(Some(Err(error))) => error.to_string(),
            Step::Frame(Some(Ok(frame))) => {
                let Ok(data) = frame.into_data() else { return Ok(None) };
                match self.parser.push(&data) {
                    Ok(()) => return Ok(None),
                    Err(error) => error.to_string(),
                }
            }
        };
        self.body = None;
        self.parser = Parser::default();
        self.ended = !self.request.reconnect;
        if self.ended { Err(self.broken(&why)) } else { Ok(None) }
    }

    /// Connects until it succeeds or the daemon refuses. A watch that had no token yet can't know what it missed, and
    /// gives a reset for it.
    async fn connect_again(&mut self) -> Result<Option<E>, ApiError> {
        let mut pause = RECONNECT_FIRST;
        loop {
            match self.connect().await {
                Ok(()) => break,
                Err(error) if passes(error.code) => sleep(pause).await,
                Err(error) => return Err(error),
            }
            pause = pause.saturating_mul(2).min(RECONNECT_LONGEST);
        }
        let blind = self.request.resume.is_none() && !self.request.init;
        Ok(blind.then(E::reset))
    }

    async fn connect(&mut self) -> Result<(), ApiError> {
        let WatchRequest { prefix, resume, init, path, .. } = &self.request;
        let mut parameters: Vec<(&str, &str)> = prefix.iter().map(|prefix| ("prefix", prefix.as_str())).collect();
        parameters.extend(init.then_some(("init", "true")));
        parameters.extend(resume.as_deref().map(|token| ("resume", token)));
        let call = call(Method::GET, path, &parameters, Bytes::new());
        self.body = Some(self.request.connections.stream(call, ANSWER_DEADLINE).await?);
        Ok(())
    }

    fn broken(&self, why: &str) -> ApiError {
        ApiError::new(
            ErrorCode::Interrupted,
            match &self.request.prefix {
                Some(prefix) => format!("watch `{prefix}`"),
                None => "follow the mesh's events".to_owned(),
            },
            why,
            "watch again, with the token of the last event as `resume`",
        )
    }
}

/// Whether this is over when the daemon is up again.
pub(crate) fn passes(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Unreachable | ErrorCode::Interrupted | ErrorCode::Ending | ErrorCode::Busy | ErrorCode::Timeout
    )
}
