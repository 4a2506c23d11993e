//! Every operation of the local API, typed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::connection::{Answer, Call, Connections, bad_answer};
use crate::limits::{ANSWER_DEADLINE, WAIT_GRACE};
use crate::members::MemberChanges;
use crate::socket::default_socket;
use crate::types::{
    AddFolder, AddIssuer, ApiError, Conflicts, Converged, Counters, CreateTicket, Deleted, Diff, DiffPoint, Documents,
    Entry, Explanation, Facts, File, FolderAdded, FolderConfirmed, FolderRemoved, FolderStatus, Folders, IssuerAdded,
    Key, KeyStatus, Keys, Left, LogFilter, LogLines, Members, MeshEvent, MeshEvents, Node, NodeRevoked, Ping,
    PutResult, PutValue, ResolveConflict, Resolved, RevokeNode, SetLogFilter, Status, TicketCreated, TicketRevoked,
    Tickets, Version, WriteOptions,
};
use crate::watch::WatchRequest;

/// The mesh, as the daemon of this host has it. Cheap to clone; clones share their connections.
///
/// Every method fails with an [`ApiError`]: the daemon's own, or [`Unreachable`](crate::types::ErrorCode::Unreachable),
/// [`Interrupted`](crate::types::ErrorCode::Interrupted) and the like when there was no answer.
#[derive(Debug, Clone)]
pub struct Mesh {
    connections: Arc<Connections>,
}

impl Mesh {
    /// Attaches to the daemon at the [default socket](default_socket).
    ///
    /// # Errors
    /// When it doesn't answer, or speaks another version of the API.
    pub async fn attach() -> Result<Self, ApiError> {
        Self::attach_to(default_socket().path).await
    }

    /// Attaches to the daemon at this socket.
    ///
    /// # Errors
    /// When it doesn't answer, or speaks another version of the API.
    pub async fn attach_to(socket: impl Into<PathBuf>) -> Result<Self, ApiError> {
        let mesh = Self { connections: Arc::new(Connections::new(socket.into())) };
        mesh.version().await?;
        Ok(mesh)
    }

    /// The socket's path.
    #[must_use]
    pub fn socket(&self) -> &Path {
        self.connections.socket()
    }

