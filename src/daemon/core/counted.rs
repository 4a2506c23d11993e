//! What the core counts by itself, for metrics: plain numbers since its start.

use crate::daemon::files::{FileEvent, SaveKind, WriteFailure};

/// How often something went well, and how often it didn't.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outcomes {
    pub(super) passed: u64,
    pub(super) failed: u64,
}

impl Outcomes {
    pub(super) fn count(&mut self, has_passed: bool) {
        if has_passed {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }
}

/// What files were found to hold.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reads {
    pub(super) edit: u64,
    pub(super) joining: u64,
    pub(super) renamed: u64,
    pub(super) late: u64,
    pub(super) deleted: u64,
}

/// What became of writes of files.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Writes {
    pub(super) exchanged: u64,
    pub(super) removed: u64,
    pub(super) raced: u64,
    pub(super) busy: u64,
    pub(super) failed: u64,
}

/// All of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counted {
    pub(super) reads: Reads,
    pub(super) writes: Writes,
    pub(super) skips: u64,
    pub(super) holds: u64,
    pub(super) deletes_held: u64,
    pub(super) checks: Outcomes,
    pub(super) reloads: Outcomes,
    pub(super) watches_reset: u64,
    pub(super) items_committed: u64,
}

impl Counted {
    /// The folders told something.
    pub(super) fn file_event(&mut self, event: &FileEvent) {
        match event {
            FileEvent::Saved { kind, .. } => match kind {
                SaveKind::Edit => self.reads.edit += 1,
                SaveKind::Joining => self.reads.joining += 1,
                SaveKind::Renamed { .. } => self.reads.renamed += 1,
                SaveKind::Late { .. } => self.reads.late += 1,
            },
            FileEvent::Deleted { .. } => self.reads.deleted += 1,
            FileEvent::Written { .. } => self.writes.exchanged += 1,
            FileEvent::Removed { .. } => self.writes.removed += 1,
            FileEvent::WriteFailed { why, .. } => match why {
                WriteFailure::Raced => self.writes.raced += 1,
                WriteFailure::Busy => self.writes.busy += 1,
                _ => self.writes.failed += 1,
            },
            FileEvent::Skipped { .. } => self.skips += 1,
            FileEvent::DeletesHeld { .. } => self.deletes_held += 1,
            _ => {}
        }
    }
}

/// How much waits for the core in one of its channels.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Waiting {
    pub(super) file_events: usize,
    pub(super) check_events: usize,
}
