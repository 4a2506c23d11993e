//! Conflicts over the API: the list, and decisions.

use std::sync::Arc;

use murmurate_client::types::{ApiError, Choice, ConflictPart, Conflicts, ErrorCode, Resolved, TypedValue, V1};
use murmurate_crdt::conflict::{Conflict, ConflictValue};
use murmurate_crdt::document::Written;
use murmurate_crdt::edit::{EditError, Editor, PutOutcome};
use murmurate_crdt::id::DocumentId;
use murmurate_crdt::key::{Address, Found, Lookup, Step};
use murmurate_crdt::path::Path;
use murmurate_crdt::render::Rendered;

use super::edits::{put_type, reply_when_durable};
use super::{no_document, no_edit, not_found, parse};
use crate::daemon::core::Core;
use crate::daemon::core::view::{self, FileView};
use crate::daemon::request::{Caller, Reply};

/// A decision, as it was asked for.
pub(in crate::daemon::core) struct Decision {
    pub(in crate::daemon::core) address: String,
    pub(in crate::daemon::core) part: Option<ConflictPart>,
    pub(in crate::daemon::core) choice: Choice,
    pub(in crate::daemon::core) caller: Caller,
}

/// A decision that was written.
pub(in crate::daemon::core) struct Decided {
    written: Written,
    value: TypedValue,
    resolved: u64,
}

impl Core {
    pub(super) fn conflict_list(&mut self, prefix: &str) -> Result<Conflicts, ApiError> {
        let mut found = Vec::new();
        for id in self.matching(prefix) {
            if !self.conflicted.contains_key(&id) && !self.dirty.contains(&id) {
                continue;
            }
            let what = format!("list the conflicts of {id}");
            let (rendered, conflicts) = self.open_conflicts(&id, what)?;
            for conflict in conflicts.iter() {
                let key = self.conflict_key(&id, &rendered, &conflict.path);
                let address = format!("{id}#{key}");
                if address.starts_with(prefix) {
                    found.push(self.conflict(&id, key, conflict));
                }
            }
        }
        Ok(Conflicts { v: V1, conflicts: found })
    }

    fn open_conflicts(
        &mut self,
        id: &DocumentId,
        what: String,
    ) -> Result<(Arc<Rendered>, Arc<Vec<Conflict>>), ApiError> {
        let loaded = self.documents.get(id).map_err(|error| no_document(what, &error))?;
        Ok((loaded.rendered(), loaded.conflicts()))
    }

    fn conflict_key(&mut self, id: &DocumentId, rendered: &Rendered, path: &Path) -> String {
        let Ok(loaded) = self.documents.get(id) else { return String::new() };
        match &rendered.content {
            Some(content) => FileView::new(&loaded.document, content, &[]).key(path),
            None => String::new(),
        }
    }

