//! What happened, in order: two runs of one seed must agree in all of it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A shared list of events. Datagrams are told by time, ends and length, not by their bytes: TLS takes the randomness of
/// its key shares from the operating system.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    /// Takes note of an event.
    pub(crate) fn note(&self, at: Duration, event: impl fmt::Display) {
        let line = format!("{:>9.3} {event}", at.as_secs_f64());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// All of it.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
