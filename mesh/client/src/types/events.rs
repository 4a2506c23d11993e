use std::fmt;

use serde::{Deserialize, Serialize};

use super::{MemberState, Time, V1};

/// Something happened to the mesh, or to this host, that people may want to know. Of this host's own view, and kept in
/// memory only: the latest thousand since its daemon started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshEvent {
    /// The document's version.
    pub v: V1,
    /// What happened.
    pub kind: MeshEventKind,
    /// When this host saw it, by its clock.
    pub time: Time,
    /// The host that it is about, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Its node id, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Of a member: the state that it was in; absent for one that wasn't heard of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<MemberState>,
    /// Of a member: the state that it is in now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<MemberState>,
    /// Of a member: the host that said so, by name; absent where it follows from the time alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The document that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    /// What there is to say, for people.
    pub text: String,
    /// A stream with this token goes on after this event.
    pub resume: String,
}

impl MeshEvent {
    /// An event that is about nothing yet.
    #[must_use]
    pub fn new(kind: MeshEventKind, time: Time, text: impl Into<String>) -> Self {
        Self {
            v: V1,
            kind,
            time,
            host: None,
            id: None,
            from: None,
            to: None,
            by: None,
            doc: None,
            text: text.into(),
            resume: String::new(),
        }
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MeshEventKind {
    /// This host's daemon started.
    Started,
    /// Of a member that somebody began to watch: how it fares.
    Init,
    /// A member's state changed.
    Member,
    /// A host was admitted to the mesh.
    Joined,
    /// A host was taken out of the mesh.
    Revoked,
    /// A host may issue certificates and tickets.
    Issuer,
    /// A document has conflicts, or more than it had.
    Conflict,
    /// A document has no conflicts any more, or fewer.
    Resolved,
    /// An edit of a file is held.
    Held,
    /// A held edit is over.
    Released,
    /// A check of this host failed.
    CheckFailed,
    /// A reload of this host failed.
    ReloadFailed,
    /// What a failed check or reload kept back is over.
    Recovered,
    /// Something is wrong that `status` names.
    Problem,
    /// It isn't any more.
    Solved,
    /// Events before this were lost: there were more than are kept, or the daemon was started anew.
    Reset,
    /// A kind of a newer daemon.
    #[serde(other)]
    Unknown,
}

impl MeshEventKind {
    /// All that a daemon of this version tells of.
    pub const TOLD: [Self; 15] = [
        Self::Started,
        Self::Member,
        Self::Joined,
        Self::Revoked,
        Self::Issuer,
        Self::Conflict,
        Self::Resolved,
        Self::Held,
        Self::Released,
        Self::CheckFailed,
        Self::ReloadFailed,
        Self::Recovered,
        Self::Problem,
        Self::Solved,
        Self::Reset,
    ];

    /// The kind's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Init => "init",
            Self::Member => "member",
            Self::Joined => "joined",
            Self::Revoked => "revoked",
            Self::Issuer => "issuer",
            Self::Conflict => "conflict",
            Self::Resolved => "resolved",
            Self::Held => "held",
            Self::Released => "released",
            Self::CheckFailed => "check-failed",
            Self::ReloadFailed => "reload-failed",
            Self::Recovered => "recovered",
            Self::Problem => "problem",
            Self::Solved => "solved",
            Self::Reset => "reset",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for MeshEventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What is kept of what happened, the latest last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshEvents {
    /// The document's version.
    pub v: V1,
    /// The events.
    pub events: Vec<MeshEvent>,
    /// A stream with this token goes on after them.
    pub resume: String,
}
