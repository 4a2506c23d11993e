//! One check's outcome.

use murmurate_client::types::V1;
use serde::{Deserialize, Serialize};

use crate::cli::view::Style;

/// All outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Checks {
    pub(in crate::cli) v: V1,
    pub(in crate::cli) checks: Vec<Check>,
}

/// What was looked at, what was found, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::cli) struct Check {
    pub(in crate::cli) name: String,
    pub(in crate::cli) state: State,
    pub(in crate::cli) found: String,
    pub(in crate::cli) fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::cli) enum State {
    /// As it should be.
    Ok,
    /// Works, but somebody should look at it.
    Warn,
    /// Something doesn't work.
    Bad,
    /// It couldn't be looked at.
    Skipped,
}

impl State {
    /// Glyph and word: neither colour nor the glyph's shape is needed to read it.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Ok => "✔ ok",
            Self::Warn => "! warn",
            Self::Bad => "✖ bad",
            Self::Skipped => "- skipped",
        }
    }

    pub(super) fn style(self) -> Style {
        match self {
            Self::Ok => Style::Good,
            Self::Warn => Style::Warn,
            Self::Bad => Style::Bad,
            Self::Skipped => Style::Dim,
        }
    }
}

impl Check {
    fn new(name: &str, state: State, found: impl Into<String>, fix: Option<String>) -> Self {
        Self { name: name.to_owned(), state, found: found.into(), fix }
    }

    pub(super) fn ok(name: &str, found: impl Into<String>) -> Self {
        Self::new(name, State::Ok, found, None)
    }

    pub(super) fn warn(name: &str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(name, State::Warn, found, Some(fix.into()))
    }

    pub(super) fn bad(name: &str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(name, State::Bad, found, Some(fix.into()))
    }

    pub(super) fn skipped(name: &str, why: impl Into<String>) -> Self {
        Self::new(name, State::Skipped, why, None)
    }

    /// For what only the daemon knows.
    pub(super) fn without_daemon(name: &str) -> Self {
        Self::skipped(name, "only the daemon knows")
    }
}
