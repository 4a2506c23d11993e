//! The JSON documents of the local API. Within version 1 they may gain fields, and never lose or change one.

mod conflicts;
mod counters;
mod diffs;
mod entries;
mod error;
mod events;
mod facts;
mod folders;
mod identity;
mod log;
mod members;
mod ping;
mod requests;
mod status;
mod stream;
mod tickets;
mod time;
mod value;
mod version;
mod wait;
mod watch;

pub use conflicts::{Conflict, ConflictKind, ConflictPart, ConflictValue, Conflicts, Resolved};
pub use counters::{Counters, NetworkCounters};
pub use diffs::{Diff, DiffKind, DiffPoint, DiffSide, KeyDiff};
pub use entries::{Deleted, Document, Documents, Entry, Explained, Explanation, File, Key, Keys, LeftOut, PutResult};
pub use error::{ApiError, ErrorCode, ErrorReply, Exit};
pub use events::{MeshEvent, MeshEventKind, MeshEvents};
pub use facts::{DiskFacts, Facts, HostFacts, InotifyFacts, PathFacts, SyncFacts, UdpFacts};
pub use folders::{
    FileState, FileStatus, Folder, FolderAdded, FolderConfirmed, FolderFiles, FolderRemoved, FolderState, FolderStatus,
    Folders, HeldReason,
};
pub use identity::{
    AddIssuer, CertificateStatus, Issuer, IssuerAdded, KeyStatus, Left, Node, NodeRevoked, Revocation, RevokeNode,
};
pub use log::{LogFilter, LogLines, SetLogFilter};
pub use members::{Member, MemberState, Members, Transition};
pub use ping::{Ping, PingOutcome};
pub use requests::{AddFolder, Choice, PutValue, ResolveConflict, WriteOptions};
pub use status::{MemberCounts, Problem, Status, StoreHealth};
pub use stream::StreamEvent;
pub use tickets::{CreateTicket, Ticket, TicketCreated, TicketRevoked, TicketState, Tickets};
pub use time::Time;
pub use value::{TypedValue, ValueType};
pub use version::{Version, document_address, document_name, overlay_of, token_version};
pub use wait::{Converged, Lagging};
pub use watch::{Event, EventKind};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The `"v":1` that every top-level document carries; reading any other number fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct V1;

impl V1 {
    /// The number.
    pub const NUMBER: u64 = 1;
}

impl Serialize for V1 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(Self::NUMBER)
    }
}

impl<'de> Deserialize<'de> for V1 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            Self::NUMBER => Ok(Self),
            other => Err(de::Error::custom(format!("this is version {other} of the API, and version 1 is understood"))),
        }
    }
}
