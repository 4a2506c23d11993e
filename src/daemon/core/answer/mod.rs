//! Answers to the local API, one file per family of requests.

mod conflicts;
mod diffs;
mod edits;
mod facts;
mod folders;
mod mesh;
mod metrics;
mod reads;
mod states;
mod status;

pub(super) use conflicts::Decision;
pub(super) use edits::{FileWrite, Put};
pub(super) use folders::FolderReply;
pub(super) use status::state_of;

use murmurate_client::types::{ApiError, ErrorCode};
use murmurate_crdt::edit::EditError;
use murmurate_crdt::key::Address;

use super::Core;
use super::documents::DocumentError;
use crate::daemon::request::Request;

impl Core {
    /// Answers one request. That nobody waits for the answer any more is no error.
    pub(super) async fn answer(&mut self, request: Request) {
        match request {
            Request::Pulse { reply } => drop(reply.send(Ok(self.pulse()))),
            Request::Facts { reply } => drop(reply.send(Ok(self.facts()))),
            Request::Status { reply } => drop(reply.send(Ok(self.status()))),
            Request::Metrics { reply } => drop(reply.send(Ok(self.metrics()))),
            Request::Counters { reply } => drop(reply.send(Ok(self.counters()))),
            Request::Members { reply } => drop(reply.send(Ok(self.members()))),
            Request::Membership(request) => self.answer_membership(request).await,
            Request::FolderAdd { folder, reply } => self.add_folder(folder, reply).await,
            Request::FolderList { reply } => drop(reply.send(Ok(self.folder_list()))),
            Request::FolderRemove { name, reply } => self.remove_folder(name, reply).await,
            Request::FolderStatus { name, after, reply } => {
                drop(reply.send(self.folder_status(name.as_deref(), after.as_deref())));
            }
            Request::FolderConfirm { name, reply, .. } => {
                let confirmed = self.confirm_deletes(&name).await;
                drop(reply.send(confirmed));
            }
            Request::Documents { prefix, after, reply } => {
                drop(reply.send(self.document_list(&prefix, after.as_deref())));
            }
            Request::Keys { prefix, after, reply } => drop(reply.send(self.keys(&prefix, after.as_deref()))),
            Request::Get { address, base, reply } => drop(reply.send(self.get(&address, base))),
            Request::Explain { address, reply } => drop(reply.send(self.explain(&address))),
            Request::ReadFile { doc, base, reply } => drop(reply.send(self.read_file(&doc, base))),
            Request::DiskPlace { doc, reply } => drop(reply.send(self.disk_place(&doc))),
            Request::Diff { doc, before, after, reply } => drop(reply.send(self.diff(&doc, &before, &after))),
            Request::Conflicts { prefix, reply } => drop(reply.send(self.conflict_list(&prefix))),
            Request::Watch { prefix, resume, init, reply } => {
                drop(reply.send(self.watch(&prefix, resume.as_deref(), init)));
            }
            write => match self.document_to_check(&write) {
                Some(document) => self.check_write(document, write).await,
                None => self.answer_write(write).await,
            },
        }
    }

    /// Carries out a write.
    pub(super) async fn answer_write(&mut self, request: Request) {
        match request {
            Request::Put { address, value, kind, expect, at, caller, reply } => {
                self.put(edits::Put { address, value, kind, expect, at, caller }, reply).await;
            }
            Request::Delete { address, caller, reply } => self.delete(&address, caller, reply).await,
            Request::WriteFile { doc, bytes, options, caller, reply } => {
                self.put_file(edits::FileWrite { doc, bytes, options, caller }, reply).await;
            }
            Request::Resolve { address, part, choice, caller, reply } => {
                self.resolve(conflicts::Decision { address, part, choice, caller }, reply).await;
            }
            _ => tracing::error!("a request has no answer"),
        }
    }
}

fn parse(address: &str) -> Result<Address, ApiError> {
    address.parse::<Address>().map_err(|error| {
        let try_ = "an address is FOLDER/PATH#KEY: `murmurate ls` shows those there are";
        ApiError::new(ErrorCode::BadAddress, format!("read the address `{address}`"), error.why, try_)
    })
}

fn not_found(what: &str, why: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::NotFound, what, why, "`murmurate ls` shows what there is")
}

pub(super) fn no_document(what: String, error: &DocumentError) -> ApiError {
    let (code, try_) = match error {
        DocumentError::Frozen(_) => (ErrorCode::Frozen, "`murmurate status` says what is wrong with it"),
        _ => (ErrorCode::Store, "look into the daemon's log; start it again"),
    };
    ApiError::new(code, what, error.to_string(), try_)
}

pub(super) fn no_edit(what: String, error: &EditError) -> ApiError {
    let (code, try_) = match error {
        EditError::Syntax(_) => (ErrorCode::BadEdit, "correct the place and try again; nothing was changed"),
        EditError::TooLarge { .. } => (ErrorCode::Limit, "the limit is the same on all hosts; make it smaller"),
        EditError::NotFound(_) => (ErrorCode::NotFound, "`murmurate ls` shows what there is"),
        EditError::NoPlace(_) => (ErrorCode::BadEdit, "edit the file, or put the whole file with `@FILE`"),
        EditError::Type(_) => (ErrorCode::BadValue, "give a value of that type, or another `--type`"),
        EditError::Write(_) => (ErrorCode::Internal, "try again; the document was read anew"),
    };
    ApiError::new(code, what, error.to_string(), try_)
}

/// A change that couldn't be made durable.
pub(super) fn not_durable(what: String, why: String) -> ApiError {
    let code = if why.contains("No space left") { ErrorCode::DiskFull } else { ErrorCode::Store };
    ApiError::new(
        code,
        what,
        format!("{why}; nothing was acknowledged"),
        "free the disk or repair it, then start the daemon again",
    )
}
