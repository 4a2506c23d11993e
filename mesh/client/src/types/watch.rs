use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Time, TypedValue, V1};

/// Something happened to a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The document's version.
    pub v: V1,
    /// What happened.
    pub kind: EventKind,
    /// The document; empty for `reset`.
    pub doc: String,
    /// The key; empty for a whole file and for `reset`.
    pub key: String,
    /// The value that stands now; absent for `delete` and `reset`.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub value: Option<TypedValue>,
    /// The host where it was written.
    pub host: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// When, by its author's clock.
    pub time: Option<Time>,
    /// Which write it is, `actor.lane:sequence`.
    pub version: Option<String>,
    /// A watch with this token goes on after this event. What was shown before it was on disk comes once more: at least
    /// once, never a gap.
    pub resume: String,
}

impl Event {
    /// The mark of lost events, after which a watch with the token `resume` goes on.
    #[must_use]
    pub fn reset(resume: String) -> Self {
        Self {
            v: V1,
            kind: EventKind::Reset,
            doc: String::new(),
            key: String::new(),
            value: None,
            host: None,
            author: None,
            time: None,
            version: None,
            resume,
        }
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// The key was there when the watch began.
    Init,
    /// The key has a value that it had not.
    Put,
    /// The key is gone.
    Delete,
    /// The key has a conflict that it had not, or one more value in it; `value` is the winner.
    Conflict,
    /// The key has no conflict any more.
    Resolved,
    /// A check of this host failed on the document: what was saved here isn't taken in, or this host's file keeps its last
    /// good content. `value` says why. Of this host only, and told once: a resumed watch doesn't get it again.
    #[serde(rename = "check-failed")]
    CheckFailed,
    /// A reload of this host failed with the document. As with `check-failed`.
    #[serde(rename = "reload-failed")]
    ReloadFailed,
    /// What a failed check or reload kept back is over. As with `check-failed`.
    Recovered,
    /// Events before this were lost to the watch: read what you need again.
    Reset,
    /// A kind of a newer daemon.
    #[serde(other)]
    Unknown,
}

impl EventKind {
    /// The kind's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Conflict => "conflict",
            Self::Resolved => "resolved",
            Self::CheckFailed => "check-failed",
            Self::ReloadFailed => "reload-failed",
            Self::Recovered => "recovered",
            Self::Reset => "reset",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
