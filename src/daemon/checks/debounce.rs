//! When a reload is due. Pure: time comes in as an argument.
//!
//! ```text
//!  changes  x x  x x x            x
//!               └ debounce ┘      └ debounce ┘       a pause ends it, or max_wait since the first change
//!  reloads                 R                  R      one at a time; what changes meanwhile is due after it
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use murmurate_crdt::id::DocumentId;

/// The changes that one reload is due for.
#[derive(Debug, Default)]
pub struct Debounce {
    changed: BTreeSet<DocumentId>,
    first: Duration,
    last: Duration,
    is_running: bool,
}

impl Debounce {
    /// A file has other bytes now.
    pub fn changed(&mut self, now: Duration, document: DocumentId) {
        if self.changed.is_empty() {
            self.first = now;
        }
        self.last = now;
        self.changed.insert(document);
    }

    /// When it is to be run; `None` while nothing changed, or while it runs.
    #[must_use]
    pub fn due_at(&self, debounce: Duration, max_wait: Duration) -> Option<Duration> {
        let is_waiting = !self.changed.is_empty() && !self.is_running;
        is_waiting.then(|| (self.last + debounce).min(self.first + max_wait))
    }

    /// It runs from now on, for these.
    pub fn begin(&mut self) -> BTreeSet<DocumentId> {
        self.is_running = true;
        std::mem::take(&mut self.changed)
    }

    /// It has ended, well or not.
    pub fn end(&mut self) {
        self.is_running = false;
    }

    /// Whether it is still to be run for the document.
    #[must_use]
    pub fn awaits(&self, document: &DocumentId) -> bool {
        self.changed.contains(document)
    }

    /// Forgets the documents of a folder.
    pub fn forget(&mut self, folder: &str) {
        self.changed.retain(|document| document.folder() != folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBOUNCE: Duration = Duration::from_millis(500);
    const MAX_WAIT: Duration = Duration::from_secs(5);

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn document(path: &str) -> DocumentId {
        DocumentId::new(&format!("web/{path}")).unwrap()
    }

    fn due(changes: &Debounce) -> Option<Duration> {
        changes.due_at(DEBOUNCE, MAX_WAIT)
    }

    #[test]
    fn a_pause_ends_a_burst() {
        let mut changes = Debounce::default();
        assert_eq!(due(&changes), None);
        for time in [0, 100, 400] {
            changes.changed(at(time), document("a"));
        }
        changes.changed(at(600), document("b"));
        assert_eq!(due(&changes), Some(at(1_100)));
        assert_eq!(changes.begin().len(), 2);
        assert_eq!(due(&changes), None);
    }

    #[test]
    fn changes_that_never_pause_wait_no_longer_than_the_longest() {
        let mut changes = Debounce::default();
        for time in (1_000..20_000).step_by(100) {
            changes.changed(at(time), document("a"));
        }
        assert_eq!(due(&changes), Some(at(6_000)));
    }

    #[test]
    fn what_changes_while_it_runs_is_due_after_it() {
        let mut changes = Debounce::default();
        changes.changed(at(0), document("a"));
        changes.begin();
        changes.changed(at(700), document("a"));
        assert!(changes.awaits(&document("a")) && !changes.awaits(&document("b")));
        assert_eq!(due(&changes), None);
        changes.end();
        assert_eq!(due(&changes), Some(at(1_200)));
        changes.forget("web");
        assert_eq!(due(&changes), None);
    }
}
