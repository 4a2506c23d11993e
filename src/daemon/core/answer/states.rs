//! States of a document by name: what a writer had seen, what a comparison starts from.

use std::sync::Arc;

use murmurate_client::types::{ApiError, ErrorCode, token_version};
use murmurate_crdt::clock::Dot;
use murmurate_crdt::document::{Document, Heads};
use murmurate_crdt::id::{ActorId, ChangeHash, DocumentId, Lane};
use murmurate_crdt::overlay::{Layer, Overlay};
use murmurate_crdt::render::Rendered;

use super::{no_document, not_found};
use crate::daemon::core::Core;
use crate::daemon::core::documents::Loaded;
use crate::daemon::core::overlays::Effective;
use crate::daemon::request::NAMED_HEADS;
use crate::settings::ROLES;

/// What stands between the writes that name a state.
const SEPARATOR: char = '+';
/// What stands between the states of a document and of the overlays over it, each behind the overlay's name.
const BETWEEN: char = ';';

/// The name of a state; empty when it has more ends than are named.
pub(super) fn name(document: &Document, heads: &[ChangeHash]) -> String {
    if heads.len() > NAMED_HEADS {
        return String::new();
    }
    let history = document.history();
    let dots = heads.iter().filter_map(|head| history.dot(head)).map(|dot| dot.to_string());
    dots.collect::<Vec<_>>().join(&SEPARATOR.to_string())
}

impl Core {
    /// The name of the state in which a file was read, with the overlays that it showed; empty when one of them has none.
    pub(super) fn state_name(
        &mut self,
        what: &str,
        document: &DocumentId,
        shown: &Effective,
    ) -> Result<String, ApiError> {
        let mut named = self.base_name(what, document, shown)?;
        for layer in shown.layers() {
            let Ok(id) = document.with_overlay(&layer.overlay) else { continue };
            let loaded = self.documents.get(&id).map_err(|error| no_document(what.into(), &error))?;
            let heads = name(&loaded.document, &layer.rendered.heads);
            if named.is_empty() || heads.is_empty() {
                return Ok(String::new());
            }
            named = format!("{named}{BETWEEN}{}{BETWEEN}{heads}", layer.overlay);
        }
        Ok(named)
    }

    /// The name of the document's own part of that.
    pub(super) fn base_name(
        &mut self,
        what: &str,
        document: &DocumentId,
        shown: &Effective,
    ) -> Result<String, ApiError> {
        let loaded = self.documents.get(document).map_err(|error| no_document(what.into(), &error))?;
        Ok(name(&loaded.document, &shown.base().heads))
    }

    /// What a file showed in the state of this name: with overlays if the name has some.
    pub(super) fn shown_in(&mut self, what: &str, document: &DocumentId, name: &str) -> Result<Effective, ApiError> {
        let (base, overlays) = parts(name);
        let loaded = self.documents.get(document).map_err(|error| no_document(what.into(), &error))?;
        let base = rendered(what, loaded, base)?;
        self.with_overlays(what, document, base, &overlays)
    }

    /// What the writer of a whole file had seen: the state that `base` names, nothing if it is empty, else what is there now.
    pub(super) fn seen_by_writer(
        &mut self,
        what: &str,
        document: &DocumentId,
        base: Option<&str>,
        actor: ActorId,
    ) -> Result<Effective, ApiError> {
        if base.is_none() {
            return self.effective(document).map_err(|error| no_document(what.into(), &error));
        }
        let (base, overlays) = base.map(parts).unzip();
        let loaded = self.documents.get(document).map_err(|error| no_document(what.into(), &error))?;
        let seen = seen_by_writer(what, loaded, base, actor)?;
        self.with_overlays(what, document, seen, &overlays.unwrap_or_default())
    }

