//! Folders over the API.

use std::path::Path;

use murmurate_client::types::{
    AddFolder, ApiError, ErrorCode, FileState, FileStatus, Folder as FolderSummary, FolderAdded, FolderConfirmed,
    FolderFiles, FolderRemoved, FolderState, FolderStatus, Folders, Time, V1,
};
use murmurate_crdt::id::DocumentId;

use super::not_found;
use crate::daemon::core::Core;
use crate::daemon::core::checks::{good_state, refused_state};
use crate::daemon::core::commits::Item;
use crate::daemon::core::folders::{Folder, Slot, folder_state, slot_state};
use crate::daemon::files::FileCommand;
use crate::daemon::request::Reply;

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

    pub(super) fn folder_status(&self, name: Option<&str>) -> Result<FolderStatus, ApiError> {
        let names: Vec<&String> = match name {
            Some(name) => {
                let found = self.folders.kept.get_key_value(name);
                let (name, _) =
                    found.ok_or_else(|| not_found(&format!("show the folder {name}"), "there is no such folder"))?;
                vec![name]
            }
            None => self.folders.kept.keys().collect(),
        };
        let folders = names.into_iter().filter_map(|name| {
            let kept = self.folders.kept.get(name)?;
            let (held, why) = &kept.deletes_held;
            Some(FolderFiles {
                folder: self.folder_summary(name)?,
                entries: self.file_statuses(name, kept),
                deletes_held_why: (!held.is_empty()).then(|| why.clone()),
            })
        });
        Ok(FolderStatus { v: V1, folders: folders.collect() })
    }

    /// A folder with its counts.
    pub(in crate::daemon::core) fn folder_summary(&self, name: &str) -> Option<FolderSummary> {
        let folder = self.folders.kept.get(name)?;
        let files = self.file_statuses(name, folder);
        let count = |state| files.iter().filter(|file| file.state == state).count() as u64;
        let conflicts = self.conflicted.iter().filter(|(document, _)| document.folder() == name);
        Some(FolderSummary {
            name: name.into(),
            dir: folder.dir.clone(),
            state: match (folder.stopped, folder.scanned) {
                (true, _) => FolderState::Trouble,
                (false, true) => FolderState::Ready,
                (false, false) => FolderState::Scanning,
            },
            files: files.len() as u64,
            in_step: count(FileState::InStep),
            held: count(FileState::Held),
            kept_back: count(FileState::KeptBack),
            skipped: count(FileState::Skipped),
            waiting: count(FileState::Waiting) + count(FileState::Failed),
            deletes_held: count(FileState::DeleteHeld),
            conflicts: conflicts.map(|(_, count)| *count as u64).sum(),
            problem: folder.trouble.clone(),
        })
    }

    /// Each file of a folder, those left alone included.
    fn file_statuses(&self, name: &str, folder: &Folder) -> Vec<FileStatus> {
        let files = folder.slots.iter().filter(|(_, slot)| slot.is_of_note());
        let mut statuses: Vec<FileStatus> =
            files.map(|(path, slot)| self.file_status(name, folder, path, slot)).collect();
        statuses.extend(folder.skipped.iter().map(|(path, why)| FileStatus {
            state: FileState::Skipped,
            reason: Some(why.clone()),
            ..blank_status(name, path)
        }));
        statuses.sort_by(|a, b| a.path.cmp(&b.path));
        statuses
    }

    fn file_status(&self, name: &str, folder: &Folder, path: &str, slot: &Slot) -> FileStatus {
        let mut status = blank_status(name, path);
        status.format = DocumentId::new(&status.doc).ok().and_then(|document| self.format_of(&document));
        if let Some(held) = &slot.held {
            status.state = FileState::Held;
            status.line = held.line.map(|line| line as u64);
            status.column = held.column.map(|column| column as u64);
            status.reason = Some(held.why.clone());
            status.cause = Some(held.cause);
            status.output.clone_from(&held.output);
            status.since = Some(Time::from_ms(held.since_ms));
        } else if let Some(refused) = &slot.refused {
            status.state = FileState::KeptBack;
            status.reason = Some(refused.failure.why.clone());
            status.cause = Some(refused.failure.cause);
            status.output = Some(refused.failure.output.clone()).filter(|output| !output.is_empty());
            status.since = Some(Time::from_ms(refused.since_ms));
        } else if folder.deletes_held.0.contains(path) {
            status.state = FileState::DeleteHeld;
            status.reason = Some(folder.deletes_held.1.clone());
        } else if let Some(why) = &slot.failed {
            status.state = FileState::Failed;
            status.reason = Some(why.clone());
        } else if slot.writing.is_some() {
            status.state = FileState::Waiting;
        }
        status
    }

    /// Files whose edit isn't taken in, or that don't follow the mesh.
    pub(super) fn held_files(&self) -> Vec<FileStatus> {
        let all = self.folders.kept.iter().flat_map(|(name, folder)| self.file_statuses(name, folder));
        all.filter(|file| matches!(file.state, FileState::Held | FileState::KeptBack)).collect()
    }
}

fn blank_status(folder: &str, path: &str) -> FileStatus {
    FileStatus {
        folder: folder.into(),
        path: path.into(),
        doc: format!("{folder}/{path}"),
        format: None,
        state: FileState::InStep,
        line: None,
        column: None,
        reason: None,
        cause: None,
        output: None,
        since: None,
    }
}
