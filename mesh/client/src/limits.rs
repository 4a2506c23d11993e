//! The client's limits, with their reasons.

use std::time::Duration;

/// How long an answer may take. A put answers within milliseconds; adding a folder of thousands of files takes seconds.
pub(crate) const ANSWER_DEADLINE: Duration = Duration::from_secs(60);

/// How long a wait's answer may come after its own deadline.
pub(crate) const WAIT_GRACE: Duration = Duration::from_secs(10);

/// An answer's size: a page of 10,000 keys with long values stays below it.
pub(crate) const ANSWER_BYTES: usize = 256 << 20;

/// One event's size: a value of 1 MiB, as JSON and as text, with every byte escaped.
pub(crate) const EVENT_BYTES: usize = 16 << 20;

/// Connections kept for the next request; more requests than that at once open connections of their own.
pub(crate) const IDLE_CONNECTIONS: usize = 16;

/// How long a connection is kept unused; below the 10 s after which the daemon closes it.
pub(crate) const IDLE_TIME: Duration = Duration::from_secs(5);

/// The first pause before a watch connects again; it doubles each time.
pub(crate) const RECONNECT_FIRST: Duration = Duration::from_millis(50);

/// The longest pause before a watch connects again: a daemon that comes up is found within it.
pub(crate) const RECONNECT_LONGEST: Duration = Duration::from_secs(2);
