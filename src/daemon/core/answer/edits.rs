//! Writes over the API. Each is answered once it is durable here.

use murmurate_client::types::{ApiError, Deleted, ErrorCode, PutResult, ValueType, WriteOptions};
use murmurate_crdt::clock::Dot;
use murmurate_crdt::document::Written;
use murmurate_crdt::edit::{self, Editor, PutOutcome, PutPlan, PutType};
use murmurate_crdt::id::{DocumentId, Lane};
use murmurate_crdt::key::{self, Address, Found};

use super::{no_document, no_edit, not_durable, not_found, parse, states};
use crate::daemon::core::Core;
use crate::daemon::core::commits::{Item, Then};
use crate::daemon::core::documents::Loaded;
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
        let loaded = self.open_for_write(what, &address.document)?;
        let rendered = loaded.rendered();
        if let Some(expect) = &put.expect {
            let present = rendered.file().and_then(|file| {
                let Found::Here(path) = key::find(&file.tree, &address.key) else { return None };
                view::dot_at(&loaded.document, &file.epoch, &path)
            });
            check_version(what, expect, present)?;
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
        let made = self.make_file(&what, &address, &write, &editor);
        match made.map(|made| (made, address)) {
            Ok((made, address)) => {
                self.finish_put(what, address.document, String::new(), made, &editor, reply).await;
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    pub(in crate::daemon::core) fn make_file(
        &mut self,
        what: &str,
        address: &Address,
        write: &FileWrite,
        editor: &Editor,
    ) -> Result<Made, ApiError> {
        let loaded = self.open_for_write(what, &address.document)?;
        let seen = states::seen_by_writer(what, loaded, write.options.at.as_deref(), editor.actor)?;
        let was = seen.file().is_some_and(|file| file.executable);
        let executable = write.options.executable.unwrap_or(was);
        let taken = loaded.document.take_file(&seen, &write.bytes, executable, Lane::API, editor);
        match taken {
            Ok(Some(written)) => Ok(Made::Written(written)),
            Ok(None) => Ok(Made::Present(view::newest(&loaded.document))),
            Err(error) => {
                self.reload_after(&address.document, &error);
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
        let loaded = self.documents.get_for_change(&address.document).map_err(|it| no_document(what.into(), &it))?;
        let seen = states::seen_by_writer(what, loaded, write.options.at.as_deref(), editor.actor)?;
        let was = seen.file();
        let executable = write.options.executable.unwrap_or(was.is_some_and(|file| file.executable));
        let format = was.map(murmurate_crdt::render::Content::format);
        let file = edit::preview(address.document.as_str(), &write.bytes, executable, format);
        let file = file.map_err(|error| no_edit(what.into(), &error))?;
        let changed = was.is_none_or(|was| was.bytes != file.bytes || was.executable != executable);
        let version = view::newest(&loaded.document).map(|dot| dot.to_string()).unwrap_or_default();
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