    pub(super) async fn resolve(&mut self, decision: Decision, reply: Reply<Resolved>) {
        let what = format!("resolve {}", decision.address);
        let editor = self.editor(decision.caller.user.clone());
        let decided = parse(&decision.address)
            .and_then(|address| Ok((self.decide(&what, &address, &decision, &editor)?, address)));
        match decided {
            Ok((decided, address)) => {
                let version = decided.written.dot.to_string();
                let result = Resolved {
                    v: V1,
                    doc: address.document.to_string(),
                    key: view::key_of(&address),
                    value: decided.value,
                    token: format!("{version}@{}", address.document),
                    version,
                    resolved: decided.resolved,
                };
                let then = reply_when_durable(what, result, reply);
                self.commit_own(&address.document, decided.written, &editor, Vec::new(), then).await;
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    pub(in crate::daemon::core) fn decide(
        &mut self,
        what: &str,
        address: &Address,
        decision: &Decision,
        editor: &Editor,
    ) -> Result<Decided, ApiError> {
        self.refuse_if_broken(what)?;
        self.tell_watchers_before(&address.document);
        let (rendered, conflicts) = self.open_conflicts(&address.document, what.into())?;
        let path = conflict_path(&rendered, &conflicts, &address.key)
            .ok_or_else(|| not_found(what, "there is no such key"))?;
        let conflict = chosen(&conflicts, &path, decision.part).ok_or_else(|| {
            ApiError::new(
                ErrorCode::NotFound,
                what,
                "it has no open conflict",
                "`murmurate conflicts` lists those there are",
            )
        })?;
        match &decision.choice {
            Choice::Value { text, kind } => self.decide_value(what, address, text, *kind, editor),
            Choice::Take(number) => {
                let value = number.checked_sub(1).and_then(|index| conflict.values.get(index));
                self.decide_taken(what, address, value, &rendered, editor)
            }
            Choice::Version(version) => {
                let value = conflict.values.iter().find(|value| value.dot.to_string() == *version);
                self.decide_taken(what, address, value, &rendered, editor)
            }
        }
    }

    fn decide_taken(
        &mut self,
        what: &str,
        address: &Address,
        value: Option<&ConflictValue>,
        rendered: &Rendered,
        editor: &Editor,
    ) -> Result<Decided, ApiError> {
        let value = value.ok_or_else(|| {
            ApiError::new(
                ErrorCode::NotFound,
                what,
                "the conflict has no such value",
                "`murmurate conflicts` numbers them",
            )
        })?;
        let shown = self.conflict_value(&address.document, value).value;
        let loaded =
            self.documents.get_for_change(&address.document).map_err(|error| no_document(what.into(), &error))?;
        let before = loaded.conflicts().len();
        let written = loaded.document.resolve(value, rendered, editor);
        let written = written.map_err(|error| self.undecided(what, address, &error))?;
        self.decided(what, address, written, shown, before)
    }

    fn decide_value(
        &mut self,
        what: &str,
        address: &Address,
        text: &str,
        kind: Option<murmurate_client::types::ValueType>,
        editor: &Editor,
    ) -> Result<Decided, ApiError> {
        let loaded =
            self.documents.get_for_change(&address.document).map_err(|error| no_document(what.into(), &error))?;
        let before = loaded.conflicts().len();
        let rendered = loaded.rendered();
        let outcome = loaded.document.put(&rendered, &address.key, text, put_type(kind), editor);
        let outcome = outcome.map_err(|error| self.undecided(what, address, &error))?;
        let PutOutcome::Written(written) = outcome else {
            return Err(not_found(what, "there was nothing to decide"));
        };
        let value = TypedValue {
            value: text.into(),
            kind: kind.unwrap_or(murmurate_client::types::ValueType::String),
            text: text.into(),
        };
        self.decided(what, address, Some(written), value, before)
    }

    fn undecided(&mut self, what: &str, address: &Address, error: &EditError) -> ApiError {
        self.reload_after(&address.document, error);
        no_edit(what.into(), error)
    }

    fn decided(
        &mut self,
        what: &str,
        address: &Address,
        written: Option<Written>,
        value: TypedValue,
        before: usize,
    ) -> Result<Decided, ApiError> {
        let written = written.ok_or_else(|| not_found(what, "there was nothing to decide"))?;
        let after = self
            .documents
            .get(&address.document)
            .map_or(0, |loaded| murmurate_crdt::conflict::conflicts(&loaded.document, &loaded.document.render()).len());
        Ok(Decided { written, value, resolved: before.saturating_sub(after).max(1) as u64 })
    }
}

/// The path that a decision's key names: that of a conflict that is listed under it, which may be about what isn't shown,
/// else where it leads in the file.
fn conflict_path(rendered: &Rendered, conflicts: &[Conflict], key: &[Step]) -> Option<Path> {
    if key.is_empty() {
        return Some(Path::ROOT);
    }
    let lookup = Lookup::new(&rendered.content.as_ref()?.tree);
    let listed = conflicts.iter().find(|conflict| lookup.steps(&conflict.path) == key);
    match listed {
        Some(conflict) => Some(conflict.path.clone()),
        None => match lookup.find(key) {
            Found::Here(path) | Found::Absent(path) => Some(path),
            Found::NoSuchItem(_) => None,
        },
    }
}

/// The conflict of a path that a decision is about: of the given part, else the value's, else the first.
fn chosen<'a>(conflicts: &'a [Conflict], path: &Path, part: Option<ConflictPart>) -> Option<&'a Conflict> {
    let mut of_path: Vec<&Conflict> = conflicts.iter().filter(|conflict| conflict.path == *path).collect();
    if let Some(part) = part {
        of_path.retain(|conflict| view::part(conflict.subject) == part);
    }
    of_path.sort_by_key(|conflict| conflict.subject);
    of_path.into_iter().next()
}
