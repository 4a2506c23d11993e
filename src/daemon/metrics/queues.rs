//! Every queue and buffer, with what happens where it is full: for the document.

use super::table::{
    ANNOUNCEMENTS_IGNORED, API_REFUSED, API_REQUESTS, CHANGES_REJECTED, FRAMES_DROPPED, GOSSIP_DROPPED, HANDSHAKES,
    JOINS_BUSY, LINKS_REFUSED, Metric, PROBES_IGNORED, WATCHES_RESET,
};

/// A queue or buffer, by its label in the metrics of queues.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) name: &'static str,
    pub(crate) holds: &'static str,
    /// What happens when there is no room.
    pub(crate) at_limit: &'static str,
    /// The metric that counts that; none where nothing is lost, or where the length itself tells.
    pub(crate) counted_by: Option<&'static Metric>,
}

const fn queue(
    name: &'static str,
    holds: &'static str,
    at_limit: &'static str,
    counted_by: Option<&'static Metric>,
) -> Queue {
    Queue { name, holds, at_limit, counted_by }
}

/// Every queue and buffer, with its policy.
pub(crate) const QUEUES: &[Queue] = &[
    queue(
        "send_push",
        "frames with new changes to one peer",
        "further ones are dropped, the peer is left alone for a second, and anti-entropy brings the rest",
        Some(&FRAMES_DROPPED),
    ),
    queue("send_repair", "frames with answers to one peer", "as above", Some(&FRAMES_DROPPED)),
    queue("send_control", "small frames to one peer", "as above; what they say is said again", Some(&FRAMES_DROPPED)),
    queue(
        "send_gossip",
        "gossip to one peer",
        "the oldest goes; a later one says the same and more",
        Some(&FRAMES_DROPPED),
    ),
    queue("gossip", "gossip that came", "the oldest goes; gossip repeats itself", Some(&GOSSIP_DROPPED)),
    queue(
        "network_events",
        "frames and news for the core",
        "readers wait, and so do the peers, by QUIC's flow control",
        None,
    ),
    queue("handshakes", "handshakes under way", "further ones are ignored, and come again", Some(&HANDSHAKES)),
    queue("connections", "QUIC connections", "further ones are ignored, and come again", Some(&HANDSHAKES)),
    queue(
        "joins",
        "joins being served",
        "further ones are told that the host is busy, and come again",
        Some(&JOINS_BUSY),
    ),
    queue("links", "linked peers", "only members that this host chose are taken", Some(&LINKS_REFUSED)),
    queue(
        "waiting_changes",
        "changes that wait for what they depend on",
        "the farthest from what is applied are dropped, of the peer that sent most; they are asked for again",
        Some(&CHANGES_REJECTED),
    ),
    queue(
        "unknown_authors",
        "authors whose admission isn't known, and their changes",
        "further ones are dropped, and asked for again",
        Some(&CHANGES_REJECTED),
    ),
    queue(
        "announced",
        "announced items that haven't come",
        "further ones are left to anti-entropy",
        Some(&ANNOUNCEMENTS_IGNORED),
    ),
    queue(
        "grafts",
        "items that peers may ask for after an announcement",
        "the oldest go; anti-entropy brings them",
        None,
    ),
    queue("trees", "trees that are remembered", "the least used is forgotten, which costs a few copies", None),
    queue(
        "probes",
        "questions of others whether a member is reached",
        "further ones aren't answered; two more hosts are asked",
        Some(&PROBES_IGNORED),
    ),
    queue("core_requests", "requests of the local API for the core", "callers wait", None),
    queue(
        "api_connections",
        "connections to the local API",
        "one that never asked anything is closed; if there is none, the new one is refused",
        Some(&API_REFUSED),
    ),
    queue("watches", "watches of keys", "further ones are refused as busy", Some(&API_REQUESTS)),
    queue(
        "watch_events",
        "events that a watcher hasn't read",
        "it is told to read anew, and its watch ends",
        Some(&WATCHES_RESET),
    ),
    queue(
        "commits",
        "items on their way to the disk",
        "snapshots are put off; the core keeps the rest, in order",
        None,
    ),
    queue("file_commands", "writes for the files' task", "the core keeps the rest, in order: at most one a file", None),
    queue("file_events", "saves for the core", "the files' task waits, and what changes meanwhile is read later", None),
    queue(
        "check_commands",
        "checks and reloads to be run",
        "the core keeps the rest, in order: at most one a file and reload",
        None,
    ),
    queue("check_events", "checks and reloads that ended", "the next ones wait to be told", None),
    queue("check_saves", "saves that wait for a check", "no further saves are taken from the folders", None),
    queue(
        "check_writes",
        "writes over the API to one document that wait for a check",
        "further ones are refused as busy",
        Some(&API_REQUESTS),
    ),
];
