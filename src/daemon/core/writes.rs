//! Bringing files in step with documents: a render is written once all changes in it are durable.

use std::ops::Bound;

use bytes::Bytes;
use murmurate_crdt::conflict::Conflict;
use murmurate_crdt::id::DocumentId;
use murmurate_protocol::Event;

use super::Core;
use super::commits::{Item, Then};
use super::documents::{DocumentError, DueSnapshot};
use super::folders::{Base, Writing, slot_state};
use super::limits::{BLOCKED_RETRY, DOCUMENTS_PER_TURN, RACED_RETRY, SNAPSHOT_QUIET, WRITE_RETRY};
use super::overlays::Effective;
use crate::daemon::files::{ContentHash, FileCommand, Ticket, WriteFailure};

impl Core {
    /// Renders what changed, once: files, watchers, counts of conflicts, snapshots. Of much, a part.
    pub(super) async fn flush(&mut self) {
        for _ in 0..DOCUMENTS_PER_TURN {
            let Some(document) = self.next_to_flush() else { break };
            let loaded = match self.documents.get(&document) {
                Ok(loaded) => loaded,
                Err(error) => {
                    self.freeze_unreadable(&document, &error).await;
                    continue;
                }
            };
            let conflicts = loaded.conflicts();
            let rendered = loaded.rendered();
            self.summaries.note(&loaded.document, &rendered);
            match loaded.due_snapshot() {
                DueSnapshot::No => {}
                DueSnapshot::Later => {
                    self.snapshots_due.insert(document.clone(), self.environment.monotonic() + SNAPSHOT_QUIET);
                }
                DueSnapshot::Now(snapshot) => {
                    let snapshots = vec![(document.clone(), loaded.document.version(), snapshot)];
                    self.commits.push(Item { snapshots, ..Item::default() });
                }
            }
            self.count_conflicts(&document, &conflicts);
            self.tell_watchers(&document);
            if document.is_overlay() {
                self.dirty.extend(self.file_with(&document));
                continue;
            }
            match self.effective(&document) {
                Ok(effective) => self.bring_in_step(&document, &effective).await,
                // Without it the file would lose what is this host's own: it is left as it is.
                Err(error) => tracing::error!(%document, %error, "an overlay of the file can't be read"),
            }
        }
        self.publish_converged();
    }

    /// Whether the next turn needs nothing to begin with.
    pub(super) fn has_more_to_flush(&self) -> bool {
        !self.dirty.is_empty() && !self.commits.is_busy()
    }

    /// One after the other, round and round: those that change all the time don't keep others back.
    fn next_to_flush(&mut self) -> Option<DocumentId> {
        if !self.has_more_to_flush() {
            return None;
        }
        let after = self.flushed.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.dirty.range((after, Bound::Unbounded)).next().or_else(|| self.dirty.first()).cloned()?;
        self.dirty.remove(&next);
        self.flushed = Some(next.clone());
        Some(next)
    }

    /// A document that can't be read from the store is named, and left alone: what is on the disk is as much of it as there is.
    async fn freeze_unreadable(&mut self, document: &DocumentId, error: &DocumentError) {
        if !self.documents.frozen().contains_key(document) {
            self.documents.freeze(document, error.to_string());
            self.tell(Event::Frozen { document: document.clone() }).await;
        }
    }

    fn count_conflicts(&mut self, document: &DocumentId, conflicts: &[Conflict]) {
        let count = conflicts.len();
        let before =
            if count == 0 { self.conflicted.remove(document) } else { self.conflicted.insert(document.clone(), count) };
        if before.unwrap_or(0) != count {
            self.tell_of_conflicts(document, before.unwrap_or(0), conflicts);
            let value = (count > 0).then(|| (count as u64).to_be_bytes().to_vec());
            let states = vec![(format!("conflicts/{}", document.as_str()), value)];
            self.commits.push(Item { states, ..Item::default() });
        }
    }

    /// Starts a write of the document's file, if it isn't what it should be and nothing stands in the way.
    async fn bring_in_step(&mut self, document: &DocumentId, effective: &Effective) {
        let Some(folder) = self.folders.kept.get(document.folder()) else { return };
        if !folder.scanned || folder.stopped || self.checks.has_parked(document) {
            return;
        }
        if !self.folders.slot(document).is_some_and(|slot| slot.is_free()) {
            return;
        }
        let Some(target) = self.wanted(document, effective) else { return };
        let Some(slot) = self.folders.slot(document) else { return };
        if slot.base.is_same_file(&target) {
            // The file shows what came in meanwhile: an edit of it has seen that.
            slot.base.heads = target.heads;
            let overlays = std::mem::replace(&mut slot.base.overlays, target.overlays);
            slot.base.rendered = target.rendered;
            slot.failed = None;
            if overlays != slot.base.overlays {
                // Else an edit that is found at the next start would be told apart wrongly.
                self.keep_slot(document);
            }
            return;
        }
        self.start_write(document, target);
    }

