use serde::de::DeserializeOwned;

use super::{Event, EventKind, MeshEvent, MeshEventKind, Time};

/// An event of a stream that can be resumed.
pub trait StreamEvent: DeserializeOwned {
    /// The name of what happened.
    fn kind_name(&self) -> &'static str;

    /// The token with which a stream goes on after it.
    fn resume(&self) -> &str;

    /// Whether a stream that broke after it goes on after it, and doesn't begin anew.
    fn is_place(&self) -> bool {
        true
    }

    /// The mark of events that were lost.
    fn reset() -> Self;
}

impl StreamEvent for Event {
    fn kind_name(&self) -> &'static str {
        self.kind.name()
    }

    fn resume(&self) -> &str {
        &self.resume
    }

    /// A watch that breaks among its first events begins with them anew.
    fn is_place(&self) -> bool {
        self.kind != EventKind::Init
    }

    fn reset() -> Self {
        Self::reset(String::new())
    }
}

impl StreamEvent for MeshEvent {
    fn kind_name(&self) -> &'static str {
        self.kind.name()
    }

    fn resume(&self) -> &str {
        &self.resume
    }

    fn reset() -> Self {
        Self::new(MeshEventKind::Reset, Time::default(), "events were lost")
    }
}
