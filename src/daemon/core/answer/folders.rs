//! Folders over the API.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;

use murmurate_client::types::{
    AddFolder, ApiError, ErrorCode, FileState, FileStatus, Folder as FolderSummary, FolderAdded, FolderConfirmed,
    FolderFiles, FolderRemoved, FolderState, FolderStatus, Folders, Time, V1,
};
use murmurate_crdt::id::DocumentId;
use murmurate_crdt::overlay::Composed;

use super::not_found;
use crate::daemon::core::Core;
use crate::daemon::core::checks::{good_state, refused_state};
use crate::daemon::core::commits::Item;
use crate::daemon::core::folders::{Base, Folder, folder_state, slot_state};
use crate::daemon::files::FileCommand;
use crate::daemon::request::{PAGE_FILES, Reply};

/// Whoever added a folder and waits for its first scan.
pub(in crate::daemon::core) struct FolderReply(Reply<FolderAdded>);

impl FolderReply {
    /// The folder was scanned, and is kept durably if `durable` says so.
    pub(in crate::daemon::core) fn send(self, folder: Option<FolderSummary>, durable: Result<(), String>) {
        let answer = match (folder, durable) {
            (Some(folder), Ok(())) => Ok(FolderAdded { v: V1, folder }),
            (None, _) => Err(not_found("add the folder", "it was removed meanwhile")),
            (_, Err(why)) => Err(super::not_durable("add the folder".into(), why)),
        };
        let _ = self.0.send(answer);
    }

    /// The directory can't be used.
    pub(in crate::daemon::core) fn refuse(self, name: &str, why: String) {
        let try_ = "see that the directory is there and writable; `murmurate folder rm` gives the folder up";
        let _ = self.0.send(Err(ApiError::new(ErrorCode::BadFolder, format!("watch the folder {name}"), why, try_)));
    }
}

impl Core {
    pub(super) async fn add_folder(&mut self, asked: AddFolder, reply: Reply<FolderAdded>) {
        if let Err(error) = self.check_folder(&asked) {
            return drop(reply.send(Err(error)));
        }
        let folder = Folder { dir: asked.dir, adopt: asked.adopt, joining: true, ..Folder::default() };
        let states = vec![(folder_state(&asked.name), Some(folder.encode()))];
        self.folders.kept.insert(asked.name.clone(), folder);
        self.joining.insert(asked.name.clone(), FolderReply(reply));
        self.commits.push(Item { states, urgent: true, ..Item::default() });
        self.watch_folder(&asked.name).await;
    }

    fn check_folder(&self, asked: &AddFolder) -> Result<(), ApiError> {
        let what = format!("add the folder {}", asked.name);
        self.refuse_if_broken(&what)?;
        let is_name = !asked.name.contains('/') && DocumentId::new(&format!("{}/x", asked.name)).is_ok();
        if !is_name {
            let why = "a folder's name is one part of a path";
            return Err(ApiError::new(ErrorCode::BadRequest, what, why, "choose a name like `web` or `app.d`"));
        }
        if let Some(folder) = self.folders.kept.get(&asked.name) {
            let why = format!("it is kept already, in {}", folder.dir);
            return Err(ApiError::new(ErrorCode::Exists, what, why, "`murmurate folder rm` it first"));
        }
        let dir = Path::new(&asked.dir);
        if !dir.is_absolute() {
            let why = format!("{} isn't an absolute path", asked.dir);
            return Err(ApiError::new(ErrorCode::BadRequest, what, why, "give the directory from `/` on"));
        }
        let taken = self.folders.kept.iter().find(|(_, folder)| {
            let other = Path::new(&folder.dir);
            other.starts_with(dir) || dir.starts_with(other)
        });
        match taken {
            Some((name, folder)) => {
                let why = format!("{} belongs to the folder {name} ({})", asked.dir, folder.dir);
                Err(ApiError::new(ErrorCode::BadFolder, what, why, "choose a directory outside of it"))
            }
            None => Ok(()),
        }
    }

    pub(super) async fn remove_folder(&mut self, name: String, reply: Reply<FolderRemoved>) {
        let what = format!("remove the folder {name}");
        let Some(folder) = self.folders.kept.remove(&name) else {
            return drop(reply.send(Err(not_found(&what, "there is no such folder"))));
        };
        self.folders.writes.retain(|_, document| document.folder() != name);
        if let Some(waiting) = self.joining.remove(&name) {
            waiting.refuse(&name, "it was removed".into());
        }
        let slots = folder.slots.keys().filter_map(|path| DocumentId::new(&format!("{name}/{path}")).ok());
        let keys = slots.flat_map(|document| [slot_state(&document), good_state(&document), refused_state(&document)]);
        let mut states: Vec<_> = keys.map(|key| (key, None)).collect();
        self.checks.forget(&name);
        states.push((folder_state(&name), None));
        self.files.push(FileCommand::RemoveFolder { folder: name.clone() });
        let result = FolderRemoved { v: V1, name, dir: folder.dir };
        let then = super::edits::reply_when_durable(what, result, reply);
        self.commits.push(Item { states, urgent: true, then, ..Item::default() });
    }