    /// Starts a write of the document's file. What is in it goes to the disk first, and what it is to hold.
    pub(super) fn start_write(&mut self, document: &DocumentId, target: Base) {
        let ticket = self.ticket();
        let mut states: Vec<_> = self.note_good(document).into_iter().collect();
        let Some(slot) = self.folders.slot(document) else { return };
        slot.writing = Some(Writing { ticket, target, is_sent: false });
        states.push((slot_state(document), Some(slot.encode())));
        self.folders.writes.insert(ticket, document.clone());
        let then = Then::WriteFile(document.clone(), ticket);
        self.commits.push(Item { states, urgent: true, then, ..Item::default() });
    }

    /// The changes in a render are durable: the file may have it, unless an edit came meanwhile.
    pub(super) async fn write_file(&mut self, document: &DocumentId, ticket: Ticket, durable: bool) {
        let again = self.environment.monotonic() + WRITE_RETRY;
        let Some(slot) = self.folders.slot(document) else { return };
        let Some(writing) = slot.writing.as_mut().filter(|writing| writing.ticket == ticket) else { return };
        let Some(rendered) = writing.target.rendered.clone().filter(|_| durable) else {
            self.retries.insert(document.clone(), again);
            return self.cancel_write(document);
        };
        writing.is_sent = true;
        let command = command(document, ticket, &rendered, slot.base.hash);
        self.files.push(command);
    }

    /// Gives up a write that hasn't begun: what it would write is not what it should be any more.
    pub(super) fn cancel_write(&mut self, document: &DocumentId) {
        let Some(slot) = self.folders.slot(document) else { return };
        if let Some(writing) = slot.writing.take_if(|writing| !writing.is_sent) {
            self.folders.writes.remove(&writing.ticket);
        }
    }

    /// The file has its new content.
    pub(super) async fn take_written(&mut self, ticket: Ticket) {
        let at_ms = self.environment.wall_ms();
        let Some((document, slot)) = self.folders.answered(ticket) else { return };
        let Some(writing) = slot.writing.take() else { return };
        slot.failed = None;
        let has_changed = slot.base.hash != writing.target.hash;
        slot.wrote(writing.target, at_ms);
        let states = vec![(slot_state(&document), Some(slot.encode()))];
        self.commits.push(Item { states, ..Item::default() });
        if has_changed {
            self.bytes_changed(&document);
        }
        self.dirty.insert(document);
    }

    /// The file was left as it was.
    pub(super) fn take_write_failed(&mut self, ticket: Ticket, why: &WriteFailure) {
        let now = self.environment.monotonic();
        let Some((document, slot)) = self.folders.answered(ticket) else { return };
        slot.writing = None;
        let after = match why {
            // What raced was reported before, and is merged by now.
            WriteFailure::Raced => RACED_RETRY,
            why if why.may_pass() => WRITE_RETRY,
            _ => BLOCKED_RETRY,
        };
        if *why != WriteFailure::Raced {
            let why = why.to_string();
            // Once: it may be tried every second until a disk has room again.
            if slot.failed.is_none() {
                tracing::warn!(%document, %why, "the file could not be written");
            }
            slot.failed = Some(why);
        }
        self.retries.insert(document, now + after);
    }

    /// A file that isn't what it should be, and soon will be: nobody has to do anything for it.
    pub(super) fn behind(&self) -> Option<&DocumentId> {
        let is_behind = |document: &&DocumentId| {
            let folder = self.folders.kept.get(document.folder());
            let slot = folder.and_then(|folder| folder.slots.get(document.path()));
            slot.is_some_and(|slot| slot.failed.is_none() && slot.held.is_none() && slot.refused.is_none())
        };
        let writing = self.folders.writes.values().next().or_else(|| self.checks.waiting());
        writing.or_else(|| self.retries.keys().find(is_behind))
    }
}

fn command(document: &DocumentId, ticket: Ticket, shown: &Effective, replaces: Option<ContentHash>) -> FileCommand {
    let (folder, path) = (document.folder().to_string(), document.path().to_string());
    match (shown.file(), replaces) {
        (None, Some(replaces)) => FileCommand::Delete { ticket, folder, path, replaces },
        (file, replaces) => FileCommand::Write {
            ticket,
            folder,
            path,
            bytes: Bytes::from(file.map(|file| file.bytes.clone()).unwrap_or_default()),
            executable: file.is_some_and(|file| file.executable),
            replaces,
        },
    }
}
