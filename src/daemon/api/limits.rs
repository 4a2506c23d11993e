//! The API's limits, with their reasons.

use std::time::Duration;

/// Connections at once. Each takes some 10 kB; above, those that never sent a request give way to new ones.
pub(crate) const CONNECTIONS: usize = 512;

/// Watches at once: each keeps a queue of events.
pub(crate) const WATCHES: usize = 128;

/// How long a request's head may take, and how long a connection may be idle between two requests.
pub(crate) const HEAD_DEADLINE: Duration = Duration::from_secs(10);

/// How long a request's body may take: 8 MiB at under 1 MB/s, over a local socket.
pub(crate) const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// The pause after the system refused to hand over a connection, mostly for want of file descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A request's body: the largest file, or a value of 1 MiB with every byte escaped in JSON.
pub(crate) const BODY_BYTES: usize = 8 << 20;

/// A body up to this size is read at once: at the most connections, 32 MiB together.
pub(crate) const SMALL_BODY_BYTES: usize = 64 << 10;

/// Larger bodies, all together: eight of the largest. Further ones wait until there is room.
pub(crate) const LARGE_BODIES_BYTES: usize = 64 << 20;

/// A connection's read buffer; also the longest head.
pub(crate) const HEAD_BYTES: usize = 64 << 10;

/// How often an idle watch shows that it lives, so that a client sees a dead connection within a minute.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The longest wait that can be asked for.
pub(crate) const WAIT_LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The longest that the answer to a ping is waited for: on a line where it takes longer nothing works.
pub(crate) const PING_LONGEST: Duration = Duration::from_secs(10);

/// How long requests under way may take to end when the daemon ends.
pub(crate) const ENDING_DEADLINE: Duration = Duration::from_secs(2);

/// The longest path of a Unix socket (Linux's sun_path, less the final NUL).
pub(crate) const SOCKET_PATH_BYTES: usize = 107;