    fn with_overlays(
        &mut self,
        what: &str,
        document: &DocumentId,
        base: Arc<Rendered>,
        overlays: &[(&str, &str)],
    ) -> Result<Effective, ApiError> {
        let mut layers = Vec::with_capacity(overlays.len());
        for (overlay, name) in overlays {
            let parsed = overlay.parse::<Overlay>().and_then(|overlay| Ok((document.with_overlay(&overlay)?, overlay)));
            let (id, overlay) = parsed.map_err(|error| {
                let try_ = "give a state as `get -o json` prints it";
                ApiError::new(ErrorCode::BadRequest, what, format!("`{overlay}`: {error}"), try_)
            })?;
            let loaded = self.documents.get(&id).map_err(|error| no_document(what.into(), &error))?;
            layers.push(Layer { overlay, rendered: rendered(what, loaded, name)? });
        }
        Ok(Effective::new(base, layers))
    }
}

/// Whether a state's name is one of a file with overlays.
pub(super) fn has_overlays(name: &str) -> bool {
    !parts(name).1.is_empty()
}

/// The parts of a state's name: of the document itself, and of each overlay.
fn parts(name: &str) -> (&str, Vec<(&str, &str)>) {
    // A token goes on with the document's name.
    let mut parts = token_version(name).split(BETWEEN);
    let base = parts.next().unwrap_or_default();
    let overlays = std::iter::from_fn(|| Some((parts.next()?, parts.next().unwrap_or_default())));
    (base, overlays.take(ROLES + 1).collect())
}

/// The state that a version, a causal token or a name of [`name`] stands for.
pub(super) fn heads(what: &str, document: &Document, name: &str) -> Result<Heads, ApiError> {
    let invalid = |why: String| {
        let try_ = "give a version or token as `put` and `get -o json` print it";
        ApiError::new(ErrorCode::BadRequest, what, why, try_)
    };
    let names: Vec<&str> = token_version(name).split(SEPARATOR).take(NAMED_HEADS + 1).collect();
    if names.len() > NAMED_HEADS {
        return Err(invalid(format!("it names more than {NAMED_HEADS} writes")));
    }
    let dots: Result<Vec<Dot>, _> = names.into_iter().map(str::parse).collect();
    let dots = dots.map_err(|error| invalid(format!("`{name}` is no version: {error}")))?;
    document.history().heads_of(&dots).map_err(|unknown| {
        let why = format!("this host doesn't have the write {unknown} of the document");
        ApiError::new(ErrorCode::NotFound, what, why, "see that it is of this document; `murmurate wait --converged`")
    })
}

/// What a document showed in the state of this name.
pub(super) fn rendered(what: &str, loaded: &mut Loaded, name: &str) -> Result<Arc<Rendered>, ApiError> {
    let heads = heads(what, &loaded.document, name)?;
    let now = loaded.rendered();
    Ok(if now.heads == heads { now } else { Arc::new(loaded.document.render_at(&heads)) })
}

/// What the writer of a whole file or of a key had seen: the state that `at` names, nothing if it is empty, else what is
/// there now.
pub(super) fn seen_by_writer(
    what: &str,
    loaded: &mut Loaded,
    at: Option<&str>,
    actor: ActorId,
) -> Result<Arc<Rendered>, ApiError> {
    let now = loaded.rendered();
    let seen = match at {
        None => return Ok(now),
        Some("") if now.file().is_none() => return Ok(now),
        Some("") => {
            let why = "there is such a document by now";
            return Err(ApiError::new(ErrorCode::Exists, what, why, "read it, and edit that"));
        }
        Some(name) => rendered(what, loaded, name)?,
    };
    if seen.content.is_none() {
        return Err(not_found(what, "there was no such document in that state"));
    }
    if loaded.document.writer_at(actor, Lane::API, &seen.heads).is_none() {
        // Written at what is here now, it would take away what its writer didn't see.
        let why = "too many edits of former states of the document were made here already";
        return Err(ApiError::new(ErrorCode::VersionDiffers, what, why, "read it anew, and edit that"));
    }
    Ok(seen)
}
