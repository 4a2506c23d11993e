//! The limits of what is told by metrics, with their reasons.

use std::time::Duration;

/// Peers that have series of their own: those that are out of step for longest first. A host has some six links in a large
/// mesh, and fifteen in a full one. How many aren't listed is a metric of its own.
pub(crate) const PEERS: usize = 64;

/// Operations of the local API that have series of their own: it has about half as many. Further ones count as `other`.
pub(crate) const OPERATIONS: usize = 128;

/// Connections to the port at once: a scraper or two, and people who look. Further ones are answered with 503 and closed.
pub(crate) const CONNECTIONS: usize = 16;

/// How long a request's head may take: a scraper on this host has it ready. Then the connection is closed.
pub(crate) const HEAD_DEADLINE: Duration = Duration::from_secs(5);

/// How long a connection to the port may take in all, with its one request: a reader that doesn't read is closed then.
pub(crate) const CONNECTION_DEADLINE: Duration = Duration::from_secs(15);

/// A connection's read buffer, and the longest head: a scraper's has some 500 bytes. A longer one is refused.
pub(crate) const HEAD_BYTES: usize = 8 << 10;

/// How long the core may take to say what it knows: beyond, the scrape fails, and the next one may succeed.
pub(crate) const CORE_DEADLINE: Duration = Duration::from_secs(5);

/// The pause after the system refused to hand over a connection, mostly for want of file descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
