//! What the core is asked for: the only door between the local API and the documents.
//!
//! ```text
//!  api (one task per connection) ──Request──▶ bounded channel ──▶ core (one task, owns everything)
//!          ▲                                                       │
//!          └────────────── oneshot reply / events / converged ─────┘
//! ```

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use murmurate_client::types::{
    AddFolder, AddIssuer, ApiError, Choice, ConflictPart, Conflicts, Converged, Counters, CreateTicket, Deleted, Diff,
    Documents, Entry, ErrorCode, Event, Explanation, File, FolderAdded, FolderConfirmed, FolderRemoved, FolderStatus,
    Folders, IssuerAdded, KeyStatus, Keys, Left, Members, Node, NodeRevoked, PathFacts, Ping, PutResult, Resolved,
    RevokeNode, Status, TicketCreated, TicketRevoked, Tickets, ValueType, WriteOptions,
};
use tokio::sync::{mpsc, oneshot, watch};

use super::event_log::EventLog;
use crate::daemon::metrics::Sheet;

/// Requests that wait for the core. Each waiting one holds a connection of its own, so this needs to be no larger than
/// a burst that the core works off within a few milliseconds.
pub const WAITING_REQUESTS: usize = 256;

/// Events that wait for a watcher to read them; with values of ordinary size about 1 MiB. A watcher that is further
/// behind is told so with `reset`.
pub const WAITING_EVENTS: usize = 1_024;

/// Entries in one page of keys: as many as a file may have.
pub const PAGE_ENTRIES: usize = 10_000;

/// Files in one page of a folder's: some 0.3 MiB of JSON, made within a few milliseconds from what is in memory.
pub const PAGE_FILES: usize = 1_000;

/// Documents in one page: each may have to be read from the store, and everybody else waits meanwhile.
pub const PAGE_DOCUMENTS: usize = 64;

/// Writes that name one state of a document: hosts that wrote at once and haven't heard of each other. A request line
/// holds them; a document with more ends is named by none.
pub const NAMED_HEADS: usize = 1_000;

/// Where an answer goes. That nobody waits for it any more is no error.
pub type Reply<T> = oneshot::Sender<Result<T, ApiError>>;

/// Who asks, by the credentials of the socket's other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user's name, or `uid 1000` where it has none: the author of what is written.
    pub user: String,
    /// The user's number.
    pub uid: u32,
}

/// How this host fares, as shortly as can be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Hosts that answer, this one included.
    pub alive: u64,
    /// All hosts that haven't left.
    pub hosts: u64,
    /// Open conflicts.
    pub conflicts: u64,
    /// Why nothing is written, while that is so.
    pub problem: Option<String>,
}

/// What only the core knows of what `doctor` looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CoreFacts {
    /// The data directory.
    pub data_dir: PathBuf,
    /// The ways to the connected hosts.
    pub paths: Vec<PathFacts>,
}

/// What the core knows for metrics.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CoreMetrics {
    /// The samples.
    pub(crate) sheet: Sheet,
    /// Where the store is.
    pub(crate) store_dir: PathBuf,
}

/// Where a document's file is on this host's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskPlace {
    /// The folder's directory.
    pub root: PathBuf,
    /// The path below it.
    pub path: String,
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// The document as it is now.
    Now,
    /// As it was with these writes and all that they build on.
    At(String),
    /// What was found on the disk; `None` if there is no file.
    Disk(Option<DiskFile>),
}

/// A file as it was found on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskFile {
    /// Its bytes.
    pub bytes: Bytes,
    /// Whether it is executable.
    pub executable: bool,
}