    /// What the daemon is.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn version(&self) -> Result<Version, ApiError> {
        self.read("/v1/version", &[]).await
    }

    /// How this host fares.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn status(&self) -> Result<Status, ApiError> {
        self.read("/v1/status", &[]).await
    }

    /// What the daemon has counted.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn counters(&self) -> Result<Counters, ApiError> {
        self.read("/v1/counters", &[]).await
    }

    /// The daemon's metrics, in Prometheus's text format.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn metrics(&self) -> Result<String, ApiError> {
        let call = call(Method::GET, "/v1/metrics", &[], Bytes::new());
        let answer = self.connections.call(call.clone(), ANSWER_DEADLINE).await?;
        String::from_utf8(answer.body.into()).map_err(|error| bad_answer(&call, &error.to_string()))
    }

    /// The hosts of the mesh.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn members(&self) -> Result<Members, ApiError> {
        self.read("/v1/members", &[]).await
    }

    /// Everything that this host knows of one host; `node` is its name or the beginning of its id.
    ///
    /// # Errors
    /// See [`Mesh`]; when there is no such host, or several.
    pub async fn node(&self, node: &str) -> Result<Node, ApiError> {
        self.read("/v1/node", &[("node", node)]).await
    }

    /// Makes a ticket, with which other hosts can join.
    ///
    /// # Errors
    /// See [`Mesh`]; when this host may not issue any.
    pub async fn ticket_create(&self, ticket: &CreateTicket) -> Result<TicketCreated, ApiError> {
        self.write(Method::POST, "/v1/tickets", &[], ticket).await
    }

    /// The tickets that this host made.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn tickets(&self) -> Result<Tickets, ApiError> {
        self.read("/v1/tickets", &[]).await
    }

    /// Takes a ticket back; `id` is its name or the ticket itself.
    ///
    /// # Errors
    /// See [`Mesh`]; when this host made no such ticket.
    pub async fn ticket_revoke(&self, id: &str) -> Result<TicketRevoked, ApiError> {
        self.call(Method::DELETE, "/v1/ticket", &[("id", id)], Bytes::new()).await
    }

    /// The mesh's keys and certificates.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn key_status(&self) -> Result<KeyStatus, ApiError> {
        self.read("/v1/key-status", &[]).await
    }

    /// Lets a host issue certificates and tickets.
    ///
    /// # Errors
    /// See [`Mesh`]; when the authority's key isn't here and no recovery key is given.
    pub async fn add_issuer(&self, issuer: &AddIssuer) -> Result<IssuerAdded, ApiError> {
        self.write(Method::POST, "/v1/issuers", &[], issuer).await
    }

    /// Takes a host out of the mesh for good.
    ///
    /// # Errors
    /// See [`Mesh`]; when this host is no issuer and no recovery key is given.
    pub async fn revoke(&self, node: &RevokeNode) -> Result<NodeRevoked, ApiError> {
        self.write(Method::POST, "/v1/revocations", &[], node).await
    }

    /// Leaves the mesh: tells the others, puts keys and store aside, and ends the daemon.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn leave(&self) -> Result<Left, ApiError> {
        self.call(Method::POST, "/v1/leave", &[], Bytes::new()).await
    }

    /// The folders that this host keeps.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn folders(&self) -> Result<Folders, ApiError> {
        self.read("/v1/folders", &[]).await
    }

    /// Keeps a folder from now on.
    ///
    /// # Errors
    /// See [`Mesh`]; when the name is taken or the directory can't be used.
    pub async fn folder_add(&self, folder: &AddFolder) -> Result<FolderAdded, ApiError> {
        self.write(Method::POST, "/v1/folders", &[], folder).await
    }

    /// Keeps a folder no more, and leaves its files as they are.
    ///
    /// # Errors
    /// See [`Mesh`]; when there is no such folder here.
    pub async fn folder_remove(&self, name: &str) -> Result<FolderRemoved, ApiError> {
        self.call(Method::DELETE, "/v1/folder", &[("name", name)], Bytes::new()).await
    }

    /// One page of a folder's files, or of all folders'; `after` is the `next` of the page before.
    ///
    /// # Errors
    /// See [`Mesh`]; when there is no such folder here.
    pub async fn folder_status_page(&self, name: Option<&str>, after: Option<&str>) -> Result<FolderStatus, ApiError> {
        let name = name.map(|name| ("name", name));
        let parameters: Vec<_> = name.into_iter().chain(after.map(|after| ("after", after))).collect();
        self.read("/v1/folder-status", &parameters).await
    }

    /// One folder, or all, with each file.
    ///
    /// # Errors
    /// See [`Mesh`]; when there is no such folder here.
    pub async fn folder_status(&self, name: Option<&str>) -> Result<FolderStatus, ApiError> {
        let mut all = self.folder_status_page(name, None).await?;
        while let Some(after) = all.next.take() {
            let page = self.folder_status_page(name, Some(&after)).await?;
            all.next = page.next;
            for folder in page.folders {
                match all.folders.last_mut().filter(|last| last.folder.name == folder.folder.name) {
                    Some(last) => last.entries.extend(folder.entries),
                    None => all.folders.push(folder),
                }
            }
        }
        Ok(all)
    }

    /// Carries out the deletes that are held in a folder.
    ///
    /// # Errors
    /// See [`Mesh`]; when there is no such folder here.
    pub async fn folder_confirm(&self, name: &str) -> Result<FolderConfirmed, ApiError> {
        self.call(Method::POST, "/v1/folder/confirm", &[("name", name)], Bytes::new()).await
    }

    /// One page of the documents whose names begin so; `after` is the `next` of the page before.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn documents_page(&self, prefix: &str, after: Option<&str>) -> Result<Documents, ApiError> {
        let mut parameters = vec![("prefix", prefix)];
        parameters.extend(after.map(|after| ("after", after)));
        self.read("/v1/documents", &parameters).await
    }

    /// The documents whose names begin so.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn documents(&self, prefix: &str) -> Result<Documents, ApiError> {
        let mut all = self.documents_page(prefix, None).await?;
        while let Some(after) = all.next.take() {
            let mut page = self.documents_page(prefix, Some(&after)).await?;
            all.documents.append(&mut page.documents);
            all.next = page.next;
        }
        Ok(all)
    }

    /// One page of the keys whose addresses begin so; `after` is the `next` of the page before.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn keys_page(&self, prefix: &str, after: Option<&str>) -> Result<Keys, ApiError> {
        let mut parameters = vec![("prefix", prefix)];
        parameters.extend(after.map(|after| ("after", after)));
        self.read("/v1/keys", &parameters).await
    }

    /// All keys whose addresses begin so.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn keys(&self, prefix: &str) -> Result<Vec<Key>, ApiError> {
        let mut page = self.keys_page(prefix, None).await?;
        let mut keys = page.entries;
        while let Some(after) = page.next {
            page = self.keys_page(prefix, Some(&after)).await?;
            keys.append(&mut page.entries);
        }
        Ok(keys)
    }

    /// A key's value, with its version and its conflict: what this host's file has there, its overlays included.
    ///
    /// # Errors
    /// See [`Mesh`]; when there is no such key.
    pub async fn get(&self, address: &str) -> Result<Entry, ApiError> {
        self.read("/v1/value", &[("address", address)]).await
    }

    /// The value that the document itself has at a key, without this host's overlays.
    ///
    /// # Errors
    /// See [`Mesh`]; when there is no such key.
    pub async fn get_base(&self, address: &str) -> Result<Entry, ApiError> {
        self.read("/v1/value", &[("address", address), ("base", "true")]).await
    }

    /// Where this host's values come from, of one key, a table, or (without `#KEY`) a whole document.
    ///
    /// # Errors
    /// See [`Mesh`]; when there is no such key.
    pub async fn explain(&self, address: &str) -> Result<Explanation, ApiError> {
        self.read("/v1/explain", &[("address", address)]).await
    }

    /// Writes a key; durable on this host when it returns.
    ///
    /// # Errors
    /// See [`Mesh`]; when the value has no form in the file, a limit would be passed, or the version isn't the expected.
    pub async fn put(&self, address: &str, value: &PutValue) -> Result<PutResult, ApiError> {
        self.write(Method::PUT, "/v1/value", &[("address", address)], value).await
    }

    /// Writes a key as somebody who had seen the document in the state `at` (see [`Entry::heads`]): a value that another wrote since
    /// isn't written over, but becomes a conflict.
    ///
    /// # Errors
    /// See [`Self::put`]; when this host doesn't know that state.
    pub async fn put_at(&self, address: &str, at: &str, value: &PutValue) -> Result<PutResult, ApiError> {
        self.write(Method::PUT, "/v1/value", &[("address", address), ("at", at)], value).await
    }

    /// Deletes a key or a whole document; durable on this host when it returns.
    ///
    /// # Errors
    /// See [`Mesh`]; when there is no such key or document.
    pub async fn delete(&self, address: &str) -> Result<Deleted, ApiError> {
        self.call(Method::DELETE, "/v1/value", &[("address", address)], Bytes::new()).await
    }

    /// A whole document, as its file stands on this host.
    ///
    /// # Errors
    /// See [`Mesh`]; when there is no such document.
    pub async fn read_file(&self, doc: &str) -> Result<File, ApiError> {
        self.file_call(doc, &[("doc", doc)]).await
    }

    /// A whole document without this host's overlays, as it is the same on all hosts.
    ///
    /// # Errors
    /// See [`Mesh`]; when there is no such document.
    pub async fn read_base(&self, doc: &str) -> Result<File, ApiError> {
        self.file_call(doc, &[("doc", doc), ("base", "true")]).await
    }

    async fn file_call(&self, doc: &str, parameters: &[(&str, &str)]) -> Result<File, ApiError> {
        let call = call(Method::GET, "/v1/file", parameters, Bytes::new());
        let answer = self.connections.call(call.clone(), ANSWER_DEADLINE).await?;
        file(doc, &answer).ok_or_else(|| bad_answer(&call, "a header that describes the file is missing"))
    }

    /// Writes a whole document, as if its file had been saved on this host: an edit of what an overlay shows changes the
    /// overlay. Durable on this host when it returns.
    ///
    /// # Errors
    /// See [`Mesh`]; when the file doesn't parse as its format, or passes a limit.
    pub async fn write_file(&self, doc: &str, bytes: impl Into<Bytes>) -> Result<PutResult, ApiError> {
        self.write_file_with(doc, bytes, &WriteOptions::default()).await
    }

    /// Writes a whole document as `options` say, or only says what that would do; durable on this host when it returns.
    ///
    /// # Errors
    /// See [`Self::write_file`]; when this host doesn't know that state, or there is a file where none may be.
    pub async fn write_file_with(
        &self,
        doc: &str,
        bytes: impl Into<Bytes>,
        options: &WriteOptions,
    ) -> Result<PutResult, ApiError> {
        let mut parameters = vec![("doc", doc)];
        parameters.extend(options.at.as_deref().map(|at| ("at", at)));
        let executable = options.executable.map(|executable| if executable { "true" } else { "false" });
        parameters.extend(executable.map(|executable| ("executable", executable)));
        parameters.extend(options.dry_run.then_some(("dry_run", "true")));
        self.call(Method::PUT, "/v1/file", &parameters, bytes.into()).await
    }

    /// What differs in a document between two of its states, or from the file on the host's disk.
    ///
    /// # Errors
    /// See [`Mesh`]; when there is no such document, or this host doesn't know one of the states.
    pub async fn diff(&self, doc: &str, before: &DiffPoint, after: &DiffPoint) -> Result<Diff, ApiError> {
        let mut parameters = vec![("doc", doc)];
        parameters.extend(before.parameter().map(|before| ("from", before)));
        parameters.extend(after.parameter().map(|after| ("to", after)));
        self.read("/v1/diff", &parameters).await
    }

    /// The open conflicts whose addresses begin so.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn conflicts(&self, prefix: &str) -> Result<Conflicts, ApiError> {
        self.read("/v1/conflicts", &[("prefix", prefix)]).await
    }

    /// Decides a conflict; durable on this host when it returns.
    ///
    /// # Errors
    /// See [`Mesh`]; when there is no such conflict, or no such value in it.
    pub async fn resolve(&self, resolve: &ResolveConflict) -> Result<Resolved, ApiError> {
        self.write(Method::POST, "/v1/resolve", &[], resolve).await
    }

    /// Waits until the mesh has converged, at most this long, and says whether it has.
    ///
    /// # Errors
    /// See [`Mesh`]. That the time ran out is no error.
    pub async fn wait_converged(&self, limit: Duration) -> Result<Converged, ApiError> {
        let timeout_ms = limit.as_millis().to_string();
        let parameters = [("condition", "converged"), ("timeout_ms", timeout_ms.as_str())];
        let call = call(Method::GET, "/v1/wait", &parameters, Bytes::new());
        parse(&call, self.connections.call(call.clone(), limit.saturating_add(WAIT_GRACE)).await?)
    }

    /// What the daemon finds on its host and knows of its mesh; takes as long as some durable writes.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn facts(&self) -> Result<Facts, ApiError> {
        self.read("/v1/facts", &[]).await
    }

    /// What the daemon logs.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn log_filter(&self) -> Result<LogFilter, ApiError> {
        self.read("/v1/log", &[]).await
    }

    /// Makes the daemon log something else until it ends.
    ///
    /// # Errors
    /// See [`Mesh`]; when the filter makes no sense.
    pub async fn set_log_filter(&self, filter: &str) -> Result<LogFilter, ApiError> {
        self.write(Method::PUT, "/v1/log", &[], &SetLogFilter { filter: filter.to_owned() }).await
    }

    /// The last lines of the daemon's log.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn log_lines(&self) -> Result<LogLines, ApiError> {
        self.read("/v1/log/lines", &[]).await
    }

    /// The events of the keys whose addresses begin so; see [`WatchRequest`].
    #[must_use]
    pub fn watch(&self, prefix: &str) -> WatchRequest {
        WatchRequest::new(Arc::clone(&self.connections), "/v1/watch", Some(prefix))
    }

    /// What is kept of what happened to the mesh, and the token with which [`Self::follow_events`] goes on after it.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn events(&self) -> Result<MeshEvents, ApiError> {
        self.read("/v1/events", &[]).await
    }

    /// What happens to the mesh, as it happens; see [`WatchRequest`].
    #[must_use]
    pub fn follow_events(&self) -> WatchRequest<MeshEvent> {
        WatchRequest::new(Arc::clone(&self.connections), "/v1/events/follow", None)
    }

    /// The members as they are, and every change of their states from then on, over restarts of the daemon too.
    ///
    /// # Errors
    /// See [`Mesh`].
    pub async fn member_changes(&self) -> Result<MemberChanges, ApiError> {
        MemberChanges::start(self.clone()).await
    }

    /// Whether a host is there, and how far away; `node` is its name or the beginning of its id. The answer is waited for
    /// at most this long, and at most 10 s.
    ///
    /// # Errors
    /// See [`Mesh`]; when there is no such host, or several. That it doesn't answer is no error.
    pub async fn ping(&self, node: &str, limit: Duration) -> Result<Ping, ApiError> {
        let timeout_ms = limit.as_millis().to_string();
        self.read("/v1/ping", &[("node", node), ("timeout_ms", timeout_ms.as_str())]).await
    }

    async fn read<T: DeserializeOwned>(&self, path: &str, parameters: &[(&str, &str)]) -> Result<T, ApiError> {
        self.call(Method::GET, path, parameters, Bytes::new()).await
    }

    async fn write<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        parameters: &[(&str, &str)],
        body: &impl Serialize,
    ) -> Result<T, ApiError> {
        let body =
            serde_json::to_vec(body).map_err(|error| ApiError::internal("write the request", error.to_string()))?;
        self.call(method, path, parameters, body.into()).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        parameters: &[(&str, &str)],
        body: Bytes,
    ) -> Result<T, ApiError> {
        let call = call(method, path, parameters, body);
        parse(&call, self.connections.call(call.clone(), ANSWER_DEADLINE).await?)
    }
}

pub(crate) fn call(method: Method, path: &str, parameters: &[(&str, &str)], body: Bytes) -> Call {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let path = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    Call { method, path, body }
}

fn parse<T: DeserializeOwned>(call: &Call, answer: Answer) -> Result<T, ApiError> {
    serde_json::from_slice(&answer.body).map_err(|error| bad_answer(call, &error.to_string()))
}

fn file(doc: &str, answer: &Answer) -> Option<File> {
    let header = |name: &str| answer.headers.get(name)?.to_str().ok();
    Some(File {
        doc: doc.to_owned(),
        format: header("murmurate-format")?.to_owned(),
        version: header("murmurate-version")?.to_owned(),
        heads: header("murmurate-heads").unwrap_or_default().to_owned(),
        executable: header("murmurate-executable")? == "true",
        conflicts: header("murmurate-conflicts")?.parse().ok()?,
        bytes: answer.body.to_vec(),
    })
}
