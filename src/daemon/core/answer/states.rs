//! States of a document by name: what a writer had seen, what a comparison starts from.

use std::sync::Arc;

use murmurate_client::types::{ApiError, ErrorCode, token_version};
use murmurate_crdt::clock::Dot;
use murmurate_crdt::document::{Document, Heads};
use murmurate_crdt::id::{ActorId, ChangeHash, Lane};
use murmurate_crdt::render::Rendered;

use super::not_found;
use crate::daemon::core::documents::Loaded;
use crate::daemon::request::NAMED_HEADS;

/// What stands between the writes that name a state.
const SEPARATOR: char = '+';

/// The name of a state; empty when it has more ends than are named.
pub(super) fn name(document: &Document, heads: &[ChangeHash]) -> String {
    if heads.len() > NAMED_HEADS {
        return String::new();
    }
    let history = document.history();
    let dots = heads.iter().filter_map(|head| history.dot(head)).map(|dot| dot.to_string());
    dots.collect::<Vec<_>>().join(&SEPARATOR.to_string())
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