/// One operation of the local API. Addresses are `DOC#KEY` or `DOC`, as the user gave them; prefixes are beginnings
/// of addresses, and an empty one fits all.
#[derive(Debug)]
pub enum Request {
    /// Whether the core works, and in a few words how: costs next to nothing.
    Pulse {
        /// Where the answer goes.
        reply: Reply<Pulse>,
    },
    /// What only the core knows of what `doctor` looks at.
    Facts {
        /// Where the answer goes.
        reply: Reply<CoreFacts>,
    },
    /// How this host fares.
    Status {
        /// Where the answer goes.
        reply: Reply<Status>,
    },
    /// What there is to know for metrics.
    Metrics {
        /// Where the answer goes.
        reply: Reply<CoreMetrics>,
    },
    /// What was counted.
    Counters {
        /// Where the answer goes.
        reply: Reply<Counters>,
    },
    /// The hosts of the mesh.
    Members {
        /// Where the answer goes.
        reply: Reply<Members>,
    },
    /// About who belongs to the mesh.
    Membership(MembershipRequest),
    /// Keep a folder from now on. Answered when the folder is kept durably and its first scan is through.
    FolderAdd {
        /// Which, and where.
        folder: AddFolder,
        /// Where the answer goes.
        reply: Reply<FolderAdded>,
    },
    /// The folders that this host keeps.
    FolderList {
        /// Where the answer goes.
        reply: Reply<Folders>,
    },
    /// Keep a folder no more, and leave its files as they are.
    FolderRemove {
        /// Its name in the mesh.
        name: String,
        /// Where the answer goes.
        reply: Reply<FolderRemoved>,
    },
    /// A page of one folder's files, or of all folders', at most [`PAGE_FILES`].
    FolderStatus {
        /// Its name in the mesh; without it, all of them.
        name: Option<String>,
        /// The `next` of the page before.
        after: Option<String>,
        /// Where the answer goes.
        reply: Reply<FolderStatus>,
    },
    /// Carry out the deletes that are held.
    FolderConfirm {
        /// The folder's name in the mesh.
        name: String,
        /// Who confirms.
        caller: Caller,
        /// Where the answer goes.
        reply: Reply<FolderConfirmed>,
    },
    /// A page of documents, without their keys; at most [`PAGE_DOCUMENTS`].
    Documents {
        /// Beginning of their names.
        prefix: String,
        /// The `next` of the page before.
        after: Option<String>,
        /// Where the answer goes.
        reply: Reply<Documents>,
    },
    /// A page of keys, at most [`PAGE_ENTRIES`].
    Keys {
        /// Beginning of their addresses.
        prefix: String,
        /// The `next` of the page before.
        after: Option<String>,
        /// Where the answer goes.
        reply: Reply<Keys>,
    },
    /// A key's value, a table's or list's included.
    Get {
        /// `DOC#KEY`.
        address: String,
        /// The document's own value, whatever this host's overlays say.
        base: bool,
        /// Where the answer goes.
        reply: Reply<Entry>,
    },
    /// Where this host's values come from.
    Explain {
        /// `DOC#KEY` or `DOC`.
        address: String,
        /// Where the answer goes.
        reply: Reply<Explanation>,
    },
    /// Write a key. Answered when it is durable here.
    Put {
        /// `DOC#KEY`.
        address: String,
        /// The value, as text.
        value: String,
        /// Its type, when the user gave one.
        kind: Option<ValueType>,
        /// Write only at this version; empty: only if there is no value.
        expect: Option<String>,
        /// The document's state that the writer had seen, if it isn't the present one.
        at: Option<String>,
        /// Who writes.
        caller: Caller,
        /// Where the answer goes.
        reply: Reply<PutResult>,
    },
    /// Delete a key, or a whole document. Answered when it is durable here.
    Delete {
        /// `DOC#KEY` or `DOC`.
        address: String,
        /// Who deletes.
        caller: Caller,
        /// Where the answer goes.
        reply: Reply<Deleted>,
    },
    /// A whole document, as its file stands.
    ReadFile {
        /// Its name.
        doc: String,
        /// Without this host's overlays.
        base: bool,
        /// Where the answer goes.
        reply: Reply<File>,
    },
    /// Write a whole document, as if its file had been saved. Answered when it is durable here.
    WriteFile {
        /// Its name.
        doc: String,
        /// The file.
        bytes: Vec<u8>,
        /// How.
        options: WriteOptions,
        /// Who writes.
        caller: Caller,
        /// Where the answer goes.
        reply: Reply<PutResult>,
    },
    /// Where a document's file is on this host's disk.
    DiskPlace {
        /// The document's name.
        doc: String,
        /// Where the answer goes.
        reply: Reply<DiskPlace>,
    },
    /// How two states of a document differ.
    Diff {
        /// Its name.
        doc: String,
        /// What stood before.
        before: Side,
        /// What stands after.
        after: Side,
        /// Where the answer goes.
        reply: Reply<Diff>,
    },
    /// Open conflicts.
    Conflicts {
        /// Beginning of their addresses.
        prefix: String,
        /// Where the answer goes.
        reply: Reply<Conflicts>,
    },
    /// Decide a conflict. Answered when it is durable here.
    Resolve {
        /// `DOC#KEY`, or `DOC` for a whole file.
        address: String,
        /// Which of the key's conflicts, when it has several.
        part: Option<ConflictPart>,
        /// What shall stand.
        choice: Choice,
        /// Who decides.
        caller: Caller,
        /// Where the answer goes.
        reply: Reply<Resolved>,
    },
    /// Events from now on, or from where a former watch ended.
    Watch {
        /// Beginning of the addresses.
        prefix: String,
        /// The token of the last event seen.
        resume: Option<String>,
        /// Begin with an `init` event for each key that is there now.
        init: bool,
        /// Where the events' receiver goes; make it with [`Watcher::new`].
        reply: Reply<mpsc::Receiver<Event>>,
    },
}

