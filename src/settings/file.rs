//! Reading a settings file: every error names the file, the line and the column.

use std::fs;
use std::io;
use std::path::Path;

use murmurate_client::types::{ApiError, ErrorCode};
use serde::de::DeserializeOwned;

use super::bad_setting;

/// How far a key may be from a known one to be taken for a slip of the keyboard.
const SLIP_EDITS: usize = 3;

/// Reads a file. A missing one is empty, unless it `must_exist`.
pub(super) fn read<T: DeserializeOwned + Default>(path: &Path, must_exist: bool, keys: &[&str]) -> Result<T, ApiError> {
    match fs::read_to_string(path) {
        Ok(text) => parse(path, &text, keys),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => Ok(T::default()),
        Err(error) => Err(ApiError::new(
            ErrorCode::Io,
            format!("read the settings in {}", path.display()),
            error.to_string(),
            "`murmurate paths` shows which files are read; an absent one is fine, unless it is named",
        )),
    }
}

pub(super) fn parse<T: DeserializeOwned>(path: &Path, text: &str, keys: &[&str]) -> Result<T, ApiError> {
    toml::from_str(text).map_err(|error| {
        let (line, column) = position(text, error.span().map_or(0, |span| span.start));
        let what = format!("read the settings in {}, line {line}, column {column}", path.display());
        match unknown_key(error.message()) {
            Some(key) => {
                let known = known_keys(error.message());
                let known = if known.is_empty() { keys } else { &known };
                bad_setting(what, format!("there is no setting `{key}`"), suggestion(key, known))
            }
            None => bad_setting(what, error.message().trim(), "correct the line"),
        }
    })
}

/// The key that serde's `deny_unknown_fields` complains of.
fn unknown_key(message: &str) -> Option<&str> {
    message.strip_prefix("unknown field `")?.split('`').next()
}

/// The keys that it would have taken in this place, which may be a table of its own.
fn known_keys(message: &str) -> Vec<&str> {
    let expected = message.split_once(", expected ").map_or("", |(_, expected)| expected);
    expected.split('`').skip(1).step_by(2).collect()
}

fn suggestion(key: &str, keys: &[&str]) -> String {
    let nearest = keys.iter().map(|known| (strsim::damerau_levenshtein(key, known), *known)).min();
    match nearest {
        Some((edits, known)) if edits <= SLIP_EDITS => format!("did you mean `{known}`?"),
        _ => format!("the settings are: {}", keys.join(", ")),
    }
}

/// Line and column, in characters, both counted from 1.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
