//! A watch: events as they come, going on where it was after the connection broke.

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
use crate::types::{ApiError, ErrorCode, Event, EventKind};

/// What to watch, and how.
#[derive(Debug)]
pub struct WatchRequest {
    connections: Arc<Connections>,
    prefix: String,
    resume: Option<String>,
    init: bool,
    reconnect: bool,
}

impl WatchRequest {
    pub(crate) fn new(connections: Arc<Connections>, prefix: &str) -> Self {
        Self { connections, prefix: prefix.to_owned(), resume: None, init: false, reconnect: true }
    }

    /// Goes on after the event with this token, instead of beginning now.
    #[must_use]
    pub fn resume(mut self, token: Option<String>) -> Self {
        self.resume = token.filter(|token| !token.is_empty());
        self
    }

    /// Begins with an `init` event for each key that is there now.
    #[must_use]
    pub fn init(mut self, init: bool) -> Self {
        self.init = init;
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
    pub async fn start(self) -> Result<Watch, ApiError> {
        let mut watch = Watch { request: self, body: None, parser: Parser::default(), ended: false };
        watch.connect().await?;
        Ok(watch)
    }
}

/// Events as they come.
#[derive(Debug)]
pub struct Watch {
    request: WatchRequest,
    body: Option<Incoming>,
    parser: Parser,
    ended: bool,
}

/// What happened while the next event was waited for.
enum Step {
    Frame(Option<Result<Frame<Bytes>, hyper::Error>>),
    Connected(Result<Option<Event>, ApiError>),
}

impl Watch {
    /// The next event. `None` is the end, which comes only without reconnecting and after an error.
    ///
    /// Where events were lost there is a `reset` in their place. Safe to drop while it waits: the next call goes on.
    pub async fn next(&mut self) -> Option<Result<Event, ApiError>> {
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

    fn event(&mut self, data: &[u8]) -> Result<Event, ApiError> {
        let event: Event = serde_json::from_slice(data).map_err(|error| self.broken(&error.to_string()))?;
        // A watch that breaks among its first events begins with them anew.
        if event.kind != EventKind::Init {
            self.request.resume = Some(event.resume.clone()).filter(|token| !token.is_empty());
        }
        Ok(event)
    }

    fn take(&mut self, step: Step) -> Result<Option<Event>, ApiError> {
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
    async fn connect_again(&mut self) -> Result<Option<Event>, ApiError> {
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
        Ok(blind.then(|| Event::reset(String::new())))
    }

    async fn connect(&mut self) -> Result<(), ApiError> {
        let init = self.request.init.to_string();
        let mut parameters = vec![("prefix", self.request.prefix.as_str()), ("init", init.as_str())];
        parameters.extend(self.request.resume.as_deref().map(|token| ("resume", token)));
        let call = call(Method::GET, "/v1/watch", &parameters, Bytes::new());
        self.body = Some(self.request.connections.stream(call, ANSWER_DEADLINE).await?);
        Ok(())
    }

    fn broken(&self, why: &str) -> ApiError {
        ApiError::new(
            ErrorCode::Interrupted,
            format!("watch `{}`", self.request.prefix),
            why,
            "watch again, with the token of the last event as `resume`",
        )
    }
}

/// Whether this is over when the daemon is up again.
fn passes(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Unreachable | ErrorCode::Interrupted | ErrorCode::Ending | ErrorCode::Busy | ErrorCode::Timeout
    )
}