/// An operation about who belongs to the mesh.
#[derive(Debug)]
pub enum MembershipRequest {
    /// Everything known of one host.
    Node {
        /// Its name, or the beginning of its id.
        node: String,
        /// Where the answer goes.
        reply: Reply<Node>,
    },
    /// Whether a host is there, and how far away.
    Ping {
        /// Its name, or the beginning of its id.
        node: String,
        /// How long its answer is waited for.
        within: Duration,
        /// Where the answer goes.
        reply: Reply<Ping>,
    },
    /// Make a ticket. Answered when it is durable.
    CreateTicket {
        /// Which.
        ticket: CreateTicket,
        /// Where the answer goes.
        reply: Reply<TicketCreated>,
    },
    /// The tickets that this host made.
    Tickets {
        /// Where the answer goes.
        reply: Reply<Tickets>,
    },
    /// Take a ticket back. Answered when that is durable.
    RevokeTicket {
        /// Its name, or the ticket itself.
        id: String,
        /// Where the answer goes.
        reply: Reply<TicketRevoked>,
    },
    /// The mesh's keys and certificates.
    KeyStatus {
        /// Where the answer goes.
        reply: Reply<KeyStatus>,
    },
    /// Let a host issue certificates and tickets. Answered when that is durable.
    AddIssuer {
        /// Which.
        issuer: AddIssuer,
        /// Where the answer goes.
        reply: Reply<IssuerAdded>,
    },
    /// Take a host out of the mesh for good. Answered when that is durable.
    Revoke {
        /// Which.
        node: RevokeNode,
        /// Where the answer goes.
        reply: Reply<NodeRevoked>,
    },
    /// Leave the mesh, and end.
    Leave {
        /// Where the answer goes.
        reply: Reply<Left>,
    },
}

/// The core's end of one watch.
#[derive(Debug)]
pub struct Watcher {
    events: mpsc::Sender<Event>,
}

impl Watcher {
    /// A watch, and the receiver that answers the request for it.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Event>) {
        let (events, receiver) = mpsc::channel(WAITING_EVENTS);
        (Self { events }, receiver)
    }

    /// Hands over an event and never waits. When it returns false the watch has ended and is to be dropped: its reader
    /// went away, or was too slow and got a `reset` in the event's place, whose token is `before`: the position of the
    /// last event that it did get.
    #[must_use]
    pub fn offer(&self, event: Event, before: &str) -> bool {
        // The last place is kept for the reset. This is the only sender, so the room can't go meanwhile.
        if self.room() {
            return self.events.try_send(event).is_ok();
        }
        // It fails only if nobody reads, and then there is nobody to tell.
        let _ = self.events.try_send(Event::reset(before.to_owned()));
        false
    }

    /// Whether an event offered now is taken.
    #[must_use]
    pub fn room(&self) -> bool {
        self.events.capacity() > 1
    }

    /// Events that its reader hasn't taken yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.events.max_capacity() - self.events.capacity()
    }

    /// Ready when its reader went away.
    pub async fn closed(&self) {
        self.events.closed().await;
    }

    /// Whether its reader went away.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.events.is_closed()
    }
}

