//! Writes over the API. Each is answered once it is durable here.

use std::sync::Arc;

use murmurate_client::types::{ApiError, Deleted, ErrorCode, PutResult, ValueType};
use murmurate_crdt::clock::Dot;
use murmurate_crdt::document::Written;
use murmurate_crdt::edit::{EditError, Editor, PutOutcome, PutPlan, PutType};
use murmurate_crdt::id::{DocumentId, Lane};
use murmurate_crdt::key::{self, Address, Found, Step};
use murmurate_crdt::overlay::{self, OverlayEdit};
use murmurate_crdt::render::{Content, Rendered};
use murmurate_crdt::tree;

use super::{no_document, no_edit, not_durable, not_found, parse};
use crate::daemon::core::Core;
use crate::daemon::core::commits::{Item, Then};
use crate::daemon::core::documents::Loaded;
use crate::daemon::core::overlays::{Effective, NotTaken};
use crate::daemon::core::puts::PlannedPut;
use crate::daemon::core::view;
use crate::daemon::request::{Caller, Reply};

/// A put, as it was asked for.
pub(super) struct Put {
    pub(super) address: String,
    pub(super) value: String,
    pub(super) kind: Option<ValueType>,
    pub(super) expect: Option<String>,
    pub(super) caller: Caller,
}

/// A whole file that is put, as it was asked for.
pub(super) struct PutFile {
    pub(super) doc: String,
    /// None of this host's overlays.
    pub(super) base: bool,
    pub(super) bytes: Vec<u8>,
    pub(super) caller: Caller,
}

/// A change that was made, or the version that is there already.
enum Made {
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

    fn plan_put(&mut self, what: &str, address: &Address, put: &Put) -> Result<PutPlan, ApiError> {
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

    /// Puts a value at a key that isn't there yet.
    fn insert(&mut self, what: &str, address: &Address, put: &Put, editor: &Editor) -> Result<Made, ApiError> {
        if address.document.is_overlay() {
            let kind = put_type(put.kind);
            return self.edit_overlay(what, &address.document, editor, |file, overlay| {
                overlay::put(file, overlay, &address.key, &put.value, kind).map(Some)
            });
        }
        let loaded = self.open_for_write(what, &address.document)?;
        let rendered = loaded.rendered();
        let outcome = loaded.document.put(&rendered, &address.key, &put.value, put_type(put.kind), editor);
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

    /// Edits an overlay of a file that is there.
    fn edit_overlay(
        &mut self,
        what: &str,
        document: &DocumentId,
        editor: &Editor,
        edit: impl FnOnce(&Content, Option<&Content>) -> Result<Option<OverlayEdit>, EditError>,
    ) -> Result<Made, ApiError> {
        let base = self.file_under(what, document)?;
        let file = base.file().ok_or_else(|| no_file_under(what, document))?;
        let loaded = self.open_for_write(what, document)?;
        let rendered = loaded.rendered();
        let edit = edit(file, rendered.file()).map_err(|error| no_edit(what.into(), &error))?;
        let Some(edit) = edit else { return Ok(Made::Present(None)) };
        match loaded.document.take_overlay(&rendered, &edit, Lane::API, editor) {
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

    pub(super) async fn put_file(&mut self, put: PutFile, reply: Reply<PutResult>) {
        let what = format!("put {}", put.doc);
        let editor = self.editor(put.caller.user.clone());
        let made = parse(&put.doc).and_then(|address| Ok((self.make_file(&what, &address, &put, &editor)?, address)));
        let (written, address) = match made {
            Ok(made) => made,
            Err(error) => return drop(reply.send(Err(error))),
        };
        let own = written.iter().find(|(document, _)| *document == address.document).or(written.first());
        let present = self.documents.get(&address.document).ok().and_then(|loaded| view::newest(&loaded.document));
        let version = own.map(|(_, written)| written.dot).or(present).map(|dot| dot.to_string()).unwrap_or_default();
        let result = PutResult::new(address.document.to_string(), String::new(), version, own.is_some());
        let then = reply_when_durable(what, result, reply);
        self.commit_parts(written, &editor, Vec::new(), then).await;
    }

    /// Writes a whole file: as its document alone, or with the overlays of this host that it shows.
    fn make_file(
        &mut self,
        what: &str,
        address: &Address,
        put: &PutFile,
        editor: &Editor,
    ) -> Result<Vec<(DocumentId, Written)>, ApiError> {
        if !address.key.is_empty() {
            let why = "a whole file has no key";
            return Err(ApiError::new(ErrorCode::BadAddress, what, why, "put DOC @FILE, without `#KEY`"));
        }
        let document = &address.document;
        if document.is_overlay() {
            let edit = |file: &Content, _: Option<&Content>| overlay::replace_all(file, &put.bytes).map(Some);
            return Ok(match self.edit_overlay(what, document, editor, edit)? {
                Made::Written(written) => vec![(document.clone(), written)],
                Made::Present(_) => Vec::new(),
            });
        }
        self.refuse_if_broken(what)?;
        let seen = if put.base {
            self.documents.get(document).map(|loaded| Effective::plain(loaded.rendered()))
        } else {
            self.effective(document)
        };
        let seen = seen.map_err(|error| no_document(what.into(), &error))?;
        self.tell_watchers_before(document);
        for layer in seen.layers() {
            document.with_overlay(&layer.overlay).iter().for_each(|id| self.tell_watchers_before(id));
        }
        let executable = seen.file().is_some_and(|file| file.executable);
        match self.take_parts(document, &seen, (&put.bytes, executable), Lane::API, editor) {
            Ok(taken) => Ok(taken.written),
            Err(NotTaken::Document(error)) => Err(no_document(what.into(), &error)),
            Err(NotTaken::Edit(error)) => {
                self.reload_after(document, &error);
                Err(no_edit(what.into(), &error))
            }
        }
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

    fn make_delete(&mut self, what: &str, address: &Address, editor: &Editor) -> Result<Written, ApiError> {
        if address.document.is_overlay() && !address.key.is_empty() {
            let remove = |file: &Content, overlay: Option<&Content>| {
                overlay.map_or(Ok(None), |overlay| overlay::remove(file, overlay, &address.key))
            };
            return match self.edit_overlay(what, &address.document, editor, remove)? {
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
