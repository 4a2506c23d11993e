//! Writes over the API. Each is answered once it is durable here.

use std::sync::Arc;

use murmurate_client::types::{ApiError, Deleted, ErrorCode, PutResult, ValueType, WriteOptions};
use murmurate_crdt::clock::Dot;
use murmurate_crdt::document::Written;
use murmurate_crdt::edit::{self, EditError, Editor, PutOutcome, PutPlan, PutType};
use murmurate_crdt::id::{DocumentId, Lane};
use murmurate_crdt::key::{self, Address, Found, Step};
use murmurate_crdt::overlay::{self, OverlayEdit};
use murmurate_crdt::render::{Content, Rendered};
use murmurate_crdt::tree;

use super::{no_document, no_edit, not_durable, not_found, parse, states};
use crate::daemon::core::Core;
use crate::daemon::core::commits::{Item, Then};
use crate::daemon::core::documents::Loaded;
use crate::daemon::core::overlays::{NotTaken, Saved};
use crate::daemon::core::puts::PlannedPut;
use crate::daemon::core::view;
use crate::daemon::request::{Caller, Reply};

/// A put, as it was asked for.
pub(in crate::daemon::core) struct Put {
    pub(in crate::daemon::core) address: String,
    pub(in crate::daemon::core) value: String,
    pub(in crate::daemon::core) kind: Option<ValueType>,
    pub(in crate::daemon::core) expect: Option<String>,
    pub(in crate::daemon::core) at: Option<String>,
    pub(in crate::daemon::core) caller: Caller,
}

/// A whole file, as it was asked for.
pub(in crate::daemon::core) struct FileWrite {
    pub(in crate::daemon::core) doc: String,
    pub(in crate::daemon::core) bytes: Vec<u8>,
    pub(in crate::daemon::core) options: WriteOptions,
    pub(in crate::daemon::core) caller: Caller,
}

/// A change that was made, or the version that is there already.
pub(in crate::daemon::core) enum Made {
    Written(Written),
    Present(Option<Dot>),
}