    pub(super) async fn confirm_deletes(&mut self, name: &str) -> Result<FolderConfirmed, ApiError> {
        let what = format!("confirm the deletes of {name}");
        let folder = self.folders.kept.get_mut(name).ok_or_else(|| not_found(&what, "there is no such folder"))?;
        let deleted: Vec<String> = std::mem::take(&mut folder.deletes_held).0.into_iter().collect();
        if deleted.is_empty() {
            return Err(not_found(&what, "no deletes are held"));
        }
        let confirm = FileCommand::Confirm { folder: name.into() };
        self.files.push(confirm);
        Ok(FolderConfirmed { v: V1, name: name.into(), deleted })
    }

    pub(super) fn folder_list(&self) -> Folders {
        let folders = self.folders.kept.keys().filter_map(|name| self.folder_summary(name)).collect();
        Folders { v: V1, folders }
    }

    /// A page of the files of one folder or of all, behind the document `after`.
    pub(super) fn folder_status(&self, name: Option<&str>, after: Option<&str>) -> Result<FolderStatus, ApiError> {
        let what = format!("show the folder {}", name.unwrap_or_default());
        if name.is_some_and(|name| !self.folders.kept.contains_key(name)) {
            return Err(not_found(&what, "there is no such folder"));
        }
        let after = after.map(|after| after.split_once('/').ok_or_else(|| bad_page(&what, after))).transpose()?;
        let mut status = FolderStatus { v: V1, folders: Vec::new(), next: None };
        let (mut room, mut last) = (PAGE_FILES, None);
        let from = after.map_or("", |(folder, _)| folder);
        for (folder, kept) in self.folders.kept.range::<str, _>((Bound::Included(from), Bound::Unbounded)) {
            if name.is_some_and(|name| name != folder) {
                continue;
            }
            let behind = after.filter(|(first, _)| first == folder).map(|(_, path)| path);
            let mut paths = if room == 0 { Vec::new() } else { kept.paths_behind(behind, room + 1) };
            let has_more = room == 0 || paths.len() > room;
            paths.truncate(room);
            room -= paths.len();
            last = paths.last().map(|path| format!("{folder}/{path}")).or(last);
            if !paths.is_empty() || (behind.is_none() && !has_more) {
                status.folders.push(self.folder_files(folder, kept, &paths));
            }
            if has_more {
                status.next = last;
                break;
            }
        }
        Ok(status)
    }

    fn folder_files(&self, name: &str, kept: &Folder, paths: &[&str]) -> FolderFiles {
        let (held, why) = &kept.deletes_held;
        FolderFiles {
            folder: self.summary_of(name, kept),
            entries: paths.iter().map(|path| self.file_status(name, kept, path)).collect(),
            deletes_held_why: (!held.is_empty()).then(|| why.clone()),
        }
    }

    /// A folder with its counts.
    pub(in crate::daemon::core) fn folder_summary(&self, name: &str) -> Option<FolderSummary> {
        Some(self.summary_of(name, self.folders.kept.get(name)?))
    }

    fn summary_of(&self, name: &str, folder: &Folder) -> FolderSummary {
        let mut counts = BTreeMap::new();
        folder.states().for_each(|(_, state)| *counts.entry(state.name()).or_insert(0_u64) += 1);
        let count = |state: FileState| counts.get(state.name()).copied().unwrap_or(0);
        let conflicts = self.conflicted.iter().filter(|(document, _)| document.folder() == name);
        FolderSummary {
            name: name.into(),
            dir: folder.dir.clone(),
            state: match (folder.stopped, folder.scanned) {
                (true, _) => FolderState::Trouble,
                (false, true) => FolderState::Ready,
                (false, false) => FolderState::Scanning,
            },
            files: counts.values().sum(),
            in_step: count(FileState::InStep),
            held: count(FileState::Held),
            kept_back: count(FileState::KeptBack),
            skipped: count(FileState::Skipped),
            waiting: count(FileState::Waiting) + count(FileState::Failed),
            deletes_held: count(FileState::DeleteHeld),
            conflicts: conflicts.map(|(_, count)| *count as u64).sum(),
            problem: folder.trouble.clone(),
        }
    }