/// The shells' end: cheap to clone.
#[derive(Debug, Clone)]
pub struct CoreHandle {
    requests: mpsc::Sender<Request>,
    converged: watch::Receiver<Converged>,
    events: watch::Receiver<EventLog>,
}

/// The core's end.
#[derive(Debug)]
pub struct CoreEnd {
    /// What it is asked for.
    pub requests: mpsc::Receiver<Request>,
    /// Where it says whether the mesh has converged, at each change of that.
    pub converged: watch::Sender<Converged>,
    /// Where it says what happens.
    pub events: watch::Sender<EventLog>,
}

/// Both ends of the door; `converged` is what holds before the core has looked.
#[must_use]
pub fn door(converged: Converged) -> (CoreHandle, CoreEnd) {
    let (requests, request_receiver) = mpsc::channel(WAITING_REQUESTS);
    let (converged_sender, converged) = watch::channel(converged);
    let (events_sender, events) = watch::channel(EventLog::default());
    let end = CoreEnd { requests: request_receiver, converged: converged_sender, events: events_sender };
    (CoreHandle { requests, converged, events }, end)
}

impl CoreHandle {
    /// Asks the core: `ask(|reply| Request::Status { reply })`. Waits while the core is busy.
    ///
    /// # Errors
    /// The core's answer, or [`ErrorCode::Ending`] when the core is gone.
    pub async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| ending("nothing was changed"))?;
        answer.await.map_err(|_| ending("whether the request was carried out isn't known"))?
    }

    /// Requests that wait for the core, and how many may.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        let limit = self.requests.max_capacity();
        (limit - self.requests.capacity(), limit)
    }

    /// Ready when the core is gone.
    pub async fn gone(&self) {
        self.requests.closed().await;
    }

    /// Whether the mesh has converged; changes are signalled.
    #[must_use]
    pub fn converged(&self) -> watch::Receiver<Converged> {
        self.converged.clone()
    }

    /// What happened lately; further events are signalled.
    #[must_use]
    pub fn events(&self) -> watch::Receiver<EventLog> {
        self.events.clone()
    }
}

fn ending(consequence: &str) -> ApiError {
    ApiError::new(
        ErrorCode::Ending,
        "ask the daemon's core",
        format!("the daemon is ending; {consequence}"),
        "try again when it is up: `murmurate status`",
    )
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::EventKind;

    use super::*;

    fn event(index: usize) -> Event {
        Event { kind: EventKind::Put, ..Event::reset(index.to_string()) }
    }

    #[test]
    fn a_slow_watcher_is_told_what_it_missed() {
        let (watcher, mut receiver) = Watcher::new();
        let mut taken = 0;
        while watcher.offer(event(taken), &(taken.wrapping_sub(1)).to_string()) {
            taken += 1;
        }
        assert_eq!(taken, WAITING_EVENTS - 1);
        drop(watcher);
        for index in 0..taken {
            assert_eq!(receiver.try_recv().unwrap(), event(index));
        }
        assert_eq!(receiver.try_recv().unwrap(), Event::reset((taken - 1).to_string()));
        assert_eq!(receiver.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
    }

    #[test]
    fn a_watcher_that_went_away_ends_the_watch() {
        let (watcher, receiver) = Watcher::new();
        drop(receiver);
        assert!(watcher.is_closed());
        assert!(!watcher.offer(event(0), ""));
    }

    #[tokio::test]
    async fn a_core_that_is_gone_is_named() {
        let (core, end) = door(Converged::of(Vec::new()));
        drop(end);
        let error = core.ask(|reply| Request::Status { reply }).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Ending);
    }
}
