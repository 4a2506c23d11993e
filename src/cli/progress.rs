//! How far long work is, for a person at a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the line is written anew.
const INTERVAL: Duration = Duration::from_millis(200);

/// A line on stderr that counts; none where nobody watches, or where the work is done at once.
pub(super) struct Progress {
    what: &'static str,
    count: usize,
    last: Option<Instant>,
    is_shown: bool,
}

impl Progress {
    pub(super) fn new(what: &'static str) -> Self {
        let last = io::stderr().is_terminal().then(Instant::now);
        Self { what, count: 0, last, is_shown: false }
    }

    /// One more is done.
    pub(super) fn step(&mut self) {
        self.count += 1;
        if self.last.is_some_and(|last| last.elapsed() >= INTERVAL) {
            self.last = Some(Instant::now());
            self.is_shown = true;
            let _ = write!(io::stderr(), "\r{} {}", self.count, self.what);
        }
    }
}

impl Drop for Progress {
    /// Clears the line for what is said next.
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\u{1b}[K");
        }
    }
}