    /// The files of all folders, by the names of their states.
    pub(super) fn file_counts(&self) -> BTreeMap<&'static str, u64> {
        let states = [
            FileState::InStep,
            FileState::Held,
            FileState::KeptBack,
            FileState::Skipped,
            FileState::Waiting,
            FileState::DeleteHeld,
            FileState::Failed,
        ];
        let mut counts: BTreeMap<&str, u64> = states.into_iter().map(|state| (state.name(), 0)).collect();
        let files = self.folders.kept.values().flat_map(Folder::states);
        files.for_each(|(_, state)| *counts.entry(state.name()).or_default() += 1);
        counts
    }

    fn file_status(&self, name: &str, folder: &Folder, path: &str) -> FileStatus {
        let state = folder.state_of(path);
        let mut status = blank_status(name, path, state);
        let slot = folder.slots.get(path);
        match state {
            FileState::Held => {
                let held = slot.and_then(|slot| slot.held.as_ref());
                status.line = held.and_then(|held| held.line).map(|line| line as u64);
                status.column = held.and_then(|held| held.column).map(|column| column as u64);
                status.reason = held.map(|held| held.why.clone());
                status.cause = held.map(|held| held.cause);
                status.output = held.and_then(|held| held.output.clone());
                status.since = held.map(|held| Time::from_ms(held.since_ms));
            }
            FileState::KeptBack => {
                let refused = slot.and_then(|slot| slot.refused.as_ref());
                let failure = refused.map(|refused| &refused.failure);
                status.reason = failure.map(|failure| failure.why.clone());
                status.cause = failure.map(|failure| failure.cause);
                status.output = failure.map(|failure| failure.output.clone()).filter(|output| !output.is_empty());
                status.since = refused.map(|refused| Time::from_ms(refused.since_ms));
            }
            FileState::Skipped => status.reason = folder.skipped.get(path).cloned(),
            FileState::DeleteHeld => status.reason = Some(folder.deletes_held.1.clone()),
            FileState::Failed => status.reason = slot.and_then(|slot| slot.failed.clone()),
            FileState::InStep | FileState::Waiting | FileState::Unknown => {}
        }
        self.describe_document(&mut status);
        status.overlays = slot.map(|slot| shown_overlays(&slot.base)).unwrap_or_default();
        if status.reason.is_none() && !status.overlays.is_empty() {
            status.reason = Some(format!("with values of its own from {}", status.overlays.join(", ")));
        }
        status
    }

    /// What is known of the file's document.
    fn describe_document(&self, status: &mut FileStatus) {
        let Ok(document) = DocumentId::new(&format!("{}/{}", status.folder, status.path)) else { return };
        let conflicts = |id: &DocumentId| self.conflicted.get(id).map_or(0, |count| *count as u64);
        let overlays = self.own_overlays(&document);
        status.conflicts = conflicts(&document) + overlays.iter().map(|(_, id)| conflicts(id)).sum::<u64>();
        let Some(summary) = self.summaries.of(&document) else { return };
        status.format = Some(summary.format.into());
        status.format_reason.clone_from(&summary.format_reason);
        let Some(newest) = &summary.newest else { return };
        let host = self.host_name(newest.dot.writer.actor);
        status.author = Some(if newest.user.is_empty() { host.clone() } else { newest.user.clone() });
        status.host = Some(host);
        status.changed = Some(Time::from_ms(newest.time_ms));
        status.version = Some(newest.dot.to_string());
    }

    /// Files whose edit isn't taken in, or that don't follow the mesh.
    pub(super) fn held_files(&self) -> Vec<FileStatus> {
        let all = self.folders.kept.iter().flat_map(|(name, folder)| {
            let held = folder.states().filter(|(_, state)| matches!(state, FileState::Held | FileState::KeptBack));
            held.map(move |(path, _)| self.file_status(name, folder, path))
        });
        all.collect()
    }
}

fn bad_page(what: &str, after: &str) -> ApiError {
    let why = format!("`{after}` is no `next` of a page");
    ApiError::new(ErrorCode::BadRequest, what, why, "leave `after` out for the first page")
}

/// The overlays of which a file shows something, or takes something away.
fn shown_overlays(base: &Base) -> Vec<String> {
    match &base.rendered {
        Some(rendered) => rendered.composed().into_iter().flat_map(Composed::shown).map(ToString::to_string).collect(),
        // It wasn't composed since the start: these may.
        None => base.overlays.iter().map(|(overlay, _)| overlay.to_string()).collect(),
    }
}

fn blank_status(folder: &str, path: &str, state: FileState) -> FileStatus {
    FileStatus {
        folder: folder.into(),
        path: path.into(),
        doc: DocumentId::new(&format!("{folder}/{path}")).map_or_else(|_| path.into(), |document| document.to_string()),
        format: None,
        format_reason: None,
        state,
        line: None,
        column: None,
        reason: None,
        cause: None,
        output: None,
        since: None,
        conflicts: 0,
        changed: None,
        host: None,
        author: None,
        version: None,
        overlays: Vec::new(),
    }
}
