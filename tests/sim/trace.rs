//! What happened, in order: two runs of one seed must agree in all of it.

use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

thread_local! {
    static PRINTS: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread's worlds print what happens in them, datagrams aside.
pub(crate) fn print(prints: bool) {
    PRINTS.set(prints);
}

/// A shared list of events. Datagrams are told by time, ends and length, not by their bytes: TLS takes the randomness of
/// its key shares from the operating system.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    /// Takes note of an event.
    pub(crate) fn note(&self, at: Duration, event: impl fmt::Display) {
        let line = format!("{:>9.3} {event}", at.as_secs_f64());
        if PRINTS.get() {
            eprintln!("{line}");
        }
        self.push(line);
    }

    /// Takes note of a datagram.
    pub(crate) fn note_datagram(&self, at: Duration, event: impl fmt::Display) {
        self.push(format!("{:>9.3} {event}", at.as_secs_f64()));
    }

    fn push(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// All of it.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