impl Core {
    pub(super) async fn put(&mut self, put: Put, reply: Reply<PutResult>) {
        let what = format!("put {}", put.address);
        let address = match parse(&put.address) {
            Ok(address) => address,
            Err(error) => return drop(reply.send(Err(error))),
        };
        if put.at.is_some() {
            return self.put_in_state(what, address, put, reply).await;
        }
        let mut plan = self.plan_put(&what, &address, &put);
        if self.must_wait(&address.document, &put, &plan) {
            self.write_puts_to(&address.document).await;
            plan = self.plan_put(&what, &address, &put);
        }
        let key = view::key_of(&address);
        match plan {
            Ok(PutPlan::Replace { register, cell }) => {
                let (user, bytes) = (put.caller.user, put.value.len());
                let planned = PlannedPut { what, key, user, register, cell, bytes, reply };
                self.open_put(address.document, planned).await;
            }
            Ok(PutPlan::Unchanged { dot, .. }) => {
                let editor = self.editor(put.caller.user);
                self.finish_put(what, address.document, key, Made::Present(dot), &editor, reply).await;
            }
            Ok(PutPlan::Insert) => {
                let editor = self.editor(put.caller.user.clone());
                match self.insert(&what, &address, &put, &editor) {
                    Ok(made) => self.finish_put(what, address.document, key, made, &editor, reply).await,
                    Err(error) => drop(reply.send(Err(error))),
                }
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// A put of someone who had seen another state of the document: what came since stays concurrent to it.
    async fn put_in_state(&mut self, what: String, address: Address, put: Put, reply: Reply<PutResult>) {
        self.write_puts_to(&address.document).await;
        let editor = self.editor(put.caller.user.clone());
        let made = if address.key.is_empty() {
            Err(ApiError::new(
                ErrorCode::BadAddress,
                &what,
                "the address has no key",
                "write the whole file, `PUT /v1/file`",
            ))
        } else if put.expect.is_some() {
            let why = "`at` and `expect` exclude each other";
            Err(ApiError::new(ErrorCode::BadRequest, &what, why, "give one of them"))
        } else {
            self.insert(&what, &address, &put, &editor)
        };
        match made {
            Ok(made) => {
                let key = view::key_of(&address);
                self.finish_put(what, address.document, key, made, &editor, reply).await;
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    /// Whether the document's open puts have to be written before this one can be planned.
    fn must_wait(&self, document: &DocumentId, put: &Put, plan: &Result<PutPlan, ApiError>) -> bool {
        match plan {
            Ok(PutPlan::Replace { register, .. } | PutPlan::Unchanged { register, .. }) => {
                self.must_follow(document, &put.caller.user, register)
            }
            // What it finds may be different with them.
            Ok(PutPlan::Insert) | Err(_) => self.has_open_puts(document),
        }
    }

    pub(in crate::daemon::core) fn plan_put(
        &mut self,
        what: &str,
        address: &Address,
        put: &Put,
    ) -> Result<PutPlan, ApiError> {
        if address.key.is_empty() {
            let why = "the address has no key";
            return Err(ApiError::new(ErrorCode::BadAddress, what, why, "put DOC#KEY VALUE, or put DOC @FILE"));
        }
        if address.document.is_overlay() {
            self.file_under(what, &address.document)?;
        }
        let loaded = self.open_for_write(what, &address.document)?;
        let rendered = loaded.rendered();
        if let Some(expect) = &put.expect {
            let present = rendered.file().and_then(|file| {
                let Found::Here(path) = key::find(&file.tree, &address.key) else { return None };
                view::dot_at(&loaded.document, &file.epoch, &path)
            });
            check_version(what, expect, present)?;
        }
        if address.document.is_overlay() && !is_value_of_overlay(&rendered, &address.key) {
            return Ok(PutPlan::Insert);
        }
        let plan = loaded.document.plan_put(&rendered, &address.key, &put.value, put_type(put.kind));
        plan.map_err(|error| no_edit(what.into(), &error))
    }

    /// Puts a value at a key that isn't there yet, or that the state which its writer had seen has.
    pub(in crate::daemon::core) fn insert(
        &mut self,
        what: &str,
        address: &Address,
        put: &Put,
        editor: &Editor,
    ) -> Result<Made, ApiError> {
        if address.document.is_overlay() {
            let kind = put_type(put.kind);
            return self.edit_overlay(what, &address.document, put.at.as_deref(), editor, |file, overlay| {
                overlay::put(file, overlay, &address.key, &put.value, kind).map(Some)
            });
        }
        let loaded = self.open_for_write(what, &address.document)?;
        let seen = states::seen_by_writer(what, loaded, put.at.as_deref(), editor.actor)?;
        let outcome = loaded.document.put(&seen, &address.key, &put.value, put_type(put.kind), editor);
        match outcome {
            Ok(PutOutcome::Written(written)) => Ok(Made::Written(written)),
            Ok(PutOutcome::Unchanged(dot)) => Ok(Made::Present(dot)),
            Err(error) => {
                self.reload_after(&address.document, &error);
                Err(no_edit(what.into(), &error))
            }
        }
    }

    /// Commits a put and answers it.
    async fn finish_put(
        &mut self,
        what: String,
        document: DocumentId,
        key: String,
        made: Made,
        editor: &Editor,
        reply: Reply<PutResult>,
    ) {
        let name = document.to_string();
        match made {
            Made::Written(written) => {
                let result = PutResult::new(name, key, written.dot.to_string(), true);
                let then = reply_when_durable(what, result, reply);
                self.commit_own(&document, written, editor, Vec::new(), then).await;
            }
            Made::Present(dot) => {
                // It may have been written just now, and not be durable yet: the answer waits for what is queued.
                let version = dot.map(|dot| dot.to_string()).unwrap_or_default();
                let then = reply_when_durable(what, PutResult::new(name, key, version, false), reply);
                self.commits.push(Item { urgent: true, then, ..Item::default() });
            }
        }
    }

    pub(super) async fn put_file(&mut self, write: FileWrite, reply: Reply<PutResult>) {
        let what = format!("put {}", write.doc);
        let editor = self.editor(write.caller.user.clone());
        let address = match parse_document(&what, &write.doc) {
            Ok(address) => address,
            Err(error) => return drop(reply.send(Err(error))),
        };
        if write.options.dry_run {
            return drop(reply.send(self.try_file(&what, &address, &write, &editor)));
        }
        let written = match self.make_file(&what, &address.document, &write, &editor) {
            Ok(written) => written,
            Err(error) => return drop(reply.send(Err(error))),
        };
        let own = written.iter().find(|(document, _)| *document == address.document).or(written.first());
        let present = self.documents.get(&address.document).ok().and_then(|loaded| view::newest(&loaded.document));
        let version = own.map(|(_, written)| written.dot).or(present).map(|dot| dot.to_string()).unwrap_or_default();
        let result = PutResult::new(address.document.to_string(), String::new(), version, own.is_some());
        let then = reply_when_durable(what, result, reply);
        self.commit_parts(written, &editor, Vec::new(), then).await;
    }

    /// Edits an overlay of a file that is there. `at` names the state that its writer had seen.
    fn edit_overlay(
        &mut self,
        what: &str,
        document: &DocumentId,
        at: Option<&str>,
        editor: &Editor,
        edit: impl FnOnce(&Content, Option<&Content>) -> Result<Option<OverlayEdit>, EditError>,
    ) -> Result<Made, ApiError> {
        let under = self.file_under(what, document)?;
        let file = under.file().ok_or_else(|| no_file_under(what, document))?;
        let loaded = self.open_for_write(what, document)?;
        let seen = states::seen_by_writer(what, loaded, at, editor.actor)?;
        let edit = edit(file, seen.file()).map_err(|error| no_edit(what.into(), &error))?;
        let Some(edit) = edit else { return Ok(Made::Present(None)) };
        match loaded.document.take_overlay(&seen, &edit, Lane::API, editor) {
            Ok(Some(written)) => Ok(Made::Written(written)),
            Ok(None) => Ok(Made::Present(view::newest(&loaded.document))),
            Err(error) => {
                self.reload_after(document, &error);
                Err(no_edit(what.into(), &error))
            }
        }
    }

    /// The document that an overlay is over: without a file nobody would see it.
    fn file_under(&mut self, what: &str, overlay: &DocumentId) -> Result<Arc<Rendered>, ApiError> {
        let loaded = self.documents.get(&overlay.base()).map_err(|error| no_document(what.into(), &error))?;
        let rendered = loaded.rendered();
        if rendered.file().is_some() { Ok(rendered) } else { Err(no_file_under(what, overlay)) }
    }

    /// Writes a whole file: as its document alone, or with the overlays of this host that its writer saw.
    pub(in crate::daemon::core) fn make_file(
        &mut self,
        what: &str,
        document: &DocumentId,
        write: &FileWrite,
        editor: &Editor,
    ) -> Result<Vec<(DocumentId, Written)>, ApiError> {
        let at = write.options.at.as_deref();
        if document.is_overlay() {
            let edit = |file: &Content, _: Option<&Content>| overlay::replace_all(file, &write.bytes).map(Some);
            return Ok(match self.edit_overlay(what, document, at, editor, edit)? {
                Made::Written(written) => vec![(document.clone(), written)],
                Made::Present(_) => Vec::new(),
            });
        }
        self.refuse_if_broken(what)?;
        let seen = self.seen_by_writer(what, document, at, editor.actor)?;
        self.tell_watchers_before(document);
        for layer in seen.layers() {
            document.with_overlay(&layer.overlay).iter().for_each(|id| self.tell_watchers_before(id));
        }
        let was = seen.file().is_some_and(|file| file.executable);
        let executable = write.options.executable.unwrap_or(was);
        let save = Saved { bytes: &write.bytes, executable, from: None };
        match self.take_parts(document, &seen, save, Lane::API, editor) {
            Ok(taken) => Ok(taken.written),
            Err(NotTaken::Document(error)) => Err(no_document(what.into(), &error)),
            Err(NotTaken::Edit(error)) => {
                self.reload_after(document, &error);
                Err(no_edit(what.into(), &error))
            }
        }
    }

    /// What a write of a whole file would do: the same checks, and no change.
    fn try_file(
        &mut self,
        what: &str,
        address: &Address,
        write: &FileWrite,
        editor: &Editor,
    ) -> Result<PutResult, ApiError> {
        self.documents.get_for_change(&address.document).map_err(|it| no_document(what.into(), &it))?;
        let seen = self.seen_by_writer(what, &address.document, write.options.at.as_deref(), editor.actor)?;
        if address.document.is_overlay() {
            let under = self.file_under(what, &address.document)?;
            let file = under.file().ok_or_else(|| no_file_under(what, &address.document))?;
            overlay::replace_all(file, &write.bytes).map_err(|error| no_edit(what.into(), &error))?;
        }
        let was = seen.file();
        let executable = write.options.executable.unwrap_or(was.is_some_and(|file| file.executable));
        let format = was.map(murmurate_crdt::render::Content::format);
        let file = edit::preview(address.document.as_str(), &write.bytes, executable, format);
        let file = file.map_err(|error| no_edit(what.into(), &error))?;
        let changed = was.is_none_or(|was| was.bytes != file.bytes || was.executable != executable);
        let newest = self.documents.get(&address.document).ok().and_then(|loaded| view::newest(&loaded.document));
        let version = newest.map(|dot| dot.to_string()).unwrap_or_default();
        Ok(PutResult::new(address.document.to_string(), String::new(), version, changed))
    }

    pub(super) async fn delete(&mut self, address: &str, caller: Caller, reply: Reply<Deleted>) {
        let what = format!("delete {address}");
        let editor = self.editor(caller.user);
        let made = parse(address).and_then(|address| Ok((self.make_delete(&what, &address, &editor)?, address)));
        match made {
            Ok((written, address)) => {
                let key = view::key_of(&address);
                let result = Deleted::new(address.document.to_string(), key, written.dot.to_string());
                let then = reply_when_durable(what, result, reply);
                self.commit_own(&address.document, written, &editor, Vec::new(), then).await;
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    pub(in crate::daemon::core) fn make_delete(
        &mut self,
        what: &str,
        address: &Address,
        editor: &Editor,
    ) -> Result<Written, ApiError> {
        if address.document.is_overlay() && !address.key.is_empty() {
            let remove = |file: &Content, overlay: Option<&Content>| {
                overlay.map_or(Ok(None), |overlay| overlay::remove(file, overlay, &address.key))
            };
            return match self.edit_overlay(what, &address.document, None, editor, remove)? {
                Made::Written(written) => Ok(written),
                Made::Present(_) => Err(not_found(what, "the overlay says nothing there")),
            };
        }
        let loaded = self.open_for_write(what, &address.document)?;
        let rendered = loaded.rendered();
        let written = if address.key.is_empty() {
            loaded.document.delete_file(&rendered, Lane::API, editor)
        } else {
            loaded.document.delete_key(&rendered, &address.key, editor)
        };
        match written {
            Ok(Some(written)) => Ok(written),
            Ok(None) => Err(not_found(what, "there is nothing there")),
            Err(error) => {
                self.reload_after(&address.document, &error);
                Err(no_edit(what.into(), &error))
            }
        }
    }

    /// A document that is about to be written to over the API.
    fn open_for_write(&mut self, what: &str, document: &DocumentId) -> Result<&mut Loaded, ApiError> {
        self.refuse_if_broken(what)?;
        self.tell_watchers_before(document);
        self.documents.get_for_change(document).map_err(|error| no_document(what.into(), &error))
    }

    /// After a storage error nothing is written any more.
    pub(super) fn refuse_if_broken(&self, what: &str) -> Result<(), ApiError> {
        match &self.store_problem {
            Some(why) => Err(not_durable(what.into(), why.clone())),
            None => Ok(()),
        }
    }
}

/// Answers once the item it goes with is durable.
pub(super) fn reply_when_durable<T: Send + 'static>(what: String, result: T, reply: Reply<T>) -> Then {
    Then::Reply(Box::new(move |durable| {
        let _ = reply.send(durable.map(|()| result).map_err(|why| not_durable(what, why)));
    }))
}

/// The address of a whole document.
fn parse_document(what: &str, doc: &str) -> Result<Address, ApiError> {
    let address = parse(doc)?;
    if address.key.is_empty() {
        return Ok(address);
    }
    let why = "a whole file has no key";
    Err(ApiError::new(ErrorCode::BadAddress, what, why, "put DOC @FILE, without `#KEY`"))
}

/// Whether an overlay has a single value at a key, by a name that is the same in the file: the places of items aren't.
fn is_value_of_overlay(rendered: &Rendered, steps: &[Step]) -> bool {
    let Some(file) = rendered.file().filter(|_| !steps.iter().any(|step| matches!(step, Step::Index(_)))) else {
        return false;
    };
    let Found::Here(path) = key::find(&file.tree, steps) else { return false };
    let node = file.tree.root.find(&path);
    node.is_some_and(|node| matches!(node.content, tree::Content::Scalar(_)))
}

fn no_file_under(what: &str, overlay: &DocumentId) -> ApiError {
    let why = format!("there is no {} that it could be over", overlay.base());
    ApiError::new(ErrorCode::NotFound, what, why, "write the file first; `murmurate ls` shows what there is")
}

fn check_version(what: &str, expect: &str, present: Option<Dot>) -> Result<(), ApiError> {
    let present = present.map(|dot| dot.to_string()).unwrap_or_default();
    let expect = murmurate_client::types::token_version(expect);
    if expect == present {
        return Ok(());
    }
    let why = if present.is_empty() { "there is no value".into() } else { format!("the present version is {present}") };
    Err(ApiError::new(ErrorCode::VersionDiffers, what, why, "read the present value and decide again"))
}

pub(super) fn put_type(kind: Option<ValueType>) -> PutType {
    match kind {
        None | Some(ValueType::Unknown | ValueType::Deleted | ValueType::Bytes) => PutType::Automatic,
        Some(ValueType::String) => PutType::String,
        Some(kind) => PutType::Literal(kind.name()),
    }
}
